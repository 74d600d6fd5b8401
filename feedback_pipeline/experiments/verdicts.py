"""What an experiment says by now: a verdict of a closed set, advice, and what to expect of the effect."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import scipy

from feedback_pipeline.experiments.ratios import Gap, People, gap
from feedback_pipeline.experiments.sample_ratio import MAX_FALSE
from feedback_pipeline.stats.always_valid import sequence_half_width

VerdictName = Literal["better", "worse", "no_difference_beyond", "too_early", "broken_assignment", "guardrail"]
VERDICTS = ("better", "worse", "no_difference_beyond", "too_early", "broken_assignment", "guardrail")

ALPHA = 0.05
MIN_PEOPLE = 30
"""People with a vote in each arm, under which nothing is said."""

MIN_PLANNED = 200
"""Fewest people a plan may name: sequences tuned to fewer are wide ever after."""

EFFECT_SPREAD = 0.03
"""Standard deviation of true effects on approval, as prior of what to expect: most changes move it by less than
three points (Azevedo et al. 2020, "A/B testing with fat tails", Journal of Political Economy 128)."""


@dataclass(frozen=True)
class Reading:
    """A measure of an arm against the control by now.

    Attributes:
        gap: the difference, None where there is none.
        low: lower end of the interval at the planned number of people; says nothing before.
        high: its upper end.
        sequence_low: lower end of the confidence sequence: valid however often one looks.
        sequence_high: its upper end.
        reason: why there is no number.
    """

    gap: Gap | None = None
    low: float | None = None
    high: float | None = None
    sequence_low: float | None = None
    sequence_high: float | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Guardrail:
    """A measure that must not get worse by more than a margin."""

    name: str
    reading: Reading
    margin: float
    higher_is_worse: bool = True

    @property
    def breached(self) -> bool:
        """The whole sequence lies beyond the margin on the bad side."""
        low, high = self.reading.sequence_low, self.reading.sequence_high
        if low is None or high is None:
            return False
        return low > self.margin if self.higher_is_worse else high < -self.margin


@dataclass(frozen=True)
class Conclusion:
    """What follows for an arm.

    Attributes:
        verdict: of the closed set.
        advice: stop or go on, and why.
        beyond: for `no_difference_beyond`, the largest difference that is still possible.
        expected: the effect shrunk towards none: what to expect after a win that was picked because it won.
        people_missing: still needed for the planned number; None where it is reached.
    """

    verdict: VerdictName
    advice: str
    beyond: float | None = None
    expected: float | None = None
    people_missing: int | None = None


def read(arm: People, control: People, *, planned: int, alpha: float = ALPHA, adjust: bool = True) -> Reading:
    """The difference of two arms with both intervals.

    Args:
        arm: people of the arm.
        control: people of the control.
        planned: people of both at which the experiment is to be read; the sequence is narrowest there.
        alpha: chance of being wrong, divided by the number of arms by whoever compares several.
        adjust: by the covariate.
    """
    fewest = min(arm.count, control.count)
    if fewest < MIN_PEOPLE:
        return Reading(reason=f"fewer than {MIN_PEOPLE} people in an arm ({fewest})")
    measured = gap(arm, control, adjust=adjust)
    if not measured.standard_error > 1e-12:
        return Reading(measured, reason="everybody says the same: no spread to judge by")
    half = float(scipy.special.ndtri(1 - alpha / 2)) * measured.standard_error
    sequence = sequence_half_width(measured.standard_error, measured.people, max(planned, MIN_PLANNED), alpha)
    return Reading(
        measured, measured.value - half, measured.value + half, measured.value - sequence, measured.value + sequence
    )


def conclude(
    primary: Reading, *, sample_ratio: float | None, planned: int, smallest: float,
    guardrails: Sequence[Guardrail] = (),
) -> Conclusion:  # fmt: skip
    """The verdict.

    Args:
        primary: the measure that decides.
        sample_ratio: p-value of the people's shares.
        planned: people of both arms the experiment waits for.
        smallest: the smallest difference that matters.
        guardrails: what must not get worse.
    """
    if sample_ratio is not None and sample_ratio < MAX_FALSE:
        return Conclusion("broken_assignment", "stop: the arms' shares of people are not those that were asked for; "
                          "find out who is missing before reading anything")  # fmt: skip
    breached = [one.name for one in guardrails if one.breached]
    if breached:
        return Conclusion("guardrail", f"stop: {', '.join(breached)} got worse than allowed")
    if primary.gap is None or primary.sequence_low is None or primary.sequence_high is None:
        return Conclusion("too_early", f"go on: {primary.reason}", people_missing=planned)
    found = primary.gap
    expected = shrunk(found.value, found.standard_error)
    if primary.sequence_low > 0:
        return Conclusion("better", "stop: better, and looking early did not make it so", expected=expected)
    if primary.sequence_high < 0:
        return Conclusion("worse", "stop: worse", expected=expected)
    assert primary.low is not None
    assert primary.high is not None
    within = max(abs(primary.sequence_low), abs(primary.sequence_high))
    if within < smallest:
        return Conclusion("no_difference_beyond", "stop: whatever the difference is, it is smaller than what matters",
                          within, expected)  # fmt: skip
    if found.people >= planned:
        beyond = max(abs(primary.low), abs(primary.high))
        return Conclusion("no_difference_beyond", "stop: the planned people were seen and no difference was found",
                          beyond, expected)  # fmt: skip
    return Conclusion("too_early", "go on", expected=expected, people_missing=planned - found.people)


def shrunk(value: float, standard_error: float, spread: float = EFFECT_SPREAD) -> float:
    """Posterior mean of an effect under a normal prior around none."""
    return value * spread**2 / (spread**2 + standard_error**2)


def planned_people(rate: float, smallest: float, *, arms: int = 2, alpha: float = ALPHA, power: float = 0.8) -> int:
    """People with a vote that find a difference of `smallest` on a rate with this power, over all arms.

    The planned interval's formula; the sequence needs about two thirds more.
    """
    z = float(scipy.special.ndtri(1 - alpha / 2) + scipy.special.ndtri(power))
    other = min(max(rate + smallest, 0.0), 1.0)
    each = z**2 * (rate * (1 - rate) + other * (1 - other)) / smallest**2
    return max(MIN_PLANNED, arms * math.ceil(each))
