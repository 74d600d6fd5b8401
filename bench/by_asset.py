"""Where a loop's time and memory go: wall and CPU seconds of every step, the peak of memory in it, and a digest of what
was made.

`FEEDBACK_HOME=… python -m bench.by_asset [--json FILE]` computes what is due in that home. A step's seconds are those
since the step before it ended: what Dagster adds between two steps is counted, the server of the database is not.
Two homes whose digests are equal hold the same tables and training files to the byte.
"""

import argparse
import hashlib
import json
import time
from pathlib import Path
from typing import Any

from bench.machine import forget_peak, peak_bytes, resident_bytes, server_cpu
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.tables.parquet import files_below
from jobs import instance, runs

STATED = {".json"}
"""Files that say when they were made: what they say is compared by the tests, not here."""


def measure() -> dict[str, Any]:
    """Computes what is due: seconds by step (`wall`, `cpu`), most bytes during it (`peak`), bytes after it (`left`)."""
    began = time.perf_counter()
    pipeline = Pipeline(Settings.from_environment())
    database = server_cpu(pipeline.settings.home)
    last = [began, 0.0]
    steps: dict[str, dict[str, float]] = {}

    def took(name: str) -> None:
        now = [time.perf_counter(), time.process_time()]
        spent = steps.setdefault(name, {"wall": 0.0, "cpu": 0.0, "peak": 0, "left": 0})
        spent["wall"] += now[0] - last[0]
        spent["cpu"] += now[1] - last[1]
        spent["peak"] = max(spent["peak"], peak_bytes())
        spent["left"] = resident_bytes()
        last[:] = now
        forget_peak()

    with instance.open_instance(pipeline.settings, pipeline.database) as opened:
        took("(start)")

        def report(line: str) -> None:
            took(line.split()[0] if line.startswith("  ") else "(between runs)")

        result = runs.compute(pipeline, opened, report=report)
        took("(end)")
    if result.failed:
        raise RuntimeError("; ".join(result.failed))
    return {
        "days": result.days, "weeks": result.weeks, "runs": result.runs,
        "wall": last[0] - began, "cpu": last[1], "server_cpu": server_cpu(pipeline.settings.home) - database,
        "peak": max(one["peak"] for one in steps.values()), "steps": steps,
        "made": digest(pipeline),
    }  # fmt: skip


def digest(pipeline: Pipeline) -> dict[str, str]:
    """SHA-256 of the names and contents of each table's Parquet files and of the training files."""
    found: dict[str, Any] = {}
    root = pipeline.frames.root
    for file in files_below(root):
        if file.suffix in STATED or file.suffix == ".html":
            continue
        parts = file.path.removeprefix(root.path).strip("/").split("/")
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        found.setdefault(parts[0], hashlib.sha256()).update(f"{'/'.join(parts)} {content}\n".encode())
    return {name: one.hexdigest()[:16] for name, one in sorted(found.items())}


def main() -> None:
    """Prints a line for each step, the dearest first, and the digests."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    chosen = parser.parse_args()
    found = measure()
    print(f"{'step':34}{'CPU s':>8}{'wall s':>8}{'peak GB':>9}{'left GB':>9}")
    for name, spent in sorted(found["steps"].items(), key=lambda one: -one[1]["cpu"]):
        memory = f"{spent['peak'] / 1e9:9.2f}{spent['left'] / 1e9:9.2f}"
        print(f"{name:34}{spent['cpu']:8.2f}{spent['wall']:8.2f}{memory}")
    print(f"{'in all':34}{found['cpu']:8.2f}{found['wall']:8.2f}{found['peak'] / 1e9:9.2f}")
    print(f"the database's server {found['server_cpu']:.1f} CPU s")
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
