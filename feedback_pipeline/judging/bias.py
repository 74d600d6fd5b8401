"""What a judge looks at that it should not: the slot an answer is shown in, and how long it is."""

from dataclasses import dataclass

import numpy as np

from feedback_pipeline.stats.estimates import (
    Estimate,
    FloatArray,
    IntArray,
    Result,
    cluster_codes,
    clustered_proportion,
    t_quantile,
)
from feedback_pipeline.stats.intervals import RESOLUTION
from feedback_pipeline.stats.no_result import NoResult

MIN_ITEMS = 20


@dataclass(frozen=True)
class PositionBias:
    """A pairwise judge asked in both orders (Zheng et al. 2023, "Judging LLM-as-a-judge", section 3.3)."""

    consistency: Result
    """Share of pairs with the same verdict in both orders."""
    first_slot: Result
    """Share of verdicts for the answer shown first, a tie as half; 0.5 is unbiased."""


def position_bias(forward: FloatArray, backward: FloatArray, clusters: IntArray | None = None) -> PositionBias:
    """Measures position bias.

    Args:
        forward: verdict with the pair's first answer shown first, as the first answer's win (1, 0.5, 0).
        backward: the same verdict with the orders swapped, still as the first answer's win.
    """
    codes, _ = cluster_codes(np.arange(len(forward)) if clusters is None else clusters)
    shown_first = (forward + (1 - backward)) / 2
    return PositionBias(
        clustered_proportion((forward == backward).astype(np.float64), codes, "order_consistency"),
        clustered_proportion(shown_first, codes, "first_slot_share"),
    )


def length_bias(
    judged: FloatArray, human: FloatArray, characters: FloatArray, clusters: IntArray | None = None
) -> Result:
    """How much higher than people the judge scores an answer that is one standard deviation longer (log characters).

    The slope of judge − human on standardised log length, with clustered errors: 0 is unbiased even where longer
    answers are better, because people's verdicts move with them.
    """
    codes, groups = cluster_codes(np.arange(len(judged)) if clusters is None else clusters)
    items = len(judged)
    if items < MIN_ITEMS or groups < 2:
        return NoResult("not_enough_labels", items, groups)
    length = np.log1p(characters)
    if np.std(length) <= RESOLUTION:
        return NoResult("all_answers_equally_long", items, groups)
    x = (length - length.mean()) / length.std()
    gap = judged - human
    slope = float((x * gap).sum() / (x * x).sum()) if np.ptp(gap) > RESOLUTION else 0.0
    residual = gap - gap.mean() - slope * x
    scores = np.bincount(codes, x * residual, minlength=groups)
    error = float(np.sqrt(np.square(scores).sum() * groups / (groups - 1)) / (x * x).sum())
    half = t_quantile(groups - 1) * error
    return Estimate(slope, slope - half, slope + half, error, items, groups, "length_bias")


@dataclass(frozen=True)
class LengthControlled:
    """A win rate as if both answers were equally long, and what length was worth."""

    win_rate: Result
    length_effect: Result
    """Log-odds per unit of tanh(length difference / its standard deviation)."""


def length_controlled_win_rate(
    outcome: FloatArray, length_difference: FloatArray, clusters: IntArray | None = None
) -> LengthControlled:
    """The win rate with the length term set to zero (Dubois et al. 2024, AlpacaEval-LC, without item difficulty).

    Args:
        outcome: 1 where the candidate won, 0 where it lost, 0.5 for a tie, or a probability.
        length_difference: characters of the candidate's answer minus the other's.
    """
    codes, groups = cluster_codes(np.arange(len(outcome)) if clusters is None else clusters)
    items = len(outcome)
    deviation = float(length_difference.std()) if items else 0.0
    if items < MIN_ITEMS or groups < 2 or deviation <= RESOLUTION or np.ptp(outcome) <= RESOLUTION:
        refusal = NoResult("not_enough_variation", items, groups)
        return LengthControlled(refusal, refusal)
    design = np.column_stack([np.ones(items), np.tanh(length_difference / deviation)])
    theta = np.zeros(2)
    for _ in range(50):
        probability = 1 / (1 + np.exp(-np.clip(design @ theta, -30, 30)))
        information = (design * (probability * (1 - probability))[:, np.newaxis]).T @ design
        if np.linalg.cond(information) > 1e12:
            refusal = NoResult("length_separates_wins_from_losses", items, groups)
            return LengthControlled(refusal, refusal)
        step = np.linalg.solve(information, design.T @ (outcome - probability))
        theta += step
        if np.abs(step).max() < 1e-10:
            break
    bread = np.linalg.inv(information)
    residual = design * (outcome - probability)[:, np.newaxis]
    scores = np.column_stack([np.bincount(codes, residual[:, k], minlength=groups) for k in range(2)])
    covariance = bread @ (scores.T @ scores) @ bread * groups / (groups - 1)
    errors = np.sqrt(np.diagonal(covariance))
    t = t_quantile(groups - 1)
    low, mid, high = (1 / (1 + np.exp(-(theta[0] + sign * t * errors[0]))) for sign in (-1, 0, 1))
    win_rate = Estimate(
        float(mid), float(low), float(high), float(errors[0] * mid * (1 - mid)), items, groups, "length_controlled"
    )
    effect = Estimate(
        float(theta[1]),
        float(theta[1] - t * errors[1]),
        float(theta[1] + t * errors[1]),
        float(errors[1]),
        items,
        groups,
        "length_effect",
    )
    return LengthControlled(win_rate, effect)
