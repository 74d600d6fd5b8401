"""Dagster's event log as the loop writes it: what a step says of many partitions is one transaction (`events`).

Dagster stores an event for itself, in two to four transactions: 5 ms of two processes for each materialisation and
each result of a check, which is minutes for the first loop over some years of days. The events, rows and tags are those
that Dagster writes; `jobs/dagster.yaml` names this class. Where an instance has another storage, events are stored as
Dagster does.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import dagster as dg
import sqlalchemy as sa
from dagster._core.events import ASSET_EVENTS, DagsterEvent, DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.migration import ASSET_KEY_INDEX_COLS
from dagster._core.storage.event_log.schema import AssetKeyTable
from dagster._serdes import ConfigurableClassData
from dagster_postgres import PostgresEventLogStorage
from dagster_postgres.utils import create_pg_engine, pg_url_from_config
from sqlalchemy.dialects import postgresql

from assets.events import Numbered
from feedback_pipeline.store.statements import Queries

POOL: Mapping[str, Any] = {"isolation_level": "AUTOCOMMIT", "pool_size": 1, "max_overflow": 5, "pool_pre_ping": True}
"""A connection is kept: by default Dagster opens one for each statement, three for an event."""
_PLANNED, _EVALUATED = DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED, DagsterEventType.ASSET_CHECK_EVALUATION
_PASSED, _FAILED = AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED
_statement = Queries(__file__).statement


@dataclass(frozen=True)
class _Stored:
    """An event in the log: its number there, as it was reported, what Dagster says in it, and the row it became."""

    number: int
    event: EventLogEntry
    said: DagsterEvent
    row: Mapping[str, Any]

    @property
    def at(self) -> datetime:
        at: datetime = self.row["timestamp"]
        return at

    @property
    def text(self) -> str:
        return str(self.row["event"])


class _Block(threading.local):
    """What waits for the end of a block, for each thread its own: steps are computed side by side."""

    waiting: list[EventLogEntry] | None = None


class LoopEventLog(PostgresEventLogStorage):
    """The event log in PostgreSQL, which takes events by the batch."""

    def __init__(
        self, postgres_url: str, should_autocreate_tables: bool = True, inst_data: ConfigurableClassData | None = None
    ) -> None:
        super().__init__(postgres_url, should_autocreate_tables, inst_data)
        self._engine = create_pg_engine(postgres_url, **POOL)
        self._here = _Block()
        self._tables: dict[str, bool] = {}
        self._columns: dict[str, bool] = {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "LoopEventLog":
        return cls(pg_url_from_config(config_value), config_value.get("should_autocreate_tables", True), inst_data)

    def has_table(self, table_name: str) -> bool:
        """As Dagster asks before each event; a table that is there stays."""
        self._tables[table_name] = self._tables.get(table_name) or super().has_table(table_name)
        return self._tables[table_name]

    def _has_asset_key_col_on_connection(self, conn: sa.Connection, column_name: str) -> bool:
        """As Dagster asks before each look at an asset, by a reading of the catalog; a column that is there stays."""
        known = self._columns.get(column_name) or super()._has_asset_key_col_on_connection(conn, column_name)
        self._columns[column_name] = known
        return known

    @contextmanager
    def together(self) -> Iterator[list[Numbered]]:
        """Keeps what is to be stored within the block, and stores it at its end, however that comes. Gives a list that
        holds the events of Dagster's own among it afterwards, where there were several."""
        assert self._here.waiting is None, "blocks of events that are stored together do not hold each other"
        self._here.waiting = []
        numbered: list[Numbered] = []
        try:
            yield numbered
        finally:
            events, self._here.waiting = self._here.waiting, None
            if events:
                numbered += [Numbered(one.number, one.event) for one in self._store(events)]

    def store_event(self, event: EventLogEntry) -> None:
        if not self._waits([event]):
            super().store_event(event)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Stores events in one transaction, in their order."""
        if not self._waits(events):
            self._store(events)

    def _store(self, events: Sequence[EventLogEntry]) -> list[_Stored]:
        """Stores events; returns those in which Dagster says something, where there are several."""
        if len(events) == 1:
            super().store_event(events[0])
            return []
        rows = [self._event_to_row(event) for event in events]
        given = {
            "run_ids": [row["run_id"] for row in rows],
            "events": [row["event"] for row in rows],
            "kinds": [row["dagster_event_type"] for row in rows],
            "times": [row["timestamp"] for row in rows],
            "steps": [row["step_key"] for row in rows],
            "assets": [row["asset_key"] for row in rows],
            "partitions": [row["partition"] for row in rows],
        }
        with self.index_transaction() as connection:
            numbers = connection.execute(_statement("store_events"), given).scalars()
            stored = [
                _Stored(number, event, event.dagster_event, row)
                for number, event, row in zip(numbers, events, rows, strict=True) if event.dagster_event is not None
            ]  # fmt: skip
            self._store_assets(connection, [one for one in stored if one.said.event_type in ASSET_EVENTS])
            self._plan_checks(connection, [one for one in stored if one.said.event_type == _PLANNED])
            evaluated = [one for one in stored if one.said.event_type == _EVALUATED]
            self._note_checks(connection, [one for one in evaluated if _evaluation(one).partition])
        for one in evaluated:
            if not _evaluation(one).partition:  # no key that a database could find the planned row by
                self.store_asset_check_event(one.event, one.number)
        return stored

    def _waits(self, events: Sequence[EventLogEntry]) -> bool:
        """Whether events are stored later, with others."""
        if self._here.waiting is None:
            return False
        self._here.waiting.extend(events)
        return True

    def _store_assets(self, connection: sa.Connection, stored: Sequence[_Stored]) -> None:
        """The tags of events of assets, and of each asset what its last ones say."""
        tags: list[tuple[Any, ...]] = []
        latest: dict[str, dict[Any, _Stored]] = {}
        for one in stored:
            if one.said.asset_key is None:
                continue
            key = one.said.asset_key.to_string()
            tags += [(one.number, key, *tag, one.at) for tag in self._tags_for_asset_event(one.event).items()]
            latest.setdefault(key, {})[one.said.event_type] = one
        if tags:
            names = ("ids", "assets", "keys", "values", "times")
            columns = dict(zip(names, map(list, zip(*tags, strict=True)), strict=True))
            connection.execute(_statement("tag_events"), columns)
        indexed = self.has_secondary_index(ASSET_KEY_INDEX_COLS)
        for key, last in sorted(latest.items()):
            values: dict[str, Any] = {}
            for one in sorted(last.values(), key=lambda one: one.number):
                values |= self._get_asset_entry_values(one.event, one.number, indexed)
            entry = postgresql.insert(AssetKeyTable).values(asset_key=key, **values)
            kept = entry.on_conflict_do_update(index_elements=[AssetKeyTable.c.asset_key], set_=values)
            connection.execute(kept if values else entry.on_conflict_do_nothing())

    def _plan_checks(self, connection: sa.Connection, stored: Sequence[_Stored]) -> None:
        if not stored:
            return
        planned = [one.said.asset_check_planned_data for one in stored]
        partitions = [
            (place, partition)
            for place, one in enumerate(planned, 1)
            for partition in (one.partitions_subset.get_partition_keys() if one.partitions_subset else [None])
        ]
        given = {
            "assets": [one.asset_key.to_string() for one in planned],
            "names": [one.check_name for one in planned],
            "run_ids": [one.event.run_id for one in stored],
            "events": [one.text for one in stored],
            "times": [one.at for one in stored],
            "ids": [one.number for one in stored],
            "of": [place for place, _ in partitions],
            "partitions": [partition for _, partition in partitions],
        }
        connection.execute(_statement("plan_checks"), given)

    def _note_checks(self, connection: sa.Connection, stored: Sequence[_Stored]) -> None:
        # of a check that was evaluated twice for a partition, the last word stands
        last = {(_evaluation(one).asset_check_key, _evaluation(one).partition, one.event.run_id): one for one in stored}
        if not last:
            return
        found = [(one, _evaluation(one)) for one in last.values()]
        targets = [said.target_materialization_data for _, said in found]
        given = {
            "assets": [said.asset_key.to_string() for _, said in found],
            "names": [said.check_name for _, said in found],
            "partitions": [said.partition for _, said in found],
            "run_ids": [one.event.run_id for one, _ in found],
            "statuses": [(_PASSED if said.passed else _FAILED).value for _, said in found],
            "events": [one.text for one, _ in found],
            "times": [one.at for one, _ in found],
            "ids": [one.number for one, _ in found],
            "materializations": [None if target is None else target.storage_id for target in targets],
        }
        connection.execute(_statement("note_checks"), given)


def _evaluation(stored: _Stored) -> dg.AssetCheckEvaluation:
    """What a check said."""
    return stored.said.asset_check_evaluation_data
