"""The analytical sections: what changed, the causes, what improved, standings, words, topics, repeated failures.

Fields whose docstring says *user text* hold words written by strangers.
"""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from feedback_pipeline.reports.parts import (
    MIN_PEOPLE,
    Condition,
    Difference,
    Example,
    NoResultPart,
    Part,
    Rate,
    check_examples,
)

SERVED_DIMENSIONS = ("model", "prompt_version", "framework", "variant")
"""Dimensions that whoever runs the application chooses; the others come with the people who ask."""

FindingStatus = Literal["new", "confirmed", "ongoing"]


@dataclass(frozen=True)
class LevelChange(Part):
    """What one level of a dimension contributed to the change."""

    level: str | None
    """Level; null means unknown."""
    share_before: float
    """Share of votes in the period before."""
    share_now: float
    """Share of votes in this period."""
    approval_before: float | None
    """Approval in the period before; null where the level had no votes."""
    approval_now: float | None
    """Approval in this period; null where the level had no votes."""
    mix: float
    """Part of the total change due to the level's share."""
    rate: float
    """Part of the total change due to the level's own approval."""
    q_value: float | None
    """Corrected p-value of the level's own change; null where it was not tested."""


@dataclass(frozen=True)
class DimensionSplit(Part):
    """The total change split along one dimension; splits along different dimensions do not add up."""

    dimension: str
    mix: float
    """Part due to more or fewer votes on some levels."""
    rate: float
    """Part due to levels that got better or worse."""


@dataclass(frozen=True)
class Change(Part):
    """Why approval moved: traffic or quality (Kitagawa 1955), along the dimension that explains most."""

    dimension: str
    before: float
    """Approval in the period before."""
    now: float
    """Approval in this period."""
    mix: float
    """Part due to more or fewer votes on some levels."""
    rate: float
    """Part due to levels that got better or worse."""
    levels: tuple[LevelChange, ...]
    splits: tuple[DimensionSplit, ...] = ()
    """The same split along every dimension looked at."""

    @property
    def served(self) -> bool:
        """The dimension is one we choose: its mix is a release, not a change of traffic."""
        return self.dimension in SERVED_DIMENSIONS


@dataclass(frozen=True)
class Cause(Part):
    """A group of answers with significantly more negative votes than the rest."""

    finding_id: str
    """Stable over periods."""
    conditions: tuple[Condition, ...]
    negative: Rate
    """Share of negative votes inside the group."""
    elsewhere: float
    """Share of negative votes outside the group."""
    set_aside: int
    """Votes of the group that are counted with a cause found before it, and were not compared."""
    excess: float
    """Negative votes beyond what the rate elsewhere would give."""
    share_of_negatives: float
    """Share of all negative votes that fall in the group, each counted with one cause only."""
    q_value: float
    """p-value corrected for everything tested."""
    adjusted: Difference | None
    """Difference after the other dimensions are held equal; null where not estimated."""
    reverses: bool
    """Crude and adjusted difference have opposite signs (Simpson)."""
    status: FindingStatus
    first_seen: date | None
    """First day of the first period with this finding."""
    periods_seen: int
    """Number of periods with this finding, this one included."""
    new_voter_share: float | None = None
    """Part of its votes down by people who had not voted in an earlier period; null where that is not known."""
    rests_on_new_voters: bool = False
    """Without those people it is no finding: it is told, and heads no report."""
    interaction_ids: tuple[str, ...] = ()
    """A few answers of the group, to look up."""
    examples: tuple[Example, ...] = ()

    def __post_init__(self) -> None:
        check_examples(self.examples, self.negative.people)


@dataclass(frozen=True)
class Causes(Part):
    """The findings, most excess negatives first; none is a valid result."""

    findings: tuple[Cause, ...]
    tested: int | None
    """Number of groups tested; null where it was not recorded."""
    untested: int = 0
    """Earlier findings that had too few votes to be looked at again."""


@dataclass(frozen=True)
class Improvement(Part):
    """A group of answers that got better, or a cause that is gone."""

    conditions: tuple[Condition, ...]
    before: float | None
    """Approval in the period before; null where it is not known."""
    now: Rate
    """Approval in this period."""
    q_value: float | None
    """Corrected p-value; null for a finding that is gone."""
    resolved: bool
    """It was a finding in the period before and is none now."""


@dataclass(frozen=True)
class Improvements(Part):
    """What got better; nothing is a valid result."""

    items: tuple[Improvement, ...]


@dataclass(frozen=True)
class Standing(Part):
    """How one level of a dimension does against the rest of the same period."""

    dimension: str
    level: str | None
    """Level; null means unknown."""
    approval: Rate
    shrunken: float
    """Approval pulled toward the dimension's mean by the evidence (empirical Bayes); levels are ranked by it."""
    against_rest: Literal["better", "worse", "no difference"]


@dataclass(frozen=True)
class Standings(Part):
    """All levels above the floors, dimension by dimension."""

    levels: tuple[Standing, ...]


@dataclass(frozen=True)
class Term(Part):
    """A word or phrase that goes with negative (or positive) votes."""

    term: str
    """User text."""
    field: Literal["prompt", "answer", "comment"]
    """Which text it stands in."""
    verdict: Literal["up", "down"]
    negative: Rate
    """Share of negative votes among texts with the term; `people` is at least this many."""
    score: float
    """Log-odds with an informative prior, in standard errors (Monroe, Colaresi & Quinn 2008)."""
    q_value: float

    def __post_init__(self) -> None:
        if self.negative.people is None or self.negative.people < MIN_PEOPLE:
            raise ValueError(f"terms are shown only where at least {MIN_PEOPLE} people used them")


@dataclass(frozen=True)
class Terms(Part):
    """The terms found."""

    terms: tuple[Term, ...]
    tested: int | None
    """Number of terms tested; null where it was not recorded."""


@dataclass(frozen=True)
class Topic(Part):
    """One topic of the fixed taxonomy."""

    topic_id: str
    name: str
    """User text: named from people's words."""
    share: Rate | NoResultPart
    """Share of the texts with negative votes, or why it is withheld; `votes` counts the texts."""
    previous_share: float | None
    """The same of the period before."""
    examples: tuple[Example, ...] = ()

    def __post_init__(self) -> None:
        check_examples(self.examples, self.share.people if isinstance(self.share, Rate) else None)


@dataclass(frozen=True)
class Topics(Part):
    """What negative votes are about, by a taxonomy that stays the same from period to period."""

    taxonomy: str
    """Version of the taxonomy."""
    topics: tuple[Topic, ...]
    other_share: float | None
    """Share of the texts that fit no topic; null where withheld."""


@dataclass(frozen=True)
class RepeatedFailure(Part):
    """The same prompt, answer and action, voted down more than twice."""

    failure_id: str
    action_type: str | None
    negatives: int
    """Negative votes."""
    votes: int
    """All votes on the same, up or down."""
    people: int
    """Distinct people behind the negative ones."""
    is_new: bool
    """Not seen in earlier periods."""
    examples: tuple[Example, ...] = ()

    def __post_init__(self) -> None:
        check_examples(self.examples, self.people)


@dataclass(frozen=True)
class RepeatedFailures(Part):
    """Failures seen more than twice, most frequent first."""

    failures: tuple[RepeatedFailure, ...]
