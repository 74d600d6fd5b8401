"""One partition of an asset: its function called, its rows checked and written, its checks evaluated."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from assets import descriptions
from assets.declaration import Check, Declaration, Outcome
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.tables.parquet import Written
from feedback_pipeline.tables.schema import Table


@dataclass(frozen=True)
class Made:
    """A partition as it was made.

    Attributes:
        metadata: of its materialisation.
        checks: as evaluated.
        content: hash of what it holds; None where it has no content of its own.
        bytes: of the Parquet file below its own name; None where there is none.
        stopped_by: the blocking checks that failed; None where none did.
        refused: why nothing was made; None where something was.
    """

    metadata: Mapping[str, Any]
    checks: Sequence[Check]
    content: str | None
    bytes: int | None
    stopped_by: str | None
    refused: str | None


def compute(pipeline: Pipeline, declaration: Declaration, partition: date) -> Made:
    """Calls the asset's function and writes what it returns."""
    return _made(pipeline, declaration, partition, declaration.function(pipeline, partition))


def compute_small(pipeline: Pipeline, declaration: Declaration, days: Sequence[date]) -> dict[date, Made]:
    """The same for several days in one pass, of an asset that declares how."""
    if declaration.small_days is None:
        raise TypeError(f"{declaration.name} does not declare how several days are computed in one pass")
    returned = declaration.small_days(pipeline, days)
    return {day: _made(pipeline, declaration, day, returned[day]) for day in days}


def _made(pipeline: Pipeline, declaration: Declaration, partition: date, returned: Outcome | pl.DataFrame) -> Made:
    outcome = returned if isinstance(returned, Outcome) else Outcome(rows=returned)
    written: Written | None = None
    problems: list[str] = []
    if declaration.table is not None and outcome.refused is None:
        table, rows = declaration.table, outcome.rows
        if rows is None:
            raise TypeError(f"{declaration.name} declares the table {table.name} and returned no rows")
        checked = _checked(table, [rows] if isinstance(rows, pl.DataFrame) else rows, problems)
        written = pipeline.frames.write(table, partition, checked)
    numbers = outcome.numbers() if callable(outcome.numbers) else outcome.numbers
    checks = list(outcome.checks(written) if callable(outcome.checks) else outcome.checks)
    if written is not None:
        described = "; ".join(problems) or "every column as declared"
        checks.append(Check("schema", not problems, {"problems": len(problems)}, described))
    lineage = descriptions.of_columns(declaration.carries, pipeline.settings) if written is not None else {}
    metadata = {**descriptions.of_written(written), **lineage, **descriptions.rounded(numbers)}
    failed = [check.name for check in checks if check.name in declaration.blocking and not check.passed]
    return Made(
        metadata,
        checks,
        _content(written, outcome),
        written.bytes if written and declaration.table and declaration.table.name == declaration.name else None,
        f"check {', '.join(failed)} failed" if failed and outcome.refused is None else None,
        outcome.refused,
    )


def _content(written: Written | None, outcome: Outcome) -> str | None:
    if outcome.content is None or written is None:
        return outcome.content or (written.sha256 if written else None)
    return hashlib.sha256(f"{written.sha256} {outcome.content}".encode()).hexdigest()


def _checked(table: Table, frames: Iterable[pl.DataFrame], problems: list[str]) -> Iterator[pl.DataFrame]:
    for frame in frames:
        problems += table.problems(frame)
        yield frame
