"""Exact one-sided tests of counts, for thousands of slices at a time."""

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def _log_binomial(n: Floats, k: Floats) -> Floats:
    return np.asarray(
        scipy.special.gammaln(n + 1.0) - scipy.special.gammaln(k + 1.0) - scipy.special.gammaln(n - k + 1.0)
    )


def log_upper_tail(hits: ArrayLike, drawn: ArrayLike, marked: ArrayLike, total: ArrayLike) -> Floats:
    """Natural log of P(X ≥ hits), X hypergeometric: `drawn` of `total` votes, of which `marked` are marked.

    Fisher's exact one-sided test of a slice against the rest. The tail is the mass at `hits` times the sum of the
    ratios of successive masses, which converges fast above the mean and costs the same whatever the total.
    """
    hits, drawn, marked, total = np.broadcast_arrays(
        *(np.asarray(values, dtype=np.float64) for values in (hits, drawn, marked, total))
    )
    least = np.maximum(0.0, drawn + marked - total)
    most = np.minimum(drawn, marked)
    k = np.maximum(hits, least)
    result = np.zeros(k.shape)
    result[hits > most] = -np.inf
    # At or below the mode the lower tail is the short one.
    mode = np.floor((drawn + 1.0) * (marked + 1.0) / (total + 2.0))
    upper = (hits > least) & (hits <= most) & (k >= mode)
    lower = (hits > least) & (hits <= most) & (k < mode)
    if upper.any():
        result[upper] = _tail(k[upper], drawn[upper], marked[upper], total[upper])
    if lower.any():
        # P(X ≥ k) = 1 − P(X ≤ k − 1); X ≤ k − 1 of the marked is drawn − X ≥ drawn − k + 1 of the unmarked.
        below = _tail(drawn[lower] - k[lower] + 1.0, drawn[lower], total[lower] - marked[lower], total[lower])
        result[lower] = np.log1p(-np.minimum(np.exp(below), 1.0 - 1e-16))
    return np.minimum(result, 0.0)


def _tail(k: Floats, drawn: Floats, marked: Floats, total: Floats) -> Floats:
    log_mass = _log_binomial(marked, k) + _log_binomial(total - marked, drawn - k) - _log_binomial(total, drawn)
    # of the masses above k to that at k: what is left of either kind, and what is taken or left of both
    steps = (drawn - k, marked - k, k + 1.0, total - marked - drawn + k + 1.0)
    if k.size <= _FEW:
        series = np.array([_ratios_of_one(*one) for one in zip(*(step.tolist() for step in steps), strict=True)])
    else:
        series = _ratios(*steps)
    return np.asarray(log_mass + np.log(series))


_FEW = 32
"""Tests that are summed one by one in less time than together: steps on arrays this short cost as much as on one."""
_STEPS = 16
"""After so many, those whose sums are complete are no longer looked at."""
_NEGLIGIBLE = 1e-12


def _ratios_of_one(drawn: float, marked: float, taken: float, left: float) -> float:
    """1 + the ratios of all following masses to the first, until they add nothing."""
    ratio = ratios = 1.0
    while ratio > _NEGLIGIBLE * ratios:
        ratio *= drawn * marked / (taken * left)
        ratios += ratio
        drawn, marked, taken, left = drawn - 1.0, marked - 1.0, taken + 1.0, left + 1.0
    return ratios


def _ratios(drawn: Floats, marked: Floats, taken: Floats, left: Floats) -> Floats:
    """`_ratios_of_one` of many tests, to the last bit."""
    result = np.ones(drawn.size)
    place = np.arange(drawn.size)
    ratio, ratios = np.ones(drawn.size), np.ones(drawn.size)
    while place.size:
        for _ in range(_STEPS):
            ratio *= drawn * marked / (taken * left)
            ratios += ratio
            drawn, marked, taken, left = drawn - 1.0, marked - 1.0, taken + 1.0, left + 1.0
            open_ = ratio > _NEGLIGIBLE * ratios
            ratio[~open_] = 0.0
        result[place] = ratios
        if not open_.all():
            place, ratio, ratios = place[open_], ratio[open_], ratios[open_]
            drawn, marked, taken, left = drawn[open_], marked[open_], taken[open_], left[open_]
    return result
