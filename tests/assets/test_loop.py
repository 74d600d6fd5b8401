"""The loop on a real PostgreSQL: right, repeatable, atomic, and silent about people's words."""

import json
import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import psycopg
import pytest

from assets import building, small_days
from feedback_pipeline.calendar import days_of
from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK, CLEAN_INTERACTIONS, QUARANTINED_FEEDBACK
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.store import bulk, changes
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database
from jobs import runs
from jobs.location import declarations
from tests.support.store_rows import MONDAY, answers, later, votes
from tests.support.world import END, NOW, WEEKS, checks, files_of, pipeline_for, with_sample

CANARY = "xylophone-canary"


def carried_columns(pipeline: Pipeline) -> int:
    """How many columns are carried, each looked at."""
    by_name = {one.name: one for one in declarations()}
    every = [day for week in WEEKS for day in days_of(week)]
    looked_at = 0
    for asset in by_name.values():
        for source, names in asset.carries.items():
            made = pipeline.frames.read(asset.table, every)
            was = pipeline.frames.read(by_name[source].table, every)
            for name in names:
                values = made[name].drop_nulls().unique()
                assert values.is_in(was[name].implode()).all(), f"{asset.name}.{name} is not that of {source}"
                looked_at += 1
    return looked_at


@pytest.fixture
def instance() -> dg.DagsterInstance:
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


