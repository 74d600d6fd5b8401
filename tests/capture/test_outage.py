"""PostgreSQL stopped, and killed with votes in flight: no acknowledged vote is lost, none is counted twice."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from feedback_pipeline.capture import key_store
from feedback_pipeline.console.app import create_app
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import embedded
from feedback_pipeline.store.database import open_database
from tests.support.serving import serve

VOTE: dict[str, Any] = {"query": "q", "response": "r", "rating": 1}


class Stage:
    """A service on a PostgreSQL of its own, which may be killed."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "postgres"
        settings = Settings.from_environment({"FEEDBACK_HOME": str(home)})
        self.database = open_database(settings)
        self.url, self.stop = serve(create_app(settings, address=self.database.address()))
        key = key_store.create(self.database, "test", ("write", "read"))[1]
        self.headers = {"Authorization": f"Bearer {key}"}

    def kill(self) -> None:
        """kill −9 of the server; the processes that serve connections go with it."""
        pid = int((self.folder / "data" / "postmaster.pid").read_text().split("\n")[0])
        os.kill(pid, signal.SIGKILL)

    def restart(self) -> None:
        deadline = time.monotonic() + 120
        while True:
            try:
                embedded.ensure_running(self.folder)
                with psycopg.connect(self.database.address(), connect_timeout=2):
                    return
            except (embedded.EmbeddedPostgresError, psycopg.OperationalError):
                assert time.monotonic() < deadline
                time.sleep(0.1)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path / "home")
    yield stage
    stage.stop()
    stage.database.engine.dispose()
    embedded.release(stage.folder)


def test_while_the_database_is_away_the_answer_is_503_at_once_and_then_all_is_well(stage: Stage) -> None:
    with httpx.Client(base_url=stage.url, headers=stage.headers, timeout=10) as client:
        assert client.post("/v1/feedback", json=VOTE).status_code == 201
        stage.kill()
        time.sleep(0.3)
        for method, path in (("POST", "/v1/feedback"), ("GET", "/v1/feedback/stats"), ("GET", "/readyz")):
            started = time.perf_counter()
            answer = client.request(method, path, json=VOTE if method == "POST" else None)
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.headers["content-type"] == "application/problem+json"
            assert time.perf_counter() - started < 4.0  # a database that is there is waited for five
        assert client.get("/healthz").status_code == 200
        stage.restart()
        deadline = time.monotonic() + 60
        while client.post("/v1/feedback", json=VOTE).status_code != 201:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def wait_for_more(acknowledged: dict[str, str], votes: int = 100) -> None:
    wanted, deadline = len(acknowledged) + votes, time.monotonic() + 120
    while len(acknowledged) < wanted:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_killed_with_votes_in_flight_nothing_acknowledged_is_lost_or_doubled(stage: Stage) -> None:
    acknowledged: dict[str, str] = {}
    ending = threading.Event()
    totals = {"sent": 0, "refused": 0}

    def run(number: int) -> None:
        with httpx.Client(base_url=stage.url, headers=stage.headers, timeout=10) as client:
            while not ending.is_set():
                key = uuid4().hex
                for _ in range(200):  # until it is acknowledged, as a client with retries would
                    totals["sent"] += 1
                    try:
                        vote = VOTE | {"query": key, "user_id": f"u-{number}"}
                        answer = client.post("/v1/feedback", json=vote, headers={"Idempotency-Key": key})
                    except httpx.TransportError:
                        continue
                    if answer.status_code in {200, 201}:
                        acknowledged[key] = answer.json()["id"]
                        break
                    totals["refused"] += 1
                    time.sleep(0.05)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            wait_for_more(acknowledged)
            stage.kill()
            time.sleep(0.3)
            stage.restart()
        wait_for_more(acknowledged)
    finally:
        ending.set()
        for thread in threads:
            thread.join()
    with psycopg.connect(stage.database.address()) as connection:
        stored = dict(connection.execute("SELECT i.prompt, f.id::text FROM feedback f JOIN interaction i"
                                         " ON i.id = f.interaction_id").fetchall())  # fmt: skip
        (events,) = connection.execute("SELECT count(*) FROM feedback").fetchone() or (0,)
        connection.execute("SELECT fold_counts()")
        (counted,) = connection.execute("SELECT sum(votes) FROM vote_total").fetchone() or (0,)
    assert totals["refused"] > 0  # the outage was felt
    assert acknowledged.items() <= stored.items()
    assert events == len(stored)  # no key is there twice
    assert counted == events
