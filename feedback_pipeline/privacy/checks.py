"""Whether a piece of text that has the shape of an identifier is one.

Each check takes the text a pattern found and answers with the part of it that is the identifier, as a span of character
positions: all of it, less where the pattern ran on into its neighbours, None where there is none.
"""

import importlib
import re
import tomllib
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator
from ipaddress import AddressValueError, IPv4Address, IPv6Address, IPv6Network
from itertools import pairwise
from math import log2
from pathlib import Path

from stdnum import isbn as stdnum_isbn

Span = tuple[int, int]
Check = Callable[[str], Span | None]

_NOT_DIGIT = re.compile(r"[^0-9]+")
_DIGIT_GROUP = re.compile(r"[0-9]+")
_EXTENSION = re.compile(r"[ ,]*(?:#|[xх]|ext|durchwahl|poste|anexo).*", re.IGNORECASE | re.DOTALL)
_NORTH_AMERICAN = re.compile(r"(?:.*[^0-9])?\(?[0-9]{3}\)?[-. /][0-9]{3}[-. ][0-9]{4}", re.DOTALL)
_PHONE_PREFIX = re.compile(r"(?:TEL|TLF|FAX|MOB|CELL|PH|PHONE|SSN|HP|GSM)", re.IGNORECASE)
_PLACEHOLDER_WORDS = ("example", "your", "xxxx", "****", "changeme", "placeholder", "dummy", "redacted")
_EVERYDAY = tomllib.loads(Path(__file__).with_name("everyday_words.toml").read_text(encoding="utf-8"))
_URL_SAFE = str.maketrans("-_", "+/")
_BASE64_AGAIN = re.compile(r"[A-Za-z0-9+/_=-]+")
_VEHICLE_VALUES = {
    **{str(digit): digit for digit in range(10)},
    **{letter: 1 + index % 9 for index, letter in enumerate("ABCDEFGHI") if letter != "I"},
    **dict(zip("JKLMNPR", (1, 2, 3, 4, 5, 7, 9), strict=True)),
    **dict(zip("STUVWXYZ", range(2, 10), strict=True)),
}
_VEHICLE_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_AT_WORDS = frozenset({"at", "ät", "aet", "arroba", "arobase", "chiocciola", "собака"})
_DOT_WORDS = ("dot", "punkt", "punto", "ponto", "point", "точка")
_MAIL_HOSTS = frozenset(
    f"{host}.{end}"
    for host in ("gmail", "googlemail", "hotmail", "outlook", "yahoo", "icloud", "proton", "protonmail", "gmx", "web")
    for end in ("com", "de", "net", "me", "fr", "es", "it", "co.uk")
)
_OF_SOMETHING = frozenset(
    ("sha1", "sha256", "sha512", "md5", "blake3", "hash", "commit", "image", "layer", "build", "rev", "etag", "id")
)
_NOT_A_NAME = frozenset(_EVERYDAY["names"])
_NOT_A_DOMAIN = frozenset(_EVERYDAY["domains"])
_NOBODYS_FOLDERS = frozenset(_EVERYDAY["folders"])
_NOT_A_HOST = (0, 127, 255)
_DOCUMENTATION = ("192.0.2.", "198.51.100.", "203.0.113.")
_DOCUMENTATION_6 = IPv6Network("2001:db8::/32")
_RESOLVERS = frozenset({"1.1.1.1", "1.0.0.1", "8.8.8.8", "8.8.4.4", "9.9.9.9", "4.2.2.2", "4.2.2.1"})
"""Hosts whose addresses look like numbers of sections."""
_SEPARATORS = str.maketrans("", "", " -")
_MAX_PHONE = 15
_MIN_CARD, _MAX_CARD = 13, 19
_LUHN_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
"""Twice a digit, its two digits added."""
_UNSPECIFIC = frozenset({"000000000000", "ffffffffffff"})

_LETTER_VALUES = str.maketrans({chr(ord("A") + index): str(10 + index) for index in range(26)})
"""A letter as the two decimal digits ISO 7064 reads it as."""

_IBAN_REGISTRY = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 "
    "EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 "
    "IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 "
    "NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 "
    "SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"
)
_IBAN_LENGTHS = {entry[:2]: int(entry[2:]) for entry in _IBAN_REGISTRY.split()}

