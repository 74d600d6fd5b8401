"""How an asset of this pipeline is declared: a function from a partition to its rows, and what Dagster is told of it.

`@daily` and `@weekly` collect functions `(pipeline, day or week) -> Outcome | frame`; `building.build` turns them into
Dagster assets for a calendar, with the schema check and the table's own checks evaluated for every partition.
No text of users reaches an event: metadata is numbers, names of dimensions and values, ids, paths.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

import dagster as dg
import polars as pl

from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.tables.parquet import Written
from feedback_pipeline.tables.schema import Table

OWNERS = ["team:feedback"]


@dataclass(frozen=True)
class Check:
    """The result of one check of one partition."""

    name: str
    passed: bool
    numbers: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    severity: Literal["error", "warn"] = "error"


@dataclass(frozen=True)
class Outcome:
    """What an asset function made of a partition.

    Attributes:
        rows: the table's rows, or frames of them to stream; None for assets that write files of their own.
        numbers: metadata; numbers are plotted over partitions in the UI. Callables are called after the rows are
            written (for counts that are known only then).
        checks: results of the checks declared for the asset; callables are called after the rows are written.
        content: hash of what was made, for assets that write files of their own: the same content wakes nobody.
        refused: why nothing was made, for assets that may refuse: then there is no materialisation.
    """

    rows: pl.DataFrame | Iterable[pl.DataFrame] | None = None
    numbers: Mapping[str, Any] | Callable[[], Mapping[str, Any]] = field(default_factory=dict)
    checks: Sequence[Check] | Callable[[Written | None], Sequence[Check]] = ()
    content: str | None = None
    refused: str | None = None


AssetFunction = Callable[[Pipeline, date], Outcome | pl.DataFrame]
SmallDaysFunction = Callable[[Pipeline, Sequence[date]], Mapping[date, Outcome | pl.DataFrame]]
"""What an asset function makes of each of several days, in one pass over them."""


@dataclass(frozen=True)
class Declaration:
    """An asset before it meets a calendar."""

    function: AssetFunction
    name: str
    group: str
    by: Literal["day", "week", "month"]
    table: Table | None
    after: tuple[str, ...]
    kinds: tuple[str, ...]
    code_version: str
    blocking: tuple[str, ...]
    warning: tuple[str, ...]
    pool: str | None
    may_refuse: bool
    choices: type[dg.Config] | None
    independent: bool
    small_days: SmallDaysFunction | None
    carries: Mapping[str, tuple[str, ...]]


def daily(table: Table | None = None, **options: Any) -> Callable[[AssetFunction], Declaration]:
    """Declares an asset partitioned by day; see `_declare` for the options."""
    return _declare("day", table, **options)


def weekly(table: Table | None = None, **options: Any) -> Callable[[AssetFunction], Declaration]:
    """Declares an asset partitioned by week; see `_declare` for the options."""
    return _declare("week", table, **options)


def monthly(table: Table | None = None, **options: Any) -> Callable[[AssetFunction], Declaration]:
    """Declares an asset partitioned by month; see `_declare` for the options."""
    return _declare("month", table, **options)


def _declare(
    by: Literal["day", "week", "month"],
    table: Table | None,
    *,
    group: str,
    name: str | None = None,
    after: Sequence[str] = (),
    kinds: Sequence[str] = ("polars", "parquet"),
    code_version: str = "1",
    blocking: Sequence[str] = (),
    warning: Sequence[str] = (),
    pool: str | None = None,
    may_refuse: bool = False,
    choices: type[dg.Config] | None = None,
    independent: bool = False,
    small_days: SmallDaysFunction | None = None,
    carries: Mapping[str, tuple[str, ...]] | None = None,
) -> Callable[[AssetFunction], Declaration]:
    """Declares an asset.

    Args:
        by: its partitioning.
        table: the table it writes; None for assets that write other files.
        group: where it is shown.
        name: its name, where the function's is taken.
        after: names of the assets it reads.
        kinds: at most three technologies, shown as badges.
        code_version: to be raised when the same input would give another output.
        blocking: checks that stop what is downstream when they fail; `schema` is added for tables.
        warning: checks that only tell.
        pool: concurrency pool, for assets that call a paid service.
        may_refuse: it may say why it made nothing: no materialisation then, and nothing downstream.
        choices: what a person may choose for one run in the Launchpad (`choices`).
        independent: no partition reads what another one of the same run makes, so that they may be computed side by
            side.
        small_days: makes the same of several days in one pass, for days of few rows.
        carries: columns whose values are those of a column of the same name, by the asset they are read from: what the
            UI draws as column lineage.
    """

    def wrap(function: AssetFunction) -> Declaration:
        checks = ("schema", *blocking) if table is not None else tuple(blocking)
        return Declaration(
            function, name or function.__name__, group, by, table, tuple(after), tuple(kinds), code_version, checks,
            tuple(warning), pool, may_refuse, choices, independent, small_days, carries or {},
        )  # fmt: skip

    return wrap
