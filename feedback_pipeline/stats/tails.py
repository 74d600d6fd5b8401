"""Upper tails of distributions, by the special functions that `scipy.stats` has them from: the same numbers, without
the half second that loading its distributions takes."""

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def binomial_above(count: ArrayLike, trials: ArrayLike, probability: ArrayLike) -> Floats:
    """P(X > count) of as many trials, each with this probability; whole numbers, broadcast against each other."""
    k, n, p = np.broadcast_arrays(*(np.asarray(values, dtype=np.float64) for values in (count, trials, probability)))
    inside = (k >= 0) & (k < n)
    tail = scipy.special.betainc(np.where(inside, k + 1.0, 1.0), np.where(inside, n - k, 1.0), p)
    return np.where(inside, tail, np.where(k < 0, 1.0, 0.0))


def poisson_above(count: ArrayLike, mean: ArrayLike) -> Floats:
    """P(X > count) of a Poisson variable; whole numbers, broadcast against the means."""
    k = np.asarray(count, dtype=np.float64)
    return np.where(k < 0, 1.0, scipy.special.pdtrc(np.maximum(k, 0.0), mean))


def chi_squared_above(value: float, degrees: int) -> float:
    """P(X > value) of a χ² variable."""
    return float(scipy.special.chdtrc(degrees, value))


def t_above(value: float, degrees: int) -> float:
    """P(X > value) of Student's t."""
    return float(scipy.special.stdtr(degrees, -value))
