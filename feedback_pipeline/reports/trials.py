"""The parts of a report about experiments, and about the answers nobody chose to vote on."""

from dataclasses import dataclass
from typing import Literal

from feedback_pipeline.reports.parts import Difference, NoResultPart, Part, Rate


@dataclass(frozen=True)
class Trial(Part):
    """One arm of an experiment against its control, as it stood at the period's end."""

    experiment: str
    """Name of the experiment."""
    arm: str
    """The arm."""
    control: str
    """What it is compared with."""
    people: int
    """People of both arms with a vote."""
    difference: Difference | NoResultPart
    """Approval of the arm minus the control's, with an interval that is valid however often one looks."""
    planned: Difference | NoResultPart
    """The same with the interval at the planned number of people."""
    expected: float | None
    """The difference to expect later: shrunk, as early wins flatter."""
    verdict: Literal["better", "worse", "no_difference_beyond", "too_early", "broken_assignment", "guardrail"]
    """What follows."""
    beyond: float | None
    """For no_difference_beyond: the largest difference still possible."""
    advice: str
    """Stop or go on, and why."""


@dataclass(frozen=True)
class Trials(Part):
    """The experiments that ran in the period."""

    arms: tuple[Trial, ...]


@dataclass(frozen=True)
class AllAnswers(Part):
    """Approval of all answers of the period, beside that of the people who chose to vote."""

    approval: Rate
    """Estimate over all answers; `votes` are the answers of those who were asked."""
    voters: Rate | NoResultPart
    """Approval among those who chose to vote."""
    asked: int
    """Answers that somebody was asked about."""
    if_worse: float
    """The estimate if those who did not answer were ten points less satisfied."""
