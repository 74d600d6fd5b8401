"""`python -m bench.funnel`: what curation leaves of 50, 500 and 5,000 votes a week, twelve weeks of sample votes each.

Through the store and the real assets. Rules against abuse that leave nothing of an ordinary week are wrong.
"""

import sys
import tempfile
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import dagster as dg
import orjson
import polars as pl

from assets.training import FILES
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.sample.load import load_sample
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import embedded
from feedback_pipeline.store.database import Database, migrate
from feedback_pipeline.training.archive import pairs_funnel
from feedback_pipeline.training.costs import advice
from feedback_pipeline.training.funnel import printed
from feedback_pipeline.training.tables import FUNNEL, PREFERENCE_PAIRS, TRAINING_EXAMPLES
from jobs import runs

WEEKLY = (50, 500, 5_000)
WEEKS = 12
END = date(2026, 11, 15)


def main() -> int:
    """Prints a funnel for each volume."""
    for weekly in [int(text) for text in sys.argv[1:]] or WEEKLY:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
            print(f"\n{weekly:,} votes a week\n{funnel_of(weekly, Path(home))}")
    return 0


def funnel_of(weekly: int, home: Path) -> str:
    """The funnel of the last week of a sample, what its files hold, and the advice it gives, as text."""
    layout = embedded.ensure_running(home / "postgres")
    try:
        database = Database(layout.url("postgres"))
        migrate(database, "UTC")
        settings = Settings.from_environment({"FEEDBACK_HOME": str(home), "FEEDBACK_DATABASE_URL": database.url})
        pipeline = Pipeline(settings, datetime.combine(END + timedelta(days=6), time(12), UTC))
        load_sample(database, pipeline.pseudonymiser, home, votes=weekly * WEEKS, weeks=WEEKS, seed=7, end=END)
        last = END - timedelta(days=6)
        with dg.DagsterInstance.ephemeral() as instance:
            runs.compute(pipeline, instance, weeks=[last - timedelta(weeks=1), last])
        text = _described(pipeline, last)
        database.engine.dispose()
        return text
    finally:
        embedded.release(home / "postgres")


def _described(pipeline: Pipeline, week: date) -> str:
    frames = pipeline.frames
    steps = frames.read(FUNNEL, [week, pairs_funnel(week)])
    examples, pairs = frames.read(TRAINING_EXAMPLES, [week]), frames.read(PREFERENCE_PAIRS, [week])
    splits = dict(examples.group_by("split").len().sort("split").iter_rows())
    positives = examples.filter(pl.col("label") & (pl.col("split") == "train")).height
    folder = frames.root / FILES / week.isoformat()
    listings = sorted(folder.glob("*/files.json"), key=str)
    files = [file for listing in listings for file in orjson.loads(listing.read_bytes())]
    lines = {file["name"]: file["lines"] for file in files if file["layout"] and file["split"] in ("train", "all")}
    return "\n".join(
        [
            printed(steps),
            f"examples {examples.height:,}: {splits}; preference pairs {pairs.height:,}",
            f"training lines: {lines}",
            advice(positives).text,
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
