"""How often a judge and people, or people among themselves, give the same verdict.

Every coefficient is a function of a table that is a sum over clusters, so one delete-one-cluster jackknife serves all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from feedback_pipeline.stats.estimates import (
    Estimate,
    FloatArray,
    IntArray,
    Result,
    cluster_codes,
    clustered_proportion,
    jackknife_error,
    t_quantile,
)
from feedback_pipeline.stats.intervals import RESOLUTION
from feedback_pipeline.stats.no_result import NoResult

Weighting = Literal["nominal", "linear", "quadratic"]
Level = Literal["nominal", "ordinal", "interval"]


@dataclass(frozen=True)
class Agreement:
    """Two raters' agreement on the same items."""

    observed: Result
    cohen_kappa: Result
    cohen_kappa_quadratic: Result
    gwet_ac1: Result
    krippendorff_alpha: Result


def confusion_parts(first: IntArray, second: IntArray, categories: int, codes: IntArray, clusters: int) -> FloatArray:
    """Counts of (first, second) verdicts, shape (clusters, categories, categories)."""
    cell = (codes * categories + first) * categories + second
    return (
        np.bincount(cell, minlength=clusters * categories * categories)
        .astype(np.float64)
        .reshape(clusters, categories, categories)
    )


def observed_agreement(table: FloatArray) -> FloatArray:
    """Share of items on the diagonal of tables of shape (..., K, K)."""
    agreed = np.trace(table, axis1=-2, axis2=-1)
    return np.asarray(agreed / table.sum(axis=(-2, -1)))


def disagreement_weights(categories: int, weighting: Weighting) -> FloatArray:
    """0 on the diagonal, 1 for the furthest disagreement."""
    distance = np.abs(np.subtract.outer(np.arange(categories), np.arange(categories))).astype(np.float64)
    if weighting == "nominal":
        return np.asarray(distance > 0, dtype=np.float64)
    scaled = distance / (categories - 1)
    return scaled if weighting == "linear" else scaled**2


def cohen_kappa(table: FloatArray, weighting: Weighting = "nominal") -> FloatArray:
    """Cohen's κ (1960), weighted (1968), of tables of shape (..., K, K); not a number where chance agreement is 1."""
    weights = disagreement_weights(table.shape[-1], weighting)
    share = table / table.sum(axis=(-2, -1), keepdims=True)
    expected = share.sum(axis=-1)[..., :, np.newaxis] * share.sum(axis=-2)[..., np.newaxis, :]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(1 - (weights * share).sum(axis=(-2, -1)) / (weights * expected).sum(axis=(-2, -1)))


def gwet_ac1(table: FloatArray) -> FloatArray:
    """Gwet's AC1 (2008) of tables of shape (..., K, K): stable where one verdict is rare."""
    share = table / table.sum(axis=(-2, -1), keepdims=True)
    prevalence = (share.sum(axis=-1) + share.sum(axis=-2)) / 2
    chance = (prevalence * (1 - prevalence)).sum(axis=-1) / (table.shape[-1] - 1)
    return np.asarray((observed_agreement(table) - chance) / (1 - chance))


def krippendorff_alpha(
    coincidences: FloatArray, level: Level = "nominal", values: Sequence[float] | None = None
) -> FloatArray:
    """Krippendorff's α (Content Analysis, 2004, ch. 11) of coincidence matrices of shape (..., K, K).

    Args:
        values: the categories' values, needed for `interval`.
    """
    marginals = coincidences.sum(axis=-1)
    total = marginals.sum(axis=-1)
    difference = _squared_difference(marginals, level, values)
    observed = (difference * coincidences).sum(axis=(-2, -1)) / total
    products = marginals[..., :, np.newaxis] * marginals[..., np.newaxis, :]
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = (difference * products).sum(axis=(-2, -1)) / (total * (total - 1))
        return np.asarray(1 - observed / expected)


def _squared_difference(marginals: FloatArray, level: Level, values: Sequence[float] | None) -> FloatArray:
    categories = marginals.shape[-1]
    if level == "nominal":
        return 1 - np.eye(categories)
    if level == "interval":
        scale = np.arange(categories, dtype=np.float64) if values is None else np.asarray(values, dtype=np.float64)
        return np.asarray(np.subtract.outer(scale, scale) ** 2)
    ranks = np.cumsum(marginals, axis=-1) - marginals / 2
    return np.asarray((ranks[..., :, np.newaxis] - ranks[..., np.newaxis, :]) ** 2)


