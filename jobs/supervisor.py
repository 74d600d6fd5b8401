"""`feedback dev`: starts the Dagster UI, its daemon and the capture API, and stops them all together.

What the services write goes into `logs/dev.log` below the home folder; a person is shown three links, and afterwards
only what asks for attention.
"""

import contextlib
import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
from rich.console import Console
from rich.markup import escape

from feedback_pipeline.capture import key_store
from feedback_pipeline.capture.local import DEFAULT_TENANT
from feedback_pipeline.erasure import leftovers
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import project_root
from feedback_pipeline.store import embedded
from feedback_pipeline.store.database import Database
from feedback_pipeline.store.keeper import PR_SET_PDEATHSIG
from jobs.instance import prepare_environment
from jobs.service_log import ServiceLog

STOP_SECONDS = 10.0
UI_PORT, API_PORT = 3000, 8080
MAX_PORTS_TRIED = 50
CONSOLE_SCOPES = ("write", "read", "export", "admin")
KEYS_FILE = "console.key"


class ServicesError(RuntimeError):
    """The services cannot be started; the message says why and what to do. Nothing was started."""


def run_services(pipeline: Pipeline, port: int | None, api_port: int | None, console: Console) -> int:
    """Runs the services until one of them ends or a signal comes; returns the exit status.

    Each service leads a process group of its own, so that nothing it started outlives it.

    Args:
        pipeline: settings and database.
        port: of the Dagster UI; None for 3000, or the next free one.
        api_port: of the capture API; None for 8080, or the next free one.
        console: where links and warnings are shown.

    Raises:
        ServicesError: they run in this home already, or a port that was asked for is taken.
    """
    home = pipeline.settings.home
    with only_one(home) as note:
        ui = chosen_port("--port", port, UI_PORT, console)
        api = chosen_port("--api-port", api_port, API_PORT, console, taken=ui)
        note({"pid": os.getpid(), "ui": f"http://127.0.0.1:{ui}", "api": f"http://127.0.0.1:{api}"})
        environment = dict(os.environ)
        environment.setdefault("FEEDBACK_AUTOMATION", "1")
        prepare_environment(pipeline.settings, pipeline.database, environment)
        if pipeline.settings.database_url is None:
            embedded.watch(home / "postgres", lambda line: console.print(f"! {escape(line)}", style="yellow"))
        commands = {
            "Dagster UI": [
                sys.executable, "-m", "jobs.webserver", "dev",  # a guard stands before the UI
                "--workspace", str(workspace()), "--port", str(ui),
            ],
            "capture API": [sys.executable, "-m", "feedback_pipeline.cli", "serve", "--port", str(api)],
        }  # fmt: skip
        leftovers.sweep(pipeline.frames.root, home, pipeline.now())
        links = _links(pipeline, ui, api)
        return _supervise(commands, environment, links, ServiceLog(home / "logs" / "dev.log", console), console)


def workspace() -> Path:
    """What the UI loads: the checkout's workspace.yaml, or the one that an installed package brings."""
    own = project_root() / "workspace.yaml"
    return own if own.exists() else Path(__file__).with_name("workspace.yaml")


@contextmanager
def only_one(home: Path) -> Iterator["Note"]:
    """Holds the right to run the services of a home; gives what notes how to reach them.

    Raises:
        ServicesError: another process holds it; the message says which and where it can be looked at.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(home / "dev.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServicesError(_described(home, os.pread(descriptor, 4096, 0))) from None
        yield Note(descriptor)
    finally:
        os.close(descriptor)


class Note:
    """What is written down for a second `feedback dev`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __call__(self, running: dict[str, object]) -> None:
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, orjson.dumps(running), 0)


def _described(home: Path, content: bytes) -> str:
    try:
        running = orjson.loads(content)
        where = f" (process {running['pid']}, {running['ui']})"
    except (orjson.JSONDecodeError, KeyError):
        where = ""
    return (
        f"feedback dev runs in {home} already{where}: look there, stop it first, "
        "or set FEEDBACK_HOME to another folder for a second one"
    )


