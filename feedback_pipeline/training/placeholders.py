"""Invented values for redaction placeholders, so that a model does not learn to say [EMAIL_1].

Values come from ranges reserved for examples: they belong to nobody (RFC 2606 domains, RFC 5737 addresses, the
555-0100 to 555-0199 telephone range, published test numbers of cards and IBANs).
"""

import hashlib
import re

from feedback_pipeline.privacy.placeholders import PLACEHOLDER_PATTERN

_FIRST = ("Alex", "Sam", "Robin", "Kim", "Noor", "Jamie", "Lou", "Mika", "Dana", "Ari", "Toni", "Sasha")
_LAST = ("Moreau", "Lind", "Okafor", "Petrov", "Silva", "Tanaka", "Weber", "Haddad", "Novak", "Rossi", "Byrne", "Kaya")
_CARDS = ("4111 1111 1111 1111", "5555 5555 5555 4444", "3782 822463 10005")
_IBANS = ("DE89 3704 0044 0532 0130 00", "GB82 WEST 1234 5698 7654 32", "FR14 2004 1010 0505 0001 3M02 606")


def invented(kind: str, number: int) -> str | None:
    """An invented value for the `number`-th identifier of a kind; None where the kind is not known."""
    first, last = _FIRST[number % len(_FIRST)], _LAST[(number // len(_FIRST)) % len(_LAST)]
    values = {
        "EMAIL": f"{first}.{last}@example.com".lower(),
        "PHONE": f"+1 202-555-01{number % 100:02d}",
        "PERSON": f"{first} {last}",
        "NAME": f"{first} {last}",
        "IP": f"192.0.2.{1 + number % 254}",
        "IP_ADDRESS": f"192.0.2.{1 + number % 254}",
        "URL": f"https://example.org/{number}",
        "CARD": _CARDS[number % len(_CARDS)],
        "CREDIT_CARD": _CARDS[number % len(_CARDS)],
        "IBAN": _IBANS[number % len(_IBANS)],
    }
    return values.get(kind)


def filled(texts: tuple[str, ...], conversation: str, key: str) -> tuple[tuple[str, ...], int] | None:
    """The texts of one conversation with every placeholder replaced, and how many there were.

    The same placeholder gets the same value in every text of the conversation, another one elsewhere.

    Args:
        texts: messages and completion.
        conversation: identity of the conversation.
        key: secret for the draw.

    Returns:
        None where a placeholder is of a kind for which nothing is invented.
    """
    digest = hashlib.blake2b(conversation.encode(), digest_size=4, key=key.encode()[:64], person=b"placeholder")
    offset = int.from_bytes(digest.digest(), "big") % 144
    unknown = False
    count = 0

    def value(match: re.Match[str]) -> str:
        nonlocal unknown, count
        count += 1
        replacement = invented(match[1], offset + int(match[2]))
        unknown = unknown or replacement is None
        return replacement or match[0]

    replaced = tuple(PLACEHOLDER_PATTERN.sub(value, text) for text in texts)
    return None if unknown else (replaced, count)