@contextmanager
def one_core() -> Iterator[None]:
    """This process on one core, where the system can do that."""
    before = os.sched_getaffinity(0) if hasattr(os, "sched_setaffinity") else None
    if before is None:
        yield
        return
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def test_the_whole_loop_accounts_for_everything_and_repeats_byte_for_byte(
    database: Database, instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = with_sample(tmp_path / "home", database)
    result = runs.compute(pipeline, instance)
    assert result.failed == ()
    assert (result.days, result.weeks) == (14, 2)

    # conservation, from outside: what the store holds against what was written
    days = [day for week in WEEKS for day in days_of(week)]
    accounts = bulk.read_day(database, "account_for_days", days[0], days[-1])
    clean = pipeline.frames.read(CLEAN_FEEDBACK, days)
    quarantined = pipeline.frames.read(QUARANTINED_FEEDBACK, days)
    assert clean.height == accounts["current"].sum() > 1500
    assert quarantined.height == accounts["quarantined"].sum() > 0
    parts = accounts.select(pl.sum_horizontal(pl.exclude("day", "delivered", "reasons")).sum()).item()
    assert parts == accounts["delivered"].sum()

    # what the UI draws as column lineage is true: no value that was not in the column it is said to come from
    assert carried_columns(pipeline) > 30

    # what a user came for
    written = files_of(pipeline)
    newest = WEEKS[-1]
    assert f"weekly_report/{newest}.html" in written
    assert any(name.startswith(f"training_files/{newest}/sft/") for name in written)
    assert f"training_files/{newest}/manifest.json" in written

    # again, on one core, one day after the other and each for itself: the same bytes
    monkeypatch.setattr(small_days, "ROWS_IN_A_PASS", 1)
    everything = changes.versions(database)
    with psycopg.connect(database.address()) as connection:
        connection.execute("UPDATE day_state SET computed = 0, requested = 0")
    with one_core():
        again = runs.compute(pipeline, instance)
    assert (again.days, again.failed) == (14, ())
    assert changes.versions(database) == everything
    differing = [name for name, content in files_of(pipeline).items() if written.get(name) != content]
    assert differing == []


def test_checks_are_evaluated_for_every_partition_and_bad_days_do_not_hold_up_the_others(
    database: Database, instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = pipeline_for(tmp_path / "home", database)
    for offset in range(4):
        name = str(offset)
        bulk.file_batch(database, Batch(interactions=answers({"name": name, "occurred_at": later(days=offset)})))
        bulk.file_batch(database, Batch(feedback=votes({"name": name, "on": name, "occurred_at": later(days=offset)})))
    bad = MONDAY.date() + timedelta(days=2)
    real = bulk.count_events
    # a count that does not add up is what a lost row looks like
    monkeypatch.setattr(
        bulk, "count_events", lambda database, days: {day: n + (day == bad) for day, n in real(database, days).items()}
    )
    result = runs.compute(pipeline, instance)
    # the week and the month would speak about a day that is not there
    held_up = [f"week {MONDAY.date()}", f"month {MONDAY.date():%Y-%m}"]
    assert [line.partition(":")[0] for line in result.failed] == [str(bad), *held_up]
    assert pipeline.frames.partitions(CLEAN_FEEDBACK)
    computed = {day for day in changes.versions(database) if day not in changes.failed_days(database)}
    assert computed == {MONDAY.date() + timedelta(days=offset) for offset in (0, 1, 3)}
    every = [one for run in instance.get_runs() for one in checks(instance, run.run_id)]
    evaluated = [one for one in every if one[:2] == ("clean_feedback", "conservation")]
    assert {partition for _, _, partition, _ in evaluated} == {str(MONDAY.date() + timedelta(days=n)) for n in range(4)}
    assert {partition for _, _, partition, passed in evaluated if not passed} == {str(bad)}

    monkeypatch.setattr(bulk, "count_events", real)
    with psycopg.connect(database.address()) as connection:
        connection.execute("UPDATE interaction SET intent = 'again' WHERE source_id = '2'")
    assert runs.compute(pipeline, instance).failed == ()
    assert changes.failed_days(database) == {}


def test_days_are_computed_side_by_side_where_there_are_cores(
    database: Database, instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = pipeline_for(tmp_path / "home", database)
    for offset in range(2):
        name = str(offset)
        bulk.file_batch(database, Batch(interactions=answers({"name": name, "occurred_at": later(days=offset)})))
        bulk.file_batch(database, Batch(feedback=votes({"name": name, "on": name, "occurred_at": later(days=offset)})))
    monkeypatch.setattr(building, "cores", lambda: 2)
    met, real = threading.Barrier(2, timeout=60), bulk.count_events

    def count_events(database: Database, days: Sequence[date]) -> dict[date, int]:
        met.wait()  # nobody comes by who is the only one at work
        return real(database, days)

    monkeypatch.setattr(small_days, "ROWS_IN_A_PASS", 1)  # or both would be computed in one pass
    monkeypatch.setattr(bulk, "count_events", count_events)
    result = runs.compute(pipeline, instance)
    assert (result.days, result.failed) == (2, ())


def test_a_late_vote_a_withdrawal_and_a_moved_one_recompute_exactly_their_days(
    database: Database, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    pipeline = with_sample(tmp_path / "home", database, votes=300)
    runs.compute(pipeline, instance)
    before = files_of(pipeline)
    day = date(2026, 11, 4)
    with psycopg.connect(database.address()) as connection:
        connection.execute(
            "UPDATE feedback"
            " SET occurred_at = occurred_at + interval '1 day', received_at = received_at + interval '1 day'"
            " WHERE id = (SELECT id FROM feedback WHERE day = %s AND kind = 'explicit' AND interaction_id IS NOT NULL"
            " AND superseded_by IS NULL ORDER BY id LIMIT 1)",
            (day,),
        )
    result = runs.compute(pipeline, instance)
    assert result.days == 2
    changed = {name for name, content in files_of(pipeline).items() if before.get(name) != content}
    daily = {name for name in changed if name.startswith("clean_feedback/")}
    assert daily == {f"clean_feedback/{day}.parquet", f"clean_feedback/{day + timedelta(days=1)}.parquet"}


def test_a_closed_week_s_report_is_a_new_revision_only_when_it_says_something_else(
    database: Database, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    pipeline = pipeline_for(tmp_path / "home", database)

    def vote(name: str) -> None:
        one = {"name": name, "occurred_at": later(minutes=len(name))}
        bulk.file_batch(database, Batch(interactions=answers(one), feedback=votes({**one, "on": name})))

    def revision() -> int:
        assert runs.compute(pipeline, instance, weeks=[MONDAY.date()]).failed == ()
        file = Path(pipeline.settings.data_url) / "weekly_report" / f"{MONDAY.date()}.json"
        return int(json.loads(file.read_bytes())["content"]["period"]["revision"])

    vote("a")
    assert revision() == 0
    assert changes.touch(database, MONDAY.date(), MONDAY.date()) == 1  # computed anew, with the same rows
    assert revision() == 0
    vote("late")
    assert revision() == 1


def test_no_word_of_a_user_reaches_the_event_log(
    database: Database, instance: dg.DagsterInstance, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline = pipeline_for(tmp_path / "home", database)
    many = range(60)
    said = [
        {"name": str(n), "prompt": f"{CANARY} question {n}", "output": CANARY, "occurred_at": later(minutes=n)}
        for n in many
    ]
    judged = [
        {
            "name": str(n), "on": str(n), "user_key": f"u{n}", "thumb": n % 3 == 0, "occurred_at": later(minutes=n),
        }
        for n in many
    ]  # fmt: skip
    comments = [
        {"name": f"c{n}", "on": str(n), "user_key": f"u{n}", "kind": "comment", "comment": f"{CANARY} indeed",
         "occurred_at": later(minutes=n)}
        for n in many
    ]  # fmt: skip
    bulk.file_batch(database, Batch(interactions=answers(*said), feedback=votes(*judged, *comments)))
    assert runs.compute(pipeline, instance).failed == ()
    kept = pipeline.frames.read(CLEAN_INTERACTIONS, [MONDAY.date()])
    assert kept["prompt"].str.contains(CANARY).all()  # it is there to be leaked
    logged = "".join(str(entry) for run in instance.get_runs() for entry in instance.all_logs(run.run_id))
    assert "clean_feedback" in logged
    assert not re.search("xylophone", logged + caplog.text, re.IGNORECASE)


def test_an_exception_that_quotes_a_user_is_not_quoted_by_us(
    database: Database, instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from feedback_pipeline.cleaning import days

    pipeline = pipeline_for(tmp_path / "home", database)
    bulk.file_batch(database, Batch(interactions=answers({"name": "a", "prompt": CANARY})))

    def quoting(raw: pl.DataFrame) -> pl.DataFrame:
        raise ValueError(f"cannot parse {raw['prompt'][0]}")

    monkeypatch.setattr(days, "clean_interactions", quoting)
    assert runs.compute(pipeline, instance).failed
    logged = "".join(str(entry) for run in instance.get_runs() for entry in instance.all_logs(run.run_id))
    assert "ValueError at" in logged
    assert CANARY not in logged


def test_personal_data_that_got_past_the_door_stops_the_day(
    database: Database, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    pipeline = pipeline_for(tmp_path / "home", database)
    bulk.file_batch(database, Batch(interactions=answers({"name": "a", "prompt": "I am ada@example.org, call me"})))
    result = runs.compute(pipeline, instance)
    assert result.failed[0] == f"{MONDAY.date()}: clean_interactions: check no_personal_data failed"
    assert (result.weeks, result.months) == (0, 0), "they wait for the day"
    failed = [one for run in instance.get_runs() for one in checks(instance, run.run_id) if not one[3]]
    of_the_day = {one[:3] for one in failed if one[1] != "yesterday_is_there"}  # long ago, to this test
    assert of_the_day == {("clean_interactions", "no_personal_data", str(MONDAY.date()))}


def test_a_sealed_day_can_only_shrink(database: Database, instance: dg.DagsterInstance, tmp_path: Path) -> None:
    pipeline = pipeline_for(tmp_path / "home", database)
    bulk.file_batch(database, Batch(interactions=answers({"name": "a"}, {"name": "b"})))
    bulk.file_batch(database, Batch(feedback=votes({"name": "a", "on": "a", "user_key": "u"})))
    runs.compute(pipeline, instance)
    assert changes.seal_days(database, before=END) == 1
    bulk.file_batch(
        database,
        Batch(
            interactions=answers({"name": "late"}),
            feedback=votes(
                {"name": "late", "on": "b", "user_key": "w"},
                {"name": "back", "on": "a", "user_key": "u", "withdrawn": True, "occurred_at": later(days=1)},
            ),
        ),
    )
    assert runs.compute(pipeline, instance).failed == ()
    assert pipeline.frames.read(CLEAN_INTERACTIONS, [MONDAY.date()]).height == 2
    assert pipeline.frames.read(CLEAN_FEEDBACK, [MONDAY.date()]).is_empty()


def test_nothing_to_say_is_said(database: Database, instance: dg.DagsterInstance, tmp_path: Path) -> None:
    pipeline: Pipeline = pipeline_for(tmp_path / "home", database)
    bulk.file_batch(database, Batch(interactions=answers({"name": "a"})))
    assert runs.compute(pipeline, instance).failed == ()
    page = (Path(pipeline.settings.data_url) / "weekly_report" / f"{MONDAY.date()}.html").read_text()
    assert "nobody voted" in page.lower()
    assert NOW.date() > END
