"""A day with the loop as its users have it: a command interrupted, the daemon going on, a late vote, a backfill."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from feedback_pipeline.calendar import monday_of
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import changes
from feedback_pipeline.store.embedded import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
WEEK = monday_of(datetime.now(UTC).date()) - timedelta(weeks=1)
REPOSITORY = {"repositoryLocationName": "feedback_pipeline", "repositoryName": "__repository__"}
RUNS = """{runsOrError(limit: 500){... on Runs{results{jobName status runId parentRunId
  repositoryOrigin{repositoryLocationName} tags{key value} stats{... on RunStatsSnapshot{stepsSucceeded}}}}}}"""
LAUNCH = """mutation($p: ExecutionParams!){launchRun(executionParams: $p){__typename
  ... on LaunchRunSuccess{run{runId}} ... on PythonError{message}
  ... on RunConfigValidationInvalid{errors{message}}}}"""
TERMINATE = """mutation($run: String!){terminateRun(runId: $run){__typename
  ... on TerminateRunFailure{message} ... on PythonError{message}}}"""
AGAIN = """mutation($p: ReexecutionParams!){launchRunReexecution(reexecutionParams: $p){__typename
  ... on LaunchRunSuccess{run{runId}} ... on PythonError{message}}}"""
BACKFILL = """mutation($p: LaunchBackfillParams!){launchPartitionBackfill(backfillParams: $p){__typename
  ... on LaunchBackfillSuccess{backfillId} ... on PythonError{message}}}"""
TICKS = """query($s: SensorSelector!){sensorOrError(sensorSelector: $s){... on Sensor{sensorState{status
  ticks(limit: 500){status runIds error{message}}}}}}"""
PARTITIONS = """query($key: AssetKeyInput!, $of: [String!]){assetNodeOrError(assetKey: $key){... on AssetNode{
  latestMaterializationByPartition(partitions: $of){partition runId}}}}"""
STILL = 300.0
"""Seconds in which not a single event of a run comes, after which something hangs. How long things take is not tested:
the machine may be busy."""


class Home:
    """One home folder, the commands run in it, and the UI of its `feedback dev`."""

    def __init__(self, folder: Path) -> None:
        self.port, self.api_port = free_port(), free_port()
        self.environment = {
            **os.environ, "FEEDBACK_HOME": str(folder / "home"), "FEEDBACK_START": str(WEEK - timedelta(weeks=1)),
            "FEEDBACK_QUIET": "1", "FEEDBACK_AUTOMATION": "1",
        }  # fmt: skip

    @property
    def pipeline(self) -> Pipeline:
        return Pipeline(Settings.from_environment(self.environment))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-u", "-m", "feedback_pipeline.cli", *arguments]
        return subprocess.Popen(
            command, env=self.environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def graphql(self, query: str, **variables: Any) -> Any:
        data = json.dumps({"query": query, "variables": variables}).encode()
        address = f"http://127.0.0.1:{self.port}/graphql"
        request = urllib.request.Request(address, data=data, headers={"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return json.loads(answer.read()).get("data")
        except (urllib.error.URLError, OSError):
            return None

    def runs(self, job: str, partition: date | None = None) -> list[dict[str, Any]]:
        found = ((self.graphql(RUNS) or {}).get("runsOrError") or {}).get("results", [])
        wanted = {"key": "dagster/partition", "value": str(partition)}
        return [one for one in found if one["jobName"] == job and (partition is None or wanted in one["tags"])]

    def ended(self, job: str, partition: date | None = None) -> int:
        return sum(one["status"] == "SUCCESS" for one in self.runs(job, partition))

    def status(self, run: str) -> str:
        found = ((self.graphql(RUNS) or {}).get("runsOrError") or {}).get("results", [])
        return next((one["status"] for one in found if one["runId"] == run), "")

    def wait_for(self, look: Callable[[], Any]) -> Any:
        """What a look finds at last; nothing where no run gets on any more."""
        seen, since = "", time.monotonic()
        while time.monotonic() - since < STILL:
            if found := look():
                return found
            now = json.dumps(self.graphql(RUNS))
            if now != seen:
                seen, since = now, time.monotonic()
            time.sleep(0.5)
        return None

    def launch(self, job: str, partition: date, config: dict[str, Any]) -> str:
        tags = [{"key": "dagster/partition", "value": str(partition)}]
        selector = {**REPOSITORY, "pipelineName": job}
        given = {"selector": selector, "mode": "default", "runConfigData": config, "executionMetadata": {"tags": tags}}
        launched = self.graphql(LAUNCH, p=given)["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return launched["run"]["runId"]

    def ticks(self, sensor: str) -> list[dict[str, Any]]:
        found = self.graphql(TICKS, s={**REPOSITORY, "sensorName": sensor})["sensorOrError"]["sensorState"]
        assert found["status"] == "RUNNING"
        return found["ticks"]

    def newest(self, asset: str, partition: date) -> str:
        """The run that made a partition."""
        found = self.graphql(PARTITIONS, key={"path": [asset]}, of=[str(partition)])["assetNodeOrError"]
        return found["latestMaterializationByPartition"][0]["runId"]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_interrupted_by_hand_finished_by_the_daemon_and_followed_when_a_vote_comes_late(home: Home) -> None:
    assert home.start("sample", "--votes", "150", "--weeks", "1").wait() == 0
    command = home.start("materialize")
    assert command.stdout is not None
    for line in command.stdout:
        if line.startswith("week"):  # its days are done, the week is under way
            command.send_signal(signal.SIGINT)
            break
    said = command.stdout.read()
    assert command.wait() == 130, said
    assert "stopping after what is being computed now" in said
    assert "Go on with: feedback materialize" in said

    service = home.start("dev", "--port", str(home.port), "--api-port", str(home.api_port))
    began = time.monotonic()

    def told(what: str) -> None:
        nonlocal began
        print(f"{what}: {time.monotonic() - began:.0f} s")
        began = time.monotonic()

    try:
        # what the command left is computed by the daemon, and the command's runs are the location's
        assert home.wait_for(lambda: home.ended("weekly_loop", WEEK)), home.runs("weekly_loop")
        told("feedback dev started, and the week that was left computed by the daemon")
        every = [*home.runs("daily_loop"), *home.runs("weekly_loop")]
        origins = {one["repositoryOrigin"] and one["repositoryOrigin"]["repositoryLocationName"] for one in every}
        assert origins == {"feedback_pipeline"}

        _launched_stopped_and_run_again(home, told)
        _late_vote(home, told)
        _backfilled(home, told)

        for sensor in ("changed_days", "changed_weeks"):
            ticks = home.ticks(sensor)
            assert [one["error"] for one in ticks if one["status"] == "FAILURE"] == []
            asked = [run for one in ticks for run in one["runIds"]]
            print(f"{sensor}: {len(ticks)} ticks, {len(asked)} runs asked for")
            assert len(asked) == len(set(asked)) >= 1
        assert [one for one in home.runs("daily_loop") if one["status"] == "FAILURE"] == []
        today = datetime.now(UTC).date()  # rows that were refused came today, which is not over
        assert [one.day for one in changes.due(home.pipeline.database) if one.day < today] == []
        assert "daemon: alive" in _said(home.start("status"))
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait(60)


def _launched_stopped_and_run_again(home: Home, told: Callable[[str], None]) -> None:
    """From the Launchpad, with a choice; terminated in the middle; executed again from where it was."""
    before = home.newest("weekly_report", WEEK)
    config = {"ops": {"judge_sample": {"config": {"judge_sample_size": 5}}}}
    run = home.launch("weekly_loop", WEEK, config)
    assert home.wait_for(lambda: _steps(home, run) >= 2)
    told("launched with a choice, under way")
    assert home.graphql(TERMINATE, run=run)["terminateRun"]["__typename"] == "TerminateRunSuccess"
    assert home.wait_for(lambda: home.status(run) == "CANCELED")
    told("terminated")
    assert home.newest("weekly_report", WEEK) == before, "what was not reached is as it was"
    again = home.graphql(AGAIN, p={"parentRunId": run, "strategy": "FROM_FAILURE"})["launchRunReexecution"]
    assert again["__typename"] == "LaunchRunSuccess", again
    assert home.wait_for(lambda: home.status(again["run"]["runId"]) == "SUCCESS")
    assert home.newest("weekly_report", WEEK) == again["run"]["runId"]
    told("executed again")


def _late_vote(home: Home, told: Callable[[str], None]) -> None:
    weeks, days = home.ended("weekly_loop", WEEK), home.ended("daily_loop")
    with home.pipeline.database.engine.begin() as connection:
        changed = sa.text(
            "UPDATE feedback SET comment = 'it came late' WHERE id = (SELECT id FROM feedback WHERE day >= :first"
            " AND day < :first + 7 AND kind = 'explicit' AND superseded_by IS NULL ORDER BY id LIMIT 1) RETURNING day"
        )
        day = connection.execute(changed, {"first": WEEK}).scalar_one()
    told("a vote changed")
    assert home.wait_for(lambda: home.ended("daily_loop") > days)
    told("late vote: its day is current")
    assert home.newest("clean_feedback", day) == home.runs("daily_loop", day)[0]["runId"]
    assert home.wait_for(lambda: home.ended("weekly_loop", WEEK) > weeks)
    told("late vote: its week is current")


def _backfilled(home: Home, told: Callable[[str], None]) -> None:
    days = home.ended("__ASSET_JOB")
    selection = [{"path": [name]} for name in ("clean_feedback", "vote_facts")]
    names = [str(WEEK + timedelta(days=offset)) for offset in range(5)]
    launched = home.graphql(BACKFILL, p={"assetSelection": selection, "partitionNames": names})
    assert launched["launchPartitionBackfill"]["__typename"] == "LaunchBackfillSuccess", launched
    assert home.wait_for(lambda: home.ended("__ASSET_JOB") > days)
    made = {home.newest("vote_facts", WEEK + timedelta(days=offset)) for offset in range(5)}
    assert len(made) == 1, "five days are one run"
    told("backfill of five days")


def _steps(home: Home, run: str) -> int:
    found = ((home.graphql(RUNS) or {}).get("runsOrError") or {}).get("results", [])
    return next((one["stats"].get("stepsSucceeded") or 0 for one in found if one["runId"] == run), 0)


def _said(process: subprocess.Popen[str]) -> str:
    said = process.communicate()[0]
    assert process.returncode == 0, said
    return said
