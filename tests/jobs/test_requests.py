"""Days, weeks and months wait in the store until they are computed, whatever becomes of the runs that should do it."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa
import typer
from dagster._core.events import JobFailureData, RunFailureReason
from dagster_shared.error import SerializableErrorInfo
from typer.testing import CliRunner

from assets import computing, interruption
from feedback_pipeline.analysis.stored import get_feedback_data, get_statistics
from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK, VOTE_FACTS
from feedback_pipeline.cli import findings, lineage, loop, training
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import bulk, changes, computed, periods
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.changes import AT_ONCE, Patience
from feedback_pipeline.store.database import Database
from jobs import foreground, requests, runs
from jobs.location import build_definitions, loops_of_assets
from jobs.loops import DAILY, WEEKLY
from tests.support.store_rows import MONDAY, answers, later, vote_id, votes

DAY = MONDAY.date()
NOW = datetime(2026, 9, 14, 12, tzinfo=UTC)
"""The day after the week of DAY ended: it is not closed yet, and its month goes on."""


@pytest.fixture
def pipeline(database: Database, tmp_path: Path) -> Pipeline:
    given = {
        "FEEDBACK_HOME": str(tmp_path / "home"), "FEEDBACK_DATABASE_URL": database.url, "FEEDBACK_QUIET": "0",
        "FEEDBACK_START": str(DAY),
    }  # fmt: skip
    return Pipeline(Settings.from_environment(given), NOW)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


def vote_on(database: Database, *offsets: int, name: str = "") -> None:
    for offset in offsets:
        one = {"name": f"{name}{offset}", "occurred_at": later(days=offset)}
        bulk.file_batch(database, Batch(interactions=answers(one), feedback=votes({**one, "on": one["name"]})))


def days_computed(pipeline: Pipeline, instance: dg.DagsterInstance) -> None:
    """Every day that is due, as a run of the daemon would."""
    changes.fold(pipeline.database)
    job = build_definitions(pipeline.settings, {"pipeline": pipeline}).resolve_job_def(DAILY)
    for request in requests.request_days(pipeline, AT_ONCE):
        job.execute_in_process(instance=instance, tags=request.tags, raise_on_error=False)


def due_weeks(pipeline: Pipeline, **options: bool) -> list[str]:
    due = periods.due(pipeline.database, today=pipeline.today(), start=pipeline.settings.start, **options)
    return [str(one.first) for one in due if one.period == "week"]


def test_a_week_waits_for_its_days_and_only_for_what_became_another(
    database: Database, pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    vote_on(database, 0, 2)
    assert due_weeks(pipeline) == []
    days_computed(pipeline, instance)
    [asked] = requests.request_periods(pipeline, AT_ONCE)
    assert (asked.job_name, asked.partition_key) == (WEEKLY, str(DAY))
    assert requests.request_periods(pipeline, AT_ONCE) == []  # asked for once, by whichever daemon is first
    periods.take_back(database, "week", [DAY], None)
    with database.engine.begin() as connection:
        connection.execute(sa.text("UPDATE period_state SET computed = version"))
    # the same rows again: the day is computed, the week has nothing new to say
    assert changes.touch(database, DAY, DAY) == 1
    days_computed(pipeline, instance)
    assert changes.due(database) == []
    assert due_weeks(pipeline) == []
    vote_on(database, 0, name="late")
    days_computed(pipeline, instance)
    assert due_weeks(pipeline) == [str(DAY)]


def test_a_trickle_of_late_votes_is_not_a_run_each(database: Database, pipeline: Pipeline) -> None:
    vote_on(database, 0)
    changes.fold(database)
    patience = Patience(quiet=60, longest_wait=300)
    assert changes.due(database, patience=patience) == []
    with database.engine.begin() as connection:
        connection.execute(sa.text("UPDATE day_state SET changed_at = now() - interval '61 s'"))
    assert [day.day for day in changes.due(database, patience=patience)] == [DAY]
    with database.engine.begin() as connection:
        connection.execute(sa.text("UPDATE day_state SET changed_at = now(), waiting_since = now() - interval '301 s'"))
    vote_on(database, 0, name="another")
    changes.fold(database)
    assert [day.day for day in changes.due(database, patience=patience)] == [DAY]


def test_a_request_whose_run_never_came_is_taken_back(
    database: Database, pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    vote_on(database, 0)
    changes.fold(database)
    assert len(requests.request_days(pipeline, AT_ONCE)) == 1
    requests.settle_requests(instance, pipeline)
    assert requests.request_days(pipeline, AT_ONCE) == []  # it may be under way
    with database.engine.begin() as connection:
        connection.execute(sa.text("UPDATE day_state SET requested_at = now() - interval '10 minutes'"))
    requests.settle_requests(instance, pipeline)
    assert len(requests.request_days(pipeline, AT_ONCE)) == 1
    assert changes.failed_days(database) == {}


def test_one_bad_day_of_a_run_leaves_the_others_computed_to_the_end(
    database: Database, pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    vote_on(database, *range(7))
    changes.fold(database)
    bad = DAY + timedelta(days=3)
    in_the_way = Path(pipeline.frames.path(CLEAN_FEEDBACK, bad).path)
    in_the_way.mkdir(parents=True)  # a file that cannot be written
    definitions = build_definitions(pipeline.settings, {"pipeline": pipeline})
    tags = {requests.RANGE_START: str(DAY), requests.RANGE_END: str(DAY + timedelta(days=6))}
    done = definitions.resolve_job_def(DAILY).execute_in_process(instance=instance, tags=tags, raise_on_error=False)
    assert not done.success
    others = [str(DAY + timedelta(days=offset)) for offset in range(7) if offset != 3]
    assert pipeline.frames.partitions(VOTE_FACTS) == others
    assert [day.day for day in changes.due(database)] == [bad]
    # what the UI shows: six materialisations, each with the hash of its own file
    key = dg.AssetKey("vote_facts")
    materialised = instance.fetch_materializations(key, limit=20).records
    assert sorted(one.partition_key or "" for one in materialised) == others
    versions = {one.asset_materialization.tags["dagster/data_version"] for one in materialised}
    assert len(versions) == 6
    assert [path.name for path in Path(pipeline.settings.data_url).rglob("*.partial")] == []

    # a person asks again, three times and more: it is tried each time, and done once it can be
    for _ in range(changes.MAX_ATTEMPTS + 1):
        failed = runs.compute(pipeline, instance, weeks=[]).failed
        assert [line.partition(":")[0] for line in failed] == [str(bad)]
    in_the_way.rmdir()
    again = runs.compute(pipeline, instance, weeks=[])
    assert (again.days, again.failed) == (1, ())


def test_a_full_disk_is_not_the_days_fault(
    database: Database, pipeline: Pipeline, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    vote_on(database, 0, 1)
    real = computing.compute

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("assets.building.compute", full)
    result = runs.compute(pipeline, instance, weeks=[])
    assert (result.days, changes.failed_days(database)) == (0, {})
    assert "No space left on device (ENOSPC)" in "".join(result.failed)
    monkeypatch.setattr("assets.building.compute", real)
    assert runs.compute(pipeline, instance, weeks=[]).days == 2


def test_a_command_that_was_stopped_is_held_against_no_day(
    database: Database, pipeline: Pipeline, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day that failed is tried alone: of a year that somebody stopped, each day would be a run."""
    vote_on(database, 0, 1, 2)
    real = computing.compute

    once = iter([signal.SIGINT])

    def stopped(*given: object) -> object:
        if (number := next(once, None)) is not None:
            os.kill(os.getpid(), number)
        interruption.asked.wait(10)
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr("assets.building.compute", stopped)
    assert runs.compute(pipeline, instance, weeks=[]).interrupted
    monkeypatch.setattr("assets.building.compute", real)
    again = runs.compute(pipeline, instance, weeks=[])
    assert (again.runs, again.days, again.failed) == (1, 3, ())


