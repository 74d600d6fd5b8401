"""Days that changed are asked for: contiguous ones in one run, again when the run failed, bad ones alone."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets import computing
from assets.partitions import named_days
from feedback_pipeline.cleaning.tables import CLEAN_INTERACTIONS
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import bulk, changes
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database
from jobs.location import build_definitions
from jobs.loops import DAILY
from jobs.requests import RANGE_END, RANGE_START, RUN_KEY
from tests.support.store_rows import MONDAY, answers, later

DAY = MONDAY.date()


@pytest.fixture
def pipeline(database: Database, tmp_path: Path) -> Pipeline:
    given = {"FEEDBACK_HOME": str(tmp_path / "home"), "FEEDBACK_DATABASE_URL": database.url, "FEEDBACK_QUIET": "0"}
    return Pipeline(Settings.from_environment(given), datetime(2026, 9, 20, tzinfo=UTC))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


@pytest.fixture
def tick(pipeline: Pipeline, instance: dg.DagsterInstance):
    """One look of the sensor; returns the runs asked for, as tags."""
    definitions = build_definitions(pipeline.settings, {"pipeline": pipeline})
    sensor = definitions.resolve_sensor_def("changed_days")
    cursor: list[str | None] = [None]

    def look() -> list[dict[str, str]]:
        context = dg.build_sensor_context(
            instance=instance, cursor=cursor[0], resources={"pipeline": pipeline}, definitions=definitions
        )
        result = sensor.evaluate_tick(context)
        cursor[0] = result.cursor or cursor[0]
        return [dict(request.tags) for request in result.run_requests or []]

    return look


def answers_on(database: Database, *offsets: int, name: str = "") -> None:
    made = [{"name": f"{name}{offset}", "occurred_at": later(days=offset)} for offset in offsets]
    bulk.file_batch(database, Batch(interactions=answers(*made)))


def execute(pipeline: Pipeline, instance: dg.DagsterInstance, tags: dict[str, str]) -> bool:
    job = build_definitions(pipeline.settings, {"pipeline": pipeline}).resolve_job_def(DAILY)
    return job.execute_in_process(instance=instance, tags=tags, raise_on_error=False).success


def days_asked(tags: dict[str, str]) -> list[str]:
    single = tags.get("dagster/partition")
    named = [str(day) for day in named_days(tags) or ()]
    return named or ([single] if single else [tags[RANGE_START], "to", tags[RANGE_END]])


def test_contiguous_days_are_one_run_of_dagsters_and_a_second_look_asks_for_nothing(tick, database: Database) -> None:
    answers_on(database, 0, 1, 2)
    assert [days_asked(tags) for tags in tick()] == [[str(DAY), "to", str(DAY + timedelta(days=2))]]
    assert tick() == []


def test_days_that_do_not_touch_are_one_run_that_leaves_the_others_alone(
    tick, pipeline: Pipeline, instance: dg.DagsterInstance, database: Database
) -> None:
    answers_on(database, 0, 1, 3, 7)
    wanted = [str(DAY + timedelta(days=offset)) for offset in (0, 1, 3, 7)]
    [tags] = tick()
    assert days_asked(tags) == wanted
    assert tick() == []
    assert execute(pipeline, instance, tags)
    assert changes.due(database) == []
    assert pipeline.frames.partitions(CLEAN_INTERACTIONS) == wanted
    [run] = instance.get_runs()
    made = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION).records
    of_one = [record.partition_key for record in made if record.asset_key == dg.AssetKey("vote_facts")]
    assert of_one == wanted
    assert instance.get_materialized_partitions(dg.AssetKey("vote_facts")) == set(wanted)


def test_a_bad_day_among_some_is_tried_alone_and_that_run_says_so(
    tick, pipeline: Pipeline, instance: dg.DagsterInstance, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = DAY + timedelta(days=3)
    answers_on(database, 0, 3, 7)
    real = computing.compute

    def bad_on_one_day(given: Pipeline, declaration: Any, partition: date) -> computing.Made:
        if partition == bad:
            raise ValueError("a day that cannot be computed")
        return real(given, declaration, partition)

    monkeypatch.setattr("assets.building.compute", bad_on_one_day)
    [tags] = tick()
    assert execute(pipeline, instance, tags), "Dagster would call the days between failed"
    assert [day.day for day in changes.due(database)] == [bad]
    [tags] = tick()
    assert days_asked(tags) == [str(bad)]
    assert not execute(pipeline, instance, tags)
    monkeypatch.undo()
    [tags] = tick()
    assert execute(pipeline, instance, tags)
    assert changes.due(database) == []


def test_today_and_days_before_the_first_partition_are_left_alone(tick, database: Database) -> None:
    answers_on(database, -700, 13)
    assert tick() == []


def test_after_success_only_what_changed_since_is_asked_for(
    tick, database: Database, pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    answers_on(database, 0, 1)
    [first] = tick()
    assert execute(pipeline, instance, first)
    assert tick() == []
    answers_on(database, 1, name="late")
    [second] = tick()
    assert days_asked(second) == [str(DAY + timedelta(days=1))]
    assert second[RUN_KEY] != first[RUN_KEY]


def test_a_change_while_the_run_is_under_way_is_asked_for_afterwards(
    tick, database: Database, pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    answers_on(database, 0)
    [first] = tick()
    answers_on(database, 0, name="meanwhile")
    [second] = tick()
    assert days_asked(second) == days_asked(first)
    assert execute(pipeline, instance, second)
    assert tick() == []


def test_a_failed_run_is_asked_for_again_the_bad_day_alone_and_not_for_ever(
    tick, database: Database, pipeline: Pipeline, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers_on(database, 0, 1, 2)
    bad = DAY + timedelta(days=1)
    real = bulk.count_events
    monkeypatch.setattr(
        bulk, "count_events", lambda database, days: {day: n + (day == bad) for day, n in real(database, days).items()}
    )
    [everything] = tick()
    assert not execute(pipeline, instance, everything)
    tried = 1
    while asked := tick():
        # the others of the run were computed in it
        assert [days_asked(tags) for tags in asked] == [[str(bad)]]
        assert not execute(pipeline, instance, asked[0])
        tried += 1
    assert tried == changes.MAX_ATTEMPTS
    assert list(changes.failed_days(database)) == [bad]


def test_schedules_ask_for_what_ended_and_skip_what_is_current(pipeline: Pipeline, database: Database) -> None:
    definitions = build_definitions(pipeline.settings, {"pipeline": pipeline})

    def asked(name: str) -> list[str | None]:
        schedule = definitions.resolve_schedule_def(name)
        context = dg.build_schedule_context(
            resources={"pipeline": pipeline}, repository_def=definitions.get_repository_def()
        )
        tick = schedule.evaluate_tick(context)
        return [request.partition_key or request.tags["dagster/partition"] for request in tick.run_requests or []]

    # nothing was said, and yet yesterday and the week that ended are there for whoever looks
    assert asked("every_day") == [str(DAY + timedelta(days=12))]
    assert asked("every_day") == []
    assert asked("every_monday") == [str(DAY)]
    assert asked("every_monday") == []
    assert definitions.resolve_schedule_def("every_monday").cron_schedule == "0 9 * * 1"
