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
    series = np.ones(k.size)
    term = np.ones(k.size)
    active = np.arange(k.size)
    step = k.copy()
    while active.size:
        n, m, t, x = drawn[active], marked[active], total[active], step[active]
        term[active] *= (n - x) * (m - x) / ((x + 1.0) * (t - m - n + x + 1.0))
        series[active] += term[active]
        step[active] += 1.0
        active = active[term[active] > 1e-12 * series[active]]
    return np.asarray(log_mass + np.log(series))
