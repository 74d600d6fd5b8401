"""Capture: votes over HTTP beside `pgbench` doing the same write, latency, batches, reads; small and large tables.

`FEEDBACK_BENCH_VOTES` is the size of the large table (1,000,000 by default; the promise is about 5,000,000).
"""

import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg

from feedback_pipeline.capture import key_store
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import embedded
from feedback_pipeline.store.database import Database, open_database

LOAD = Path(__file__).parent / "load"
CONNECTIONS = 16
SECONDS = 8
BATCH = 5000
CHUNK = 250_000


@dataclass
class Stage:
    """A service in processes of its own, on an embedded PostgreSQL under a temporary folder."""

    database: Database
    key: str
    url: str
    home: Path

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


@contextmanager
def staged(workers: int) -> Iterator[Stage]:
    home = Path(tempfile.mkdtemp(prefix="feedback-bench-"))
    settings = Settings.from_environment({"FEEDBACK_HOME": str(home)})
    database = open_database(settings)
    key = key_store.create(database, "bench", ("write", "read"))[1]
    port = embedded.free_port()
    environment = os.environ | {"FEEDBACK_HOME": str(home), "FEEDBACK_KEY_REQUESTS": "0", "FEEDBACK_DATABASE_URL": ""}
    command = [sys.executable, "-m", "uvicorn", "--factory", "feedback_pipeline.capture.app:from_environment"]
    options = ["--port", str(port), "--workers", str(workers), "--log-level", "error", "--no-access-log"]
    options += ["--timeout-keep-alive", "75"]
    server = subprocess.Popen([*command, *options], env=environment)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url)
        yield Stage(database, key, url, home)
    finally:
        server.terminate()
        server.wait(20)
        database.engine.dispose()
        embedded.release(home / "postgres")
        time.sleep(1)
        shutil.rmtree(home, ignore_errors=True)


def _wait(url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError("the service did not start")


def populate(stage: Stage, votes: int) -> float:
    """Fills the tables; returns the seconds."""
    started = time.perf_counter()
    answers, events = (LOAD / "populate.sql").read_text().split(";", 2)[:2]
    with psycopg.connect(stage.database.address(), autocommit=True) as connection:
        connection.execute(answers)
        for first in range(1, votes + 1, CHUNK):
            connection.execute(events, {"first": first, "last": min(first + CHUNK - 1, votes)})
        connection.execute("SELECT fold_counts()")
        connection.execute("VACUUM ANALYZE")
    return time.perf_counter() - started


def pgbench(stage: Stage) -> tuple[float, float]:
    """Writes a second and mean milliseconds of `pgbench` calling the service's own function, one vote at a time."""
    command = [str(embedded.binaries() / "pgbench"), "-n", "-M", "prepared", "-c", str(CONNECTIONS), "-j", "1"]
    command += ["-T", str(SECONDS), "-f", str(LOAD / "one_vote.sql"), stage.database.address()]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"PGOPTIONS": "-c role=feedback_api"}
    )
    if done.returncode:
        raise RuntimeError(f"pgbench failed: {done.stderr[-500:]}")
    rate = float(done.stdout.split("tps = ")[1].split()[0])
    return rate, 1000 * CONNECTIONS / rate


def wrk(stage: Stage) -> tuple[float, float] | None:
    """Votes a second over HTTP and p99 milliseconds; None where wrk is not installed."""
    path = shutil.which("wrk")
    if path is None:
        return None
    command = [path, "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", str(LOAD / "one_vote.lua"), stage.url, "--"]
    done = subprocess.run([*command, stage.key, str(time.time_ns())], capture_output=True, text=True, check=True)
    requests, microseconds, refused, _, p99 = done.stdout.split("RESULT ")[1].split()
    if int(refused):
        raise RuntimeError(f"{refused} requests were refused")
    return int(requests) / (int(microseconds) / 1e6), float(p99)


async def open_loop(stage: Stage, rate: int = 200, seconds: int = 10) -> list[float]:
    """Milliseconds of votes sent at a fixed rate, whether or not earlier ones are answered."""
    times: list[float] = []
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(base_url=stage.url, headers=stage.headers(), limits=limits, timeout=30) as client:

        async def one(number: int) -> None:
            vote = {"kind": "explicit", "thumb": True, "user_id": f"o-{number}",
                    "interaction_id": f"00000000-0000-7000-8000-{number % 10000 + 1:012x}"}  # fmt: skip
            started = time.perf_counter()
            answer = await client.post("/v1/feedback", json=vote, headers={"Idempotency-Key": f"o-{time.time_ns()}"})
            times.append((time.perf_counter() - started) * 1000)
            assert answer.status_code == 201

        tasks = []
        begun = time.perf_counter()
        for number in range(rate * seconds):
            await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
            tasks.append(asyncio.create_task(one(number)))
        await asyncio.gather(*tasks)
    return sorted(times[rate:])  # the first second warms up


