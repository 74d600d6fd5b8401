"""How Dagster's storage grows: days of the loop on a real instance, `python -m bench.event_log [DAYS]`.

Each simulated day has votes, its nightly run of `daily_loop`, and a late vote that has one older day computed again;
each week its run of `weekly_loop`. Runs are those of the daemon (same jobs, same tags), executed in this process; ticks
are counted by the sensors' intervals and weighed by rows of the real table. It prints rows and bytes a day, by table.
"""

import os
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import sqlalchemy as sa
from dagster._core.scheduler.instigation import InstigatorType, TickData, TickStatus

from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import bulk, embedded
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database, create_missing_databases, migrate
from jobs.foreground import LOGGING
from jobs.instance import open_instance
from jobs.location import build_definitions
from jobs.loops import DAILY, WEEKLY
from tests.support.store_rows import MONDAY, answers, later, votes

TABLES = ("event_logs", "asset_check_executions", "runs", "run_tags", "job_ticks", "asset_event_tags")
TICKS = 1_000
"""Ticks that are written to weigh one."""


def main(days: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        database = Database(embedded.ensure_running(Path(folder) / "postgres").url("feedback"))
        create_missing_databases(database)
        migrate(database, "UTC")
        start = MONDAY.date()
        given = {"FEEDBACK_HOME": str(home), "FEEDBACK_DATABASE_URL": database.url, "FEEDBACK_START": str(start)}
        pipeline = Pipeline(Settings.from_environment(given), datetime.now(UTC))
        with open_instance(pipeline.settings, database) as instance:
            _simulate(pipeline, instance, days)
        embedded.release(Path(folder) / "postgres")


def _simulate(pipeline: Pipeline, instance: dg.DagsterInstance, days: int) -> None:
    definitions = build_definitions(pipeline.settings, {"pipeline": pipeline})
    daily, weekly = definitions.resolve_job_def(DAILY), definitions.resolve_job_def(WEEKLY)
    storage = sa.create_engine(pipeline.database.dagster_url)
    start = MONDAY.date()
    before = None
    for number in range(days):
        _votes(pipeline.database, number)
        day = start + timedelta(days=number)
        for one in {day, start + timedelta(days=number // 2)}:
            done = daily.execute_in_process(LOGGING, instance=instance, partition_key=str(one))
            assert done.success
        if day.weekday() == 6:
            monday = str(day - timedelta(days=6))
            assert weekly.execute_in_process(LOGGING, instance=instance, partition_key=monday).success
        if number == 0:
            before = _sizes(storage)  # tables and indexes as they are made
    assert before is not None
    after, counted = _sizes(storage), days - 1
    for table in TABLES:
        rows, size = ((after[table][place] - before[table][place]) / counted for place in (0, 1))
        print(f"{table:24} {rows:8,.0f} rows {size / 1e3:10,.1f} kB a day")
    grown = sum(after[table][1] - before[table][1] for table in TABLES) / counted
    print(f"{'together':24} {'':13} {grown / 1e3:10,.1f} kB a day over {counted} days")
    _ticks(instance, storage, definitions)


def _votes(database: Database, number: int) -> None:
    named = [{"name": f"{number}-{one}", "occurred_at": later(days=number, minutes=one)} for one in range(20)]
    bulk.file_batch(
        database, Batch(interactions=answers(*named), feedback=votes(*({**o, "on": o["name"]} for o in named)))
    )


def _ticks(instance: dg.DagsterInstance, storage: sa.Engine, definitions: dg.Definitions) -> None:
    """What a day of skipped ticks takes, which is all that is ever kept of them (jobs/dagster.yaml)."""
    a_day = sum(86_400 / (one.minimum_interval_seconds or 30) for one in definitions.sensors or ())
    before = _sizes(storage)["job_ticks"]
    for number in range(TICKS):
        moment = datetime.now(UTC).timestamp() + number
        instance.create_tick(TickData("origin", "changed_days", InstigatorType.SENSOR, TickStatus.SKIPPED, moment,
                                      skip_reason="nothing is due", selector_id="s" * 40))  # fmt: skip
    after = _sizes(storage)["job_ticks"]
    each = (after[1] - before[1]) / TICKS
    size = a_day * each / 1e6
    print(f"ticks: {a_day:,.0f} a day, {each:,.0f} B each: {size:,.1f} MB, kept one day where nothing came of them")


def _sizes(storage: sa.Engine) -> dict[str, tuple[int, int]]:
    with storage.connect() as connection:
        return {
            table: (
                connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one(),
                connection.execute(sa.text("SELECT pg_total_relation_size(:name)"), {"name": table}).scalar_one(),
            )
            for table in TABLES
        }  # fmt: skip


if __name__ == "__main__":
    os.environ.setdefault("FEEDBACK_AUTOMATION", "0")
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 28)
