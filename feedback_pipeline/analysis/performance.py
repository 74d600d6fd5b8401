"""Approval by the levels of a dimension: what several verbs say of tags, frameworks and prompt versions."""

from typing import Any

import polars as pl

from feedback_pipeline.cleaning.tables import DIMENSIONS, LENGTH_BANDS, MULTI_DIMENSIONS
from feedback_pipeline.stats.intervals import Rate, clustered_rate

SLICED = (*DIMENSIONS, *LENGTH_BANDS, *MULTI_DIMENSIONS)
LISTED = 5

Performance = dict[str, Any]
"""One line of a result: text with its numbers."""


def performance(facts: pl.DataFrame, dimension: str, least: int) -> dict[str, Performance]:
    """Approval of each level of a dimension with at least so many votes up or down, with its interval."""
    levels = facts.select("person", "verdict", level=dimension).filter(pl.col("verdict") != 0)
    if isinstance(levels.schema["level"], pl.List):
        levels = levels.explode("level", empty_as_null=True, keep_nulls=True)
    sums = (
        levels.filter(pl.col("level").is_not_null())
        .group_by(pl.col("level").cast(pl.String), "person")
        .agg(up=(pl.col("verdict") == 1).sum(), votes=pl.len())
        .sort("level", "person")
    )
    rates = {
        str(name): clustered_rate(people["up"].to_numpy(), people["votes"].to_numpy())
        for (name,), people in sums.partition_by("level", as_dict=True).items()
    }
    return {name: _numbers(name, rate) for name, rate in sorted(rates.items()) if rate.n >= least}


def _numbers(name: str, rate: Rate) -> Performance:
    known: Performance = {"text": f"{name}: {100 * (rate.estimate or 0):.0f} % of {rate.n} votes up"}
    known |= {"success_rate": rate.estimate, "low": rate.low, "high": rate.high}
    told = {key: value for key, value in known.items() if value is not None}
    told |= {"votes": rate.n, "people": rate.people}
    return told if rate.reason is None else told | {"limit": rate.reason}