def agreement(
    first: IntArray, second: IntArray, categories: int, clusters: IntArray | Sequence[str] | None = None
) -> Agreement:
    """Agreement of two raters, verdicts as codes 0 … categories−1 in the order of the scale.

    Args:
        clusters: what each item belongs to (a conversation); every item on its own when left out.
    """
    labels = np.arange(len(first)) if clusters is None else np.asarray(clusters)
    codes, count = cluster_codes(labels)
    if len(first) == 0 or count < 2:
        refusal = NoResult("fewer_than_two_conversations", len(first), count)
        return Agreement(refusal, refusal, refusal, refusal, refusal)
    parts = confusion_parts(first, second, categories, codes, count)
    same = (first == second).astype(np.float64)
    observed = clustered_proportion(same, codes, "observed_agreement")
    return Agreement(
        observed,
        _coefficient(cohen_kappa, parts, "cohen_kappa", observed),
        _coefficient(partial(cohen_kappa, weighting="quadratic"), parts, "cohen_kappa_quadratic", observed),
        _coefficient(gwet_ac1, parts, "gwet_ac1", observed),
        _coefficient(_two_rater_alpha, parts, "krippendorff_alpha", observed),
    )


def _two_rater_alpha(table: FloatArray) -> FloatArray:
    return krippendorff_alpha(table + np.swapaxes(table, -2, -1))


def _coefficient(
    statistic: Callable[[FloatArray], FloatArray], parts: FloatArray, name: str, observed: Result
) -> Result:
    items, clusters = int(parts.sum()), len(parts)
    value, error = jackknife_error(statistic, parts)
    if not np.isfinite(value):
        return NoResult("only_one_verdict_in_use", items, clusters)
    if not np.isfinite(error):
        return NoResult("one_conversation_carries_a_verdict", items, clusters)
    if error > RESOLUTION:
        half = t_quantile(clusters - 1) * error
        return Estimate(value, max(-1.0, value - half), min(1.0, value + half), error, items, clusters, name)
    return Estimate(value, min(value, _lower_of_perfect(parts, observed)), value, 0.0, items, clusters, name)


def _lower_of_perfect(parts: FloatArray, observed: Result) -> float:
    """Every cluster agrees alike, so only observed agreement's own interval says how sure the coefficient is."""
    if isinstance(observed, NoResult):
        return -1.0
    share = parts.sum(axis=0) / parts.sum()
    chance = float((share.sum(axis=1) * share.sum(axis=0)).sum())
    return observed.low if chance == 1 else max(-1.0, (observed.low - chance) / (1 - chance))


def alpha_of_raters(
    units: IntArray, verdicts: IntArray, categories: int, clusters: IntArray | None = None, level: Level = "nominal"
) -> Result:
    """Krippendorff's α over any number of raters and missing votes.

    Args:
        units: the item of each vote, as a code 0 … U−1.
        verdicts: the verdict of each vote, as a code 0 … categories−1.
        clusters: the cluster of each unit (length U); every unit on its own when left out.
    """
    count = int(units.max()) + 1 if len(units) else 0
    votes = np.bincount(units * categories + verdicts, minlength=count * categories).reshape(count, categories)
    raters = votes.sum(axis=1)
    paired = raters >= 2
    if paired.sum() < 2:
        return NoResult("fewer_than_two_items_with_two_votes", int(paired.sum()), int(paired.sum()))
    votes, raters = votes[paired].astype(np.float64), raters[paired].astype(np.float64)
    per_unit = votes[:, :, np.newaxis] * votes[:, np.newaxis, :]
    per_unit[:, np.arange(categories), np.arange(categories)] -= votes
    per_unit /= (raters - 1)[:, np.newaxis, np.newaxis]
    codes, groups = cluster_codes(np.arange(count)[paired] if clusters is None else clusters[paired])
    parts = np.zeros((groups, categories, categories))
    np.add.at(parts, codes, per_unit)
    if groups < 2:
        return NoResult("fewer_than_two_conversations", len(votes), groups)
    value, error = jackknife_error(partial(krippendorff_alpha, level=level), parts)
    if not (np.isfinite(value) and np.isfinite(error)):
        return NoResult("only_one_verdict_in_use", len(votes), groups)
    half = t_quantile(groups - 1) * error
    return Estimate(
        value, max(-1.0, value - half), min(1.0, value + half), error, len(votes), groups, f"krippendorff_alpha_{level}"
    )
