"""An estimate with its interval, or the reason why there is none; clustered errors of means.

Every value of this package is an `Estimate` or a `NoResult`. Clusters are conversations unless a caller says otherwise.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

from feedback_pipeline.stats.intervals import RESOLUTION, clustered_rate, wilson_bounds
from feedback_pipeline.stats.no_result import NoResult
from feedback_pipeline.stats.tails import t_above

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A number with its uncertainty."""

    value: float
    low: float
    high: float
    standard_error: float
    items: int
    """Rows behind it."""
    clusters: int
    """Independent groups of rows behind it."""
    method: str


Result = Estimate | NoResult


@dataclass(frozen=True)
class LinearisedMean:
    """A mean and how much each cluster moved it: what sums and differences of means get their error from."""

    value: float
    influence: FloatArray
    """One value per cluster; sums to zero. Clusters without rows have 0."""
    present: npt.NDArray[np.bool_]
    """Which clusters have rows."""
    items: int

    def __sub__(self, other: "LinearisedMean") -> "LinearisedMean":
        return LinearisedMean(
            self.value - other.value,
            self.influence - other.influence,
            self.present | other.present,
            self.items + other.items,
        )

    @property
    def clusters(self) -> int:
        return int(self.present.sum())

    @property
    def standard_error(self) -> float:
        """Cluster-robust standard error with the G/(G−1) correction; 0 where all clusters are alike."""
        error = math.sqrt(float(np.square(self.influence).sum()) * self.clusters / (self.clusters - 1))
        return error if error > RESOLUTION else 0.0

    def estimate(self, method: str, bounds: tuple[float, float] | None = None, degrees: int | None = None) -> Result:
        """A t interval on `degrees` of freedom (clusters − 1 unless given), clipped to `bounds`.

        Where all clusters are alike their spread says nothing: the interval then reaches as far as what so many alike
        clusters may have missed, 1 − 0.05^(1/G) of a range of 1 (Hanley and Lippman-Hand 1983, "If nothing goes
        wrong, is everything all right?").
        """
        if self.clusters < 2:
            return NoResult("fewer_than_two_conversations", self.items, self.clusters)
        error, freedom = self.standard_error, self.clusters - 1 if degrees is None else degrees
        half = t_quantile(freedom) * error if error else 1 - (1 - CONFIDENCE) ** (1 / (freedom + 1))
        low, high = self.value - half, self.value + half
        if bounds is not None:
            low, high = max(low, bounds[0]), min(high, bounds[1])
        return Estimate(self.value, low, high, error, self.items, self.clusters, method)


def t_test(difference: float, standard_error: float, degrees: int) -> float:
    """Two-sided p-value of a difference on `degrees` of freedom.

    A difference below the resolution is none: p = 1. Where neither side has any spread there is no t: if the clusters
    could have come in either way round, all of them do so by chance with 2·½^(degrees + 1) or less (Fisher's
    permutation test).
    """
    if abs(difference) <= RESOLUTION:
        return 1.0
    if standard_error <= RESOLUTION:
        return float(2 * 0.5 ** (degrees + 1))
    return 2 * t_above(abs(difference) / standard_error, degrees)


def t_quantile(degrees: int, confidence: float = CONFIDENCE) -> float:
    """Two-sided quantile of Student's t."""
    return float(scipy.special.stdtrit(degrees, 0.5 + confidence / 2))


def normal_quantile(confidence: float = CONFIDENCE) -> float:
    """Two-sided quantile of the standard normal."""
    return float(scipy.special.ndtri(0.5 + confidence / 2))


def cluster_codes(clusters: npt.NDArray[Any] | Sequence[Any]) -> tuple[IntArray, int]:
    """Cluster labels as codes 0 … G−1, and G."""
    unique, codes = np.unique(np.asarray(clusters), return_inverse=True)
    return codes.astype(np.int64), len(unique)


def linearised_mean(values: FloatArray, weights: FloatArray, codes: IntArray, clusters: int) -> LinearisedMean:
    """The weighted (Hájek) mean of values and its influence per cluster (Binder 1983; Liang and Zeger 1986).

    Args:
        values: one per row.
        weights: one per row, positive (inverse inclusion probabilities; ones for a plain mean).
        codes: cluster of each row, 0 … clusters−1.
        clusters: number of cluster codes in use, rows or not.
    """
    total = weights.sum()
    value = float((weights * values).sum() / total)
    influence = np.bincount(codes, weights * (values - value), minlength=clusters) / total
    return LinearisedMean(value, influence, np.bincount(codes, minlength=clusters) > 0, len(values))


def wilson_interval(successes: float, trials: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson's score interval of one rate; `trials` may be an effective, fractional number."""
    low, high = wilson_bounds(successes, trials, confidence=confidence)
    return float(low), float(high)


def effective_trials(rate: float, standard_error: float, items: int, clusters: int) -> float:
    """Number of independent trials that would have this standard error (Korn and Graubard 1998).

    Never more than there are rows; with a rate of 0 or 1, where the error says nothing, the number of clusters.
    """
    if standard_error <= RESOLUTION:
        return float(clusters)
    return min(float(items), rate * (1 - rate) / standard_error**2)


def clustered_proportion(outcomes: FloatArray, codes: IntArray, method: str = "wilson_clustered") -> Result:
    """A rate of 0/1 outcomes with its interval: `clustered_rate` for rows that name their cluster."""
    if len(outcomes) == 0:
        return NoResult("no_items")
    compact, clusters = cluster_codes(codes)
    if clusters < 2:
        return NoResult("fewer_than_two_conversations", len(outcomes), clusters)
    sizes = np.bincount(compact, minlength=clusters).astype(np.float64)
    rate = clustered_rate(np.bincount(compact, outcomes, minlength=clusters), sizes)
    mean = linearised_mean(outcomes, np.ones(len(outcomes)), compact, clusters)
    if rate.low is None or rate.high is None:
        return NoResult("fewer_than_two_conversations", len(outcomes), clusters)
    return Estimate(mean.value, rate.low, rate.high, mean.standard_error, len(outcomes), clusters, method)


def jackknife_error(statistic: Callable[[FloatArray], FloatArray], parts: FloatArray) -> tuple[float, float]:
    """A statistic of summed parts, and its delete-one-cluster jackknife standard error (Efron and Stein 1981).

    Args:
        statistic: takes arrays of shape (..., *part) and returns shape (...).
        parts: shape (clusters, *part); their sum is the whole.

    Returns:
        value and standard error; the error is not a number where leaving a cluster out leaves nothing to compute.
    """
    total = parts.sum(axis=0)
    value = float(statistic(total))
    without = statistic(total[np.newaxis] - parts)
    clusters = len(parts)
    spread = np.square(without - without.mean()).sum() * (clusters - 1) / clusters
    return value, math.sqrt(float(spread))