_ISSUERS = (
    # Inclusive range of issuer identification numbers, then the lengths in use.
    ("4", "4", (16, 19)),
    ("51", "55", (16,)),
    ("2221", "2720", (16,)),
    ("34", "34", (15,)),
    ("37", "37", (15,)),
    ("300", "305", (14, 16)),
    ("3095", "3095", (14, 16)),
    ("36", "36", (14, 16)),
    ("38", "39", (14, 16)),
    ("3528", "3589", range(16, 20)),
    ("60", "60", range(16, 20)),
    ("644", "649", range(16, 20)),
    ("65", "65", range(16, 20)),
    ("62", "62", range(16, 20)),
    ("2200", "2204", range(16, 20)),
    ("50", "50", range(13, 20)),
    ("56", "58", range(13, 20)),
    ("61", "61", range(13, 20)),
    ("63", "63", range(13, 20)),
    ("67", "67", range(13, 20)),
)


def _ends(value: str) -> Iterator[int]:
    """Where the identifier may end: at the end, or before a separator; the longest first."""
    yield len(value)
    for position in range(len(value) - 1, 0, -1):
        if not value[position].isalnum() and value[position - 1].isalnum():
            yield position


def _digits(value: str) -> str:
    return _NOT_DIGIT.sub("", value)


def _all_if(value: str, condition: bool) -> Span | None:
    return (0, len(value)) if condition else None


def secret(value: str) -> Span | None:
    """A made-up word of letters and digits rather than a word of the language, a variable or a blank to fill in."""
    lowered = value.lower()
    mixed = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
    return _all_if(value, mixed and not any(word in lowered for word in _PLACEHOLDER_WORDS))


def prefixed_key(value: str) -> Span | None:
    """A prefix and then a word drawn at random, unless the prefix says that it is the hash of something."""
    parts = re.split(r"[_-]", value)
    word = max(parts, key=len)
    prefix = parts[: parts.index(word)]
    mixed = any(c.isupper() for c in word) and any(c.islower() for c in word)
    throughout = sum(a.isdigit() != b.isdigit() for a, b in pairwise(word)) >= len(word) // 4
    of_something = any(one.lower() in _OF_SOMETHING for one in prefix)
    return _all_if(value, _is_random(word) and (mixed or throughout) and not of_something)


def random_word(value: str) -> Span | None:
    """A word drawn at random beside one that announces a key, less the full stop after it."""
    end = len(value.rstrip("._-~="))
    return (0, end) if secret(value[:end]) and _is_random(value[:end]) else None


def _is_random(word: str) -> bool:
    """Letters and digits mixed as nobody mixes them who names something.

    The entropy of the letters (Shannon 1948) tells repetition from chance; the changes between letters and digits, or
    between capitals and small letters beside digits, tell it from names that end in a number.
    """
    digits = sum(c.isdigit() for c in word)
    if digits < 2 or digits == len(word) or len(word) < 16:
        return False
    counts = Counter(word)
    entropy = -sum(n / len(word) * log2(n / len(word)) for n in counts.values())
    changes = sum(a.isdigit() != b.isdigit() for a, b in pairwise(word))
    return entropy >= 3.0 and changes >= 4


def encoded_text(value: str) -> Span | None:
    """Base64 of readable text that is no Base64 itself."""
    text = decoded(value)
    if text is None:
        return None
    readable = sum(c.isprintable() or c in "\n\r\t" for c in text) == len(text)
    return _all_if(value, readable and not _BASE64_AGAIN.fullmatch(text))


def decoded(value: str) -> str | None:
    """The text behind Base64 (RFC 4648, both alphabets, padded or not); None where there is none."""
    compact = value.rstrip("=").translate(_URL_SAFE)
    try:
        return b64decode(compact + "=" * (-len(compact) % 4), validate=True).decode()
    except ValueError:
        return None


def document_number(value: str) -> Span | None:
    """Letters and digits of a paper: five digits at least, or four beside letters, and not a word in capitals."""
    for end in _ends(value):
        compact = value[:end].translate(_SEPARATORS)
        digits, letters = sum(c.isdigit() for c in compact), sum(c.isalpha() for c in compact)
        if 6 <= len(compact) <= 12 and (digits >= 6 or (letters and digits >= 3)):
            return 0, end
    return None


