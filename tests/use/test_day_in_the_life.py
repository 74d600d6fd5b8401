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
RUNS = "{runsOrError(limit: 200){... on Runs{results{jobName status runId repositoryOrigin{repositoryLocationName} " \
       "tags{key value}}}}}"  # fmt: skip
BACKFILL = (
    "mutation($p: LaunchBackfillParams!){launchPartitionBackfill(backfillParams: $p){__typename "
    "... on LaunchBackfillSuccess{backfillId} ... on PythonError{message}}}"
)


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


def wait_for(look: Callable[[], Any], seconds: float) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.5)
    return None


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_interrupted_by_hand_finished_by_the_daemon_and_followed_when_a_vote_comes_late(home: Home) -> None:
    assert home.start("sample", "--votes", "150", "--weeks", "2").wait() == 0
    command = home.start("materialize")
    assert command.stdout is not None
    for line in command.stdout:
        if line.startswith("week"):  # its days are done, the week is under way
            command.send_signal(signal.SIGINT)
            break
    said = command.stdout.read()
    assert command.wait(60) == 130, said
    assert "stopping after what is being computed now" in said
    assert "Go on with: feedback materialize" in said

    service = home.start("dev", "--port", str(home.port), "--api-port", str(home.api_port))
    try:
        # what the command left is computed by the daemon, and the command's runs are the location's
        assert wait_for(lambda: home.ended("weekly_loop", WEEK), 240), home.runs("weekly_loop")
        every = [*home.runs("daily_loop"), *home.runs("weekly_loop")]
        origins = {one["repositoryOrigin"] and one["repositoryOrigin"]["repositoryLocationName"] for one in every}
        assert origins == {"feedback_pipeline"}

        weeks, days = home.ended("weekly_loop", WEEK), home.ended("daily_loop")
        with home.pipeline.database.engine.begin() as connection:
            changed = sa.text(
                "UPDATE feedback SET comment = 'it came late' WHERE id = (SELECT id FROM feedback WHERE day >= :first"
                " AND day < :first + 7 AND kind = 'explicit' AND superseded_by IS NULL ORDER BY id LIMIT 1)"
            )
            assert connection.execute(changed, {"first": WEEK}).rowcount == 1
        late = time.monotonic()
        assert wait_for(lambda: home.ended("daily_loop") > days, 120)
        day_done = time.monotonic()
        assert wait_for(lambda: home.ended("weekly_loop", WEEK) > weeks, 180)
        print(f"late vote: its day after {day_done - late:.0f} s, its week after {time.monotonic() - late:.0f} s")

        days = home.ended("__ASSET_JOB")
        selection = [{"path": [name]} for name in ("clean_feedback", "vote_facts")]
        names = [str(WEEK + timedelta(days=offset)) for offset in range(5)]
        launched = home.graphql(BACKFILL, p={"assetSelection": selection, "partitionNames": names})
        assert launched["launchPartitionBackfill"]["__typename"] == "LaunchBackfillSuccess", launched
        assert wait_for(lambda: home.ended("__ASSET_JOB") > days, 180)
        assert changes.due(home.pipeline.database) == []
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait(60)
