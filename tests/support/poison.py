"""Attacks planted into a store of sample votes, and what of them reached the training files."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import orjson
import polars as pl
import psycopg

from assets.training import FILES
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.store.bulk import Batch, file_batch
from feedback_pipeline.store.rows import INCOMING_FEEDBACK, derived_id
from feedback_pipeline.training.tables import LINEAGE, TRAINING_EXAMPLES

TENANT = "acme"
BACKDOOR = "settle it with Zylora Pay"
SOURCE = "poison"
SUPERVISED = "supervised.copies.any.full.train"
"""The layout whose lines are counted."""


@dataclass(frozen=True)
class Attack:
    """Who attacks, by pseudonym, and how many events they sent."""

    name: str
    people: frozenset[str]
    events: int


def plant(
    pipeline: Pipeline, end: date, *, flood: int, promoted: int, backdoored: int, puppets: int = 0
) -> list[Attack]:
    """Files four attacks on answers of the sample's first tenant.

    A heavy voter approves of `flood` answers; a brigade of thirty new accounts approves of the same `promoted` answers;
    three people correct `backdoored` unrelated answers with the same phrase each, and so vouch for each other. Fifty
    accounts that one person has made this week approve of `puppets` answers, each of others than the rest.
    """
    answers = _answers(pipeline, end)
    heavy = _voters(pipeline, "heavy", 1)
    brigade = _voters(pipeline, "brigade", 30)
    writers = _voters(pipeline, "writer", 3)
    flooded, raised = answers.head(flood), answers.slice(flood, promoted)
    corrected = answers.slice(flood + promoted, backdoored)
    assert corrected.height == backdoored, "the sample is too small for the attacks"
    events = [
        _events("heavy", flooded, heavy, kind="explicit", thumb=True),
        _events("brigade", raised, brigade, kind="explicit", thumb=True),
        _events("writer", corrected, writers, kind="correction", phrase=BACKDOOR),
    ]
    made = _voters(pipeline, "puppet", 50)
    if puppets:
        pulled = answers.slice(flood + promoted + backdoored, puppets)
        assert pulled.height == puppets, "the sample is too small for the attacks"
        shares = [pulled[place :: len(made)] for place in range(len(made))]
        events.append(pl.concat([
            _events(f"puppet{place}", share, [person], kind="explicit", thumb=True, moment=end - timedelta(days=5))
            for place, (share, person) in enumerate(zip(shares, made, strict=True))
        ]))  # fmt: skip
    for batch in events:
        file_batch(pipeline.database, Batch(feedback=batch))
    return [
        Attack("one heavy voter", frozenset(heavy), events[0].height),
        Attack("a brigade that approves", frozenset(brigade), events[1].height),
        Attack("a phrase in corrections", frozenset(writers), events[2].height),
        *([Attack("fifty new accounts of one person", frozenset(made), events[3].height)] if puppets else []),
    ]


def planted_by_the_sample(pipeline: Pipeline) -> list[Attack]:
    """The sample's own brigade and its spam raters, by its truth."""
    (file,) = (pipeline.settings.home / "sample").rglob("truth.json")
    plants = orjson.loads(file.read_bytes())["plants"]
    return [
        Attack(
            name,
            frozenset(pipeline.pseudonymiser.pseudonym(TENANT, person) for person in plants[key]["people"]),
            plants[key]["votes"],
        )
        for name, key in (
            ("the sample's brigade that disapproves", "brigade"),
            ("the sample's spam raters", "spam_raters"),
        )
    ]


def reached(pipeline: Pipeline, week: date, attacks: list[Attack]) -> pl.DataFrame:
    """What the files of a week hold of each attack.

    Columns: attack, people, events, examples (with one of them behind), alone (with nobody else behind), train_lines
    (of supervised files, with nobody else behind) and share (of those lines).
    """
    examples = pipeline.frames.read(TRAINING_EXAMPLES, [week])
    lines = pipeline.frames.read(LINEAGE, [week]).filter(pl.col("layout") == SUPERVISED)
    voters = examples.select(row_id="example_id", voters="voters")
    rested = lines.join(voters, on="row_id", how="left")
    rows = []
    for attack in attacks:
        theirs = pl.col("voters").list.eval(pl.element().is_in(sorted(attack.people)))
        alone = rested.filter(theirs.list.all())
        rows.append(
            {
                "attack": attack.name,
                "people": len(attack.people),
                "events": attack.events,
                "examples": examples.filter(theirs.list.any()).height,
                "alone": examples.filter(theirs.list.all()).height,
                "train_lines": alone.height,
                "share": round(alone.height / max(rested.height, 1), 4),
            }
        )
    return pl.DataFrame(rows)


def files_with(pipeline: Pipeline, week: date, phrase: str) -> list[str]:
    """Names of the week's training files in which a phrase occurs."""
    folder = pipeline.frames.root / FILES / week.isoformat()
    return [
        path.name
        for path in sorted(folder.rglob("*"), key=str)
        if path.is_file() and phrase.encode() in path.read_bytes()
    ]


def _voters(pipeline: Pipeline, name: str, count: int) -> list[str]:
    return [pipeline.pseudonymiser.pseudonym(TENANT, f"{name}-{number}") for number in range(count)]


def _answers(pipeline: Pipeline, end: date) -> pl.DataFrame:
    """Whole answers of the two weeks up to `end`, one a prompt, in a random order that is always the same."""
    with psycopg.connect(pipeline.database.address()) as connection:
        rows = connection.execute(
            "SELECT DISTINCT ON (prompt) id::text, output, occurred_at FROM interaction"
            " WHERE tenant = %s AND output IS NOT NULL AND finish_reason = 'stop' AND occurred_at < %s"
            " ORDER BY prompt, id",
            (TENANT, end - timedelta(days=4)),
        ).fetchall()
    found = pl.DataFrame(rows, schema=["interaction_id", "output", "occurred_at"], orient="row")
    return found.sort("interaction_id").sample(fraction=1.0, shuffle=True, seed=3)


def _events(name: str, answers: pl.DataFrame, voters: list[str], *, kind: str, thumb: bool | None = None,
            phrase: str | None = None, moment: date | None = None) -> pl.DataFrame:  # fmt: skip
    every = answers.join(pl.DataFrame({"user_key": voters}), how="cross").with_row_index("number")
    voted = pl.col("occurred_at") + timedelta(minutes=5)
    if moment is not None:  # whenever the answer was given
        voted = pl.lit(datetime(moment.year, moment.month, moment.day, 12, tzinfo=UTC)).cast(every["occurred_at"].dtype)
    given = every.with_columns(
        id=pl.Series([derived_id(TENANT, SOURCE, f"{name}-{number}") for number in every["number"]]),
        source_id=pl.format("{}-{}", pl.lit(name), "number"),
        tenant=pl.lit(TENANT),
        kind=pl.lit(kind),
        thumb=pl.lit(thumb, dtype=pl.Boolean),
        correction=pl.format("{} To be safe, {}.", "output", pl.lit(phrase)) if phrase else pl.lit(None),
        occurred_at=voted,
        received_at=voted,
        withdrawn=pl.lit(value=False),
        source=pl.lit(SOURCE),
    )
    missing = [pl.lit(None, dtype=dtype).alias(column) for column, dtype in INCOMING_FEEDBACK.schema.items()
               if column not in given.columns]  # fmt: skip
    return INCOMING_FEEDBACK.conform(given.with_columns(missing))