def vehicle_shaped(value: str) -> Span | None:
    """Seventeen letters and digits with some of each (ISO 3779)."""
    return _all_if(value, sum(c.isdigit() for c in value) >= 4 and any(c.isalpha() for c in value))


def vehicle_checked(value: str) -> Span | None:
    """A vehicle's number whose ninth place is its check digit (49 CFR 565.15)."""
    if not vehicle_shaped(value) or len(set(value)) < 6:
        return None
    total = sum(_VEHICLE_VALUES[c] * weight for c, weight in zip(value, _VEHICLE_WEIGHTS, strict=True))
    return _all_if(value, value[8] == "0123456789X"[total % 11])


def address_with_spaces(value: str) -> Span | None:
    """An address, and not a price or a sentence with a sign in it."""
    name, sign, domain = value.partition("@")
    if not sign:
        return None
    host = domain.split(".")[0].strip().lower()
    wordy = name.strip().lower() in _NOT_A_NAME or host in _NOT_A_DOMAIN or not any(c.isalpha() for c in host)
    return _all_if(value, not wordy and (len(name.strip()) > 1 or "." in name))


def address_in_words(value: str) -> Span | None:
    """An address read aloud, and not a place that somebody looks at."""
    words = value.lower().split()
    at = next((place for place, word in enumerate(words) if word in _AT_WORDS), 0)
    if not 0 < at < len(words) - 1:
        return None
    said = " ".join(words[at + 1 :])
    plain = words[at] == "at" and not any(f" {dot} " in f" {said} " for dot in _DOT_WORDS)
    known = said in _MAIL_HOSTS
    refused = words[at - 1] in _NOT_A_NAME or words[at + 1] in _NOT_A_DOMAIN or (plain and not known)
    return _all_if(value, not refused)


def user_folder(value: str) -> Span | None:
    """The folder of a person: not one of a role, a system or a blank to fill in."""
    name = value.rstrip(".")
    blank = not name[:1].isalnum() or name.lower() in _NOBODYS_FOLDERS
    return None if blank or len(name) < 2 else (0, len(name))


def mac(value: str) -> Span | None:
    """Neither null nor broadcast, and in the three-group form not merely decimal digits."""
    digits = re.sub(r"[:.-]", "", value).lower()
    return _all_if(value, digits not in _UNSPECIFIC and not ("." in value and digits.isdigit()))


def ip_address(value: str) -> Span | None:
    """An address that names a host: not loopback, unspecified, a network mask, a range kept for documentation (RFC
    5737, RFC 3849), or the number of a section."""
    return _ipv6(value) if ":" in value else _ipv4(value)


def host_address(value: str) -> Span | None:
    """The same beside a word that announces a host, where small numbers are no section."""
    try:
        address = IPv4Address(value)
    except AddressValueError:
        return None
    return _all_if(value, _names_a_host(address))


def _ipv4(value: str) -> Span | None:
    try:
        address = IPv4Address(value)
    except AddressValueError:
        return None
    section_number = max(address.packed) < 10 and value not in _RESOLVERS
    return _all_if(value, _names_a_host(address) and not section_number)


def _names_a_host(address: IPv4Address) -> bool:
    return address.packed[0] not in _NOT_A_HOST and not str(address).startswith(_DOCUMENTATION)


def _ipv6(value: str) -> Span | None:
    text = value if value.endswith("::") else value.rstrip(":")
    try:
        address = IPv6Address(text)
    except AddressValueError:
        return None
    if address.ipv4_mapped is not None:
        return (0, len(text)) if _names_a_host(address.ipv4_mapped) else None
    hexadecimal = text.replace(":", "").replace(".", "")
    specific = not address.is_loopback and any(c.isdigit() for c in hexadecimal) and len(hexadecimal) >= 5
    return (0, len(text)) if specific and address not in _DOCUMENTATION_6 else None


def iban(value: str) -> Span | None:
    """Country, length and the remainder modulo 97 agree (ISO 13616)."""
    length = _IBAN_LENGTHS.get(value[:2].upper())
    if length is None:
        return None
    end = next((end for end in _ends(value) if len(value[:end].translate(_SEPARATORS)) == length), None)
    if end is None:
        return None
    compact = value[:end].translate(_SEPARATORS).upper()
    remainder = int((compact[4:] + compact[:4]).translate(_LETTER_VALUES)) % 97
    return (0, end) if remainder == 1 else None


