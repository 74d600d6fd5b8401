"""Tags: one way to write each, at every intake, and which of them look alike."""

import unicodedata
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

_DASHES = str.maketrans({"_": " ", "-": " ", "/": " ", ".": " ", ",": " "})
_ALIKE = 0.85
_ENDINGS = ("ies", "ing", "es", "ed", "s")


def normalised_tag(tag: str) -> str:
    """A tag as it is stored: lower case, words joined by dashes; `Code_Review` and `code review` are `code-review`."""
    return "-".join(unicodedata.normalize("NFKC", tag).casefold().translate(_DASHES).split())


def normalised_tags(tags: Iterable[str]) -> list[str]:
    """Tags as they are stored, sorted, without repeats and empty ones."""
    return sorted({found for tag in tags if (found := normalised_tag(tag))})


def look_alikes(tags: Sequence[str], known: Iterable[str]) -> dict[str, list[str]]:
    """The known tags that each of some normalised tags may be a misspelling of, most alike first.

    Alike are tags of the same words in another order or number, and those whose letters agree by 85 % (Ratcliff and
    Obershelp 1988). A tag that is known itself is alike to others all the same: either of them may be the slip.
    """
    others = sorted(set(known))
    found: dict[str, list[str]] = {}
    for tag in tags:
        ranked = sorted(((_likeness(tag, other), other) for other in others if other != tag), key=lambda pair: -pair[0])
        if alike := [other for likeness, other in ranked if likeness >= _ALIKE]:
            found[tag] = alike[:3]
    return found


def _likeness(tag: str, other: str) -> float:
    if sorted(map(_stem, tag.split("-"))) == sorted(map(_stem, other.split("-"))) or _joined(tag) == _joined(other):
        return 1.0
    if abs(len(tag) - len(other)) > 3 or min(len(tag), len(other)) < 4 or _digits(tag) != _digits(other):
        return 0.0  # `v1` and `v2` are two tags
    return SequenceMatcher(None, tag, other, autojunk=False).ratio()


def _joined(tag: str) -> str:
    return tag.replace("-", "")


def _digits(tag: str) -> str:
    return "".join(character for character in tag if character.isdigit())


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending) + ("y" if ending == "ies" else "")
    return word
