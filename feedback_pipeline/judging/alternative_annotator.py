"""May the judge stand in for a person? The alternative annotator test of Calderon, Reichart and Dror (2025).

Each annotator is left out in turn: does the judge agree with the remaining people at least as often as they do?
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
import scipy

from feedback_pipeline.stats.estimates import FloatArray
from feedback_pipeline.stats.intervals import RESOLUTION
from feedback_pipeline.stats.no_result import NoResult

EPSILON_CROWD = 0.1
"""Advantage a crowd worker's lower cost may buy (paper, section 3): 0.2 for experts, 0.15 for skilled annotators."""

MIN_ITEMS = 30
FALSE_DISCOVERY_RATE = 0.05


@dataclass(frozen=True)
class AlternativeAnnotator:
    """Outcome of the test."""

    winning_rate: float
    """ω: share of annotators the judge may replace; the judge passes at 0.5."""
    advantage: float
    """ρ: mean probability that the judge does at least as well as an annotator."""
    passes: bool
    annotators: int
    items: int


def alternative_annotator_test(
    judged: pl.DataFrame, votes: pl.DataFrame, *, epsilon: float = EPSILON_CROWD, minimum_items: int = MIN_ITEMS
) -> AlternativeAnnotator | NoResult:
    """The test over categorical verdicts, or over ratings.

    Verdicts are compared by how often they are the same as the others' (the paper's accuracy), ratings by their
    distance from the others' (its negative root mean square error).

    Args:
        judged: one row per item: `item`, and `verdict` or `rating`.
        votes: one row per item and annotator: `item`, `annotator`, and the same.
        epsilon: how much worse than the annotator the judge may be for its lower cost.
        minimum_items: annotators with fewer shared items are left out.
    """
    comparisons = _rated(judged, votes) if "rating" in votes.columns else _comparisons(judged, votes)
    per_annotator = (
        comparisons.group_by("annotator")
        .agg(pl.col("judge"), pl.col("person"), pl.len().alias("items"))
        .filter(pl.col("items") >= minimum_items)
        .sort("annotator")
    )
    if per_annotator.is_empty():
        return NoResult("no_annotator_shares_enough_items", comparisons.height)
    p_values, advantages = [], []
    for judge, person in zip(per_annotator["judge"], per_annotator["person"], strict=True):
        judge_match, person_match = judge.to_numpy(), person.to_numpy()
        judge_ahead = (judge_match >= person_match).astype(np.float64)
        person_ahead = (person_match >= judge_match).astype(np.float64)
        p_values.append(_advantage_p_value(person_ahead - judge_ahead, epsilon))
        advantages.append(float(judge_ahead.mean()))
    rejected = benjamini_yekutieli(np.asarray(p_values), FALSE_DISCOVERY_RATE)
    winning_rate = float(rejected.mean())
    return AlternativeAnnotator(
        winning_rate, float(np.mean(advantages)), winning_rate >= 0.5, per_annotator.height, comparisons.height
    )


def _comparisons(judged: pl.DataFrame, votes: pl.DataFrame) -> pl.DataFrame:
    """Per item and annotator: mean match of the judge, and of the annotator, with the item's other annotators."""
    per_verdict = votes.group_by("item", "verdict").agg(pl.len().alias("same"))
    per_item = votes.group_by("item").agg(pl.len().alias("all"))
    judge = judged.select("item", pl.col("verdict").alias("judge_verdict"))
    judge_same = per_verdict.rename({"verdict": "judge_verdict", "same": "judge_same"})
    others = pl.col("all") - 1
    own_match = (pl.col("judge_verdict") == pl.col("verdict")).cast(pl.Int64)
    return (
        votes.join(judge, on="item")
        .join(per_item, on="item")
        .filter(pl.col("all") >= 2)
        .join(per_verdict, on=["item", "verdict"])
        .join(judge_same, on=["item", "judge_verdict"], how="left")
        .select(
            "annotator",
            ((pl.col("judge_same").fill_null(0).cast(pl.Int64) - own_match) / others).alias("judge"),
            ((pl.col("same").cast(pl.Int64) - 1) / others).alias("person"),
        )
    )


def _rated(judged: pl.DataFrame, votes: pl.DataFrame) -> pl.DataFrame:
    """Per item and annotator: minus the mean squared distance of the judge's rating, and of the annotator's, from those
    of the item's other annotators. Its root orders them alike."""
    rating, judge = pl.col("rating").cast(pl.Float64), pl.col("judge_rating")
    per_item = votes.group_by("item").agg(
        pl.len().alias("all"), rating.sum().alias("sum"), (rating**2).sum().alias("squares")
    )

    def squared(value: pl.Expr) -> pl.Expr:
        """Sum of the squared distances of a value from every rating of the item."""
        return pl.col("all") * value**2 - 2 * value * pl.col("sum") + pl.col("squares")

    others = pl.col("all") - 1
    return (
        votes.join(judged.select("item", pl.col("rating").cast(pl.Float64).alias("judge_rating")), on="item")
        .join(per_item, on="item")
        .filter(pl.col("all") >= 2)
        .select(
            "annotator",
            # sums of whole numbers differ by rounding alone where they are the same
            (-(squared(judge) - (judge - rating) ** 2) / others).round(9).alias("judge"),
            (-squared(rating) / others).round(9).alias("person"),
        )
    )


def _advantage_p_value(difference: FloatArray, epsilon: float) -> float:
    """One-sided p-value against "the annotator is ahead of the judge by epsilon or more"."""
    if np.ptp(difference) <= RESOLUTION:
        # every item says the same: by chance, were the signs even, with ½ per item
        return float(0.5 ** len(difference)) if difference[0] < epsilon - RESOLUTION else 1.0
    return float(scipy.stats.ttest_1samp(difference, epsilon, alternative="less").pvalue)


def benjamini_yekutieli(p_values: FloatArray, rate: float) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which hypotheses are rejected at this false discovery rate under any dependence (2001)."""
    count = len(p_values)
    order = np.argsort(p_values, kind="stable")
    harmonic = (1 / np.arange(1, count + 1)).sum()
    below = p_values[order] <= rate * np.arange(1, count + 1) / (count * harmonic)
    rejected = np.zeros(count, dtype=bool)
    if below.any():
        rejected[order[: int(np.flatnonzero(below)[-1]) + 1]] = True
    return rejected
