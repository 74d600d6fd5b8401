"""Forgetting one person among five million votes: the time before anything is computed anew, and to search it all."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg

from bench.rows import Row, Size, less_is_better
from feedback_pipeline.erasure import erasure
from feedback_pipeline.erasure.context import ErasureContext, Recomputed
from feedback_pipeline.erasure.preview import preview
from feedback_pipeline.erasure.subjects import person
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import embedded

LOAD = Path(__file__).parent / "load"
MAX_SECONDS = 30
"""Seconds asked for before recomputation."""
NAMES = 20
"""Generated people who become the one to forget: a thousand of five million votes."""


def rows(size: Size) -> list[Row]:
    """One row: seconds of each step; the recomputation, which is another figure, computes nothing here."""
    votes = 2_000 if size == "small" else 5_000_000
    with store(votes) as pipeline:
        subject = person(pipeline.pseudonymiser, "default", "ada")
        context = ErasureContext(
            database=pipeline.database,
            frames=pipeline.frames,
            home=pipeline.settings.home,
            pseudonymiser=pipeline.pseudonymiser,
            providers={},
            recompute=lambda weeks, months: Recomputed(0, 0, 0),
            now=pipeline.now,
            training_weeks=pipeline.settings.training_weeks,
            last_day=pipeline.today() - timedelta(days=1),
        )
        started = time.perf_counter()
        foreseen = preview(context, subject)
        shown = time.perf_counter()
        steps: list[tuple[str, float]] = []
        receipt = erasure.forget(context, subject, lambda line: steps.append((line, time.perf_counter())))
        finished = time.perf_counter()
    ends = [*(begun for _, begun in steps[1:]), finished]
    seconds = {name: end - begun for (name, begun), end in zip(steps, ends, strict=True)}
    before = steps[0][1] - shown + sum(
        taken for name, taken in seconds.items() if name in ("withhold", "datasets", "store", "files")
    )  # fmt: skip
    searched = receipt["steps"]["verification"]
    return [
        {
            "work": f"forget one person ({foreseen.feedback:,} votes on {foreseen.days} days) among {votes:,} votes",
            "ours": f"{before:.1f} s before recomputation",
            "peer": f"{MAX_SECONDS} s (asked)",
            "ratio": less_is_better(before, MAX_SECONDS),
            "note": f"preview {shown - started:.1f} s; of it finding {steps[0][1] - shown:.1f}, store "
            f"{seconds['store']:.1f}; then verification {seconds['verification']:.1f} s over "
            f"{searched['texts_searched']:,} texts",
        }
    ]


@contextmanager
def store(votes: int) -> Iterator[Pipeline]:
    """A store of its own in which the votes of twenty generated people are one person's."""
    home = Path(tempfile.mkdtemp(prefix="feedback-bench-"))
    pipeline = Pipeline(Settings.from_environment({"FEEDBACK_HOME": str(home)}))
    try:
        with psycopg.connect(pipeline.database.address()) as connection:
            psycopg.ClientCursor(connection).execute((LOAD / "populate.sql").read_text(), {"votes": votes})
            connection.execute("SET LOCAL session_replication_role = replica")
            names = [f"k1:{number}" for number in range(1, NAMES + 1)]
            ada = pipeline.pseudonymiser.pseudonym("default", "ada")
            connection.execute("UPDATE feedback SET user_key = %s WHERE user_key = ANY (%s)", (ada, names))
            connection.execute("DELETE FROM person_seen WHERE person = ANY (%s)", (names[1:],))
            connection.execute("UPDATE person_seen SET person = %s WHERE person = %s", (ada, names[0]))
        with psycopg.connect(pipeline.database.address(), autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        yield pipeline
    finally:
        pipeline.database.engine.dispose()
        embedded.release(home / "postgres")
        time.sleep(1)
        shutil.rmtree(home, ignore_errors=True)
