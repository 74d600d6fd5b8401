"""The opening sections: the period, the verdict, what it rests on, and approval over time."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from feedback_pipeline.reports.parts import Difference, NoResultPart, Part, Rate


@dataclass(frozen=True)
class Period(Part):
    """The week or month a report is about."""

    kind: Literal["weekly", "monthly"]
    label: str
    """ISO week (2026-W47) or month (2026-11)."""
    start: date
    """First day."""
    end: date
    """Last day, included."""
    timezone: str
    """Zone that days are counted in."""
    revision: int = 0
    """0 until late votes changed a report that was already published."""
    provisional: bool = False
    """The period has not closed yet: late votes can still change every number."""
    clock_change_hours: float = 0.0
    """Hours by which the period is longer (+) or shorter (−) than its days × 24."""

    @property
    def noun(self) -> str:
        return "week" if self.kind == "weekly" else "month"


@dataclass(frozen=True)
class Verdict(Part):
    """The one number, against the period before and against its target."""

    approval: Rate
    """Share of up among up and down votes."""
    previous: Rate | None
    """The same of the period before."""
    difference: Difference | NoResultPart
    """This period minus the one before."""
    target: float | None
    """Approval aimed at, 0–1."""
    success: Rate | None
    """Share of successful answers: thumb up, else four stars or more, else a successful outcome."""
    average_stars: float | None
    """Mean of the stars given, 1–5; null without stars."""
    limit: str | None = None
    """What limits the rate: votes of fewer than five people, which hold for them alone."""


@dataclass(frozen=True)
class Coverage(Part):
    """What the numbers rest on."""

    votes: int
    """Verdicts counted."""
    people: int
    """Distinct people who gave them."""
    rated_answers: int
    """Distinct answers that received a vote."""
    answers: int | None
    """All answers given in the period; null where they are not logged."""
    response_rate: float | None
    """Rated answers among all answers; null where the answers are not logged."""
    previous_response_rate: float | None
    """The same of the period before."""
    newest_vote: date | None
    """Day of the newest vote."""
    days_without_votes: tuple[date, ...]
    """Days of the period without a single vote."""
    sensitivity: str | None
    """How uneven response habits would have to be to overturn the comparison."""
    neutral: int = 0
    """Verdicts that are neither up nor down: in no rate."""


@dataclass(frozen=True)
class TrendPoint(Part):
    """One period of a trend."""

    label: str
    """ISO week, month or day."""
    start: date
    """First day."""
    end: date
    """Last day, included."""
    votes: int
    """Verdicts counted."""
    approval: Rate | NoResultPart
    """Share of up among up and down votes."""


@dataclass(frozen=True)
class Release(Part):
    """The first day a model or prompt version served answers."""

    day: date
    """First day seen."""
    dimension: str
    """model or prompt_version."""
    value: str
    """The new level."""


@dataclass(frozen=True)
class Trend(Part):
    """Approval over time; a period without votes is a point that cannot say."""

    points: tuple[TrendPoint, ...]
    releases: tuple[Release, ...] = ()
    target: float | None = None
    """Approval aimed at, 0–1."""
