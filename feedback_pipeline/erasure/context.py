"""What an erasure works with: where a person's data may be, and the row of the store that says how far it is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa

from feedback_pipeline.calendar import days_of_month
from feedback_pipeline.erasure import traces
from feedback_pipeline.erasure.subjects import Scope, Subject, weeks_touched
from feedback_pipeline.privacy.pseudonyms import Pseudonymiser
from feedback_pipeline.store.database import Database
from feedback_pipeline.tables.parquet import ParquetFolder
from feedback_pipeline.tuning.providers.protocol import Provider

EARLIER = sa.text("SELECT id, steps, finished_at FROM erasure WHERE subject_hash = :mark ORDER BY requested_at")
"""Erasures of a subject, the oldest first."""


class ErasureError(RuntimeError):
    """The erasure could not go on; the message says why and what to do. What was done stays done."""


@dataclass(frozen=True)
class Recomputed:
    """What was computed anew: counts, and the partitions that failed."""

    days: int
    weeks: int
    months: int
    failed: tuple[str, ...] = ()


Recompute = Callable[[Sequence[date], Sequence[date]], Recomputed]
"""Computes every day that is due, then these weeks (Mondays) and months (first days)."""


@dataclass(frozen=True)
class ErasureContext:
    """Where a person's data may be, and how to compute anew what was made of it.

    Attributes:
        database: the store; the Dagster database is beside it.
        frames: the tables, reports and training files.
        home: reject files and the erasures' own files.
        pseudonymiser: the keys.
        providers: adapters by name, for deleting uploads.
        recompute: runs the loop.
        now: the time (UTC).
        training_weeks: length of the rolling window.
        last_day: the last day that is computed.
        replace_mentions: other people's texts that name the person by their own id lose the id.
    """

    database: Database
    frames: ParquetFolder
    home: Path
    pseudonymiser: Pseudonymiser
    providers: Mapping[str, Provider]
    recompute: Recompute
    now: Callable[[], datetime]
    training_weeks: int
    last_day: date
    replace_mentions: bool = False


@dataclass
class Erasure:
    """One erasure under way."""

    context: ErasureContext
    subject: Subject
    id: UUID
    scope: Scope
    done: dict[str, dict[str, Any]]
    """What the steps taken so far counted."""
    settled: frozenset[str]
    """Steps that need not be taken again."""
    report: Callable[[str], None] = field(repr=False, default=lambda line: None)

    @property
    def weeks(self) -> list[date]:
        """Weeks that ended and whose results the subject's rows enter."""
        return weeks_of(self.context, self.scope)

    def transaction(self, step: str, work: Callable[[sa.Connection], dict[str, Any]]) -> None:
        """Does a step and notes it in one transaction."""
        with self.context.database.engine.begin() as connection:
            self._note(connection, step, work(connection))

    def note(self, step: str, counts: dict[str, Any]) -> None:
        """Notes a step that was done outside the store."""
        with self.context.database.engine.begin() as connection:
            self._note(connection, step, counts)

    def _note(self, connection: sa.Connection, step: str, counts: dict[str, Any]) -> None:
        connection.execute(
            sa.text("UPDATE erasure SET state = :step, steps = steps || CAST(:noted AS jsonb) WHERE id = :id"),
            {"id": self.id, "step": step, "noted": orjson.dumps({step: counts}).decode()},
        )
        self.done[step] = counts


def weeks_of(context: ErasureContext, scope: Scope) -> list[date]:
    """Weeks that ended and whose results these rows enter; of expired ones only counts are left, which stay."""
    touched = weeks_touched(scope.days, context.training_weeks)
    ended = [week for week in touched if (context.last_day - week).days >= 6]
    return _unexpired(context, ended)


def months_of(context: ErasureContext, scope: Scope) -> list[date]:
    """Months that ended and whose reports these rows enter."""
    ended = [month for month in traces.months_touched(scope.days) if days_of_month(month)[-1] <= context.last_day]
    return _unexpired(context, ended)


def _unexpired(context: ErasureContext, firsts: Sequence[date]) -> list[date]:
    with context.database.engine.connect() as connection:
        expired = connection.execute(sa.text("SELECT max(day) FROM day_state WHERE expired")).scalar()
    return [first for first in firsts if expired is None or first > expired]
