"""Whether the people came to the arms in the shares that were asked for: looked at before anything else.

Source: Fabijan et al. 2019, "Diagnosing sample ratio mismatch in online controlled experiments", KDD.
"""

from collections.abc import Mapping, Sequence

from feedback_pipeline.stats.tails import chi_squared_above

MAX_FALSE = 0.0005
"""Probability of stopping a sound experiment; at 100,000 people a mismatch of one point is still caught in 99.7 %."""

MIN_EXPECTED = 5.0
"""People an arm should have before its share says anything."""


def mismatch(strata: Sequence[tuple[Mapping[str, int], Mapping[str, float]]]) -> float | None:
    """p-value of the observed people by arm, chi-square over strata of equal weights; None where too few are there.

    Args:
        strata: people by arm, and weight by arm; one pair a version and leaf.
    """
    statistic, degrees = 0.0, 0
    for people, weights in strata:
        total = sum(people.get(arm, 0) for arm in weights)
        served = {arm: weight for arm, weight in weights.items() if weight > 0}
        if len(served) < 2 or total * min(served.values()) < MIN_EXPECTED:
            continue
        statistic += sum(
            (people.get(arm, 0) - total * weight) ** 2 / (total * weight) for arm, weight in served.items()
        )
        # people of an arm that nobody should have got
        statistic += sum(float(people.get(arm, 0)) * total for arm, weight in weights.items() if weight == 0)
        degrees += len(served) - 1
    return None if degrees == 0 else chi_squared_above(statistic, degrees)
