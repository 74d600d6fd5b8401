"""Invented personal data, and what only looks like it: pools of values that samples draw from.

Every value is from a range set aside for examples or fiction where there is one (RFC 2606 names, RFC 5737 and RFC 3849
addresses, RFC 7042 MAC addresses, Ofcom, BNetzA and ARCEP drama numbers, payment test ranges), with correct check
digits; keys and tokens are random.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

POOL_SIZE = 400

PERSONAL_TYPES = (
    "email", "phone", "card", "iban", "ssn", "national_id", "ipv4", "ipv6", "url", "secret", "mac", "coordinates",
)  # fmt: skip
"""The structured types of personal data planted in prompts, answers and comments."""

LOOK_ALIKE_TYPES = ("uuid", "isbn", "date", "version", "order_number", "commit", "not_a_card")
"""Values that resemble personal data and are none."""

_FIRST_NAMES = ("ada", "bruno", "chiara", "dmitri", "elif", "fatou", "goran", "hanna", "ines", "jonas", "keiko", "luis")
_LAST_NAMES = ("amsel", "brook", "cordes", "dunne", "ekholm", "ferro", "grau", "hibiya", "ilves", "juncker", "klee")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ALPHABET = _LETTERS + _LETTERS.lower() + "0123456789"
_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"


@dataclass(frozen=True)
class _Invention:
    """A source of invented values, made of nothing but its own random numbers."""

    random: np.random.Generator

    def pick(self, choices: tuple[str, ...]) -> str:
        return choices[int(self.random.integers(len(choices)))]

    def digits(self, count: int) -> str:
        return "".join(str(digit) for digit in self.random.integers(0, 10, count))

    def hexadecimal(self, count: int) -> str:
        return "".join(f"{digit:x}" for digit in self.random.integers(0, 16, count))

    def letters(self, count: int, alphabet: str = _ALPHABET) -> str:
        return "".join(alphabet[place] for place in self.random.integers(0, len(alphabet), count))

    def number(self, low: int, high: int) -> int:
        return int(self.random.integers(low, high))

    def email(self) -> str:
        first, last, host = self.pick(_FIRST_NAMES), self.pick(_LAST_NAMES), self.pick(("com", "org", "net"))
        tag = self.pick(("", "", "", "+news", "+work"))
        return f"{first}{self.pick(('.', '_', '-', ''))}{last}{self.digits(2)}{tag}@example.{host}"

    def phone(self) -> str:
        rest = self.digits(3)
        return self.pick(
            (
                f"+1 202 555 01{rest[:2]}", f"(212) 555-01{rest[:2]}", f"+44 20 7946 0{rest}", f"07700 900{rest}",
                f"+49 30 23125 {rest}", f"030 23125{rest}", f"+33 1 99 00 {rest[:2]} {rest[1:]}",
                f"01 99 00 {rest[:2]} {rest[1:]}",
            )
        )  # fmt: skip

    def card(self) -> str:
        number = with_luhn_digit(f"4000{self.digits(11)}")
        return self.pick((number, " ".join(number[i : i + 4] for i in range(0, 16, 4))))

    def iban(self) -> str:
        country, account = self.pick(("DE", "GB", "NL")), ""
        if country == "DE":
            account = f"00000000{self.digits(10)}"
        elif country == "GB":
            account = f"TEST000000{self.digits(8)}"
        else:
            account = f"TEST{self.digits(10)}"
        number = f"{country}{iban_check_digits(country, account)}{account}"
        return self.pick((number, " ".join(number[i : i + 4] for i in range(0, len(number), 4))))

    def ssn(self) -> str:
        return f"{self.number(734, 750)}-{self.number(1, 100):02d}-{self.number(1, 10_000):04d}"

    def national_id(self) -> str:
        number = self.number(99_000_000, 100_000_000)
        return f"{number}{_DNI_LETTERS[number % 23]}"

    def ipv4(self) -> str:
        return f"{self.pick(('10.20.30', '172.16.40', '192.168.50'))}.{self.number(1, 255)}"

    def ipv6(self) -> str:
        return f"fd2a:db8:{self.hexadecimal(3)}f:{self.hexadecimal(3)}a::{self.hexadecimal(3)}1"

    def url(self) -> str:
        token = self.letters(12)
        return self.pick(
            (
                f"https://{self.pick(_FIRST_NAMES)}:{token}@files.example.org/home",
                f"https://shop.example.com/reset?token={token}&user={self.digits(6)}",
                f"https://example.net/invite?code={token}",
            )
        )

    def secret(self) -> str:
        return self.pick(
            (
                "AK" + "IA" + self.letters(16, _LETTERS + "234567"), "gh" + "p_" + self.letters(36),
                "sk" + "-proj-" + self.letters(40), "xo" + f"xb-{self.digits(12)}-{self.digits(12)}-{self.letters(24)}",
                f"ey{'J'}hbGciOiJIUzI1NiJ9.ey{'J'}{self.letters(24)}.{self.letters(43)}",
            )
        )  # fmt: skip

    def mac(self) -> str:
        tail = self.hexadecimal(2)
        return self.pick((f"00:00:5e:00:53:{tail}", f"00-00-5E-00-53-{tail.upper()}"))

    def coordinates(self) -> str:
        latitude, longitude = self.number(-8_999_999, 9_000_000), self.number(-17_999_999, 18_000_000)
        return f"{latitude / 100_000:.5f}, {longitude / 100_000:.5f}"

    def uuid(self) -> str:
        return "-".join(self.hexadecimal(count) for count in (8, 4, 4, 4, 12))

    def isbn(self) -> str:
        body = f"978{self.digits(9)}"
        check = -sum(int(digit) * (1 + 2 * (place % 2)) for place, digit in enumerate(body)) % 10
        return f"978-{body[3]}-{body[4:8]}-{body[8:12]}-{check}"

    def date(self) -> str:
        return f"20{self.number(20, 27)}-{self.number(1, 13):02d}-{self.number(1, 29):02d}"

    def version(self) -> str:
        return f"{self.number(1, 30)}.{self.number(0, 20)}.{self.number(0, 90)}"

    def order_number(self) -> str:
        return f"{self.pick(('ORD', 'RMA', 'INV'))}-{self.digits(8)}"

    def commit(self) -> str:
        return self.hexadecimal(40)

    def not_a_card(self) -> str:
        number = with_luhn_digit(f"4000{self.digits(11)}")
        return number[:-1] + str((int(number[-1]) + self.number(1, 10)) % 10)


def with_luhn_digit(number: str) -> str:
    """The number followed by its Luhn check digit (ISO/IEC 7812-1, annex B)."""
    doubled = [int(digit) * (2 - place % 2) for place, digit in enumerate(reversed(number))]
    return f"{number}{-sum(value // 10 + value % 10 for value in doubled) % 10}"


def iban_check_digits(country: str, account: str) -> str:
    """The two check digits of an IBAN (ISO 13616: modulus 97)."""
    spelled = "".join(str(int(character, 36)) for character in f"{account}{country}00")
    return f"{98 - int(spelled) % 97:02d}"


@cache
def pools(seed: int) -> dict[str, list[str]]:
    """`POOL_SIZE` values of every type of personal data and of every look-alike."""
    found: dict[str, list[str]] = {}
    for name in (*PERSONAL_TYPES, *LOOK_ALIKE_TYPES):
        random = np.random.default_rng(np.random.SeedSequence([seed, int.from_bytes(name.encode(), "big")]))
        invent: Callable[[], str] = getattr(_Invention(random), name)
        found[name] = [invent() for _ in range(POOL_SIZE)]
    return found