def chosen_port(option: str, wanted: int | None, default: int, console: Console, taken: int | None = None) -> int:
    """The port that was asked for, else the default or the next free one, which is then said.

    Raises:
        ServicesError: the one that was asked for is taken; another is offered.
    """
    first = default if wanted is None else wanted
    free = next(
        (port for port in range(first, first + MAX_PORTS_TRIED) if port != taken and embedded.is_free(port)), None
    )
    if free == first:
        return first
    if wanted is not None or free is None:
        offered = "" if free is None else f"; {free} is free: {option} {free}"
        raise ServicesError(f"port {first} is taken by another process{offered}")
    console.print(f"port {first} is taken by another process: using {free} ({option})", highlight=False)
    return free


def _links(pipeline: Pipeline, ui: int, api: int) -> list[str]:
    opens = console_address(pipeline.database, pipeline.settings.home, api)
    return [
        f"Dagster UI  http://127.0.0.1:{ui}",
        f"console     {opens}",
        f"demo page   http://127.0.0.1:{api}/demo",
        f"Ctrl-C stops everything; what the services write is in {pipeline.settings.home / 'logs' / 'dev.log'}",
    ]


def console_address(database: Database, home: Path, port: int) -> str:
    """A link that opens the console of this machine for every team that has feedback; what stands behind # stays in
    the browser."""
    return f"http://127.0.0.1:{port}/console#{','.join(console_keys(database, home))}"


def console_keys(database: Database, home: Path) -> list[str]:
    """A key for each team that has feedback, the one with the most first: those of the last time where they still work,
    new ones where not."""
    teams = key_store.teams(database) or [DEFAULT_TENANT]
    file = home / KEYS_FILE
    known = _known_keys(file)
    keys = {
        team: known[team]
        if team in known and key_store.is_in_use(database, known[team])
        else key_store.create(database, "console of this machine", CONSOLE_SCOPES, team)[1]
        for team in teams
    }
    if keys != known:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            os.fchmod(descriptor, 0o600)  # where an earlier one was more open
            opened.write(orjson.dumps(keys))
    return list(keys.values())


def _known_keys(file: Path) -> dict[str, str]:
    """Keys of the last time by team; none where an earlier version wrote the file."""
    try:
        found = orjson.loads(file.read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def _supervise(
    commands: dict[str, list[str]], environment: dict[str, str], links: list[str], log: ServiceLog, console: Console
) -> int:
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    services = {
        name: subprocess.Popen(
            command, cwd=project_root(), env=environment, start_new_session=True, preexec_fn=_stop_with_parent,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        for name, command in commands.items()
    }  # fmt: skip
    for name, service in services.items():
        log.follow(name, service)
    ui = links[0].split()[-1]
    try:
        shown = False
        while not stopping:
            for name, service in services.items():
                if service.poll() is not None:
                    console.print(f"{name} ended with status {service.returncode}", style="red")
                    for line in log.last(name):
                        console.print(f"  {escape(line)}", highlight=False, soft_wrap=True)
                    return service.returncode or 1
            if not shown and _answers(f"{ui}/server_info"):
                shown = True
                for link in links:
                    console.print(link, highlight=False, soft_wrap=True)
            time.sleep(0.3)
        return 0
    finally:
        _stop(list(services.values()))


def _stop_with_parent() -> None:
    """In the child before exec: be asked to stop when the supervisor dies, however it died (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1):  # noqa: S310 (a loopback address built here)
            return True
    except (urllib.error.URLError, OSError):
        return False


def _stop(services: list[subprocess.Popen[bytes]]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        for service in services:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(service.pid, number)
        deadline = time.monotonic() + STOP_SECONDS / 2
        while time.monotonic() < deadline:
            if all(service.poll() is not None for service in services):
                break
            time.sleep(0.05)
