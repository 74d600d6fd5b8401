"""The weekly loop on a Ray cluster of two nodes: the daemon asks, each step has a worker, and what comes out is to the
byte what one process makes; also where a worker dies in mid-step, a node is lost, and a step is owned twice.

By hand (`make test-ray`): PostgreSQL over TCP, an S3 server, the real daemon. FEEDBACK_TEST_RAY_VOTES says how many
votes. The nodes share no home folder.
"""

import hashlib
import os
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from upath import UPath

from feedback_pipeline.store import embedded
from feedback_pipeline.store.database import Database, create_missing_databases, migrate
from feedback_pipeline.tables.parquet import files_below
from tests.support.home import AGAIN, WEEK, Home
from tests.support.ray_cluster import Cluster, two_nodes

DISTURBED_ONLY = os.environ.get("FEEDBACK_TEST_RAY") == "disturbed"
"""Without the whole loop on the cluster, which takes minutes on a small machine."""
VOTES = int(os.environ.get("FEEDBACK_TEST_RAY_VOTES", "2000"))
FORMATS = "trl"
CHOSEN = ["slice_findings", "training_examples", "sft_file", "weekly_report"]
"""Steps of the tests that disturb: each takes a worker of its own to start."""
OVER = {"SUCCESS", "FAILURE", "CANCELED"}
STEPS = "query($run: ID!){runOrError(runId: $run){... on Run{stepStats{stepKey status}}}}"
PATIENCE = 900.0
"""Seconds that a busy machine may take to come to a step."""
CONFIG = """
storage:
  postgres:
    postgres_url:
      env: DAGSTER_POSTGRES_URL
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
  config:
    dequeue_interval_seconds: 1
concurrency:
  runs:
    max_concurrent_runs: 4
telemetry:
  enabled: false
"""
"""The instance without the limit that keeps two runs of one week apart: the last test wants them side by side."""

pytestmark = [
    pytest.mark.skipif("FEEDBACK_TEST_RAY" not in os.environ, reason="by hand: make test-ray"),
    pytest.mark.skipif(
        os.name != "posix" or os.geteuid() != 0, reason="gives each node a folder of its own: needs root"
    ),
]


@dataclass(frozen=True)
class World:
    """The same votes twice: one store for one process, one for the cluster."""

    alone: Home
    spread: Home
    cluster: Cluster


