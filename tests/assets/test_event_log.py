"""What steps say of many partitions is stored at once: in the rows that Dagster would have written one by one."""

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
import psycopg
import pytest
import sqlalchemy as sa

from assets.event_log import LoopEventLog
from assets.events import Target, materialized, together
from feedback_pipeline.store import embedded
from feedback_pipeline.store.database import Database, create_missing_databases
from jobs import instance as instances

DAYS = ["2026-09-07", "2026-09-08", "2026-09-09"]
PLAIN = """
storage:
  postgres:
    postgres_url:
      env: DAGSTER_POSTGRES_URL
telemetry:
  enabled: false
"""


STRETCH = dg.DailyPartitionsDefinition(DAYS[0], end_date="2026-09-11")


@dg.asset(
    partitions_def=STRETCH,
    code_version="1",
    backfill_policy=dg.BackfillPolicy.single_run(),
    check_specs=[dg.AssetCheckSpec(name, asset="told", partitions_def=STRETCH) for name in ("good", "bad")],
)
def told(context: dg.AssetExecutionContext) -> Iterator[Any]:
    with together(context.instance):
        for day in context.partition_keys:
            tags = {"dagster/data_version": f"of {day}", "dagster/data_version_is_user_provided": "true", "own": "tag"}
            yield dg.AssetMaterialization("told", partition=day, tags=tags, metadata={"rows": 3})
        yield dg.AssetObservation("told", partition=DAYS[0], metadata={"seen": "later than it was made"})
    with together(context.instance):
        context.log.info("words between")
        for day in context.partition_keys:
            for name in ("good", "bad"):
                passed = name == "good" or day == DAYS[0]
                yield dg.AssetCheckEvaluation(context.asset_key, name, passed=passed, blocking=False, partition=day)
        yield from (dg.Output(None, output_name=name) for name in context.assets_def.check_specs_by_output_name)
        yield dg.MaterializeResult(metadata={"last": True}, data_version=dg.DataVersion("whole"))


