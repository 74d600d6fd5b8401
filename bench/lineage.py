"""`feedback why` in a store of a year of votes, for each kind of thing that can be asked for.

`FEEDBACK_BENCH_VOTES` is the number of votes (1,000,000 by default; the promise is about 5,000,000).
"""

import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import polars as pl
import psycopg

from bench.rows import Row, Size, less_is_better
from feedback_pipeline.lineage.trace import why
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import embedded
from feedback_pipeline.training.tables import LINEAGE
from feedback_pipeline.tuning import approvals

LOAD = Path(__file__).parent / "load" / "lineage.sql"
WEEK = date(2026, 11, 9)
LOOKS = 40
PROMISED_MS = 200
TABLES = ("interaction", "feedback", "dataset_row")


@contextmanager
def staged(votes: int) -> Iterator[Pipeline]:
    """A pipeline over a store that holds so many votes and what became of them."""
    home = Path(tempfile.mkdtemp(prefix="feedback-bench-"))
    try:
        pipeline = Pipeline(Settings.from_environment({"FEEDBACK_HOME": str(home)}))
        populate(pipeline, votes)
        yield pipeline
        pipeline.database.engine.dispose()
    finally:
        embedded.release(home / "postgres")
        time.sleep(1)
        shutil.rmtree(home, ignore_errors=True)


def populate(pipeline: Pipeline, votes: int) -> None:
    """Fills the store, and the lineage table of the newest week."""
    numbers = {"votes": votes, "answers": votes // 2}
    with psycopg.connect(pipeline.database.address(), autocommit=True) as connection:
        # rollups, changed days and refusals are other packages' metrics; indexes are made once the rows are there
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET maintenance_work_mem = '1GB'")
        indexes = connection.execute(
            "SELECT indexname, indexdef FROM pg_indexes JOIN pg_class ON relname = indexname"
            " WHERE tablename = ANY (%s)"
            " AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = pg_class.oid)", (list(TABLES),),
        ).fetchall()  # fmt: skip
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}".encode())
        for statement in LOAD.read_text().split(";"):
            connection.execute(statement.encode(), numbers)
        for _, definition in indexes:
            connection.execute(definition.encode())
        connection.execute("VACUUM ANALYZE")
        newest = connection.execute("SELECT id FROM dataset WHERE week = %s", (WEEK,)).fetchone()
        assert newest is not None
        copy = "COPY (SELECT row_id, interaction_ids[1], feedback_ids[1], feedback_ids[2] FROM dataset_row"
        with connection.cursor().copy(f"{copy} WHERE dataset_id = '{newest[0]}') TO STDOUT CSV".encode()) as lines:
            content = b"".join(lines)
    columns = ["row_id", "answer", "first", "second"]
    made = pl.read_csv(content, has_header=False, new_columns=columns).with_row_index("line", offset=1)
    pipeline.frames.write(LINEAGE, WEEK, LINEAGE.conform(made.select(
        "line", "row_id", dataset_id=pl.lit(newest[0]), layout=pl.lit("supervised-train"), copy=pl.lit(0),
        weight=pl.lit(1.0), interaction_ids=pl.concat_list("answer"), feedback_ids=pl.concat_list("first", "second"),
    )))  # fmt: skip
    for number in range(12):
        approvals.record(pipeline, approvals.model_subject(f"ft:base:{number}"), "0" * 64, "approved", approver="ada")


def references(pipeline: Pipeline, votes: int) -> dict[str, Callable[[random.Random], str]]:
    """How to draw one of each kind of thing that can be asked for; votes and answers in every window of a dataset."""
    with psycopg.connect(pipeline.database.address()) as connection:
        weeks = [row[0] for row in connection.execute("SELECT week FROM dataset").fetchall()]
        datasets = [row[0] for row in connection.execute("SELECT id FROM dataset").fetchall()]
    lineage = pipeline.frames.scan(LINEAGE, [WEEK]).select("row_id").collect()["row_id"]
    answers = votes // 2
    busy = (answers * 39 // 52, answers * 40 // 52)  # the week that all twelve windows hold
    return {
        "vote": lambda chance: f"00000000-0000-7000-9000-{2 * chance.randint(*busy):012x}",
        "vote that became nothing": lambda chance: f"00000000-0000-7000-9000-{chance.randint(1, votes // 3):012x}",
        "answer": lambda chance: f"00000000-0000-7000-8000-{chance.randint(*busy):012x}",
        "row": lambda chance: lineage[chance.randrange(len(lineage))],
        "line": lambda chance: f"{WEEK}/openai/sft-train.jsonl:{chance.randint(1, len(lineage))}",
        "dataset": lambda chance: chance.choice(datasets)[:16],
        "run": lambda chance: f"ftjob-{chance.choice(weeks)}",
        "model": lambda chance: f"ft:base:{chance.choice(weeks)}",
    }


def rows(size: Size) -> list[Row]:
    """One row a kind of thing: median and 95th percentile of a whole look."""
    votes = 5_200 if size == "small" else int(os.environ.get("FEEDBACK_BENCH_VOTES") or 1_000_000)
    found: list[Row] = []
    with staged(votes) as pipeline:
        chance = random.Random(11)
        for kind, draw in references(pipeline, votes).items():
            why(pipeline, draw(chance))
            times = []
            for _ in range(LOOKS):
                reference = draw(chance)
                started = time.perf_counter()
                why(pipeline, reference)
                times.append(1000 * (time.perf_counter() - started))
            slow = statistics.quantiles(times, n=20)[-1]
            found.append({
                "work": f"why of {'an' if kind[0] in 'aeiou' else 'a'} {kind}, {votes:,} votes",
                "ours": f"{statistics.median(times):.1f} ms, p95 {slow:.1f} ms",
                "peer": f"{PROMISED_MS} ms (asked)", "ratio": less_is_better(slow, PROMISED_MS),
                "note": "twelve weekly datasets, every window full" if kind == "vote" else "",
            })  # fmt: skip
    return found
