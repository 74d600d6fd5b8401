"""The whole loop, store to training files, Dagster included, as `feedback materialize` runs it in a process of its own.

The reference is a bare copy of the same bytes: every Parquet file the loop wrote, read and written again with zstd.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from bench.rows import Row, Size, less_is_better

SIZES: dict[Size, tuple[int, ...]] = {
    "small": (100,),
    "full": (10_000, 100_000, 1_000_000),
    "large": (10_000, 100_000, 1_000_000, 3_000_000),
}
GIGABYTE = 1e9


@dataclass(frozen=True)
class Measured:
    """One run: wall and CPU seconds of the process, its peak resident memory in bytes, the end of what it printed."""

    wall: float
    cpu: float
    peak: int
    output: str = ""


def measure(command: list[str], environment: dict[str, str]) -> Measured:
    """Runs a command to its end.

    Raises:
        RuntimeError: the command failed; with the end of what it printed.
    """
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    output = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    if os.waitstatus_to_exitcode(status):
        raise RuntimeError(f"{' '.join(command)} failed:\n{output[-4000:]}")
    return Measured(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, output[-4000:])


def copy_cost(folder: Path) -> float:
    """CPU seconds to read every Parquet file below a folder and write it again with zstd."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    with tempfile.TemporaryDirectory() as target:
        for number, file in enumerate(sorted(folder.rglob("*.parquet"))):
            copy = Path(target) / f"{number}.parquet"
            pl.read_parquet(file).write_parquet(copy, compression="zstd", compression_level=1)
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _week(environment: dict[str, str]) -> dict[str, Any]:
    """Seconds of the weekly patterns and the report, in a process of their own."""
    command = [sys.executable, "-m", "bench.week"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def rows(size: Size) -> Iterator[Row]:
    """Four rows per size; the last row of several sizes says how time grows."""
    loops: list[Measured] = []
    feedback = [sys.executable, "-m", "feedback_pipeline.cli"]
    sizes = SIZES[size]
    for votes in sizes:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
            environment = {**os.environ, "FEEDBACK_HOME": home, "CI": "1"}
            with subprocess.Popen([*feedback, "hold"], env=environment, stdin=subprocess.PIPE) as holder:
                sampled = measure([*feedback, "sample", "--votes", str(votes), "--weeks", "1"], environment)
                loop = measure([*feedback, "materialize"], environment)
                week = _week(environment)
                if holder.stdin:
                    holder.stdin.close()
            copied = copy_cost(Path(home) / "data")
        loops.append(loop)
        yield from _of_size(votes, sampled, loop, week, copied)
    if len(sizes) < 2:
        return
    growth, times = loops[-1].wall / loops[-2].wall, sizes[-1] / sizes[-2]
    yield Row(
        work=f"{times:.0f}× the votes, {sizes[-2]:,} to {sizes[-1]:,}",
        ours=f"{growth:.1f}× the time, {loops[-1].peak / loops[-2].peak:.1f}× the memory",
        peer=f"{1.1 * times:.0f}× the time (asked)",
        ratio=less_is_better(growth, 1.1 * times),
        note="wall time; peak of the process",
    )


def _of_size(votes: int, sampled: Measured, loop: Measured, week: dict[str, Any], copied: float) -> list[Row]:
    """The rows of one number of votes. Limits are asked for a million and a hundred thousand, else in proportion."""
    share = votes / 1_000_000
    limit = max(60 * share, 12.0)
    return [
        Row(
            work=f"{votes:,} sample votes into the store",
            ours=f"{sampled.wall:.1f} s, {sampled.cpu:.1f} s CPU, {sampled.peak / GIGABYTE:.2f} GB",
            peer=f"{limit:.0f} s (asked)",
            ratio=less_is_better(sampled.wall, limit),
            note="generated, redacted, pseudonymised, filed; the server's CPU is not in it",
        ),
        Row(
            work=f"whole loop on {votes:,} votes of one week",
            ours=f"{loop.wall:.1f} s, {loop.cpu:.1f} s CPU, {loop.peak / GIGABYTE:.2f} GB",
            peer=f"{limit:.0f} s, 2 GB (asked)",
            ratio=less_is_better(loop.wall, limit),
            note="store to training files, Dagster included",
            figures={"votes": votes, "wall": loop.wall, "cpu": loop.cpu, "peak": loop.peak},
        ),
        Row(
            work=f"the same, CPU beside a bare zstd copy of what it wrote ({votes:,} votes)",
            ours=f"{loop.cpu:.1f} s CPU",
            peer=f"{copied:.2f} s CPU",
            ratio=less_is_better(loop.cpu, copied),
            note="asked: ≤ 10 at a million",
        ),
        Row(
            work=f"weekly patterns and report from {votes:,} votes' daily tables",
            ours=f"{week['total']:.1f} s",
            peer="5 s (asked, at a million)",
            ratio=less_is_better(week["total"], 5),
            note=", ".join(f"{name} {seconds:.2f}" for name, seconds in week["seconds"].items()),
        ),
    ]