@pytest.fixture(scope="module")
def world(server: embedded.Layout, s3: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    from s3fs import S3FileSystem

    folder = tmp_path_factory.mktemp("world")
    homes = {}
    for name in ("alone", "spread"):
        S3FileSystem().mkdir(f"feedback-{name}")
        homes[name] = Home(folder / name, {
            "FEEDBACK_DATABASE_URL": server.url(name), "FEEDBACK_DATA_URL": f"s3://feedback-{name}/loop",
            "FEEDBACK_TRAINING_FORMATS": FORMATS, "FEEDBACK_START": str(WEEK),
        })  # fmt: skip
    alone, spread = homes["alone"], homes["spread"]
    database = Database(server.url("alone"))
    create_missing_databases(database)
    migrate(database, "UTC")
    database.engine.dispose()
    succeeded(alone, "sample", "--votes", str(VOTES), "--weeks", "1")
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'alone'")
        connection.execute("CREATE DATABASE spread TEMPLATE alone")
    keys = folder / "keys.json"
    shutil.copyfile(folder / "alone" / "home" / "keys.json", keys)
    home = folder / "spread" / "home"
    dagster = folder / "dagster"
    for path in (home, dagster):
        path.mkdir(parents=True)
    shutil.copyfile(keys, home / "keys.json")
    (dagster / "dagster.yaml").write_text(CONFIG)
    with two_nodes(folder, spread.environment, keys) as cluster:
        spread.environment |= {
            "FEEDBACK_AUTOMATION": "0" if DISTURBED_ONLY else "1",
            "FEEDBACK_EXECUTOR": "ray", "RAY_ADDRESS": cluster.address, "DAGSTER_HOME": str(dagster),
        }  # fmt: skip
        create_missing_databases(Database(server.url("spread")))
        with spread.services():
            yield World(alone, spread, cluster)


def succeeded(home: Home, *arguments: str) -> str:
    process = home.start(*arguments)
    said = process.communicate()[0]
    assert process.returncode == 0, said
    return said


def written(home: Home) -> dict[str, str]:
    """Digest of every object of the loop."""
    root = UPath(home.environment["FEEDBACK_DATA_URL"])
    return {
        str(path).removeprefix(str(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files_below(root)
    }


def computed(home: Home, ask: Callable[[], Any] = lambda: None) -> dict[str, Any]:
    """The next run of the week that succeeds."""
    before = {one["runId"] for one in home.runs("weekly_loop", WEEK) if one["status"] == "SUCCESS"}
    ask()

    def found() -> dict[str, Any] | None:
        every = home.runs("weekly_loop", WEEK)
        return next((one for one in every if one["status"] == "SUCCESS" and one["runId"] not in before), None)

    run = home.wait_for(found)
    assert run is not None, home.runs("weekly_loop", WEEK)
    return dict(run)


def same_bytes(world: World) -> None:
    alone, spread = written(world.alone), written(world.spread)
    assert f"/weekly_report/{WEEK}.html" in alone
    assert {name for name, digest in alone.items() if spread.get(name) != digest} == set()
    assert spread.keys() == alone.keys(), "nothing half-written is left"
    print(f"{len(alone)} objects, the same bytes")


def week_is_there(world: World) -> None:
    """Both stores computed, the cluster's by a command of its own process where the cluster has not done it."""
    for home in (world.alone, world.spread):
        if f"/weekly_report/{WEEK}.html" not in written(home):
            succeeded(home, "materialize")


def ended(world: World, *runs: str) -> list[str]:
    """How runs ended."""
    assert world.spread.wait_for(lambda: all(world.spread.status(run) in OVER for run in runs))
    return [world.spread.status(run) for run in runs]


def in_mid_step(world: World, run: str, *, newest_node: bool = False) -> int:
    """The process that computes a step of a run, once the step has begun."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = world.spread.graphql(STEPS, run=run)["runOrError"]["stepStats"]
        begun = {one["stepKey"] for one in found if one["status"] == "IN_PROGRESS"}
        for step, pid in world.cluster.steps(newest_node=newest_node).items():
            if step in begun:
                return pid
        time.sleep(0.1)
    raise AssertionError(world.spread.status(run))


@pytest.mark.skipif(DISTURBED_ONLY, reason="FEEDBACK_TEST_RAY=disturbed")
def test_one_process_and_two_nodes_make_the_same_bytes(world: World) -> None:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    said = succeeded(world.alone, "materialize")
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    steps = [line.split() for line in said.splitlines() if line.startswith("  ") and line.endswith(" s")]
    shares = {name: float(seconds) for name, seconds, _ in steps}
    print(f"\n{VOTES:,} votes, one process: {wall:.1f} s, "
          f"{after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime:.1f} s CPU, "
          f"{sum(shares.values()):.1f} s in {len(shares)} steps")  # fmt: skip
    print(
        "its longest steps: "
        + ", ".join(f"{name} {seconds:.1f}" for name, seconds in sorted(shares.items(), key=lambda one: -one[1])[:12])
    )
    week = computed(world.spread)
    days = world.spread.runs("daily_loop")
    assert all(one["status"] == "SUCCESS" for one in days), days
    took = [one["endTime"] - one["startTime"] for one in (*days, week)]
    print(f"two nodes: {sum(took):.1f} s in {len(took)} runs ({', '.join(f'{one:.1f}' for one in took)})")
    print(f"steps, one process: {shares}")
    same_bytes(world)


@pytest.mark.parametrize("lost", ["a worker", "a node"])
def test_what_is_lost_in_mid_step_costs_a_run_and_nothing_else(world: World, lost: str) -> None:
    week_is_there(world)
    run = world.spread.launch("weekly_loop", WEEK, {}, CHOSEN)
    process = in_mid_step(world, run, newest_node=lost == "a node")
    if lost == "a worker":
        os.kill(process, signal.SIGKILL)
    else:
        world.cluster.lose_node()
    assert ended(world, run) == ["FAILURE"]
    again = world.spread.graphql(AGAIN, p={"parentRunId": run, "strategy": "FROM_FAILURE"})["launchRunReexecution"]
    assert again["__typename"] == "LaunchRunSuccess", again
    assert ended(world, again["run"]["runId"]) == ["SUCCESS"]
    print(f"\n{lost} lost in mid-step: FAILURE, executed again from there: SUCCESS")
    same_bytes(world)
    if lost == "a node":
        world.cluster.add_node()


def test_two_runs_that_own_every_step_leave_what_one_leaves(world: World) -> None:
    week_is_there(world)
    runs = [world.spread.launch("weekly_loop", WEEK, {}, CHOSEN) for _ in range(2)]
    assert ended(world, *runs) == ["SUCCESS", "SUCCESS"]
    found = {one["runId"]: one for one in world.spread.runs("weekly_loop", WEEK)}
    first, second = (found[run] for run in runs)
    assert max(first["startTime"], second["startTime"]) < min(first["endTime"], second["endTime"]), "side by side"
    print("\ntwo runs of the same steps side by side: SUCCESS, SUCCESS")
    same_bytes(world)
