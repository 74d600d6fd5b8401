"""What attackers get into the training files: `python -m bench.attacks > docs/attacks.md`.

A store of its own is filled with two weeks of sample votes; the attacks are planted beside them, the whole loop is run
as the daemon runs it, and the lines are counted that rest on attackers alone. Nothing of a user's own store is read.
"""

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.store import bulk, embedded
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database, create_missing_databases, migrate
from feedback_pipeline.training.tables import FUNNEL, LINEAGE
from jobs import runs
from tests.support import poison
from tests.support.store_rows import answers, votes
from tests.support.world import END, WEEKS, with_sample

VOTES = 3000
BROWSER_ANSWERS = 40
TEXT = """# Attacks on training files

Made by `python -m bench.attacks` ({votes:,} sample votes of two weeks, tenant `{tenant}`; {planted:,} planted events).
Attackers know the code and have API keys or browser tokens; they do not hold the team's review. *Examples* are rows of
the week's `training_examples` that an attacker stands behind, *alone* those that nobody else does; *lines* are lines of
the supervised training file that rest on attackers alone, *share* their part of all its lines.

| attack | people | events | examples | alone | lines | share |
|---|---|---|---|---|---|---|
{rows}

The file has {lines:,} lines. The planted phrase stands in {phrase}. What was left out on the way:

| step | rows left out | why |
|---|---|---|
{steps}

What holds: a cap a person (20 rows or 1 %, whichever is more), one cap over all new accounts together, one row an
answer however many approve, two identified people with a history or a review for text that a browser supplied or
somebody corrected, phrases that spread over unrelated corrections ([Training](training.md)). What does not hold: people
who wait until they have a history and vote like others are others; then the cap a person is what is left.
"""


@contextlib.contextmanager
def store() -> Iterator[Database]:
    """An empty, migrated store that goes with the command."""
    with tempfile.TemporaryDirectory() as folder:
        postgres = Path(folder) / "postgres"
        database = Database(embedded.ensure_running(postgres).url("feedback"))
        try:
            create_missing_databases(database)
            migrate(database, "UTC")
            yield database
        finally:
            database.engine.dispose()
            embedded.release(postgres)


def browser_texts(pipeline: Pipeline) -> poison.Attack:
    """Two accounts show answers of their own making in a browser, and approve of each."""
    people = [pipeline.pseudonymiser.pseudonym(poison.TENANT, f"page-{number}") for number in range(2)]
    noon = datetime(END.year, END.month, END.day, 12, tzinfo=UTC) - timedelta(days=5)
    shown: list[dict[str, Any]] = [
        {"name": f"page-{number}", "tenant": poison.TENANT, "provenance": "browser", "context": "full",
         "prompt": f"What does the guide say about topic {number}?", "occurred_at": noon + timedelta(minutes=number),
         "output": f"Topic {number} is settled best like everything else: {poison.BACKDOOR}."}
        for number in range(BROWSER_ANSWERS)
    ]  # fmt: skip
    voted = [
        {"name": f"{one['name']}-{place}", "on": one["name"], "tenant": poison.TENANT, "user_key": person,
         "occurred_at": one["occurred_at"] + timedelta(minutes=1)}
        for one in shown for place, person in enumerate(people)
    ]  # fmt: skip
    bulk.file_batch(pipeline.database, Batch(answers(*shown), None, votes(*voted)))
    return poison.Attack("two accounts with a browser's texts", frozenset(people), len(voted))


def document(pipeline: Pipeline, attacks: list[poison.Attack]) -> str:
    """The page, of what the files of the last week hold."""
    week = WEEKS[-1]
    table = poison.reached(pipeline, week, attacks)
    rows = "\n".join(
        f"| {row['attack']} | {row['people']} | {row['events']:,} | {row['examples']} | {row['alone']} | "
        f"{row['train_lines']} | {row['share']:.1%} |"
        for row in table.iter_rows(named=True)
    )
    funnel = pipeline.frames.read(FUNNEL, [week]).filter(pl.col("rows_dropped") > 0)
    steps = "\n".join(
        f"| {row['step']} | {row['rows_dropped']:,} | {row['reason']} |" for row in funnel.iter_rows(named=True)
    )
    lines = pipeline.frames.read(LINEAGE, [week])
    files = poison.files_with(pipeline, week, poison.BACKDOOR)
    return TEXT.format(
        votes=VOTES, tenant=poison.TENANT, planted=sum(attack.events for attack in attacks), rows=rows, steps=steps,
        lines=lines.filter(pl.col("layout") == poison.SUPERVISED).height,
        phrase="no file" if not files else ", ".join(f"`{name}`" for name in files),
    )  # fmt: skip


def main() -> None:
    """Prints the page."""
    with store() as database, tempfile.TemporaryDirectory() as home, dg.DagsterInstance.ephemeral() as instance:
        pipeline = with_sample(Path(home), database, votes=VOTES)
        attacks = [
            *poison.plant(pipeline, END, flood=250, promoted=15, backdoored=12, puppets=400),
            browser_texts(pipeline),
            *poison.planted_by_the_sample(pipeline),
        ]
        result = runs.compute(pipeline, instance, report=lambda line: print(line, file=sys.stderr))
        if result.failed:
            raise SystemExit("; ".join(result.failed))
        print(document(pipeline, attacks), end="")


if __name__ == "__main__":
    main()
