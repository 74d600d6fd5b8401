"""How an asset of this pipeline is declared: a function from a partition to its rows, and what Dagster is told of it.

`@daily` and `@weekly` collect functions `(pipeline, day or week) -> Outcome | frame`; `build` turns them into Dagster
assets for a calendar. In one place for all of them: partitions, single-run backfills, group, kinds, owners, code
version, column schema, row counts, the schema check and the table's own checks, each evaluated for every partition.
No text of users reaches an event: metadata is numbers, names of dimensions and values, ids, paths.
"""

import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal

import dagster as dg
import polars as pl
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)

from assets.partitions import Calendar
from feedback_pipeline.cleaning.verdicts import PolicyError
from feedback_pipeline.llm.endpoint_refusal import EndpointRefusedError
from feedback_pipeline.llm.prices import UnknownPriceError
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.privacy.names import NamesError
from feedback_pipeline.store.database import DatabaseError
from feedback_pipeline.tables.parquet import Written
from feedback_pipeline.tables.schema import Table
from feedback_pipeline.training.archive import CurationMissing
from feedback_pipeline.training.rules import EvaluationSetMissing

OWNERS = ["team:feedback"]
OWN_ERRORS = (CurationMissing, EndpointRefusedError, EvaluationSetMissing, NamesError, PolicyError, UnknownPriceError)
"""Errors whose messages are written by us alone."""


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
    """

    rows: pl.DataFrame | Iterable[pl.DataFrame] | None = None
    numbers: Mapping[str, Any] | Callable[[], Mapping[str, Any]] = field(default_factory=dict)
    checks: Sequence[Check] | Callable[[Written | None], Sequence[Check]] = ()


AssetFunction = Callable[[Pipeline, date], Outcome | pl.DataFrame]


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
    freshness: timedelta | None
    pool: str | None


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
    freshness: timedelta | None = None,
    pool: str | None = None,
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
        freshness: how old the newest materialisation may be before it is called stale.
        pool: concurrency pool, for assets that call a paid service.
    """

    def wrap(function: AssetFunction) -> Declaration:
        checks = ("schema", *blocking) if table is not None else tuple(blocking)
        return Declaration(
            function, name or function.__name__, group, by, table, tuple(after), tuple(kinds), code_version, checks,
            tuple(warning), freshness, pool,
        )  # fmt: skip

    return wrap


