"""The declaration of a table's columns.

One declaration serves the Parquet file, the schema check, the column descriptions in the Dagster UI and the docs.
Each package declares its tables in its own `tables.py`; nothing else names a column's type.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

PolarsType = Any


@dataclass(frozen=True)
class Column:
    """One column: its name, its Polars type and what a value means, with its unit."""

    name: str
    dtype: PolarsType
    description: str
    nullable: bool = True
    text: bool = False
    """Holds words written by strangers: never in logs, metadata or error messages; reached by an erasure."""
    values: tuple[str, ...] | None = None
    """The only values allowed, where the set is closed."""


@dataclass(frozen=True)
class Table:
    """A table of the pipeline: what a row is, its columns in order, and the columns that identify a row."""

    name: str
    row: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()

    @cached_property
    def schema(self) -> pl.Schema:
        return pl.Schema({column.name: column.dtype for column in self.columns})

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def text_columns(self) -> list[str]:
        return [column.name for column in self.columns if column.text]

    def empty(self) -> pl.DataFrame:
        """No rows, every column."""
        return pl.DataFrame(schema=self.schema)

    def conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with exactly the declared columns, in order and cast to their types; extra columns are dropped.

        Raises:
            polars.exceptions.ColumnNotFoundError: a declared column is missing.
            polars.exceptions.InvalidOperationError: a value does not fit its type.
        """
        return frame.select(pl.col(column.name).cast(column.dtype) for column in self.columns)

    def problems(self, frame: pl.DataFrame) -> list[str]:
        """What is wrong with a frame that claims to be this table: no values are quoted, only columns and counts."""
        found: list[str] = []
        actual = frame.schema
        for column in self.columns:
            if column.name not in actual:
                found.append(f"column {column.name} is missing")
            elif actual[column.name] != column.dtype:
                found.append(f"column {column.name} is {actual[column.name]}, expected {column.dtype}")
        found += [f"column {name} is not declared" for name in actual if name not in self.schema]
        if found or frame.is_empty():
            return found
        found += self._bad_values(frame)
        if self.key and (repeated := frame.height - frame.select(self.key).unique().height):
            found.append(f"{repeated} rows repeat the key ({', '.join(self.key)})")
        return found

    def _bad_values(self, frame: pl.DataFrame) -> Iterable[str]:
        for column in self.columns:
            series = frame[column.name]
            if not column.nullable and (missing := series.null_count()):
                yield f"column {column.name} has {missing} missing values"
            if column.values is not None:
                allowed = pl.Series(column.values, dtype=pl.String)
                strays = series.drop_nulls().cast(pl.String).is_in(allowed.implode())
                if outside := int((~strays).sum()):
                    yield f"column {column.name} has {outside} values outside {', '.join(column.values)}"


def with_columns(base: Sequence[Column], *more: Column) -> tuple[Column, ...]:
    """The columns of `base` followed by `more`."""
    return (*base, *more)
