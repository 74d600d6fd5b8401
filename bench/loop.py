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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

SIZES = (100_000, 1_000_000)
GIGABYTE = 1e9


@dataclass(frozen=True)
class Measured:
    """One run: wall and CPU seconds of the process, its peak resident memory in bytes."""

    wall: float
    cpu: float
    peak: int


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
    return Measured(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


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


def rows() -> list[dict[str, str]]:
    """One row per size for generating, and for the loop; the last one says how time grows."""
    found: list[dict[str, str]] = []
    loops: list[Measured] = []
    feedback = [sys.executable, "-m", "feedback_pipeline.cli"]
    for votes in SIZES:
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
        found += [
            {
                "work": f"{votes:,} sample votes into the store",
                "ours": f"{sampled.wall:.1f} s, {sampled.peak / GIGABYTE:.2f} GB",
                "peer": "60 s (asked)",
                "ratio": f"{sampled.wall / 60:.2f}",
                "note": "generated, redacted, pseudonymised, filed",
            },
            {
                "work": f"whole loop on {votes:,} votes of one week",
                "ours": f"{loop.wall:.1f} s, {loop.cpu:.1f} s CPU, {loop.peak / GIGABYTE:.2f} GB",
                "peer": f"bare zstd Parquet copy of the same bytes: {copied:.1f} s CPU",
                "ratio": f"{loop.cpu / copied:.1f}",
                "note": "asked: ≤ 60 s, ≤ 2 GB, ≤ 10× at a million",
            },
            {
                "work": f"weekly patterns and report from {votes:,} votes' daily tables",
                "ours": f"{week['total']:.1f} s",
                "peer": "5 s (asked, at a million)",
                "ratio": f"{week['total'] / 5:.2f}",
                "note": ", ".join(f"{name} {seconds:.2f}" for name, seconds in week["seconds"].items()),
            },
        ]
    growth, size = loops[1].wall / loops[0].wall, SIZES[1] / SIZES[0]
    found.append(
        {
            "work": f"{size:.0f}× the votes",
            "ours": f"{growth:.1f}× the time, {loops[1].peak / loops[0].peak:.1f}× the memory",
            "peer": "11× the time (asked)",
            "ratio": f"{growth / 11:.2f}",
            "note": "",
        }
    )
    return found
