"""What a group of people decided about one answer."""

import polars as pl

from feedback_pipeline.stats import majority


def probabilities(evidence_up: pl.Series, evidence_down: pl.Series) -> pl.Series:
    """P(rate > 1/2) of evidence, as the column of that name."""
    chance = majority.approval_probability(evidence_up.to_numpy(), evidence_down.to_numpy())
    return pl.Series("approval_probability", chance, dtype=pl.Float64)


def decided(undecided: tuple[float, float]) -> pl.Expr:
    """True unless people contradict each other and the posterior has not settled.

    A single vote is no conflict, although P(rate > 1/2) is only 3/4 after it: asking for more would leave sparse
    feedback with nothing.
    """
    low, high = undecided
    contradicted = (pl.col("ups") > 0) & (pl.col("downs") > 0)
    return ~(contradicted & pl.col("approval_probability").is_between(low, high))
