"""The values that every section of a report is made of: rates, differences, counts, conditions and excerpts.

Rates, shares and differences are fractions (0.05 is five percentage points).
"""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from pydantic import ConfigDict

MIN_PEOPLE = 5
"""Fewest people a group must have before its rate or its words are shown: reports are about groups, not persons."""

MAX_EXCERPT = 160
"""Longest quotation, in characters."""


class Part:
    """Base of every value in a report: its field docstrings become the descriptions of the JSON schema."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")


@contextmanager
def described() -> Iterator[None]:
    """Adapters that are made in the block know the docstrings of fields, which pydantic reads from the source files:
    three times what an adapter takes that only reads and writes documents."""
    plain = Part.__pydantic_config__
    Part.__pydantic_config__ = ConfigDict(**plain, use_attribute_docstrings=True)
    try:
        yield
    finally:
        Part.__pydantic_config__ = plain


@dataclass(frozen=True)
class NoResultPart(Part):
    """A section, or a number, that is absent, and why."""

    cannot_say: str
    """Why nothing can be said, as the end of "Cannot say: …"."""


@dataclass(frozen=True)
class Rate(Part):
    """A share with its 95 % interval and what it rests on."""

    value: float
    """Estimate, 0–1."""
    low: float
    """Lower end of the interval, 0–1."""
    high: float
    """Upper end of the interval, 0–1."""
    votes: int
    """Number of votes (for a judged rate: judged answers)."""
    people: int | None = None
    """Distinct people behind the votes; null where they are not counted."""

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.value <= self.high <= 1:
            raise ValueError(f"a rate needs 0 ≤ low ≤ value ≤ high ≤ 1, not {self.low}, {self.value}, {self.high}")
        if self.votes < 1:
            raise ValueError(f"a rate needs at least one vote, not {self.votes}: use NoResultPart")


@dataclass(frozen=True)
class Difference(Part):
    """A difference between two rates with its 95 % interval, as a fraction: 0.05 is five percentage points."""

    value: float
    """Estimate, −1–1."""
    low: float
    """Lower end of the interval."""
    high: float
    """Upper end of the interval."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.value <= self.high):
            raise ValueError(f"a difference needs low ≤ value ≤ high, not {self.low}, {self.value}, {self.high}")

    @property
    def significant(self) -> bool:
        """The interval excludes zero."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Count(Part):
    """A named count."""

    name: str
    """What is counted."""
    count: int
    """How many."""


@dataclass(frozen=True)
class Condition(Part):
    """One restriction of a group of answers: a dimension has a value."""

    dimension: str
    """Dimension, such as prompt_version."""
    value: str | None
    """Level of the dimension; null means unknown."""


@dataclass(frozen=True)
class Example(Part):
    """A few words from one answer or comment of a group."""

    interaction_id: str
    """The answer it belongs to."""
    text: str
    """User text: an excerpt of at most 160 characters."""

    def __post_init__(self) -> None:
        if len(self.text) > MAX_EXCERPT:
            raise ValueError(f"an excerpt has at most {MAX_EXCERPT} characters, not {len(self.text)}")


def check_examples(examples: tuple[Example, ...], people: int | None) -> None:
    """Raises ValueError where examples stand beside a group of fewer than five people."""
    if examples and (people is None or people < MIN_PEOPLE):
        raise ValueError(f"examples are shown only for groups of at least {MIN_PEOPLE} people")


def excerpt(text: str) -> str:
    """User text on one line, without control or direction-changing characters, at most 160 characters."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    words = " ".join(printable.split())
    return words if len(words) <= MAX_EXCERPT else words[: MAX_EXCERPT - 1].rstrip() + "…"


def examples_of(texts: Iterable[tuple[str, str]], people: int | None) -> tuple[Example, ...]:
    """Examples from (interaction id, text) pairs: excerpts, and none for a group of fewer than five people."""
    if people is None or people < MIN_PEOPLE:
        return ()
    cut = ((interaction_id, excerpt(text)) for interaction_id, text in texts)
    return tuple(Example(interaction_id, text) for interaction_id, text in cut if text)
