"""`feedback serve` with several processes: one service to its callers."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from feedback_pipeline.capture import key_store
from feedback_pipeline.store import embedded
from feedback_pipeline.store.database import Database

VOTE: dict[str, Any] = {"query": "q", "response": "r", "rating": 1}
WORKERS = 2
ALLOWANCE = 100
"""Requests a minute: few enough that a slow machine uses them up, many enough for the first test (76)."""


class Served:
    """The command in a process of its own, with the workers it started."""

    def __init__(self, database: Database, home: Path, tenant: str) -> None:
        self.key = key_store.create(database, "test", ("write", "read"), tenant)[1]
        self.url = f"http://127.0.0.1:{embedded.free_port()}"
        environment = os.environ | {
            "FEEDBACK_HOME": str(home),
            "FEEDBACK_DATABASE_URL": database.url,
            "FEEDBACK_KEY_REQUESTS": str(ALLOWANCE),
        }
        command = [sys.executable, "-m", "feedback_pipeline.cli", "serve", "--workers", str(WORKERS)]
        command += ["--port", self.url.rpartition(":")[2]]
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)

    def wait(self) -> None:
        deadline = time.monotonic() + 180  # three processes load everything, on whatever machine this is
        while True:
            try:
                if httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200:
                    return
            except httpx.TransportError:
                assert self.process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def post(self, path: str, body: Any, key: str | None = None) -> httpx.Response:
        """On a connection of its own, so that any worker may take it."""
        headers = {"Authorization": f"Bearer {self.key}"} | ({"Idempotency-Key": key} if key else {})
        return httpx.post(f"{self.url}{path}", json=body, headers=headers, timeout=20)

    def workers(self) -> set[str]:
        """The processes that answer."""
        found = set()
        for _ in range(40):
            text = httpx.get(f"{self.url}/metrics").text
            found |= {part.partition('"')[0] for part in text.split('process="')[1:]}
        return found


@pytest.fixture
def served(database: Database, tmp_path: Path, tenant: str) -> Iterator[Served]:
    # a store and keys of its own: other tests open the shared store with keys of other homes
    served = Served(database, tmp_path, tenant)
    try:
        served.wait()
        yield served
    finally:
        served.process.terminate()
        served.process.wait(20)


def test_several_processes_are_one_service(served: Served, database: Database, tenant: str) -> None:
    pids = served.workers()
    assert len(pids) == WORKERS

    # the same request to both, many times at once, is one vote
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: served.post("/v1/feedback", VOTE, "k-1"), range(24)))
    assert {answer.json()["id"] for answer in answers} == {answers[0].json()["id"]}

    # a batch through any of them is seen by all
    batch = {"items": [{"kind": "explicit", "request_id": f"r-{n}", "thumb": True} for n in range(500)]}
    with ThreadPoolExecutor(4) as pool:
        stored = [
            answer.json()["stored"] for answer in pool.map(lambda _: served.post("/v1/feedback/batch", batch), "1234")
        ]
    assert stored == [500] * 4
    headers = {"Authorization": f"Bearer {served.key}"}
    totals = {httpx.get(f"{served.url}/v1/feedback/stats", headers=headers).json()["total_feedback"] for _ in range(8)}
    assert totals == {2001}

    # a worker that is killed is replaced, and what the others acknowledged is there
    killed = int(min(pids))
    with ThreadPoolExecutor(4) as pool:
        outcomes = pool.map(lambda n: _acknowledged(served, f"kill-{n}"), range(40))
        os.kill(killed, signal.SIGKILL)
        ids = [outcome for outcome in outcomes if outcome]
    assert len(ids) == 40  # repeated under their keys until acknowledged
    with psycopg.connect(database.url) as connection:
        rows = connection.execute(
            "SELECT id::text FROM feedback WHERE tenant = %s AND idempotency_key LIKE 'kill-%%'", (tenant,)
        ).fetchall()
    assert sorted(row[0] for row in rows) == sorted(ids)
    deadline = time.monotonic() + 180
    while len(served.workers() - {str(killed)}) < WORKERS:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_rate_limits_hold_over_the_processes_of_a_service(served: Served) -> None:
    taken: Counter[int] = Counter()
    used_up: set[int] = set()
    # on however slow a machine: whole minutes count, of which one that ran out decides
    with ThreadPoolExecutor(8) as pool:
        while not used_up:
            for minute, status in pool.map(lambda _: _status_by_minute(served), range(40)):
                assert status in {201, 429}
                taken[minute] += status == 201
                used_up |= {minute} if status == 429 else set()
    # requests under way while a minute began may count to either side of it: eight at most
    assert max(taken.values()) <= ALLOWANCE + 8
    # a process holds a fiftieth of the allowance in advance: limits may bite that much early, never late
    assert max(taken[minute] for minute in used_up) >= ALLOWANCE - WORKERS * (ALLOWANCE // 50) - 8


def _status_by_minute(served: Served) -> tuple[int, int]:
    begun = time.time()
    status = served.post("/v1/feedback", VOTE).status_code
    return int(begun // 60), status


def _acknowledged(served: Served, key: str) -> str | None:
    for _ in range(100):
        try:
            answer = served.post("/v1/feedback", VOTE, key)
        except httpx.TransportError:
            continue  # the connection was the killed worker's
        if answer.status_code in {200, 201}:
            return str(answer.json()["id"])
    return None
