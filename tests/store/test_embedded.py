"""The embedded server: one for many users, in any path, gone with its last user, back after any death."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from feedback_pipeline.store import embedded

USE = """
import sys, time
from pathlib import Path
import psycopg
from feedback_pipeline.store import embedded
layout = embedded.ensure_running(Path(sys.argv[1]))
with psycopg.connect(layout.url("postgres")) as connection:
    print(connection.execute("SELECT pg_postmaster_start_time()").fetchone()[0], flush=True)
    time.sleep(float(sys.argv[2]))
"""


def use(folder: Path, seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", USE, str(folder), str(seconds)], stdout=subprocess.PIPE, text=True)


def server_pid(folder: Path) -> int | None:
    file = folder / "data" / "postmaster.pid"
    return int(file.read_text().split("\n")[0]) if file.exists() else None


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "zombie" not in Path(f"/proc/{pid}/status").read_text()


def wait_until(condition, seconds: float = 15.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A path with a space and an apostrophe."""
    return tmp_path / "it's a home" / "postgres"


def test_many_processes_at_once_share_one_server_that_stops_with_the_last(folder: Path) -> None:
    users = [use(folder, 1.0) for _ in range(6)]
    started = {user.stdout.readline() for user in users}
    pid = server_pid(folder)
    assert len(started) == 1
    assert "" not in started
    assert all(user.wait(30) == 0 for user in users)
    assert wait_until(lambda: not alive(pid))


def test_a_killed_user_leaves_no_server_behind(folder: Path) -> None:
    user = use(folder, 60)
    assert user.stdout.readline()
    pid = server_pid(folder)
    user.send_signal(signal.SIGKILL)
    user.wait(10)
    assert wait_until(lambda: not alive(pid))


def test_a_killed_keeper_takes_the_server_along_and_the_next_start_works(folder: Path) -> None:
    user = use(folder, 60)
    first = user.stdout.readline()
    pid = server_pid(folder)
    keeper = int(Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[1])
    os.kill(keeper, signal.SIGKILL)
    assert wait_until(lambda: not alive(pid))
    again = use(folder, 0)
    second = again.stdout.readline()
    assert again.wait(30) == 0
    assert second
    assert second != first
    user.kill()
    user.wait(10)


def test_a_server_killed_hard_is_started_again_on_the_same_address(folder: Path) -> None:
    user = use(folder, 60)
    assert user.stdout.readline()
    port = (folder / "port").read_text()
    os.kill(server_pid(folder), signal.SIGKILL)
    again = use(folder, 0)
    assert again.stdout.readline()
    assert again.wait(30) == 0
    assert (folder / "port").read_text() == port
    user.kill()
    user.wait(10)


def test_a_user_that_arrives_while_the_server_stops_gets_a_running_one(folder: Path) -> None:
    for _ in range(3):
        leaving = use(folder, 0)
        assert leaving.wait(30) == 0
        arriving = use(folder, 0)
        assert arriving.stdout.readline()
        assert arriving.wait(30) == 0


def test_folders_and_secrets_are_the_owners_alone(server: embedded.Layout) -> None:
    assert server.folder.stat().st_mode & 0o777 == 0o700
    assert server.password_file.stat().st_mode & 0o777 == 0o600


def test_a_connection_without_the_password_is_refused(server: embedded.Layout) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgresql://postgres:wrong@127.0.0.1:{server.port()}/postgres")


def test_a_home_that_cannot_be_made_is_named_with_what_to_do(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(embedded.EmbeddedPostgresError, match="FEEDBACK_HOME"):
        embedded.ensure_running(blocked / "postgres")