def batches(stage: Stage, number: int, threads: int = 2) -> float:
    """Votes a second in batches of 5,000."""
    bodies = [
        json.dumps({"items": [
            {"kind": "explicit", "thumb": item % 5 > 0, "user_id": f"b-{time.time_ns()}-{item}",
             "interaction_id": f"00000000-0000-7000-8000-{item % 10000 + 1:012x}"}
            for item in range(BATCH)
        ]}).encode()
        for _ in range(number)
    ]  # fmt: skip
    shares = [bodies[thread::threads] for thread in range(threads)]

    def send(share: list[bytes]) -> None:
        with httpx.Client(base_url=stage.url, headers=stage.headers(), timeout=120) as client:
            for body in share:
                answer = client.post("/v1/feedback/batch", content=body, headers={"Content-Type": "application/json"})
                assert answer.json()["stored"] == BATCH

    workers = [threading.Thread(target=send, args=(share,)) for share in shares]
    started = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return number * BATCH / (time.perf_counter() - started)


def read(stage: Stage, path: str, times: int = 60) -> float:
    """p95 milliseconds of a read over HTTP."""
    taken = []
    with httpx.Client(base_url=stage.url, headers=stage.headers()) as client:
        for _ in range(times):
            started = time.perf_counter()
            assert client.get(path).status_code == 200
            taken.append((time.perf_counter() - started) * 1000)
    return statistics.quantiles(taken, n=20)[-1]


def _row(
    work: str, ours: float | None, peer: float | None, unit: str, note: str, *, more_is_better: bool
) -> dict[str, Any]:
    ratio = None
    if ours and peer:
        ratio = round(ours / peer if more_is_better else peer / ours, 2)
    shown = [None if value is None else f"{value:,.1f} {unit}" for value in (ours, peer)]
    return {"work": work, "ours": shown[0], "peer": shown[1], "ratio": ratio, "note": note}


def rows(votes: int | None = None) -> list[dict[str, Any]]:
    """The rows of the performance table."""
    large = votes or int(os.environ.get("FEEDBACK_BENCH_VOTES") or 1_000_000)
    found: list[dict[str, Any]] = []
    sizes: dict[int, float] = {}
    for size in (10_000, large):
        with staged(workers=1) as stage:
            populate(stage, size)
            found += _writes(stage, size, sizes)
            found += _reads(stage, size)
        with staged(workers=2) as stage:
            populate(stage, 0 if size < large else size)
            rate = batches(stage, 20 if size < large else 40)
            size_shown = "empty tables" if size < large else f"{size:,} votes"
            note = f"batches of {BATCH:,} over HTTP, 2 processes, 2 connections"
            found.append(_row(f"votes in batches, {size_shown}", rate, None, "votes/s", note, more_is_better=True))
    cost = sizes[large] / sizes[10_000]
    note = (
        "mean time of one full write in pgbench, large table against small: more index pages per insert, colder cache"
    )
    found.append({"work": f"cost of an insert at {large:,} votes", "ours": f"{cost:.2f} ×", "peer": None, "ratio": None,
                  "note": note})  # fmt: skip
    return found


def _writes(stage: Stage, size: int, sizes: dict[int, float]) -> list[dict[str, Any]]:
    peer, sizes[size] = pgbench(stage)
    ours = wrk(stage)
    times = asyncio.run(open_loop(stage))
    p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
    durable = f"{CONNECTIONS} connections, one process; peer: pgbench, the same function, one vote a call"
    note = durable if ours else "wrk is not installed"
    rate = _row(
        f"one durable vote, {size:,} votes", ours[0] if ours else None, peer, "votes/s", note, more_is_better=True
    )
    late = _row(
        f"vote at 200 a second, p99, {size:,} votes", p99, None, "ms", f"p50 {p50:.1f} ms", more_is_better=False
    )
    return [rate, late]


def _reads(stage: Stage, size: int) -> list[dict[str, Any]]:
    paths = {"accuracy": "/v1/feedback/accuracy", "statistics, 90 days": "/v1/feedback/stats?days=90",
             "statistics of one model": "/v1/feedback/stats?days=90&model=m-1"}  # fmt: skip
    return [
        _row(f"{name}, p95, {size:,} votes", read(stage, path), None, "ms", "over HTTP", more_is_better=False)
        for name, path in paths.items()
    ]


if __name__ == "__main__":
    for row in rows():
        print(row)
