"""The deployed services when something goes: the database for 20 seconds, the code server, a run's process.

What was under way is computed again by itself, what comes out is what an undisturbed machine makes, and a person finds
a sentence that says what happened.
"""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from feedback_pipeline.store.database import Database, create_missing_databases
from tests.support.deployment import Deployment
from tests.support.home import WEEK, Home
from tests.support.way import Way
from tests.support.world import files_of

pytestmark = pytest.mark.skipif("FEEDBACK_CHAOS_KILLS" not in os.environ, reason="takes minutes: make test-chaos")
CUT_SECONDS = 20.0
VOTES = "300"
EVENTS = """query($run: ID!){logsForRun(runId: $run){... on EventConnection{events{__typename
  ... on MessageEvent{message} ... on ExecutionStepFailureEvent{error{message} failureMetadata{description}}
  ... on RunFailureEvent{error{message errorChain{error{message}}}}}}}}"""


@pytest.fixture
def way(database: Database) -> Iterator[Way]:
    parts = urlsplit(database.url)
    made = Way((parts.hostname or "127.0.0.1", parts.port or 5432))
    yield made
    made.close()


@pytest.fixture
def undisturbed(tmp_path: Path, database: Database) -> dict[str, bytes]:
    """The files that one command makes of the same votes in the same store; the store is as before afterwards."""
    home = Home(tmp_path / "undisturbed", {
        "FEEDBACK_HOME": str(tmp_path / "home"), "FEEDBACK_DATABASE_URL": database.url, "FEEDBACK_START": str(WEEK),
        "FEEDBACK_TRAINING_FORMATS": "trl", "FEEDBACK_DATA_URL": str(tmp_path / "undisturbed-data"),
    })  # fmt: skip
    assert home.start("sample", "--votes", VOTES, "--weeks", "1").wait() == 0
    copy = f"{database.name}_before"
    maintenance = database.url.replace(f"/{database.name}", "/postgres")
    database.engine.dispose()
    with psycopg.connect(maintenance, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {copy} TEMPLATE {database.name}")
    home.environment["FEEDBACK_DATABASE_URL"] = database.url.replace(f"/{database.name}", f"/{copy}")
    command = home.start("materialize")
    said = command.communicate()[0]
    assert command.returncode == 0, said
    return files_of(home.pipeline)


@pytest.fixture
def deployment(
    tmp_path: Path, database: Database, way: Way, undisturbed: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployment]:
    create_missing_databases(database)
    parts = urlsplit(database.url)
    made = Deployment(tmp_path / "deployed", {
        "FEEDBACK_HOME": str(tmp_path / "home"), "FEEDBACK_START": str(WEEK), "FEEDBACK_TRAINING_FORMATS": "trl",
        "FEEDBACK_DATABASE_URL": database.url.replace(f":{parts.port}/", f":{way.port}/"),
    })  # fmt: skip
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", database.dagster_url)  # for the test itself: not by the way
    with made.deployed():
        yield made


def under_way(deployment: Deployment, steps: int = 3) -> str:
    """The weekly run, some steps into it."""

    def far_enough() -> str | None:
        runs = deployment.runs("weekly_loop", WEEK)
        return next((one["runId"] for one in runs if (one["stats"].get("stepsSucceeded") or 0) >= steps
                     and one["status"] == "STARTED"), None)  # fmt: skip

    run = deployment.wait_for(far_enough)
    assert run, (deployment.runs("weekly_loop"), deployment.log("daemon")[-3000:])
    return str(run)


def computed_after_all(deployment: Deployment, undisturbed: dict[str, bytes]) -> None:
    assert deployment.wait_for(lambda: deployment.ended("weekly_loop", WEEK)), deployment.log("daemon")[-3000:]
    # what a run was told to finish is finished before the files are compared
    assert deployment.wait_for(
        lambda: not [one for one in deployment.runs("weekly_loop") if one["status"] in ("QUEUED", "STARTED")]
    )
    made = files_of(deployment.pipeline)
    weekly = {name for name in undisturbed if str(WEEK) in name}
    assert len(weekly) > 20
    assert {name for name in weekly if made.get(name) != undisturbed[name]} == set()
    assert {name for name in made if name.endswith(".partial")} == set()


def said_of(deployment: Deployment, run: str) -> str:
    """Everything that the events of a run say."""
    found = deployment.graphql(EVENTS, run=run)["logsForRun"]["events"]
    return "\n".join(str(one) for one in found)


def test_the_database_is_gone_for_twenty_seconds(
    deployment: Deployment, way: Way, undisturbed: dict[str, bytes]
) -> None:
    run = under_way(deployment)
    way.cut()
    time.sleep(CUT_SECONDS)
    way.mend()
    mended = time.monotonic()
    computed_after_all(deployment, undisturbed)
    print(f"\nthe week was there {time.monotonic() - mended:.0f} s after the database came back; "
          f"the run that was cut: {deployment.status(run)}")  # fmt: skip
    assert deployment.alive() == {"code", "daemon", "web"}
    said = said_of(deployment, run)
    # where it was noticed: in a step, in Dagster's storage, by whoever missed the process
    sentences = ("the database cannot be reached", "too many retries for DB connection", "Its process ended without")
    assert any(one in said for one in sentences), said[-3000:]


def test_the_code_server_is_restarted_while_a_run_goes_on(
    deployment: Deployment, undisturbed: dict[str, bytes]
) -> None:
    run = under_way(deployment)
    deployment.stop_code_server()
    time.sleep(5)
    deployment.start_code_server()
    began = time.monotonic()
    computed_after_all(deployment, undisturbed)
    print(f"\nthe week was there {time.monotonic() - began:.0f} s after the code server; "
          f"the run under way: {deployment.status(run)}")  # fmt: skip


def test_the_process_of_a_run_is_killed(deployment: Deployment, undisturbed: dict[str, bytes]) -> None:
    run = under_way(deployment)
    workers = deployment.workers(run)
    assert workers
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    computed_after_all(deployment, undisturbed)
    print(f"\nthe week was there {time.monotonic() - began:.0f} s after the kill; {deployment.status(run)}")
    # whoever sees it first: the code server, or the sensor
    said = said_of(deployment, run)
    assert "terminated by signal 9 (SIGKILL)" in said or "Its process ended without saying so" in said, said[-3000:]
