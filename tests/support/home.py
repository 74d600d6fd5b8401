"""`feedback dev` of one home, driven as people drive it: commands, GraphQL of the UI, the daemon's own runs."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from feedback_pipeline.calendar import monday_of
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.store.embedded import lasting_port

ROOT = Path(__file__).resolve().parent.parent.parent
WEEK = monday_of(datetime.now(UTC).date()) - timedelta(weeks=1)
REPOSITORY = {"repositoryLocationName": "feedback_pipeline", "repositoryName": "__repository__"}
RUNS = """{runsOrError(limit: 500){... on Runs{results{jobName status runId parentRunId startTime endTime
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

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.port, self.api_port = lasting_port(), lasting_port()
        self.environment = {
            **os.environ, "FEEDBACK_HOME": str(folder / "home"), "FEEDBACK_START": str(WEEK - timedelta(weeks=1)),
            "FEEDBACK_QUIET": "1", "FEEDBACK_AUTOMATION": "1", **(environment or {}),
        }  # fmt: skip

    @property
    def pipeline(self) -> Pipeline:
        return Pipeline(Settings.from_environment(self.environment))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-u", "-m", "feedback_pipeline.cli", *arguments]
        return subprocess.Popen(
            command, env=self.environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    @contextmanager
    def services(self) -> Iterator[subprocess.Popen[str]]:
        """`feedback dev`, stopped at the end."""
        service = self.start("dev", "--port", str(self.port), "--api-port", str(self.api_port))
        try:
            yield service
        finally:
            service.send_signal(signal.SIGTERM)
            service.wait(60)

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

    def steps(self, run: str) -> int:
        """How many steps of a run have succeeded."""
        found = ((self.graphql(RUNS) or {}).get("runsOrError") or {}).get("results", [])
        return next((one["stats"].get("stepsSucceeded") or 0 for one in found if one["runId"] == run), 0)

    def launch(self, job: str, partition: date, config: dict[str, Any], assets: Sequence[str] = ()) -> str:
        """A run as the Launchpad starts it, of a whole job or of some of its assets; returns its id."""
        tags = [{"key": "dagster/partition", "value": str(partition)}]
        selector: dict[str, Any] = {**REPOSITORY, "pipelineName": job}
        if assets:
            selector |= {"assetSelection": [{"path": [name]} for name in assets]}
        given = {"selector": selector, "mode": "default", "runConfigData": config, "executionMetadata": {"tags": tags}}
        launched = self.graphql(LAUNCH, p=given)["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return str(launched["run"]["runId"])

    def ticks(self, sensor: str) -> list[dict[str, Any]]:
        found = self.graphql(TICKS, s={**REPOSITORY, "sensorName": sensor})["sensorOrError"]["sensorState"]
        assert found["status"] == "RUNNING"
        return list(found["ticks"])

    def newest(self, asset: str, partition: date) -> str:
        """The run that made a partition."""
        found = self.graphql(PARTITIONS, key={"path": [asset]}, of=[str(partition)])["assetNodeOrError"]
        return str(found["latestMaterializationByPartition"][0]["runId"])
