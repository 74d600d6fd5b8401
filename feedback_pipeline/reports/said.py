"""The parts of a report about feedback that is no vote: preferences, comments, corrections."""

from dataclasses import dataclass
from typing import Literal

from feedback_pipeline.reports.parts import Part


@dataclass(frozen=True)
class Ranked(Part):
    """One model's place in people's preferences."""

    project: str
    """Project the answers belong to; empty where unknown."""
    model: str
    """The model."""
    strength: float
    """Bradley–Terry log-odds against the project's average model."""
    low: float
    """Lower end of its 95 % interval."""
    high: float
    """Upper end."""
    win_rate: float
    """Comparisons won, ties as half, 0–1."""
    comparisons: int
    """Comparisons it took part in."""
    standing: Literal["above average", "below average", "cannot tell"]
    """Against the average model; cannot tell: the interval holds zero."""


@dataclass(frozen=True)
class Preferences(Part):
    """Pairs of answers that people compared."""

    comparisons: int
    """Preferences given."""
    ties: int
    """Those that prefer neither."""
    people: int
    """Distinct people who gave them."""
    models: tuple[Ranked, ...]
    """Models, best first within each project; empty where they are unknown, or only one."""
    limit: str | None = None
    """What limits the ranking, or why there is none."""


@dataclass(frozen=True)
class Phrase(Part):
    """Words that several people use."""

    text: str
    """User text: one to three words that at least five people wrote."""
    people: int
    """Distinct people."""
    texts: int
    """Texts (or changes) with it."""


@dataclass(frozen=True)
class Comments(Part):
    """What people wrote, with a verdict or without."""

    comments: int
    """Comments written."""
    without_verdict: int
    """Those that came without a vote."""
    people: int
    """Distinct people who wrote them."""
    phrases: tuple[Phrase, ...]
    """What they have in common, most people first."""


@dataclass(frozen=True)
class Corrections(Part):
    """Better answers that people wrote, against the answers they had."""

    corrections: int
    """Corrections written."""
    people: int
    """Distinct people who wrote them."""
    compared: int
    """Corrections whose answer is known: what follows is about these."""
    kept: float | None
    """Median share of the answer's words that stayed, 0–1."""
    length: float | None
    """Median length of the correction, with the answer's as 1."""
    added: tuple[Phrase, ...] = ()
    """Words that several people put in."""
    removed: tuple[Phrase, ...] = ()
    """Words that several people took out."""
