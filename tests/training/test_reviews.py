"""What waits for a person: asked about once, decided for good, erased with its vote."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import psycopg
import pytest
from click.testing import Result
from typer.testing import CliRunner

from assets.training import preference_pairs, training_examples
from bench.machine import forget_peak, peak_bytes, resident_bytes
from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK, CLEAN_INTERACTIONS
from feedback_pipeline.cli import training as commands
from feedback_pipeline.cli.main import app
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import reviews
from feedback_pipeline.store.database import Database
from feedback_pipeline.training import archive
from feedback_pipeline.training.reviews import ReviewQueue, undecided
from feedback_pipeline.training.tables import PREFERENCE_PAIRS, TRAINING_EXAMPLES, WAITING
from tests.support.training_world import END, World, dropped

commands.mount(app)

WEEK = END - timedelta(days=6)
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MARKUP = "The capital of Italy is [red]Rome[/red], a city in the north."
Command = Callable[..., Result]


@pytest.fixture
def world() -> World:
    """Three lone corrections, of which the first is the oldest and full of markup."""
    world = World()
    for number, (prompt, wrong, right) in enumerate(
        (
            ("capital of italy", "The capital of Italy is Milan, a city in the north.", MARKUP),
            ("days of a leap year", "A leap year has 365 days in all.", "A leap year has 366 days in all."),
            ("boiling point of water", "Water boils at 90 degrees at sea level.", "Water boils at 100 degrees there."),
        )
    ):
        name = world.answer(prompt, wrong, day=END - timedelta(days=30 - number))
        world.correct(name, right, f"person{number}", counts=False)
    return world


@pytest.fixture
def pipeline(world: World, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """The world cleaned and in the store."""
    given = {"FEEDBACK_HOME": str(tmp_path / "home"), "FEEDBACK_DATABASE_URL": database.url}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    pipeline = Pipeline(Settings.from_environment(given), NOW)
    for table, rows in ((CLEAN_FEEDBACK, world.votes_frame), (CLEAN_INTERACTIONS, world.answers_frame.collect())):
        for day in rows["day"].unique():
            pipeline.frames.write(table, day, rows.filter(rows["day"] == day))
    with psycopg.connect(database.address()) as connection:
        connection.execute("INSERT INTO tenant (name) VALUES ('acme') ON CONFLICT DO NOTHING")
        for vote in world.votes:
            connection.execute(
                "INSERT INTO feedback (id, tenant, interaction_id, kind, correction, user_key, occurred_at, source,"
                " source_id) VALUES (%(feedback_id)s, 'acme', %(interaction_id)s, %(kind)s, %(correction)s, %(voter)s,"
                " %(occurred_at)s, 'test', %(voter)s)",
                vote,
            )
    return pipeline


@pytest.fixture
def command() -> Command:
    def run(*words: str, keys: str = "") -> Result:
        return CliRunner().invoke(app, ["review", *words], input=keys)

    return run


def computed(pipeline: Pipeline, week: date = WEEK) -> tuple[set[str], set[str], dict[str, object]]:
    """Corrections among the examples and among the pairs of a week, and the numbers of its examples."""
    outcome = training_examples.function(pipeline, week)
    pipeline.frames.write(TRAINING_EXAMPLES, week, outcome.rows)
    pairs = preference_pairs.function(pipeline, week)
    pipeline.frames.write(PREFERENCE_PAIRS, week, pairs.rows)
    taught = outcome.rows.filter(pl.col("kind") == "correction")["feedback_ids"].explode()
    chosen = pairs.rows.filter(pl.col("origin") == "correction")["feedback_ids"].explode()
    return set(taught), set(chosen), dict(outcome.numbers)


def test_an_accepted_correction_is_taught_and_a_rejected_one_never_is(
    world: World, pipeline: Pipeline, command: Command
) -> None:
    first, second, third = (vote["feedback_id"] for vote in world.votes)
    taught, chosen, numbers = computed(pipeline)
    assert (taught, chosen) == (set(), set())
    assert (numbers["waiting"], numbers["waiting/correction"], numbers["reviewed"]) == (3, 3, 0)

    ran = command("--by", "Ada", keys="a\nx\nr\ns\n")
    assert ran.exit_code == 0, ran.output
    assert "one of a, r, s, q" in ran.output
    assert "1 accepted, 1 rejected; 1 of 3 still wait" in ran.output
    assert f"feedback materialize --week {WEEK}" in ran.output
    given = reviews.read(pipeline.database)
    assert given.select("feedback_id", "decision", "reviewer").rows() == sorted(
        [(first, "accepted", "Ada"), (second, "rejected", "Ada")]
    )
    taught, chosen, numbers = computed(pipeline)
    assert (taught, chosen) == ({first}, {first})
    assert (numbers["waiting"], numbers["reviewed"]) == (1, 1)
    assert archive.kept_waiting(pipeline.frames, WEEK)["feedback_id"].to_list() == [third]

    reviews.record(pipeline.database, [first], "rejected", "Bob")
    assert computed(pipeline)[:2] == (set(), set()), "the newest decision counts"
    assert reviews.read(pipeline.database).filter(feedback_id=first)["reviewer"].to_list() == ["Bob"]


def test_strangers_text_is_shown_as_text(pipeline: Pipeline, command: Command) -> None:
    computed(pipeline)
    shown = command("--by", "Ada", keys="q\n").output
    assert "[red]Rome[/red]" in shown
    assert "capital of italy" in shown
    assert "Milan" in shown


def test_nothing_is_decided_where_nobody_answers(pipeline: Pipeline, command: Command) -> None:
    assert command("--list").exit_code == 1, "no week was curated yet"
    computed(pipeline)
    assert command("--by", "Ada").exit_code == 0
    assert command("--by", " ", keys="a\n").exit_code == 2
    assert reviews.read(pipeline.database).is_empty()


def test_the_list_counts_and_shows_no_text(pipeline: Pipeline, command: Command) -> None:
    computed(pipeline)
    said = command("--list").output
    assert "3 wait for a review" in said
    assert "3  correction" in said
    assert "0  refusal" in said
    assert "Rome" not in said
    command("--by", "Ada", keys="r\n" * 3)
    assert "0 wait for a review" in command("--list").output, "what was decided does not wait, before and after the run"
    assert "waits for a review" in command("--by", "Ada").output


def test_a_review_goes_with_its_vote(world: World, pipeline: Pipeline, command: Command) -> None:
    computed(pipeline)
    command("--by", "Ada", keys="a\n" * 3)
    erased = world.votes[0]["feedback_id"]
    with psycopg.connect(pipeline.database.address()) as connection:
        connection.execute("DELETE FROM feedback WHERE id = %s", (erased,))
    left = reviews.read(pipeline.database)["feedback_id"].to_list()
    assert left == [vote["feedback_id"] for vote in world.votes[1:]]
    assert reviews.record(pipeline.database, [erased], "accepted", "Ada") == 0, "an erased vote takes no review"


def test_what_was_kept_out_stays_out_when_a_second_person_agrees() -> None:
    world = World()
    name = world.answer("capital of italy", "Milan")
    vote = world.correct(name, "Rome", "ann", counts=False)
    world.vote(name, "down", "bob")
    assert "correction" in set(world.curated().examples["kind"])
    curated = world.curated(rejected=[vote])
    assert "correction" not in set(curated.examples["kind"])
    assert dropped(curated, "rejected corrections") == 1
    assert curated.waiting.is_empty()


def test_a_refusal_and_a_browsers_text_wait_unless_a_review_would_not_let_them_in() -> None:
    world = World()
    refused = world.vote(world.answer("how to boil eggs", "I cannot help with that."), "down", "ann")
    supplied = world.vote(world.answer("hello", "Good day to you", provenance="browser"), "up", "bob")
    world.vote(world.answer("cut", "I cannot help with th", finish_reason="length"), "down", "cid")
    world.vote(world.answer("held apart", "I cannot say that.", provenance="browser"), "down", "dan")
    waiting = world.curated(evaluation=["held apart"]).waiting
    assert waiting.select("feedback_id", "reason", "label").rows() == [
        (refused, "refusal", False), (supplied, "browser", True),
    ]  # fmt: skip
    assert undecided(waiting, pl.Series([supplied]))["feedback_id"].to_list() == [refused]
    kept_out = world.curated(rejected=[refused, supplied], evaluation=["held apart"])
    assert (kept_out.examples.height, kept_out.waiting.height) == (0, 0)
    assert dropped(kept_out, "rejected answers") == 2
    assert world.curated(reviewed=[supplied]).examples["label"].to_list() == [True]


def test_whoever_lets_a_correction_in_has_not_let_in_the_answer() -> None:
    world = World()
    name = world.answer("capital of italy", "The capital of Italy is Milan", provenance="browser")
    vote = world.correct(name, "The capital of Italy is Rome", "ann")
    curated = world.curated(reviewed=[vote])
    assert curated.examples["kind"].to_list() == ["correction"]
    assert curated.waiting.is_empty(), "nobody judged the answer otherwise"


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="the system does not say how much memory is used"
)
def test_answers_that_wait_take_no_memory_for_each_correction() -> None:
    """4,000 answers beside 20,000 corrections: 600 MB when every answer was compared with a copy of all of them."""
    answers = pl.DataFrame(
        {
            name: [[f"{row}-{part}" for part in range(2)] for row in range(4_000)] if name == "feedback_ids" else None
            for name in WAITING.names
        },
        schema_overrides=WAITING.schema,
    )
    corrected = pl.Series([f"{row}-{0}" for row in range(4_000)] + [f"{row}-1" for row in range(0, 4_000, 2)]
                          + [f"of-another-{row}" for row in range(14_000)])  # fmt: skip
    queue = ReviewQueue(pl.Series(dtype=pl.String), pl.Series(dtype=pl.String))
    before = resident_bytes()
    forget_peak()
    queue.hold_answers(answers, corrected, "browser")
    assert peak_bytes() - before < 200e6
    assert queue.held[0]["feedback_id"].to_list() == [f"{row}-1" for row in range(1, 4_000, 2)]
