"""Before `feedback dev` starts anything: one in a home, ports that are free, and a terminal that stays quiet."""

import io
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from rich.console import Console

from feedback_pipeline.capture import key_store
from feedback_pipeline.store.database import Database
from feedback_pipeline.store.embedded import lasting_port
from jobs.service_log import ServiceLog
from jobs.supervisor import ServicesError, chosen_port, console_address, console_keys, only_one


def terminal() -> Console:
    return Console(file=io.StringIO(), width=200, no_color=True)


def shown(console: Console) -> list[str]:
    return console.file.getvalue().splitlines()


def test_a_second_one_in_a_home_refuses_and_says_where_the_first_is(tmp_path: Path) -> None:
    with only_one(tmp_path) as note:
        note({"pid": 4711, "ui": "http://127.0.0.1:3000", "api": "http://127.0.0.1:8080"})
        second = subprocess.run(
            [sys.executable, "-m", "feedback_pipeline.cli", "dev"],
            env={**os.environ, "FEEDBACK_HOME": str(tmp_path)}, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
    assert second.returncode == 2
    assert "runs in" in second.stderr
    assert "process 4711, http://127.0.0.1:3000" in second.stderr.replace("\n", " ")
    assert not (tmp_path / "postgres").exists(), "it was refused before anything was started"
    with only_one(tmp_path):
        pass  # the first has ended


def test_a_default_port_that_is_taken_gives_way_and_a_wanted_one_is_refused() -> None:
    port, console = lasting_port(), terminal()
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        assert chosen_port("--port", None, port, console) == port + 1
        assert shown(console) == [f"port {port} is taken by another process: using {port + 1} (--port)"]
        with pytest.raises(ServicesError, match=f"port {port} is taken by another process; {port + 1} is free"):
            chosen_port("--port", port, 3000, console)
    assert chosen_port("--port", port, 3000, console) == port
    assert chosen_port("--api-port", None, port, console, taken=port) == port + 1


def test_the_terminal_shows_each_warning_once_and_the_file_everything(tmp_path: Path) -> None:
    console = terminal()
    log = ServiceLog(tmp_path / "logs" / "dev.log", console)
    log.take("Dagster UI", "2026-11-29 10:00:00 +0000 - dagster.daemon - INFO - Checking for new runs")
    log.take("Dagster UI", "/x/y.py:12: SupersessionWarning: `dagster dev` is superseded by `dg dev`")
    for second in range(500):
        log.take("capture API", f"WARNING the store cannot be reached at 10:00:{second}")
    log.take("capture API", "WARNING another [matter]")
    assert shown(console) == [
        "! capture API: WARNING the store cannot be reached at 10:00:0",
        "! capture API: WARNING another [matter]",
    ]
    assert len((tmp_path / "logs" / "dev.log").read_text().splitlines()) == 503


def test_the_consoles_keys_are_kept_while_they_work(tmp_path: Path, database: Database) -> None:
    (tmp_path / "console.key").write_text("fbk_of_an_earlier_version")
    first = console_keys(database, tmp_path)
    assert console_keys(database, tmp_path) == first
    assert (tmp_path / "console.key").stat().st_mode & 0o777 == 0o600
    key_store.revoke(database, key_store.listed(database)[0].id)
    assert console_keys(database, tmp_path) != first


def test_the_link_opens_the_console_of_every_team_that_has_feedback(tmp_path: Path, database: Database) -> None:
    insert = (
        "INSERT INTO vote_total (tenant, model, intent, project, votes, up, down, stars, stars_sum)"
        " VALUES (:tenant, '', '', '', :votes, 0, 0, 0, 0)"
    )
    with database.engine.begin() as connection:
        for tenant, votes in (("acme", 5), ("globex", 9), ("idle", 0)):
            connection.execute(sa.text("INSERT INTO tenant (name) VALUES (:tenant)"), {"tenant": tenant})
            connection.execute(sa.text(insert), {"tenant": tenant, "votes": votes})
    address = console_address(database, tmp_path, 8080)
    assert address.startswith("http://127.0.0.1:8080/console#fbk_")
    assert [key.tenant for key in key_store.listed(database)] == ["globex", "acme"]
    assert address.count("fbk_") == 2