def test_a_file_that_is_gone_is_noticed_and_made_again(
    database: Database, pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    vote_on(database, 0, 1)
    days_computed(pipeline, instance)
    path = pipeline.frames.path(CLEAN_FEEDBACK, DAY)
    content = path.read_bytes()
    path.unlink()
    # the week does not speak about votes that are not there
    week = build_definitions(pipeline.settings, {"pipeline": pipeline}).resolve_job_def(WEEKLY)
    run = week.execute_in_process(instance=instance, partition_key=str(DAY), raise_on_error=False)
    assert not run.success
    said = "".join(str(entry) for entry in instance.all_logs(run.run_id))
    assert f"the file of clean_feedback for {DAY} is gone; feedback materialize computes it again" in said
    lines: list[str] = []
    assert runs.compute(pipeline, instance, weeks=[], report=lines.append).days == 1
    assert lines[0].startswith(f"1 file that was computed is gone: clean_feedback of {DAY}. ")
    assert path.read_bytes() == content
    assert computed.absent(database, pipeline.frames) == []


def test_files_that_are_gone_are_said_wherever_they_are_read(
    database: Database,
    pipeline: Pipeline,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    vote_on(database, 0, 1)
    vote = vote_id("1")
    days_computed(pipeline, instance)
    monkeypatch.setenv("FEEDBACK_HOME", str(pipeline.settings.home))
    monkeypatch.setenv("FEEDBACK_DATABASE_URL", database.url)
    gone = "1 file that was computed is gone: {} of {}. feedback materialize computes what is gone again"

    app = typer.Typer()
    app.command()(loop.status)
    for subject in (findings, lineage, training):
        subject.mount(app)

    def said(*arguments: str) -> tuple[int, str]:
        found = CliRunner().invoke(app, arguments)
        return found.exit_code, " ".join(found.output.split())

    # a whole folder is as gone as a file in it
    shutil.rmtree(Path(pipeline.settings.data_url) / VOTE_FACTS.name)
    assert f"2 files that were computed are gone: vote_facts of {DAY}, vote_facts of " in said("status")[1]
    code, told = said("analyze", "--days", "7", "--until", "2026-09-13")
    assert (code, "vote_facts of" in told) == (1, True), told
    with pytest.raises(computed.GoneError, match="feedback materialize"):
        get_statistics(DAY, date(2026, 9, 13), settings=pipeline.settings)

    runs.compute(pipeline, instance, weeks=[])
    assert "gone" not in said("status")[1]
    assert said("why", vote)[1].count("cleaned row clean_feedback/") == 1
    pipeline.frames.path(CLEAN_FEEDBACK, DAY + timedelta(days=1)).unlink()
    assert gone.format("clean_feedback", DAY + timedelta(days=1)) in said("status")[1]
    assert "(state its file is gone: feedback materialize computes it again)" in said("why", vote)[1]
    code, told = said("export", str(tmp_path / "file.jsonl"), "--from", str(DAY), "--to", "2026-09-13")
    assert (code, gone.format("clean_feedback", DAY + timedelta(days=1)) in told) == (1, True)
    assert not (tmp_path / "file.jsonl").exists()
    with pytest.raises(computed.GoneError, match="clean_feedback"):
        get_feedback_data(DAY, date(2026, 9, 13), settings=pipeline.settings)


def test_a_damaged_file_is_named_with_what_to_do(
    database: Database, pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    vote_on(database, 0)
    days_computed(pipeline, instance)
    path = pipeline.frames.path(VOTE_FACTS, DAY)
    path.write_bytes(path.read_bytes()[:-20])
    week = build_definitions(pipeline.settings, {"pipeline": pipeline}).resolve_job_def(WEEKLY)
    run = week.execute_in_process(instance=instance, partition_key=str(DAY), raise_on_error=False)
    said = "".join(str(entry) for entry in instance.all_logs(run.run_id))
    assert f"{path} is damaged: delete it, then feedback materialize computes it again" in said


def test_days_that_are_not_over_are_refused_in_a_sentence(pipeline: Pipeline, instance: dg.DagsterInstance) -> None:
    job = build_definitions(pipeline.settings, {"pipeline": pipeline}).resolve_job_def(DAILY)
    tags = {"dagster/partition": "2026-09-14"}
    done = job.execute_in_process(instance=instance, tags=tags, raise_on_error=False)
    said = "".join(str(entry) for entry in instance.all_logs(done.run_id))
    assert "2026-09-14 is not over: today is 2026-09-14" in said


def test_a_run_whose_process_is_gone_is_settled_and_one_under_way_is_not(
    database: Database, instance: dg.DagsterInstance, pipeline: Pipeline
) -> None:
    job = build_definitions(pipeline.settings, {"pipeline": pipeline}).resolve_job_def(DAILY)

    def run_of(token: str) -> dg.DagsterRun:
        tags = {foreground.BY: token, "dagster/partition": str(DAY)}
        return instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=tags)

    with foreground.command(database) as token:
        alive, dead = run_of(token), run_of("deadbeef")
        assert foreground.settle_orphans(instance, database) == [dead.run_id]
    assert foreground.settle_orphans(instance, database) == [alive.run_id]


def test_a_week_killed_in_the_middle_is_asked_for_by_the_daemon_and_computed_by_a_command(
    database: Database, pipeline: Pipeline, tmp_path: Path
) -> None:
    vote_on(database, 0, 1)
    log = tmp_path / "log"
    script = (
        "import os, signal, sys; from datetime import UTC, datetime; import dagster as dg; from jobs import runs;"
        "from feedback_pipeline.pipeline import Pipeline; from feedback_pipeline.settings import Settings;\n"
        f"pipeline = Pipeline(Settings.from_environment(), datetime.fromisoformat('{NOW.isoformat()}'))\n"
        "def report(line):\n"
        f"    if line.startswith('  rater_trust '): os.kill(os.getpid(), signal.SIGKILL)\n"
        "with dg.DagsterInstance.local_temp(sys.argv[1]) as instance:\n"
        "    runs.compute(pipeline, instance, report=report)\n"
    )
    environment = {
        **os.environ, "FEEDBACK_HOME": str(pipeline.settings.home), "FEEDBACK_DATABASE_URL": database.url,
        "FEEDBACK_START": str(DAY),
    }  # fmt: skip
    storage = tmp_path / "dagster"
    storage.mkdir()
    with log.open("wb") as output:
        command = [sys.executable, "-c", script, str(storage)]
        killed = subprocess.run(command, env=environment, stdout=output, stderr=output, check=False)
    assert killed.returncode == -signal.SIGKILL, log.read_text()
    assert due_weeks(pipeline, requested_too=True) == [str(DAY)]
    with dg.DagsterInstance.local_temp(str(storage)) as instance:
        deadline = time.monotonic() + 120  # the server notices that its client is gone
        while not (orphans := foreground.settle_orphans(instance, database)) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert len(orphans) == 1
        assert [one.partition_key for one in requests.request_periods(pipeline, AT_ONCE)] == [str(DAY)]
        assert runs.compute(pipeline, instance).weeks == 1
        assert instance.get_runs(dg.RunsFilter(statuses=foreground.UNDER_WAY)) == []
    assert due_weeks(pipeline, requested_too=True) == []
    weekly = next(loop for loop in loops_of_assets() if loop.period == "week")
    assert computed.problems(database, weekly.assets, [DAY]) == {}


def test_weeks_that_closed_are_computed_once_more(database: Database, pipeline: Pipeline) -> None:
    periods.expect(database, "week", DAY)
    with database.engine.begin() as connection:
        connection.execute(sa.text("UPDATE period_state SET computed = version, computed_on = '2026-09-14'"))
    assert periods.close(database, pipeline.today(), 3) == 0
    assert periods.close(database, DAY + timedelta(days=10), 3) == 1
    assert periods.close(database, DAY + timedelta(days=10), 3) == 0


def test_a_schema_newer_than_the_code_is_said_in_a_sentence_and_held_against_no_day(
    database: Database, pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    vote_on(database, 0)
    changes.fold(database)
    older = Pipeline(pipeline.settings, NOW)  # a process of its own: it has not looked at the schema yet
    [asked] = requests.request_days(pipeline, AT_ONCE)
    with database.engine.begin() as connection:
        known = connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999' RETURNING version_num"))
        assert known.rowcount == 1
    job = build_definitions(older.settings, {"pipeline": older}).resolve_job_def(DAILY)
    ended = job.execute_in_process(instance=instance, tags=dict(asked.tags), raise_on_error=False)
    assert not ended.success
    said = requests.fault_of(instance, ended.run_id)
    assert said is not None
    assert "newer" in said
    requests.settle_requests(instance, pipeline)
    [day] = changes.due(database)
    assert day.attempts == 0


def test_a_step_that_could_not_say_that_the_machine_was_at_fault_is_believed_by_its_run(
    database: Database, pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    """The database that is lost is also the one that Dagster notes a step's failure in."""
    vote_on(database, 0)
    changes.fold(database)
    machine = (
        "the database cannot be reached; it is tried again by itself",
        "DagsterPostgresException: too many retries",
    )
    for said, attempts in ((machine[0], 0), (machine[1], 0), ("out of ideas", 1)):
        [asked] = requests.request_days(pipeline, AT_ONCE)
        job = build_definitions(pipeline.settings, {"pipeline": pipeline}).resolve_job_def(DAILY)
        run = instance.create_run_for_job(job, tags=dict(asked.tags))
        error = SerializableErrorInfo(f"Failure: vote_facts: {said}", [], "Failure")
        instance.report_dagster_event(
            dg.DagsterEvent(
                event_type_value="PIPELINE_FAILURE", job_name=job.name,
                event_specific_data=JobFailureData(error, RunFailureReason.RUN_EXCEPTION, None),
            ),
            run.run_id,
        )  # fmt: skip
        requests.settle_requests(instance, pipeline)
        [day] = changes.due(database)
        assert day.attempts == attempts
