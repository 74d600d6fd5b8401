"""How often each arm answers next: Thompson sampling by context leaf, in daily batches.

Source: Chapelle & Li 2011, "An empirical evaluation of Thompson sampling", NeurIPS; floors as in Offer-Westort, Coppock
& Green 2021, "Adaptive experimental design", AJPS 65.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from feedback_pipeline.stats.intervals import moment_prior

Floats = npt.NDArray[np.float64]

FLOOR = 0.05
"""Smallest weight of an arm that serves: less, and nothing could be said of it."""

DRAWS = 20_000
MIN_PEOPLE = 30
"""People with a vote on an arm of a leaf, under which the leaf keeps equal weights."""

PRIOR_VOTES = 4.0
"""Votes that the pooled rate of all leaves is worth in a leaf."""


@dataclass(frozen=True)
class LeafWeights:
    """Weights of the arms in one leaf.

    Attributes:
        weights: sum to 1; 0 for an arm that is off.
        best: probability of each arm to be the best one.
        reason: how the weights came about.
    """

    weights: tuple[float, ...]
    best: tuple[float, ...]
    reason: str


def leaf_weights(
    up: Floats, n: Floats, people: Floats, pooled: tuple[float, float], *, off: Collection[int] = (),
    seed: int = 0, floor: float = FLOOR,
) -> LeafWeights:  # fmt: skip
    """The weights of one leaf's arms.

    Args:
        up: votes up by arm, each divided by the probability it was served with where that changed.
        n: votes by arm, divided alike.
        people: people behind them.
        pooled: mean and strength of the prior, from all leaves.
        off: arms whose guardrail was breached: they are not served.
        seed: of the draws, so that the same day gives the same weights.
        floor: smallest weight of an arm that serves.
    """
    arms = up.size
    on = [index for index in range(arms) if index not in off]
    if not on:
        return LeafWeights((1.0, *([0.0] * (arms - 1))), tuple([0.0] * arms), "every arm is off: the first one serves")
    even = np.zeros(arms)
    even[on] = 1 / len(on)
    if min(people[on]) < MIN_PEOPLE:
        return LeafWeights(tuple(even.tolist()), tuple(even.tolist()), f"fewer than {MIN_PEOPLE} people on an arm")
    mean, strength = pooled
    worth = min(strength, PRIOR_VOTES)
    alpha, beta = up + mean * worth, (n - up) + (1 - mean) * worth
    drawn = np.random.default_rng(seed).beta(alpha[on], beta[on], size=(DRAWS, len(on)))
    best = np.zeros(arms)
    best[on] = np.bincount(drawn.argmax(axis=1), minlength=len(on)) / DRAWS
    weights = np.zeros(arms)
    weights[on] = floor + (1 - floor * len(on)) * best[on]
    rounded = np.round(weights, 4)
    rounded[int(rounded.argmax())] += 1 - rounded.sum()
    return LeafWeights(tuple(rounded.tolist()), tuple(best.tolist()), "thompson")


def pooled_prior(up: Floats, n: Floats) -> tuple[float, float]:
    """Mean and strength of arms' rates over all leaves; one half, worth nothing, without votes."""
    present = n > 0
    if not present.any():
        return 0.5, 1.0
    return moment_prior(up[present], n[present])
