"""Corrections that correct each other in a circle: each is kept, one is current, and nothing runs forever."""

from datetime import UTC, datetime
from pathlib import Path

import psycopg

from feedback_pipeline.cleaning import days
from feedback_pipeline.erasure import erasure
from feedback_pipeline.erasure.context import ErasureContext, Recomputed
from feedback_pipeline.erasure.subjects import person
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import bulk
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database
from tests.support.store_rows import DAY, answers, later, vote_id, votes

NOW = datetime(2026, 9, 9, tzinfo=UTC)
RING = ("one", "two", "three")


def in_a_ring(database: Database, voter: str) -> None:
    """Three corrections of one answer by one person; each names the one before as what it takes the place of."""
    given = [
        {"name": name, "on": "a", "kind": "correction", "correction": f"It should say {name}.", "user_key": voter,
         "occurred_at": later(minutes=number)}
        for number, name in enumerate(RING)
    ]  # fmt: skip
    bulk.file_batch(database, Batch(answers({"name": "a", "user_key": voter}), None, votes(*given)))
    with psycopg.connect(database.address()) as connection:
        for name, before in zip(RING, (RING[-1], *RING), strict=False):
            connection.execute("UPDATE feedback SET supersedes = %s WHERE id = %s", (vote_id(before), vote_id(name)))


def test_the_latest_of_a_ring_is_current_and_every_event_is_accounted_for(database: Database) -> None:
    in_a_ring(database, "k1:ada")
    raw = bulk.read_day(database, "read_feedback", DAY)
    clean = days.clean_feedback(raw)
    assert clean["feedback_id"].to_list() == [vote_id("three")]
    assert clean["verdict"].to_list() == ["down"]
    refusals = bulk.read_day(database, "read_refusals", DAY)
    account = days.account(bulk.count_events(database, [DAY])[DAY], raw, refusals, clean.height)
    assert (account.parts["current"], account.parts["superseded"], account.missing) == (1, 2, 0)


def test_corrections_to_each_others_words_are_two_corrections(database: Database) -> None:
    asked = answers({"name": "x", "output": "Left."}, {"name": "y", "output": "Right."})
    given = votes(
        {"name": "vx", "on": "x", "kind": "correction", "correction": "Right.", "user_key": "k1:ada"},
        {"name": "vy", "on": "y", "kind": "correction", "correction": "Left.", "user_key": "k1:ben"},
    )
    bulk.file_batch(database, Batch(asked, None, given))
    clean = days.clean_feedback(bulk.read_day(database, "read_feedback", DAY))
    assert sorted(clean.select("correction", "verdict").rows()) == [("Left.", "down"), ("Right.", "down")]


def test_a_ring_is_forgotten_like_anything_else(database: Database, tmp_path: Path) -> None:
    given = {"FEEDBACK_HOME": str(tmp_path / "home"), "FEEDBACK_DATABASE_URL": database.url}
    pipeline = Pipeline(Settings.from_environment(given), NOW)
    in_a_ring(database, pipeline.pseudonymiser.pseudonym("default", "ada"))
    context = ErasureContext(
        database, pipeline.frames, pipeline.settings.home, pipeline.pseudonymiser, {},
        lambda weeks, months: Recomputed(0, 0, 0), pipeline.now, training_weeks=12, last_day=DAY,
    )  # fmt: skip
    receipt = erasure.forget(context, person(pipeline.pseudonymiser, "default", "ada"))
    assert receipt["steps"]["store"]["feedback"] == len(RING)
    with psycopg.connect(database.address()) as connection:
        assert connection.execute("SELECT count(*) FROM feedback").fetchone() == (0,)
