"""The embedded server: one for many users, in any path, gone with its last user, back after any death."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from feedback_pipeline.capture.connections import Store
from feedback_pipeline.store import embedded
from feedback_pipeline.store.database import Database

USE = """
import sys
from pathlib import Path
import psycopg
from feedback_pipeline.store import embedded
layout = embedded.ensure_running(Path(sys.argv[1]))
with psycopg.connect(layout.url("postgres")) as connection:
    print(connection.execute("SELECT pg_postmaster_start_time()").fetchone()[0], flush=True)
    if sys.argv[2] == "stay":
        sys.stdin.read()
"""


def use(folder: Path, how: str) -> subprocess.Popen[str]:
    """A process that uses the server, to `stay` until its input ends or to `leave` at once."""
    command = [sys.executable, "-c", USE, str(folder), how]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def server_pid(folder: Path) -> int | None:
    try:
        noted = (folder / "data" / "postmaster.pid").read_text().split("\n")[0]
    except FileNotFoundError:
        return None
    return int(noted) if noted else None


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        return "zombie" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition, seconds: float = 60.0) -> bool:
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
    users = [use(folder, "stay") for _ in range(6)]
    started = {user.stdout.readline() for user in users}
    pid = server_pid(folder)
    assert len(started) == 1
    assert "" not in started
    for user in users:
        user.stdin.close()
    assert all(user.wait(30) == 0 for user in users)
    assert wait_until(lambda: not alive(pid))


def test_a_killed_user_leaves_no_server_behind(folder: Path) -> None:
    user = use(folder, "stay")
    assert user.stdout.readline()
    pid = server_pid(folder)
    user.send_signal(signal.SIGKILL)
    user.wait(10)
    assert wait_until(lambda: not alive(pid))


def test_a_killed_keeper_takes_the_server_along_and_the_next_start_works(folder: Path) -> None:
    user = use(folder, "stay")
    first = user.stdout.readline()
    pid = server_pid(folder)
    keeper = int(Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[1])
    os.kill(keeper, signal.SIGKILL)
    assert wait_until(lambda: not alive(pid))
    again = use(folder, "leave")
    second = again.stdout.readline()
    assert again.wait(30) == 0
    assert second
    assert second != first
    user.kill()
    user.wait(10)


def test_a_server_killed_hard_is_started_again_on_the_same_address(folder: Path) -> None:
    user = use(folder, "stay")
    assert user.stdout.readline()
    port = (folder / "port").read_text()
    os.kill(server_pid(folder), signal.SIGKILL)
    again = use(folder, "leave")
    assert again.stdout.readline()
    assert again.wait(30) == 0
    assert (folder / "port").read_text() == port
    user.kill()
    user.wait(10)


def test_a_server_killed_hard_comes_back_for_those_who_stay(folder: Path) -> None:
    user = use(folder, "stay")
    assert user.stdout.readline()
    address = embedded.Layout(folder).url("postgres")
    for _ in range(2):
        os.kill(server_pid(folder), signal.SIGKILL)
        assert wait_until(lambda: answers(address)), "nobody but the keeper could have started it again"
    user.kill()
    user.wait(10)


def test_connections_find_a_server_that_came_back_on_another_port(folder: Path) -> None:
    reports: list[str] = []
    database = Database(embedded.ensure_running(folder).url("postgres"), embedded.Layout(folder))
    embedded.watch(folder, reports.append)
    try:
        with database.engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar() == 1
        before = database.address()
        old = embedded.Layout(folder).port()
        keeper = int(Path(f"/proc/{server_pid(folder)}/stat").read_text().split(")")[1].split()[1])
        os.kill(keeper, signal.SIGKILL)
        with socket.socket() as squatter:
            squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            assert wait_until(lambda: bound(squatter, old))
            squatter.listen()
            assert wait_until(lambda: reports != [])
            assert reports == ["the embedded PostgreSQL had ended and was started again"]
            assert database.address() != before
            with database.engine.connect() as connection:
                assert connection.exec_driver_sql("SELECT 2").scalar() == 2
            assert asyncio.run(asked(database)) == 3
    finally:
        database.engine.dispose()
        embedded.release(folder)


async def asked(database: Database) -> object:
    """What the API's own pool is answered, as the administrator: its role is none of this test."""
    connection = await Store(database.address, 2)._connect(None)
    try:
        return await connection.fetchval("SELECT 3")
    finally:
        await connection.close()


def bound(squatter: socket.socket, port: int) -> bool:
    try:
        squatter.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


def answers(address: str) -> bool:
    try:
        psycopg.connect(address, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def test_its_port_is_none_that_outgoing_connections_are_given(server: embedded.Layout) -> None:
    low, _ = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    assert server.port() in embedded.PORTS
    assert server.port() < low


def test_a_copied_home_never_talks_to_the_originals_database(folder: Path, tmp_path: Path) -> None:
    user = use(folder, "stay")
    assert user.stdout.readline()
    torn, whole = tmp_path / "copied while it ran" / "postgres", tmp_path / "copied" / "postgres"
    with contextlib.suppress(shutil.Error):  # of files that were gone before their turn
        shutil.copytree(folder, torn)
    with pytest.raises(embedded.EmbeddedPostgresError, match="was copied while its database ran"):
        embedded.ensure_running(torn)
    user.kill()
    user.wait(10)
    assert wait_until(lambda: server_pid(folder) is None)

    shutil.copytree(folder, whole)
    original = embedded.ensure_running(folder)
    try:
        copy = embedded.ensure_running(whole)  # same port and password on disk, and somebody answers there
        assert copy.port() != original.port()
        with psycopg.connect(copy.url("postgres")) as connection:
            assert connection.execute("SHOW data_directory").fetchone() == (str(whole / "data"),)
    finally:
        embedded.release(whole)
        embedded.release(folder)


def test_a_user_that_arrives_while_the_server_stops_gets_a_running_one(folder: Path) -> None:
    for _ in range(3):
        leaving = use(folder, "leave")
        assert leaving.wait(30) == 0
        arriving = use(folder, "leave")
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
