"""How sure one can be that more people approve than do not."""

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def approval_probability(up: ArrayLike, down: ArrayLike) -> Floats:
    """P(rate > 1/2) under a Beta(1 + up, 1 + down) posterior, item by item.

    Items that were judged alike, nearly all of a million answers with a vote or two, are computed once.

    Args:
        up: evidence of approval, 0 or more; fractional where votes are weighed (trust × strength).
        down: evidence against, of the same shape.
    """
    evidence = np.asarray(up, dtype=np.float64) + 1j * np.asarray(down, dtype=np.float64)
    distinct, place = np.unique(evidence, return_inverse=True)
    chance = 1.0 - scipy.special.betainc(1.0 + distinct.real, 1.0 + distinct.imag, 0.5)
    return np.asarray(chance[place.reshape(evidence.shape)])
