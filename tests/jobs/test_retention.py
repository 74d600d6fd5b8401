"""Retention: words go when their time is up, counts stay, and a sealed day never grows."""

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import psycopg
import pytest
import typer
from typer.testing import CliRunner

from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK, CLEAN_INTERACTIONS, QUARANTINED_FEEDBACK, VOTE_FACTS
from feedback_pipeline.cli import privacy
from feedback_pipeline.erasure import retention, retention_limits
from feedback_pipeline.erasure.retention import Applied
from feedback_pipeline.erasure.retention_limits import Limits, RetentionRefusedError, compare_clocks
from feedback_pipeline.patterns.tables import SLICE_COUNTS
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import bulk, changes
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database
from jobs import runs
from jobs.retention import retention_job
from tests.support.store_rows import MONDAY, answers, later, refusals, votes

DAY = MONDAY.date()
SAID = "a question that was asked of the application long ago"

COUNTED = "(SELECT votes, up, comments FROM vote_delta UNION ALL SELECT votes, up, comments FROM vote_day)"
COMMENTS = f"SELECT sum(comments) FROM {COUNTED}"
ROLLUP = f"SELECT sum(votes), sum(up), sum(comments) FROM {COUNTED}"


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


@pytest.fixture
def home(database: Database, tmp_path: Path) -> Path:
    bulk.file_batch(
        database,
        Batch(
            answers({"name": "a", "prompt": SAID, "user_key": "u", "conversation_id": "c"}, {"name": "b"}),
            None,
            votes(
                {"name": "v", "on": "a", "user_key": "u"},
                {"name": "c", "on": "a", "user_key": "u", "kind": "comment", "comment": SAID},
            ),
            refusals({"place": "f:1", "payload": f'{{"words":"{SAID}"}}', "category": "quarantined"}),
        ),
    )
    return tmp_path / "home"


def pipeline_on(home: Path, database: Database, today: date) -> Pipeline:
    given = {"FEEDBACK_HOME": str(home), "FEEDBACK_DATABASE_URL": database.url, "FEEDBACK_START": "2026-08-31"}
    return Pipeline(Settings.from_environment(given), datetime(today.year, today.month, today.day, 3, tzinfo=UTC))


def apply(pipeline: Pipeline) -> Applied:
    in_force = retention.policies(pipeline.settings.raw_text_days)
    return retention.apply(
        pipeline.database, pipeline.frames, pipeline.settings.home, in_force, pipeline.now(), pipeline.today()
    )


def one(database: Database, statement: str) -> tuple[object, ...]:
    with psycopg.connect(database.address()) as connection:
        found = connection.execute(statement).fetchone()
    assert found is not None
    return found


TEXTS = (
    "SELECT (SELECT count(prompt) FROM interaction), (SELECT count(*) FROM feedback WHERE comment <> ''),"
    " (SELECT count(payload) FROM refusal)"
)


def test_nothing_goes_before_its_time_or_before_the_day_was_computed(
    database: Database, home: Path, instance: dg.DagsterInstance
) -> None:
    changes.fold(database)
    assert apply(pipeline_on(home, database, DAY + timedelta(days=91))) == Applied(0, 0, 0, 0, 0, 0, 0, 0, 0)
    runs.compute(pipeline_on(home, database, DAY + timedelta(days=2)), instance)
    assert apply(pipeline_on(home, database, DAY + timedelta(days=90))) == Applied(0, 0, 0, 0, 0, 0, 0, 0, 0)
    assert one(database, TEXTS) == (2, 1, 1)


def test_after_ninety_days_words_are_gone_from_the_store_and_what_was_made_of_them_stays(
    database: Database, home: Path, instance: dg.DagsterInstance
) -> None:
    runs.compute(pipeline_on(home, database, DAY + timedelta(days=2)), instance)
    reject = home / "rejects" / "votes-1.jsonl"
    reject.parent.mkdir(parents=True)
    reject.write_text("{}\n")
    old = (MONDAY - timedelta(days=1)).timestamp()
    os.utime(reject, (old, old))
    pipeline = pipeline_on(home, database, DAY + timedelta(days=91))
    applied = apply(pipeline)
    # two answers with texts, one comment, one refused row
    assert (applied.sealed, applied.emptied, applied.reject_files) == (1, 4, 1)
    assert one(database, TEXTS) == (0, 0, 0)
    assert one(database, COMMENTS) == (1,)  # that there was one is still counted
    clean = pipeline.frames.read(CLEAN_INTERACTIONS, [DAY])
    assert clean["prompt"].to_list().count(SAID) == 1
    again = apply(pipeline)
    assert (again.sealed, again.emptied) == (0, 0)


def test_a_sealed_day_computed_again_has_shrunk_or_is_the_same(
    database: Database, home: Path, instance: dg.DagsterInstance
) -> None:
    runs.compute(pipeline_on(home, database, DAY + timedelta(days=2)), instance)
    pipeline = pipeline_on(home, database, DAY + timedelta(days=91))
    before = pipeline.frames.read(CLEAN_INTERACTIONS, [DAY])
    apply(pipeline)
    late = Batch(answers({"name": "late", "prompt": SAID}), None, votes({"name": "late", "on": "b", "user_key": "w"}))
    bulk.file_batch(database, late)
    assert runs.compute(pipeline, instance, weeks=[]).failed == ()
    assert pipeline.frames.read(CLEAN_INTERACTIONS, [DAY]).equals(before)
    assert pipeline.frames.read(QUARANTINED_FEEDBACK, [DAY])["payload"].to_list() == [None]
    assert apply(pipeline).emptied == 1  # what came late is emptied too
    assert one(database, TEXTS) == (0, 0, 0)


