"""Identifiers of people who do not exist, and strings that only look like identifiers, from a random generator.

Check digits are computed here from their published definitions, not by the checks the redaction uses.
"""

import tomllib
import uuid
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from random import Random

Maker = Callable[[Random], str]

_PARTS = tomllib.loads(Path(__file__).with_name("invented.toml").read_text(encoding="utf-8"))
_DIGITS = "0123456789"
_HEXADECIMAL = "0123456789abcdef"
_CAPITALS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_ALPHANUMERIC = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def _filled(shape: str, random: Random) -> str:
    choices = {"#": _DIGITS, "N": _DIGITS[2:], "A": _CAPITALS}
    return "".join(random.choice(choices.get(character, character)) for character in shape)


def _token(random: Random, length: int, alphabet: str = _ALPHANUMERIC) -> str:
    return "".join(random.choice(alphabet) for _ in range(length))


def _luhn_digit(payload: str) -> str:
    doubled = [int(digit) * (2 if index % 2 == 0 else 1) for index, digit in enumerate(reversed(payload))]
    return str(-sum(value // 10 + value % 10 for value in doubled) % 10)


def _birthday(random: Random) -> tuple[str, str, str]:
    return f"{random.randint(1, 28):02}", f"{random.randint(1, 12):02}", f"{random.randint(50, 99):02}"


def email(random: Random) -> str:
    """An address, in one case in eight spelled so that a machine should not find it."""
    name, domain = random.choice(_PARTS["names"]), random.choice(_PARTS["domains"])
    if random.random() < 0.125:
        return random.choice(("a.nother [at] example [dot] com", "someone(at)example.org", "sven＠example.com"))
    return f"{name}{random.randint(1, 999)}@{domain}"


def phone(random: Random) -> str:
    return _filled(random.choice(_PARTS["phones"]), random)


def card(random: Random) -> str:
    prefix, length = random.choice(list(_PARTS["cards"].items()))
    payload = prefix + _token(random, length - len(prefix) - 1, _DIGITS)
    digits = payload + _luhn_digit(payload)
    separator = random.choice(("", " ", "-"))
    sizes = (4, 6, 5) if length == 15 else (4, 4, 4, 4)
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    return separator.join(digits[start : start + size] for start, size in zip(starts, sizes, strict=True))


def iban(random: Random) -> str:
    country, shape = random.choice(list(_PARTS["accounts"].items()))
    account = _filled(shape, random)
    number = int("".join(str(int(character, 36)) for character in f"{account}{country}00"))
    whole = f"{country}{98 - number % 97:02}{account}"
    if random.random() < 0.5:
        return " ".join(whole[start : start + 4] for start in range(0, len(whole), 4))
    return whole.lower() if random.random() < 0.2 else whole


def national_id(random: Random) -> str:
    return random.choice(_NATIONAL_IDS)(random)


def _us_ssn(random: Random) -> str:
    digits = f"{random.randint(101, 665)}", f"{random.randint(10, 99)}", f"{random.randint(1000, 9999)}"
    return random.choice(("-".join(digits), " ".join(digits), f"SSN {''.join(digits)}"))


def _spanish_dni(random: Random) -> str:
    number = random.randint(10_000_000, 99_999_999)
    return f"{number}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"


def _brazilian_cpf(random: Random) -> str:
    digits = [random.randint(0, 9) for _ in range(9)]
    for length in (9, 10):
        remainder = sum(digit * (length + 1 - index) for index, digit in enumerate(digits)) * 10 % 11
        digits.append(remainder % 10)
    text = "".join(map(str, digits))
    return f"{text[:3]}.{text[3:6]}.{text[6:9]}-{text[9:]}"


def _french_nir(random: Random) -> str:
    _, month, year = _birthday(random)
    number = f"{random.choice('12')}{year}{month}75{random.randint(1, 990):03}{random.randint(1, 999):03}"
    key = f"{97 - int(number) % 97:02}"
    grouped = f"{number[0]} {year} {month} 75 {number[7:10]} {number[10:]} {key}"
    return random.choice((grouped, number + key))


def _swedish_personnummer(random: Random) -> str:
    day, month, year = _birthday(random)
    serial = f"{random.randint(1, 999):03}"
    return f"{year}{month}{day}-{serial}{_luhn_digit(year + month + day + serial)}"


def _finnish_hetu(random: Random) -> str:
    day, month, year = _birthday(random)
    serial = f"{random.randint(2, 899):03}"
    return f"{day}{month}{year}-{serial}{'0123456789ABCDEFHJKLMNPRSTUVWXY'[int(day + month + year + serial) % 31]}"


def _belgian_number(random: Random) -> str:
    day, month, year = _birthday(random)
    serial = f"{random.randint(1, 997):03}"
    return f"{year}.{month}.{day}-{serial}.{97 - int(year + month + day + serial) % 97:02}"


def _chilean_rut(random: Random) -> str:
    number = f"{random.randint(5_000_000, 25_000_000)}"
    total = sum(int(digit) * weight for digit, weight in zip(reversed(number), cycle(range(2, 8)), strict=False))
    return f"{int(number):,}".replace(",", ".") + f"-{'0K987654321'[total % 11]}"


def _swiss_ahv(random: Random) -> str:
    digits = "756" + _token(random, 9, _DIGITS)
    check = -sum(int(digit) * (3 if index % 2 else 1) for index, digit in enumerate(digits)) % 10
    return f"756.{digits[3:7]}.{digits[7:11]}.{digits[11]}{check}"


def _uk_national_insurance(random: Random) -> str:
    digits = _filled("## ## ##", random)
    return random.choice((f"AB {digits} C", f"JG{digits.replace(' ', '')}A"))


def _named_number(random: Random) -> str:
    """Bare digits with the word that says what they are."""
    name, shape = random.choice(_PARTS["named_numbers"])
    return f"{name} {_filled(shape, random)}"


_NATIONAL_IDS: tuple[Maker, ...] = (
    _us_ssn, _us_ssn, _spanish_dni, _brazilian_cpf, _french_nir, _swedish_personnummer, _finnish_hetu, _belgian_number,
    _chilean_rut, _swiss_ahv, _uk_national_insurance, _named_number, _named_number,
)  # fmt: skip


def ip(random: Random) -> str:
    if random.random() < 0.6:
        return ".".join(
            str(number) for number in (random.randint(11, 126), *(random.randint(1, 254) for _ in range(3)))
        )
    groups = [f"{random.randint(0x1000, 0xFFFF):x}" for _ in range(8)]
    return random.choice((":".join(groups), "fd2a:db8::" + ":".join(groups[:2]), "fe80::" + ":".join(groups[:4])))


def mac(random: Random) -> str:
    pairs = ["02", *(_token(random, 2, _HEXADECIMAL) for _ in range(5))]
    text = random.choice((":", "-")).join(pairs)
    return random.choice((text, text.upper()))


def coordinates(random: Random) -> str:
    latitude, longitude = random.uniform(2, 89), random.uniform(2, 179)
    return random.choice(
        (
            f"{latitude:.4f}, {longitude:.4f}",
            f"-{latitude:.6f},{longitude:.6f}",
            f"{latitude:.4f}° N, {longitude:.4f}° W",
            f"lat: {latitude:.5f}",
            f"{int(latitude)}°{random.randint(10, 59)}'{random.randint(10, 59)}\"N {int(longitude)}°12'18\"E",
        )
    )


def url(random: Random) -> str:
    token = _token(random, 12)
    return random.choice(
        (
            f"https://shop.example.com/orders?customer={token}",
            f"http://example.org/reset?token={token}&user=sven",
            f"postgres://sven:{token}@db.example.com:5432/prod",
            f"https://admin:{token}@example.net/panel",
            f"www.example.com/search?q={token}",
        )
    )


def secret(random: Random) -> str:
    shapes: tuple[Maker, ...] = (
        lambda r: "AKIA" + _token(r, 16, _CAPITALS + "234567"),
        lambda r: "ghp_" + _token(r, 36),
        lambda r: "xoxb-" + _token(r, 12, _DIGITS) + "-" + _token(r, 24),
        lambda r: "sk-proj-" + _token(r, 48),
        lambda r: "sk-ant-api03-" + _token(r, 40),
        lambda r: "AIza" + _token(r, 35),
        lambda r: "glpat-" + _token(r, 20),
        lambda r: "sk_live_" + _token(r, 24),
        lambda r: f"eyJ{_token(r, 20)}.eyJ{_token(r, 40)}.{_token(r, 43)}",
        lambda r: f"password: {_token(r, 6)}7!{_token(r, 4)}x",
        lambda r: f"api_key={_token(r, 30)}9z",
        lambda r: f"-----BEGIN PRIVATE KEY-----\n{_token(r, 64)}\n{_token(r, 40)}==\n-----END PRIVATE KEY-----",
    )
    return random.choice(shapes)(random)


def device(random: Random) -> str:
    """An IMEI beside the word for it: a bare one is only a long number."""
    payload = "35" + _token(random, 12, _DIGITS)
    digits = payload + _luhn_digit(payload)
    written = random.choice((digits, f"{digits[:2]}-{digits[2:8]}-{digits[8:14]}-{digits[14]}"))
    return f"IMEI{random.choice((': ', ' ', ' no. '))}{written}"


def vehicle(random: Random) -> str:
    """A vehicle's number with its check digit (49 CFR 565.15): a letter is worth the number its row begins with."""
    places = [*_token(random, 3, "AFJKLMPRSTVWYZ"), *_token(random, 5, "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"), "0"]
    places += [*_token(random, 2, "ABCDEFGHJKLMNPRSTVWXY"), *_token(random, 6, _DIGITS)]
    rows = ("0", "1AJ", "2BKS", "3CLT", "4DMU", "5ENV", "6FW", "7GPX", "8HY", "9RZ")
    weights = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
    worth = {character: value for value, row in enumerate(rows) for character in row}
    places[8] = "0123456789X"[sum(worth[one] * weight for one, weight in zip(places, weights, strict=True)) % 11]
    return "".join(places)


def birth_date(random: Random) -> str:
    """A date beside a word of birth: a date alone may be any day."""
    day, month, year = _birthday(random)
    return random.choice(
        (f"born {day}.{month}.19{year}", f"DOB: 19{year}-{month}-{day}", f"geboren am {int(day)}. Mai 19{year}",
         f"née le {day}/{month}/19{year}", f"date of birth March {int(day)}, 19{year}",
         f"生年月日は19{year}年{int(month)}月{int(day)}日")
    )  # fmt: skip


def user_name(random: Random) -> str:
    """A folder named after its owner."""
    name = f"{random.choice(('alma', 'tomasz', 'jokafor', 'mlopez', 'svenk', 'priya.rao'))}{random.randint(1, 99)}"
    return random.choice((f"/home/{name}/notes", f"/Users/{name}/Desktop/a.txt", f"C:\\Users\\{name}\\Documents"))


MAKERS: Mapping[str, Maker] = {
    "EMAIL": email, "PHONE": phone, "CARD": card, "IBAN": iban, "NATIONAL_ID": national_id, "IP": ip, "MAC": mac,
    "COORDINATES": coordinates, "URL": url, "SECRET": secret, "DEVICE_ID": device, "VEHICLE_ID": vehicle,
    "BIRTH_DATE": birth_date, "USER_NAME": user_name,
}  # fmt: skip
"""One maker for each type of placeholder."""


def _isbn(random: Random) -> str:
    digits = "9783" + _token(random, 8, _DIGITS)
    check = -sum(int(digit) * (3 if index % 2 else 1) for index, digit in enumerate(digits)) % 10
    return random.choice((f"978-3-{digits[4:8]}-{digits[8:12]}-{check}", f"{digits}{check}"))


def _mistyped_card(random: Random) -> str:
    payload = "4" + _token(random, 14, _DIGITS)
    wrong = (int(_luhn_digit(payload)) + random.randint(1, 9)) % 10
    digits = f"{payload}{wrong}"
    return " ".join(digits[start : start + 4] for start in range(0, 16, 4))


def _one_of(values: Sequence[str]) -> Maker:
    return lambda random: random.choice(values)


LOOK_ALIKES: Mapping[str, Maker] = {
    **{kind: _one_of(values) for kind, values in _PARTS["look_alikes"].items()},
    "uuid": lambda r: str(uuid.UUID(int=r.getrandbits(128), version=4)),
    "isbn": _isbn,
    "iso date": lambda r: f"20{r.randint(10, 29)}-{r.randint(1, 12):02}-{r.randint(1, 28):02}",
    "written date": lambda r: f"{r.randint(1, 28):02}.{r.randint(1, 12):02}.20{r.randint(10, 29)}",
    "timestamp": lambda r: (
        f"2026-{r.randint(1, 12):02}-12T{r.randint(10, 23)}:{r.randint(10, 59)}:07.{r.randint(100, 999)}Z"
    ),
    "epoch": lambda r: str(r.randint(1_600_000_000, 1_799_999_999)),
    "epoch in milliseconds": lambda r: str(r.randint(1_600_000_000_000, 1_799_999_999_999)),
    "version": lambda r: f"v{r.randint(1, 20)}.{r.randint(0, 20)}.{r.randint(0, 99)}",
    "version of four parts": lambda r: f"version {r.randint(1, 20)}.0.{r.randint(0, 99)}.{r.randint(0, 99)}",
    "order number": lambda r: f"order {r.choice(('', '#', 'no. '))}{r.randint(2_000_000_000, 9_999_999_999)}",
    "prefixed number": lambda r: f"{r.choice(('INV', 'SO', 'REQ'))}-2026-{r.randint(0, 9_999_999):07}",
    "sha-256": lambda r: _token(r, 64, _HEXADECIMAL),
    "short commit": lambda r: _token(r, 7, _HEXADECIMAL),
    "mistyped card": _mistyped_card,
    "amount": lambda r: f"{r.randint(1, 999)},{r.randint(100, 999)},{r.randint(100, 999)}.{r.randint(10, 99)}",
    "grouped amount": lambda r: f"{r.randint(1, 9)} {r.randint(100, 999)} {r.randint(100, 999)}",
    "years": lambda r: f"{r.randint(1950, 1999)}-{r.randint(2000, 2026)}",
    "scores": lambda r: f"{r.random():.4f}, {r.random():.4f}",
    "vector": lambda r: "[" + ", ".join(f"{r.gauss(0, 3):.4f}" for _ in range(6)) + "]",
    "long decimal": lambda r: f"{r.uniform(0, 100):.12f}",
    "plain link": lambda r: f"https://docs.example.org/guide/chapter-{r.randint(1, 99)}#part",
    "zip code": lambda r: f"{r.randint(10000, 99999)}-{r.randint(1000, 9999)}",
}
"""One maker for each kind of string that looks like an identifier and is none."""

SENTENCES: Mapping[str, Sequence[str]] = _PARTS["sentences"]
"""By language: what people write about an answer, with a place for a `{value}`."""
