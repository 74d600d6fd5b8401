"""A day with the loop as its users have it: a command interrupted, the daemon going on, a late vote, a backfill."""

import signal
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from feedback_pipeline.store import changes
from tests.support.home import AGAIN, BACKFILL, TERMINATE, WEEK, Home


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

    with home.services():
        began = time.monotonic()

        def told(what: str) -> None:
            nonlocal began
            print(f"{what}: {time.monotonic() - began:.0f} s")
            began = time.monotonic()

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


def _launched_stopped_and_run_again(home: Home, told: Callable[[str], None]) -> None:
    """From the Launchpad, with a choice; terminated in the middle; executed again from where it was."""
    before = home.newest("weekly_report", WEEK)
    config = {"ops": {"judge_sample": {"config": {"judge_sample_size": 5}}}}
    run = home.launch("weekly_loop", WEEK, config)
    assert home.wait_for(lambda: home.steps(run) >= 2)
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


def _said(process: subprocess.Popen[str]) -> str:
    said = process.communicate()[0]
    assert process.returncode == 0, said
    return said