def test_after_thirteen_months_rows_and_names_are_gone_and_counts_stay_for_ever(
    database: Database, home: Path, instance: dg.DagsterInstance
) -> None:
    runs.compute(pipeline_on(home, database, DAY + timedelta(days=2)), instance)
    pipeline = pipeline_on(home, database, DAY + timedelta(days=397))
    counted = pipeline.frames.read(SLICE_COUNTS, [DAY])
    rollup = one(database, ROLLUP)
    applied = apply(pipeline)
    assert (applied.expired, applied.unnamed) == (1, 3)
    for table in (CLEAN_INTERACTIONS, CLEAN_FEEDBACK, QUARANTINED_FEEDBACK, VOTE_FACTS):
        assert pipeline.frames.partitions(table) == []
    named = "SELECT count(user_key) + (SELECT count(user_key) FROM interaction) + (SELECT count(*) FROM person_seen)"
    assert one(database, f"{named} FROM feedback") == (0,)
    assert one(database, ROLLUP) == rollup

    # a late vote or a withdrawal cannot make its counts zero
    bulk.file_batch(database, Batch(feedback=votes({"name": "late", "on": "b", "occurred_at": later(hours=1)})))
    changes.fold(database)
    assert changes.due(database) == []
    assert runs.compute(pipeline, instance, weeks=[]).days == 0
    assert pipeline.frames.read(SLICE_COUNTS, [DAY]).equals(counted)
    assert apply(pipeline).expired == 0


def test_the_job_applies_the_policies_and_quotes_nobody(
    database: Database, home: Path, instance: dg.DagsterInstance
) -> None:
    runs.compute(pipeline_on(home, database, DAY + timedelta(days=2)), instance)
    pipeline = pipeline_on(home, database, DAY + timedelta(days=91))
    result = retention_job().execute_in_process(instance=instance, resources={"pipeline": pipeline})
    assert result.success
    assert one(database, TEXTS) == (0, 0, 0)
    logged = "".join(str(entry) for entry in instance.all_logs(result.run_id))
    assert "4 rows emptied" in logged
    assert SAID not in logged


def test_a_run_that_would_remove_too_much_removes_nothing_and_says_how_to_go_on(
    home: Path, database: Database, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock in 2029 once emptied a whole store in one run."""
    assert runs.compute(pipeline_on(home, database, DAY + timedelta(days=1)), instance).failed == ()
    pipeline = pipeline_on(home, database, date(2029, 1, 1))
    in_force = retention.policies(pipeline.settings.raw_text_days)
    before = one(database, TEXTS)
    monkeypatch.setattr(retention_limits, "MIN_LIMITED_ROWS", 0)
    for limits in (Limits(rows=1, share=0.99), Limits(rows=10**9, share=0.5)):
        with pytest.raises(RetentionRefusedError, match=r"of [\d,]+ of [\d,]+ rows at once.*--beyond-limits"):
            retention.apply(database, pipeline.frames, home, in_force, pipeline.now(), pipeline.today(), limits=limits)
    assert one(database, TEXTS) == before
    assert retention.planned(database, in_force, pipeline.today()).texts == 3
    compare_clocks(database)  # the machine's own clock, which is right here


def test_a_clock_that_the_databases_contradicts_removes_nothing(
    home: Path, database: Database, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's clock is real and three years ahead: a function before PostgreSQL's own on the path says so."""
    assert runs.compute(pipeline_on(home, database, DAY + timedelta(days=1)), instance).failed == ()
    before = one(database, TEXTS)
    with psycopg.connect(database.address(), autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql"
            " AS $$SELECT pg_catalog.clock_timestamp() + interval '3 years'$$"
        )
        connection.execute(f"ALTER DATABASE {database.name} SET search_path = public, pg_catalog")
    database.engine.dispose()
    with pytest.raises(RetentionRefusedError, match=r"put right the one that is wrong; nothing was removed"):
        compare_clocks(database)
    # the nightly job, where days have had their time
    pipeline = pipeline_on(home, database, date(2029, 1, 1))
    result = retention_job().execute_in_process(
        instance=instance, resources={"pipeline": pipeline}, raise_on_error=False
    )
    assert not result.success
    # and the command
    monkeypatch.setenv("FEEDBACK_HOME", str(home))
    monkeypatch.setenv("FEEDBACK_DATABASE_URL", database.url)
    app = typer.Typer()
    privacy.mount(app)
    refused = CliRunner().invoke(app, ["retention", "--apply", "--yes", "--beyond-limits"])
    assert (refused.exit_code, "put right the one that is wrong" in " ".join(refused.output.split())) == (1, True)
    assert one(database, TEXTS) == before


def test_an_emptied_day_can_be_taken_back_for_a_while(
    home: Path, database: Database, instance: dg.DagsterInstance
) -> None:
    assert runs.compute(pipeline_on(home, database, DAY + timedelta(days=1)), instance).failed == ()
    before = one(database, TEXTS)
    names = "SELECT array_agg(user_key ORDER BY id) FROM feedback"
    known = one(database, names)
    apply(pipeline_on(home, database, date(2029, 1, 1)))
    assert one(database, TEXTS) == (0, 0, 0)
    assert one(database, names) != known
    assert retention_limits.take_back(database, DAY) == 5
    assert one(database, TEXTS) == before
    assert one(database, names) == known
    with pytest.raises(RetentionRefusedError, match="can be taken back"):
        retention_limits.take_back(database, DAY)
    changes.fold(database)
    assert [due.day for due in changes.due(database)] == [DAY], "what was deleted is computed again"
    apply(pipeline_on(home, database, date(2029, 1, 1)))
    retention_limits.end_grace(database, datetime.now(UTC) + timedelta(days=8))
    assert one(database, "SELECT count(*) FROM retention_grace") == (0,)
