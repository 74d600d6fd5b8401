"""A week whose run is killed again and again is computed in the end, by the daemon and by a command (B.5, B.6)."""

import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import bulk, computed, periods
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.changes import AT_ONCE
from feedback_pipeline.store.database import Database
from jobs import foreground, requests, runs
from jobs.location import build_definitions, loops_of_assets
from jobs.loops import WEEKLY
from tests.support.store_rows import MONDAY, answers, later, votes

SEED = int(os.environ.get("FEEDBACK_CHAOS_SEED", "1"))
KILLS = int(os.environ.get("FEEDBACK_CHAOS_KILLS", "2"))
MOMENTS = (
    f"week {MONDAY.date()}",
    "  rater_trust ",
    "  slice_findings ",
    "  training_examples ",
    "  training_manifest ",
)
"""Lines of progress at which the process dies: before the week's first asset, and after some of them."""
DAY = MONDAY.date()
NOW = datetime(2026, 9, 14, 12, tzinfo=UTC)
SCRIPT = """
import os, signal, sys
from datetime import datetime
import dagster as dg
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from jobs import runs

storage, now, moment = sys.argv[1:]

def report(line):
    if line.startswith(moment):
        os.kill(os.getpid(), signal.SIGKILL)

with dg.DagsterInstance.local_temp(storage) as instance:
    runs.compute(Pipeline(Settings.from_environment(), datetime.fromisoformat(now)), instance, report=report)
"""


@pytest.mark.parametrize("healer", ["daemon", "command"])
def test_it_is_computed_in_the_end(database: Database, tmp_path: Path, healer: str) -> None:
    given = {
        "FEEDBACK_HOME": str(tmp_path / "home"), "FEEDBACK_DATABASE_URL": database.url, "FEEDBACK_QUIET": "0",
        "FEEDBACK_START": str(DAY),
    }  # fmt: skip
    pipeline = Pipeline(Settings.from_environment(given), NOW)
    for offset in (0, 1):
        one = {"name": str(offset), "occurred_at": later(days=offset)}
        bulk.file_batch(database, Batch(interactions=answers(one), feedback=votes({**one, "on": one["name"]})))
    storage = tmp_path / "dagster"
    storage.mkdir()
    chosen = random.Random(f"{SEED} {healer}").sample(MOMENTS, min(KILLS, len(MOMENTS)))
    for moment in sorted(chosen, key=MOMENTS.index):
        arguments = [sys.executable, "-c", SCRIPT, str(storage), NOW.isoformat(), moment]
        died = subprocess.run(arguments, env=os.environ | given, capture_output=True, text=True, check=False)
        assert died.returncode == -signal.SIGKILL, f"{moment}: {died.stderr[-3000:]}"
        assert due(pipeline) == [DAY], moment
    with dg.DagsterInstance.local_temp(str(storage)) as instance:
        settled(instance, database)
        if healer == "command":
            assert runs.compute(pipeline, instance).weeks == 1
        else:
            asked = requests.request_periods(pipeline, AT_ONCE)
            assert [one.partition_key for one in asked] == [str(DAY)]
            job = build_definitions(pipeline.settings, {"pipeline": pipeline}).resolve_job_def(WEEKLY)
            assert job.execute_in_process(
                instance=instance, partition_key=str(DAY), tags=dict(asked[0].tags), raise_on_error=False
            ).success
        assert instance.get_runs(dg.RunsFilter(statuses=foreground.UNDER_WAY)) == []
    assert due(pipeline) == []
    weekly = next(loop for loop in loops_of_assets() if loop.period == "week")
    assert computed.problems(database, weekly.assets, [DAY]) == {}
    assert computed.absent(database, pipeline.frames) == []
    assert (Path(pipeline.settings.data_url) / "weekly_report" / f"{DAY}.html").exists()


def due(pipeline: Pipeline) -> list[object]:
    start = pipeline.settings.start
    found = periods.due(pipeline.database, today=pipeline.today(), start=start, requested_too=True)
    return [one.first for one in found if one.period == "week"]


def settled(instance: dg.DagsterInstance, database: Database) -> None:
    """The runs of killed processes are given up once the server notices that these are gone."""
    deadline = time.monotonic() + 120
    while instance.get_runs(dg.RunsFilter(statuses=foreground.UNDER_WAY)) and time.monotonic() < deadline:
        foreground.settle_orphans(instance, database)
        time.sleep(0.1)
    assert instance.get_runs(dg.RunsFilter(statuses=foreground.UNDER_WAY)) == []
