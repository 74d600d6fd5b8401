"""What `feedback status` says of the daemon: from the heartbeats that a real one would have written."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dagster._daemon.types import DaemonHeartbeat
from dagster._utils.error import SerializableErrorInfo

from feedback_pipeline.settings import Settings
from feedback_pipeline.store.database import Database, create_missing_databases
from jobs import daemons
from jobs.instance import open_instance


@pytest.fixture
def beside(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A store with Dagster's storage beside it, in which every daemon wrote a moment ago."""
    for name in ("DAGSTER_HOME", "DAGSTER_POSTGRES_URL", "DAGSTER_DG_UPDATE_CHECK_ENABLED"):
        monkeypatch.setenv(name, str(tmp_path / "dagster"))
    create_missing_databases(database)
    settings = Settings.from_environment({"FEEDBACK_HOME": str(tmp_path), "FEEDBACK_DATABASE_URL": database.url})
    with open_instance(settings, database) as instance:
        assert "none has run here" in daemons.described(daemons.heartbeats(database))[0]
        for name in daemons.NEEDED:
            failed = [SerializableErrorInfo("no tick", [], "RuntimeError")] if name == "BACKFILL" else None
            instance.add_daemon_heartbeat(DaemonHeartbeat(time.time(), name, "one", failed))
    return database


def test_a_silent_daemon_is_named_with_what_does_not_happen_and_a_live_one_says_when(beside: Database) -> None:
    [problem] = daemons.described(daemons.heartbeats(beside))
    assert problem == "daemon BACKFILL: reports 1 errors; see Deployment, Daemons in the UI"
    later = daemons.heartbeats(beside, datetime.now(UTC) + timedelta(hours=3))
    assert daemons.described(later)[0] == (
        "daemon SENSOR: silent for 3 h: days and weeks that changed are not computed by themselves"
    )
    assert len(daemons.described(later)) == len(daemons.NEEDED)
    alive = [one for one in daemons.heartbeats(beside) if not one.errors]
    assert daemons.described(alive)[0].startswith("daemon: alive, last heartbeat ")


def test_an_instance_elsewhere_is_no_problem(database: Database) -> None:
    assert "none has run here" in daemons.described(daemons.heartbeats(database))[0]
