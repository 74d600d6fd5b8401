"""Cleaning as the pipeline does it: a million votes read from PostgreSQL, every asset of the group `clean` computed,
checked and written as Parquet. Without Dagster, whose part the rows of `loop` show."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import polars as pl

from assets import clean
from assets.declaration import Declaration, Outcome
from bench.loop import measure
from bench.machine import peak_bytes
from bench.rows import Row, Size, less_is_better
from feedback_pipeline.calendar import monday_of
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import changes

MAX_SECONDS, MAX_BYTES = 25, 1.5e9
"""What is asked: seconds, bytes."""


def rows(size: Size) -> list[Row]:
    """One row: a week of sample votes in an embedded PostgreSQL, cleaned by a process of its own."""
    votes = 300 if size == "small" else 1_000_000
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        environment = {**os.environ, "FEEDBACK_HOME": home, "CI": "1"}
        feedback = [sys.executable, "-m", "feedback_pipeline.cli"]
        with subprocess.Popen([*feedback, "hold"], env=environment, stdin=subprocess.PIPE) as holder:
            measure([*feedback, "sample", "--votes", str(votes), "--weeks", "1"], environment)
            cleaning = [sys.executable, "-m", "bench.cleaning_store"]
            told = subprocess.run(cleaning, env=environment, check=True, capture_output=True, text=True).stdout
            if holder.stdin:
                holder.stdin.close()
    return [_row(json.loads(told))]


def _row(measured: dict[str, Any]) -> Row:
    parts = ", ".join(f"{name} {seconds:.1f}" for name, seconds in measured["parts"].items())
    return {
        "work": f"whole cleaning of {measured['events']:,} events on {measured['answers']:,} answers, from PostgreSQL",
        "ours": f"{measured['wall']:.1f} s, {measured['cpu']:.1f} CPU s, peak {measured['peak'] / 1e9:.2f} GB",
        "peer": f"{MAX_SECONDS} s, {MAX_BYTES / 1e9} GB (asked)",
        "ratio": less_is_better(measured["wall"], MAX_SECONDS),
        "note": f"read, cleaned, checked, written; seconds: {parts}; CPU of this process, not of the server",
    }


def clean_everything(pipeline: Pipeline) -> dict[str, Any]:
    """Computes every partition that holds votes, asset by asset: seconds, and the peak of memory until then."""
    changes.fold(pipeline.database)
    days = [due.day for due in changes.due(pipeline.database) if due.day < pipeline.today()]
    weeks = sorted({monday_of(day) for day in days})
    whole, cpu = time.perf_counter(), time.process_time()
    parts, peaks = dict[str, float](), dict[str, int]()
    counted = {"events": 0, "answers": 0}
    for declaration in clean.declarations():
        assert isinstance(declaration, Declaration)
        started = time.perf_counter()
        for partition in days if declaration.by == "day" else _ended(weeks, pipeline.today()):
            delivered, rows = _computed(pipeline, declaration, partition)
            counted["events"] += delivered
            counted["answers"] += rows if declaration.name == "clean_interactions" else 0
        parts[declaration.name], peaks[declaration.name] = time.perf_counter() - started, peak_bytes()
    return {
        **counted, "parts": parts, "peaks": peaks, "peak": peak_bytes(),
        "wall": time.perf_counter() - whole, "cpu": time.process_time() - cpu,
    }  # fmt: skip


def _computed(pipeline: Pipeline, declaration: Declaration, partition: date) -> tuple[int, int]:
    """One partition computed, checked and written; events delivered (where the asset counts them) and rows written.

    Raises:
        RuntimeError: a check failed.
    """
    returned = declaration.function(pipeline, partition)
    outcome = returned if isinstance(returned, Outcome) else Outcome(returned)
    table = declaration.table
    assert table is not None
    assert outcome.rows is not None
    problems: list[str] = []

    def checked() -> Iterator[pl.DataFrame]:
        assert outcome.rows is not None
        for frame in [outcome.rows] if isinstance(outcome.rows, pl.DataFrame) else outcome.rows:
            problems.extend(table.problems(frame))
            yield frame

    written = pipeline.frames.write(table, partition, checked())
    numbers = outcome.numbers() if callable(outcome.numbers) else outcome.numbers
    checks = outcome.checks(written) if callable(outcome.checks) else outcome.checks
    if problems := [*problems, *(check.name for check in checks if not check.passed)]:
        raise RuntimeError(f"{declaration.name} {partition}: {'; '.join(problems)}")
    return int(numbers.get("delivered", 0)), written.rows


def _ended(weeks: list[date], today: date) -> list[date]:
    return [week for week in weeks if week + timedelta(days=7) <= today]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(clean_everything(Pipeline(Settings.from_environment()))))
