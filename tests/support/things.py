"""A table for tests of the tables themselves."""

import polars as pl

from feedback_pipeline.tables.schema import Column, Table

TABLE = Table(
    "things",
    "One thing.",
    (Column("number", pl.Int64, "A number."), Column("name", pl.Categorical(), "A name.")),
)


def things(*numbers: int) -> pl.DataFrame:
    """Rows of TABLE with these numbers."""
    return pl.DataFrame({"number": numbers, "name": [f"n{n}" for n in numbers]}, schema=TABLE.schema)
