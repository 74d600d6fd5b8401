"""What a group of people decided about one answer."""

import numpy as np
import polars as pl
import scipy


def approval_probability(evidence_up: pl.Series, evidence_down: pl.Series) -> pl.Series:
    """P(rate > 1/2) under a Beta(1 + up, 1 + down) posterior; evidence may be fractional (trust × strength)."""
    up, down = 1.0 + evidence_up.to_numpy(), 1.0 + evidence_down.to_numpy()
    return pl.Series(
        "approval_probability", 1.0 - scipy.special.betainc(up, down, np.full(len(up), 0.5)), dtype=pl.Float64
    )


def decided(undecided: tuple[float, float]) -> pl.Expr:
    """True unless people contradict each other and the posterior has not settled.

    A single vote is no conflict, although P(rate > 1/2) is only 3/4 after it: asking for more would leave sparse
    feedback with nothing.
    """
    low, high = undecided
    contradicted = (pl.col("ups") > 0) & (pl.col("downs") > 0)
    return ~(contradicted & pl.col("approval_probability").is_between(low, high))
