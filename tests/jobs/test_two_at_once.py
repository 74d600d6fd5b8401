"""Two daemons on one store, and two workers that own one week: each thing is asked for once, and made whole."""

import hashlib
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from assets.partitions import DAYS
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import bulk, changes
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.changes import AT_ONCE
from feedback_pipeline.store.database import Database
from jobs import requests
from jobs.location import build_definitions, loops_of_assets
from jobs.loops import DAILY
from tests.support.store_rows import MONDAY, answers, later, votes

ROOT = Path(__file__).resolve().parent.parent.parent
DAY = MONDAY.date()
WORKER = """
import sys
import dagster as dg
from jobs.location import defs
print("ready", flush=True)
sys.stdin.readline()
with dg.DagsterInstance.ephemeral() as instance:
    job = defs().resolve_job_def("weekly_loop")
    done = job.execute_in_process(
        {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}, instance=instance, partition_key=sys.argv[1],
        raise_on_error=False,
    )
    print([one.step_key for one in done.all_events if one.is_step_failure], flush=True)
"""


@pytest.fixture
def environment(database: Database, tmp_path: Path) -> dict[str, str]:
    return {
        "FEEDBACK_HOME": str(tmp_path / "home"), "FEEDBACK_DATABASE_URL": database.url, "FEEDBACK_QUIET": "0",
        "FEEDBACK_START": str(DAY), "FEEDBACK_TRAINING_FORMATS": "trl",
    }  # fmt: skip


@pytest.fixture
def pipeline(environment: dict[str, str]) -> Pipeline:
    return Pipeline(Settings.from_environment(environment), datetime(2026, 9, 20, tzinfo=UTC))


def vote_on(database: Database, *offsets: int) -> None:
    named = [{"name": f"{day}-{n}", "prompt": f"question {day} {n}", "occurred_at": later(days=day, minutes=n)}
             for day in offsets for n in range(12)]  # fmt: skip
    voted = [{"name": one["name"], "on": one["name"], "user_key": f"k1:{number:032x}", "thumb": number % 3 > 0,
              "occurred_at": one["occurred_at"]} for number, one in enumerate(named)]  # fmt: skip
    bulk.file_batch(database, Batch(interactions=answers(*named), feedback=votes(*voted)))


def test_four_daemons_that_look_at_once_ask_for_every_day_and_week_once(
    database: Database, environment: dict[str, str], pipeline: Pipeline
) -> None:
    vote_on(database, 0, 1, 2, 5)
    asked: list[str] = []
    together = threading.Barrier(4)

    def look() -> None:
        own = Pipeline(Settings.from_environment(environment), pipeline.now())
        changes.fold(own.database)
        together.wait()
        for request in [*requests.request_days(own, AT_ONCE), *requests.request_periods(own, AT_ONCE)]:
            asked.append(request.tags.get(DAYS, ""))
        own.database.engine.dispose()

    def everybody_looks() -> list[str]:
        asked.clear()
        together.reset()
        daemons = [threading.Thread(target=look) for _ in range(4)]
        for one in daemons:
            one.start()
        for one in daemons:
            one.join()
        return sorted(asked)

    assert everybody_looks() == [f"{DAY}/{DAY + timedelta(days=2)},{DAY + timedelta(days=5)}"]
    assert everybody_looks() == []


def test_two_workers_that_own_one_week_leave_what_one_leaves(
    database: Database, environment: dict[str, str], pipeline: Pipeline
) -> None:
    vote_on(database, *range(7))
    changes.fold(database)
    days = {requests.RANGE_START: str(DAY), requests.RANGE_END: str(DAY + timedelta(days=6))}
    daily = build_definitions(pipeline.settings, {"pipeline": pipeline}).resolve_job_def(DAILY)
    with dg.DagsterInstance.ephemeral() as instance:
        assert daily.execute_in_process(instance=instance, tags=days).success
    assert _run(environment, workers=1) == ["[]"]
    alone = _written(pipeline)
    assert f"weekly_report/{DAY}.html" in alone
    assert _run(environment, workers=2) == ["[]", "[]"]
    together = _written(pipeline)
    assert {name for name, content in together.items() if alone.get(name) != content} == set()
    assert together.keys() == alone.keys(), "nothing half-written is left"
    weekly = next(loop for loop in loops_of_assets() if loop.period == "week")
    counted = sa.text("SELECT asset, count(*) FROM computed_partition WHERE partition = :day AND problem IS NULL"
                      " AND asset = ANY (:assets) GROUP BY asset")  # fmt: skip
    with database.engine.connect() as connection:
        found = connection.execute(counted, {"day": DAY, "assets": list(weekly.assets)}).all()
    rows = {row[0]: row[1] for row in found}
    assert rows == dict.fromkeys(weekly.assets, 1)


def _run(environment: dict[str, str], workers: int) -> list[str]:
    """What failed of each worker; they set out together."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(DAY)], cwd=ROOT, env={**os.environ, **environment}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for _ in range(workers)
    ]  # fmt: skip
    for one in started:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in started:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    return [one.communicate()[0].strip().splitlines()[-1] for one in started]


def _written(pipeline: Pipeline) -> dict[str, str]:
    root = Path(pipeline.settings.data_url)
    files = [path for path in root.rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
