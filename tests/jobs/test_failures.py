"""A run that failed is told of once; what nobody looks at any more goes from Dagster's storage."""

import logging
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.store.database import Database, create_missing_databases
from jobs import failures, housekeeping
from jobs.instance import open_instance
from jobs.storage import sizes

NOW = datetime(2026, 9, 14, 12, tzinfo=UTC)


@pytest.fixture
def pipeline(database: Database, tmp_path: Path) -> Pipeline:
    given = {"FEEDBACK_HOME": str(tmp_path / "home"), "FEEDBACK_DATABASE_URL": database.url}
    return Pipeline(Settings.from_environment({**given, "FEEDBACK_START": "2026-09-07"}), NOW)


def test_a_failed_run_is_told_of_once_a_day_for_each_cause(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    @dg.op
    def step(context: dg.OpExecutionContext) -> None:
        raise dg.Failure(f"clean_feedback: no rows for {context.run.tags['day']}")

    @dg.job
    def daily_loop() -> None:
        step()

    sensor = failures.failure_sensor(dg.DefaultSensorStatus.RUNNING)
    told = []
    with dg.DagsterInstance.ephemeral() as instance:
        for day in ("2026-09-07", "2026-09-08"):
            run = daily_loop.execute_in_process(instance=instance, raise_on_error=False, tags={"day": day})
            event = next(one for one in run.all_events if one.event_type == dg.DagsterEventType.RUN_FAILURE)
            context = dg.build_run_status_sensor_context(
                sensor_name="run_failures", dagster_event=event, dagster_instance=instance,
                dagster_run=instance.get_run_by_id(run.run_id), resources={"pipeline": pipeline},
            ).for_run_failure()  # fmt: skip
            with caplog.at_level(logging.WARNING, logger="feedback.alerts"):
                sensor(context)
            told.append([one.getMessage() for one in caplog.records if one.name == "feedback.alerts"])
    assert len(told[0]) == 1
    assert "daily_loop failed: clean_feedback: no rows for 2026-09-07" in told[0][0]
    assert "feedback materialize tries it again" in told[0][0]
    assert told[1] == told[0]  # the same cause on another day's data


def test_old_events_go_and_the_newest_of_every_partition_stays(pipeline: Pipeline) -> None:
    create_missing_databases(pipeline.database)
    days = dg.StaticPartitionsDefinition(["a"])

    @dg.asset(partitions_def=days, check_specs=[dg.AssetCheckSpec("good", asset="kept", partitions_def=days)])
    def kept() -> dg.MaterializeResult:
        return dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=True, check_name="good")])

    with open_instance(pipeline.settings, pipeline.database) as instance:
        ids = [dg.materialize([kept], partition_key="a", instance=instance).run_id for _ in range(3)]
        storage = Database(pipeline.database.dagster_url.replace("+psycopg2", ""))
        with storage.engine.begin() as connection:
            connection.execute(sa.text("UPDATE event_logs SET timestamp = timestamp - interval '40 days'"))
            connection.execute(sa.text("UPDATE runs SET update_timestamp = update_timestamp - interval '40 days'"))
            connection.execute(
                sa.text("UPDATE asset_check_executions SET create_timestamp = create_timestamp - interval '40 days'")
            )
        storage.engine.dispose()
        removed = housekeeping.tidy(pipeline.database)
        assert removed["drop_old_runs"] == 2
        assert housekeeping.tidy(pipeline.database) == dict.fromkeys(housekeeping.STEPS, 0)
        assert [run.run_id for run in instance.get_runs()] == [ids[-1]]
        assert instance.get_materialized_partitions(dg.AssetKey("kept")) == {"a"}
        key = dg.AssetCheckKey(dg.AssetKey("kept"), "good")
        assert set(instance.event_log_storage.get_latest_asset_check_execution_by_key([key])) == {key}
        assert set(sizes(pipeline.database)) == {
            "event_logs", "runs", "job_ticks", "asset_check_executions"
        }  # fmt: skip
