"""Days that are not computed yet, today among them, cleaned when somebody exports them: the same functions that write
the files, with nothing written.

What a check of the clean tables would stop is stopped here too: a day with personal data that got past redaction.
"""

from collections.abc import Sequence
from datetime import date
from typing import Protocol

import polars as pl

from feedback_pipeline.cleaning import days
from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK, CLEAN_INTERACTIONS
from feedback_pipeline.cleaning.verdicts import VerdictPolicy
from feedback_pipeline.privacy.canary import leaks
from feedback_pipeline.store import bulk, changes
from feedback_pipeline.store.database import Database
from feedback_pipeline.tables.parquet import ParquetFolder
from feedback_pipeline.tables.schema import Table

_JSON = frozenset({"messages", "content_snapshot", "shown"})


class Days(Protocol):
    """Clean tables by day."""

    def scan(self, table: Table, partitions: Sequence[date]) -> pl.LazyFrame:
        """The rows of these days, in their order."""
        ...


class UnredactedError(RuntimeError):
    """A day holds what redaction should have replaced; the message names the day and the kinds, no text."""


class LiveDays:
    """The files of the days that are computed, and the store's rows of those that are not, cleaned in memory."""

    def __init__(self, frames: ParquetFolder, database: Database, policy: VerdictPolicy) -> None:
        self._frames = frames
        self._database = database
        self._policy = policy
        self._cleaned: dict[tuple[str, date], pl.DataFrame] = {}
        changes.fold(database)
        behind = {one.day for one in changes.due(database, include_requested=True, given_up=True)}
        self.not_computed = frozenset(day for day in behind if not changes.is_sealed(database, day))
        """Days whose votes are in no file, or not as they are now."""

    def scan(self, table: Table, partitions: Sequence[date]) -> pl.LazyFrame:
        """The rows of these days.

        Raises:
            UnredactedError: one holds personal data.
        """
        if not any(day in self.not_computed for day in partitions):
            return self._frames.scan(table, partitions)
        parts = [
            self._clean(table, day).lazy() if day in self.not_computed else self._frames.scan(table, [day])
            for day in partitions
        ]
        return pl.concat(parts)

    def _clean(self, table: Table, day: date) -> pl.DataFrame:
        if (table.name, day) not in self._cleaned:
            if table.name == CLEAN_FEEDBACK.name:
                raw = bulk.read_day(self._database, "read_feedback", day)
                found = days.clean_feedback(raw, self._policy)
            elif table.name == CLEAN_INTERACTIONS.name:
                found = days.clean_interactions(bulk.read_day(self._database, "read_interactions", day))
            else:
                raise ValueError(f"no table that is cleaned day by day: {table.name}")
            _require_redacted(table, day, found)
            self._cleaned[table.name, day] = found
        return self._cleaned[table.name, day]


def _require_redacted(table: Table, day: date, frame: pl.DataFrame) -> None:
    texts = [column.name for column in table.columns if column.text]
    kinds = {kind for name in texts for kind in leaks(frame[name], json=name in _JSON)}
    if kinds:
        raise UnredactedError(
            f"{day}: not exported, {', '.join(sorted(kinds))} got past redaction; see the checks of {table.name}"
        )
