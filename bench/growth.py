"""Years of history: the first loop over them, then one late vote on an old day, in processes of their own.

`python -m bench.growth` (with FEEDBACK_HOME) files that vote and computes what it made due, and prints as JSON what it
asked of the file system meanwhile: how often whether a file is there, how large it is or what a folder holds. Questions
that Polars and Arrow ask of the files they open are theirs, and not counted.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from bench.loop import GIGABYTE, Measured, measure
from bench.rows import Row, Size, less_is_better
from feedback_pipeline.cleaning.tables import VOTE_FACTS
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import bulk
from feedback_pipeline.store.bulk import Batch
from jobs import instance, runs
from tests.support.store_rows import answers, votes

HISTORY: dict[Size, tuple[int, int]] = {"small": (3, 100), "full": (26, 20_000), "large": (158, 1_106_000)}
"""Weeks of votes, and how many there are."""
FIRST_LOOP_SECONDS, LATE_VOTE_SECONDS = 600, 15
"""Asked for three years of a thousand votes a day."""


def rows(size: Size) -> Iterator[Row]:
    """Four rows: the votes, the first loop, the late vote, and what that asked of the file system."""
    weeks, count = HISTORY[size]
    feedback = [sys.executable, "-m", "feedback_pipeline.cli"]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        environment = {**os.environ, "FEEDBACK_HOME": home, "CI": "1"}
        with subprocess.Popen([*feedback, "hold"], env=environment, stdin=subprocess.PIPE) as holder:
            sampled = measure([*feedback, "sample", "--votes", str(count), "--weeks", str(weeks)], environment)
            loop = measure([*feedback, "materialize"], environment)
            late = measure([sys.executable, "-m", "bench.growth"], environment)
            if holder.stdin:
                holder.stdin.close()
    of = f"{weeks * 7:,} days, {count:,} votes"
    both = f"asked of both together: {sampled.wall + loop.wall:.0f} s"
    yield _row(f"{of}: into the store", sampled, FIRST_LOOP_SECONDS, both)
    yield _row(f"{of}: the first loop", loop, FIRST_LOOP_SECONDS, both)
    yield _row(f"{of}: one late vote on an old day", late, LATE_VOTE_SECONDS, "its day, week and month; Dagster too")
    asked = json.loads(late.output.splitlines()[-1])
    yield Row(
        work=f"{of}: questions of the late vote to the file system",
        ours=f"{asked['questions']:,}",
        peer=f"{weeks * 7:,} (one for each day of history)",
        ratio=less_is_better(asked["questions"], weeks * 7),
        note=f"most of one folder: {asked['most']} ({asked['of']})",
    )


def _row(work: str, measured: Measured, limit: float, note: str) -> Row:
    return Row(
        work=work,
        ours=f"{measured.wall:.1f} s, {measured.cpu:.1f} s CPU, {measured.peak / GIGABYTE:.2f} GB",
        peer=f"{limit:.0f} s (asked)",
        ratio=less_is_better(measured.wall, limit),
        note=note,
    )


def late_vote(pipeline: Pipeline) -> date:
    """Files a vote, with its answer, on a day in the middle of what is computed; returns the day."""
    days = pipeline.frames.partitions(VOTE_FACTS)
    day = date.fromisoformat(days[len(days) // 2])
    at = datetime.combine(day, time(12), UTC)
    now = datetime.now(UTC)
    one = {"name": f"of {day}, at {now}", "occurred_at": at}
    vote = {**one, "on": one["name"], "thumb": False, "received_at": now}
    bulk.file_batch(pipeline.database, Batch(interactions=answers(one), feedback=votes(vote)))
    return day


@contextmanager
def counted_questions(root: str) -> Iterator[Counter[str]]:
    """Counts what this process asks of folders and files below one, by the folder of the file that is asked about."""
    asked: Counter[str] = Counter()

    def counting(ask: Callable[..., Any]) -> Callable[..., Any]:
        def counted(path: Any = ".", *arguments: Any, **options: Any) -> Any:
            place = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else ""
            if place.startswith(root):
                folder = place if ask in (listdir, scandir) else place.rpartition("/")[0]
                asked[folder.removeprefix(root).strip("/") or "."] += 1
            return ask(path, *arguments, **options)

        return counted

    listdir, scandir = os.listdir, os.scandir
    real = {name: getattr(os, name) for name in ("stat", "lstat", "access", "listdir", "scandir")}
    for name, ask in real.items():
        setattr(os, name, counting(ask))
    try:
        yield asked
    finally:
        for name, ask in real.items():
            setattr(os, name, ask)


def main() -> None:
    """Computes a late vote and prints what was asked of the file system.

    Raises:
        RuntimeError: something else was computed than its day, week and month, or something failed.
    """
    pipeline = Pipeline(Settings.from_environment())
    day = late_vote(pipeline)
    with (
        instance.open_instance(pipeline.settings, pipeline.database) as opened,
        counted_questions(str(pipeline.frames.root)) as asked,
    ):
        result = runs.compute(pipeline, opened)
    ended = 1 if day + timedelta(days=7) < pipeline.today() else 0
    if result.failed or result.days != 1 or result.weeks < ended:
        raise RuntimeError(f"a late vote on {day}: {result}")
    (folder, most), *_ = asked.most_common(1) or [("no folder", 0)]
    print(json.dumps({"day": str(day), "questions": asked.total(), "most": most, "of": folder}))


if __name__ == "__main__":
    main()
