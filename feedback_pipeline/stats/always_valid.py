"""Intervals that may be looked at as often as one likes."""

import math
from typing import Any

import numpy as np

from feedback_pipeline.stats.estimates import FloatArray
from feedback_pipeline.stats.no_result import NoResult

MIN_ITEMS = 20


def confidence_sequence(values: FloatArray, *, tightest_at: int = 500, alpha: float = 0.05) -> FloatArray | NoResult:
    """Asymptotic mixture confidence sequence of a mean (Waudby-Smith, Arbour, Sinha and Kennedy 2024, section 2).

    Args:
        values: one per independent unit (cluster means, paired differences), in the order they arrived.
        tightest_at: number of units at which the sequence should be narrowest.

    Returns:
        Shape (n, 2): lower and upper bound after each unit; unbounded before `MIN_ITEMS`. With probability
        1 − alpha all of them cover the mean, so one may stop whenever one likes.
    """
    count = len(values)
    if count < MIN_ITEMS:
        return NoResult("not_enough_items", count, count)
    t = np.arange(1, count + 1, dtype=np.float64)
    mean = np.cumsum(values) / t
    variance = np.maximum(np.cumsum(values**2) / t - mean**2, 0)
    half = np.sqrt(variance / t) * _widening(t, tightest_at, alpha)
    half[: MIN_ITEMS - 1] = np.inf
    return np.column_stack([mean - half, mean + half])


def sequence_half_width(standard_error: float, units: int, tightest_at: int, alpha: float = 0.05) -> float:
    """Half the width of the same sequence around an estimate whose standard error is known, after so many units."""
    return standard_error * float(_widening(np.float64(units), tightest_at, alpha))


def _widening(units: Any, tightest_at: int, alpha: float) -> Any:
    """How many standard errors the sequence reaches to each side."""
    logged = -2 * math.log(alpha)
    scaled = units * (logged + math.log(logged + 1)) / tightest_at
    return np.sqrt(2 * (scaled + 1) / scaled * np.log(np.sqrt(scaled + 1) / alpha))