@pytest.fixture
def given_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: embedded.Layout) -> Iterator[Any]:
    """Opens an instance of its own with a storage: `ours` as shipped, `plain` as Dagster has it."""
    made = []

    @contextmanager
    def opened(storage: str) -> Iterator[tuple[dg.DagsterInstance, sa.Engine]]:
        database = Database(server.url(f"events_{storage}_{os.getpid()}"))
        create_missing_databases(database)
        made.append(database)
        home = tmp_path / storage
        home.mkdir()
        if storage == "plain":
            (home / "dagster.yaml").write_text(PLAIN)
        else:
            shutil.copyfile(Path(instances.__file__).with_name("dagster.yaml"), home / "dagster.yaml")
        monkeypatch.setenv("DAGSTER_HOME", str(home))
        monkeypatch.setenv("DAGSTER_POSTGRES_URL", database.dagster_url)
        monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1000" if storage == "ours" else "0")
        engine = sa.create_engine(database.dagster_url)
        with dg.DagsterInstance.get() as instance:
            yield instance, engine
        engine.dispose()

    yield opened
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        for database in made:
            for url in (database.url, database.dagster_url):
                name = urlsplit(url).path.lstrip("/")
                connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _run(instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    job = dg.Definitions([told], jobs=[dg.define_asset_job("tell", [told])]).resolve_job_def("tell")
    tags = {"dagster/asset_partition_range_start": DAYS[0], "dagster/asset_partition_range_end": DAYS[-1]}
    return job.execute_in_process(instance=instance, tags=tags)


ROWS = {
    "events": "SELECT dagster_event_type, step_key, asset_key, partition FROM event_logs ORDER BY id",
    "tags": "SELECT e.dagster_event_type, e.partition, t.asset_key, t.key, t.value, t.event_timestamp = e.timestamp"
    " FROM asset_event_tags t JOIN event_logs e ON e.id = t.event_id WHERE t.key NOT LIKE '%%pointer%%'"
    " ORDER BY e.id, t.key",
    "assets": "SELECT asset_key, last_run_id IS NOT NULL, last_materialization_timestamp IS NOT NULL,"
    " last_materialization::json -> 'event_log_entry' -> 'dagster_event' -> 'event_specific_data' -> 'materialization'"
    " ->> 'partition' FROM asset_keys",
    "checks": "SELECT c.asset_key, c.check_name, c.partition, c.execution_status, e.dagster_event_type,"
    " e.event = c.evaluation_event, e.timestamp = c.evaluation_event_timestamp, m.partition"
    " FROM asset_check_executions c JOIN event_logs e ON e.id = c.evaluation_event_storage_id"
    " LEFT JOIN event_logs m ON m.id = c.materialization_event_storage_id ORDER BY 1, 2, 3",
}


def _rows(engine: sa.Engine) -> dict[str, list[tuple[Any, ...]]]:
    with engine.connect() as connection:
        return {name: [tuple(row) for row in connection.exec_driver_sql(query)] for name, query in ROWS.items()}


def test_the_rows_are_those_that_dagster_writes(given_home: Any) -> None:
    found = {}
    for storage in ("plain", "ours"):
        with given_home(storage) as (instance, engine):
            assert isinstance(instance.event_log_storage, LoopEventLog) == (storage == "ours")
            assert _run(instance).success
            found[storage] = _rows(engine)
    for name in ROWS:
        assert found["ours"][name] == found["plain"][name], name
    assert {row[3] for row in found["ours"]["checks"]} == {"SUCCEEDED", "FAILED"}


def _tell(instance: dg.DagsterInstance, *days: str) -> None:
    for day in days:
        instance.report_runless_asset_event(dg.AssetMaterialization("told", partition=day))


def test_what_was_said_before_a_step_broke_is_stored(given_home: Any) -> None:
    with given_home("ours") as (instance, engine):

        def breaks() -> None:
            with together(instance):
                _tell(instance, DAYS[0], DAYS[1])
                assert _rows(engine)["events"] == []
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            breaks()
        assert [row[3] for row in _rows(engine)["events"]] == DAYS[:2]


def test_checks_name_what_was_stored_as_the_log_itself_names_it(given_home: Any) -> None:
    with given_home("ours") as (instance, _):
        with together(instance) as stored:
            _tell(instance, *DAYS)
        records = instance.fetch_materializations(dg.AssetKey("told"), limit=10).records
        assert materialized(stored) == {
            one.partition_key: Target(storage_id=one.storage_id, run_id=one.run_id, timestamp=one.timestamp)
            for one in records
        }


def test_events_of_other_threads_are_not_lost_at_the_end_of_a_block(given_home: Any) -> None:
    each = 100

    def tell() -> None:
        for number in range(each):
            instance.report_runless_asset_event(dg.AssetMaterialization(f"other_{number}"))

    with given_home("ours") as (instance, engine):
        other = threading.Thread(target=tell)
        other.start()
        for _ in range(each):
            with together(instance):
                instance.report_runless_asset_event(dg.AssetMaterialization("told", partition=DAYS[0]))
        other.join()
        assert len(_rows(engine)["events"]) == 2 * each


def test_two_steps_may_each_have_a_block_at_once(given_home: Any) -> None:
    with given_home("ours") as (instance, _):
        both = threading.Barrier(2, timeout=120)

        def step(name: str) -> None:
            with together(instance):
                both.wait()
                for number in range(3):
                    instance.report_runless_asset_event(dg.AssetMaterialization(name, metadata={"number": number}))
                both.wait()

        threads = [threading.Thread(target=step, args=(name,)) for name in ("one", "other")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for name in ("one", "other"):
            found = instance.fetch_materializations(dg.AssetKey(name), limit=10).records
            assert [one.asset_materialization.metadata["number"].value for one in found] == [2, 1, 0]


def test_a_batch_that_cannot_be_stored_is_said_and_leaves_nothing(given_home: Any) -> None:
    """Half of what belongs together would be a check without its event."""
    with given_home("ours") as (instance, engine):
        instance.report_runless_asset_event(dg.AssetMaterialization("told"))
        with engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE asset_keys RENAME TO asset_keys_away")
        with pytest.raises(sa.exc.ProgrammingError), together(instance):
            _tell(instance, *DAYS)
        with engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE asset_keys_away RENAME TO asset_keys")
        assert len(_rows(engine)["events"]) == 1


def test_another_storage_takes_events_as_ever() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert _run(instance).success
        found = instance.fetch_materializations(dg.AssetKey("told"), limit=10).records
        assert {record.partition_key for record in found} >= set(DAYS)
