"""The process that owns the embedded PostgreSQL (started by `embedded.ensure_running`, never by hand).

It makes the data folder where there is none, starts the server as its child, waits until no user is left, stops it.
"""

import contextlib
import ctypes
import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from feedback_pipeline.store.embedded import KEPT_ALREADY, Layout, binaries, identity, is_free, lasting_port

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
QUICK_DEATH_SECONDS = 10.0
MAX_QUICK_DEATHS = 4

SERVER_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "maintenance_work_mem": "256MB",
    "work_mem": "32MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    "jit": "off",
    # an abandoned transaction would hold back the clean-up of dead rows for ever
    "idle_in_transaction_session_timeout": "15min",
    # statements and row contents carry people's words: keep them out of the log
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "timezone": "UTC",
}


def run_as_ordinary_user() -> None:
    """In the child before exec: die with the keeper; as root, become nobody inside a user namespace.

    PostgreSQL refuses to run as root. A user namespace that maps `nobody` to root keeps the files root's own, opens no
    folder to anybody and leaves the server without any privilege over the machine.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() == 0:
        user, group = os.geteuid(), os.getegid()
        nobody = pwd.getpwnam("nobody")
        if libc.unshare(CLONE_NEWUSER) != 0:
            raise OSError(ctypes.get_errno(), "no user namespace: run as an ordinary user or set FEEDBACK_DATABASE_URL")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{nobody.pw_uid} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{nobody.pw_gid} {group} 1")
    if sys.platform == "linux":
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT)


def initialise(layout: Layout) -> None:
    """Makes the data folder; a half-made one (no marker) is thrown away first."""
    marker = layout.data / "initialised"
    if marker.exists():
        return
    shutil.rmtree(layout.data, ignore_errors=True)
    subprocess.run(
        [
            str(binaries() / "initdb"),
            f"--pgdata={layout.data}",
            "--username=postgres",
            f"--pwfile={layout.password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
            # the password is 144 random bits: hashing it thousands of times at every connection protects nothing
            "--set=scram_iterations=1",
        ],
        check=True,
        preexec_fn=run_as_ordinary_user,
        stdin=subprocess.DEVNULL,
    )
    marker.touch()


def choose_port(layout: Layout) -> int:
    """The port of last time where it is free, so that addresses stay valid over a restart."""
    port = layout.port()
    if port is None or not is_free(port):
        port = lasting_port()
    _write(layout.port_file, str(port))
    return port


def _write(path: Path, text: str) -> None:
    """Whole or not at all: others read these files at any moment."""
    temporary = path.with_suffix(".new")
    temporary.write_text(text)
    temporary.replace(path)


def wait_for_orphan(layout: Layout, alive: Callable[[int], bool], patience: float = 20.0) -> None:
    """A server whose keeper was killed is stopping: wait for it; where it does not (no PDEATHSIG), stop it."""
    pid_file = layout.data / "postmaster.pid"
    deadline = time.monotonic() + patience
    asked = False
    while time.monotonic() < deadline:
        try:
            lines = pid_file.read_text().split("\n")
        except FileNotFoundError:
            return
        pid = int(lines[0]) if lines[0].strip().isdigit() else 0
        if not pid or not alive(pid):
            pid_file.unlink(missing_ok=True)
            return
        if not asked and time.monotonic() > deadline - patience + 3:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(pid, signal.SIGINT)
            asked = True
        time.sleep(0.05)


def serves_from(layout: Layout) -> Callable[[int], bool]:
    """Whether a process is a PostgreSQL server of this data folder (a pid alone may have been reused)."""

    def alive(pid: int) -> bool:
        try:
            os.kill(pid, 0)
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except ProcessLookupError:
            return False
        except FileNotFoundError:
            return not Path("/proc/self").exists()  # it has just ended, or this system shows no commands
        return str(layout.data).encode() in command

    return alive


def keep(folder: Path) -> int:
    """Runs the server until its last user is gone, again where it died; returns its exit status.

    A server that dies soon after each of several starts is given up: what is wrong with it is in its log.
    """
    layout = Layout(folder)
    alone = os.open(layout.keeper_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return KEPT_ALREADY
    wait_for_orphan(layout, serves_from(layout))
    initialise(layout)
    _write(layout.made_file, "\n".join(identity(layout.data)))
    users = os.open(layout.users_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    quick_deaths = 0
    while True:
        started = time.monotonic()
        server = start_server(layout)
        while server.poll() is None:
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.2)
                continue
            server.send_signal(signal.SIGINT)
            return server.wait()
        quick_deaths = quick_deaths + 1 if time.monotonic() - started < QUICK_DEATH_SECONDS else 0
        if quick_deaths >= MAX_QUICK_DEATHS:
            return server.returncode
        # backends of a killed server end by themselves, and hold its shared memory until then
        time.sleep(0.3 * (1 + quick_deaths))


def start_server(layout: Layout) -> "subprocess.Popen[bytes]":
    """Starts the server, on its old port where that is free."""
    options = [f"--{name.replace('_', '-')}={value}" for name, value in SERVER_SETTINGS.items()]
    return subprocess.Popen(
        [str(binaries() / "postgres"), "-D", str(layout.data), f"--port={choose_port(layout)}", *options],
        preexec_fn=run_as_ordinary_user,
        stdin=subprocess.DEVNULL,
    )


if __name__ == "__main__":
    for blocked in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(blocked, signal.SIG_IGN)
    sys.exit(keep(Path(sys.argv[1])))