def isbn(value: str) -> Span | None:
    """A book number: thirteen digits from the bookland with their check digit, or ten digits hyphenated as assigned."""
    compact = value.replace("-", "").replace(" ", "")
    if len(compact) == 13:
        return _all_if(value, compact.startswith(("978", "979")) and stdnum_isbn.is_valid(compact))
    hyphenated = value.replace(" ", "-").upper()
    return _all_if(value, stdnum_isbn.is_valid(compact) and hyphenated == stdnum_isbn.format(compact))


def card(value: str) -> Span | None:
    """A payment card: issuer prefix, length and Luhn digit agree (ISO/IEC 7812). Other digits may stand beside it."""
    groups = list(_DIGIT_GROUP.finditer(value))
    for first in range(len(groups)):
        for last in range(len(groups), first, -1):
            if _is_card("".join(group[0] for group in groups[first:last])):
                return groups[first].start(), groups[last - 1].end()
    return None


def card_named(value: str) -> Span | None:
    """Twelve to nineteen digits with a Luhn digit, of any issuer, beside a word for a card."""
    for end in _ends(value):
        digits = _digits(value[:end])
        if 12 <= len(digits) <= _MAX_CARD and _has_luhn_digit(digits) and len(set(digits)) > 1:
            return 0, end
    return None


def _is_card(digits: str) -> bool:
    if not _MIN_CARD <= len(digits) <= _MAX_CARD or not _has_luhn_digit(digits):
        return False
    fits = any(low <= digits[: len(low)] <= high and len(digits) in lengths for low, high, lengths in _ISSUERS)
    return fits and len(set(digits)) > 1


def _has_luhn_digit(digits: str) -> bool:
    """The Luhn checksum (ISO/IEC 7812-1, annex B); an order of magnitude faster than the one of python-stdnum."""
    numbers = [int(digit) for digit in digits]
    return (sum(numbers[-1::-2]) + sum(_LUHN_DOUBLED[number] for number in numbers[-2::-2])) % 10 == 0


def coordinates(value: str) -> Span | None:
    """Latitude and longitude in range; a pair of numbers up to one is a pair of scores."""
    latitude, longitude = (float(number) for number in re.findall(r"[0-9]+\.[0-9]+", value))
    near_origin = latitude <= 1 and longitude <= 1
    return _all_if(value, latitude <= 90 and longitude <= 180 and not near_origin)


def phone(value: str) -> Span | None:
    """Eight to fifteen digits (ITU-T E.164), not all the same."""
    return _phone(value, 8)


def phone_national(value: str) -> Span | None:
    """Nine to fifteen digits with the trunk prefix, not all the same."""
    return _phone(value, 9)


def phone_named(value: str) -> Span | None:
    """Seven to fifteen digits beside a word that announces them."""
    return _phone(value, 7)


def _phone(value: str, shortest: int) -> Span | None:
    extension = _EXTENSION.search(value)
    number = value[: extension.start()] if extension else value
    for end in _ends(number):
        digits = _digits(number[:end])
        if shortest <= len(digits) <= _MAX_PHONE:
            whole = extension is not None and end == len(number)
            return (0, len(value) if whole else end) if len(set(digits)) > 1 else None
    return None


def not_phone_shaped(value: str) -> Span | None:
    """The number of an order or a ticket, unless it is written the way a telephone number is."""
    return _all_if(value, not _NORTH_AMERICAN.fullmatch(value))


def not_phone_prefix(value: str) -> Span | None:
    """A number with a prefix of letters that does not announce a telephone number."""
    return _all_if(value, not _PHONE_PREFIX.match(value))


def stdnum_check(module: str, shape: str) -> Check:
    """The check of a python-stdnum module, such as `es.dni`, for values of the given shape (a regular expression)."""
    is_valid: Callable[[str], bool] = importlib.import_module(f"stdnum.{module}").is_valid
    fits = re.compile(shape, re.ASCII).fullmatch

    def check(value: str) -> Span | None:
        if fits(value) is None:
            return None
        try:
            valid = is_valid(value.replace(" ", "").upper())
        except (LookupError, ValueError):
            # Some modules stumble over gaps in their own tables; what cannot be judged is masked.
            valid = True
        return _all_if(value, valid)

    return check