def build(
    declaration: Declaration, calendar: Calendar, condition: dg.AutomationCondition[Any] | None = None
) -> dg.AssetsDefinition:
    """The Dagster asset of a declaration."""
    partitions = {"day": calendar.days, "week": calendar.weeks, "month": calendar.months}[declaration.by]
    freshness = declaration.freshness and dg.FreshnessPolicy.time_window(fail_window=declaration.freshness)

    @dg.asset(
        name=declaration.name,
        partitions_def=partitions,
        # several days go into one run; weeks are few and dear, so each is a run of its own
        backfill_policy=dg.BackfillPolicy.single_run() if declaration.by == "day" else dg.BackfillPolicy.multi_run(1),
        group_name=declaration.group,
        kinds=set(declaration.kinds),
        owners=OWNERS,
        code_version=declaration.code_version,
        description=declaration.function.__doc__,
        deps=list(declaration.after),
        metadata=_table_metadata(declaration.table),
        check_specs=[
            dg.AssetCheckSpec(
                name=name,
                asset=declaration.name,
                blocking=name in declaration.blocking,
                partitions_def=partitions,
                description=_CHECK_DESCRIPTIONS.get(name),
            )
            for name in (*declaration.blocking, *declaration.warning)
        ],
        automation_condition=condition,
        freshness_policy=freshness,
        pool=declaration.pool,
    )
    def materialize(context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> Iterator[Any]:
        yield from _materialize(context, pipeline, declaration)

    return materialize


def _materialize(context: dg.AssetExecutionContext, pipeline: Pipeline, declaration: Declaration) -> Iterator[Any]:
    """Computes every partition of the run; a bad one does not keep the others from being computed and written."""
    failures: dict[str, Exception] = {}
    checks: dict[str, list[_Evaluation]] = {}
    keys = list(context.partition_keys)
    for number, key in enumerate(keys, 1):
        try:
            metadata, checks[key] = _compute(pipeline, declaration, date.fromisoformat(key))
        except DatabaseError:
            raise  # not this day's fault: every day would fail
        except Exception as error:  # noqa: BLE001 (recorded below, and the step fails)
            failures[key] = error
            continue
        context.add_asset_metadata(metadata, partition_key=key)
        if len(keys) > 1:
            context.log.info(f"{declaration.name}: {key} done ({number} of {len(keys)})")
    if failures:
        # what was found of the others is said all the same; the days themselves count as not materialised
        yield from _evaluations(context, checks)
        described = "\n".join(f"{key}: {where(error)}" for key, error in failures.items())
        raise dg.Failure(
            description=f"{declaration.name} failed for {len(failures)} of {len(keys)} partitions:\n{described}",
            metadata={"bad_partitions": list(failures)},
        ) from None
    for output_name in context.assets_def.check_specs_by_output_name:
        yield dg.Output(None, output_name=output_name)
    yield dg.MaterializeResult()
    yield from _evaluations(context, checks)


def _evaluations(
    context: dg.AssetExecutionContext, checks: Mapping[str, Sequence["_Evaluation"]]
) -> Iterator[dg.AssetCheckEvaluation]:
    """The checks of every partition, about the materialisation they were made for.

    Dagster calls a check outdated that was evaluated before the newest materialisation of its partition, or does not
    name it; whatever waits for the check (`all_deps_blocking_checks_passed`) would wait for ever.
    """
    if not checks:
        return
    wanted = dg.AssetRecordsFilter(asset_key=context.asset_key, asset_partitions=list(checks))
    targets: dict[str | None, AssetCheckEvaluationTargetMaterializationData] = {}
    for record in context.instance.fetch_materializations(wanted, limit=len(checks)).records:
        # newest first
        targets.setdefault(
            record.partition_key,
            AssetCheckEvaluationTargetMaterializationData(
                run_id=record.run_id, storage_id=record.storage_id, timestamp=record.timestamp
            ),
        )
    for key, evaluations in checks.items():
        yield from (evaluation(context.asset_key, key, targets.get(key)) for evaluation in evaluations)


def where(error: Exception) -> str:
    """An exception as the event log may hold it: its type and where it was raised. Its own words may quote a text of a
    user, so only those of errors we raise ourselves are kept."""
    words = f": {error}" if isinstance(error, OWN_ERRORS) else ""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    raised = " < ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    return f"{type(error).__name__}{words} at {raised}"


def _compute(pipeline: Pipeline, declaration: Declaration, partition: date) -> tuple[dict[str, Any], list[Any]]:
    returned = declaration.function(pipeline, partition)
    outcome = returned if isinstance(returned, Outcome) else Outcome(rows=returned)
    written: Written | None = None
    problems: list[str] = []
    if declaration.table is not None:
        table, rows = declaration.table, outcome.rows
        if rows is None:
            raise TypeError(f"{declaration.name} declares the table {table.name} and returned no rows")
        checked = _checked(table, [rows] if isinstance(rows, pl.DataFrame) else rows, problems)
        written = pipeline.frames.write(table, partition, checked)
    numbers = outcome.numbers() if callable(outcome.numbers) else outcome.numbers
    checks = list(outcome.checks(written) if callable(outcome.checks) else outcome.checks)
    if declaration.table is not None:
        described = "; ".join(problems) or "every column as declared"
        checks.append(Check("schema", not problems, {"problems": len(problems)}, described))
    metadata = {**_written_metadata(written), **{name: value for name, value in numbers.items() if value is not None}}
    return metadata, [_evaluation(declaration, check) for check in checks]


def _checked(table: Table, frames: Iterable[pl.DataFrame], problems: list[str]) -> Iterator[pl.DataFrame]:
    for frame in frames:
        problems += table.problems(frame)
        yield frame


_Evaluation = Callable[
    [dg.AssetKey, str, AssetCheckEvaluationTargetMaterializationData | None], dg.AssetCheckEvaluation
]


def _evaluation(declaration: Declaration, check: Check) -> _Evaluation:
    severity = dg.AssetCheckSeverity.ERROR if check.severity == "error" else dg.AssetCheckSeverity.WARN

    def evaluate(
        key: dg.AssetKey, partition: str, target: AssetCheckEvaluationTargetMaterializationData | None
    ) -> dg.AssetCheckEvaluation:
        return dg.AssetCheckEvaluation(
            asset_key=key,
            check_name=check.name,
            passed=check.passed,
            severity=severity,
            blocking=check.name in declaration.blocking,
            description=check.description,
            metadata=dict(check.numbers),
            partition=partition,
            target_materialization_data=target,
        )

    return evaluate


def _written_metadata(written: Written | None) -> dict[str, Any]:
    if written is None:
        return {}
    return {
        "dagster/partition_row_count": written.rows,
        "dagster/uri": written.path,
        "bytes": written.bytes,
        "sha256": written.sha256,
    }


def _table_metadata(table: Table | None) -> dict[str, Any]:
    if table is None:
        return {}
    columns = [
        dg.TableColumn(
            name=column.name,
            type=str(column.dtype),
            description=column.description,
            constraints=dg.TableColumnConstraints(nullable=column.nullable),
        )
        for column in table.columns
    ]
    return {"dagster/column_schema": dg.TableSchema(columns=columns), "row": table.row}


_CHECK_DESCRIPTIONS = {
    "schema": "Columns, types, required values, closed value sets and keys are as declared.",
    "conservation": "Every event delivered for the day is current, superseded, withdrawn, a duplicate, opted out, "
    "pending or quarantined: nothing is silently lost.",
    "no_personal_data": "No structured identifier (e-mail, phone, card, IP …) is left in any text column.",
}
