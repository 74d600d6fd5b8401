"""`feedback dev`: starts the Dagster UI, its daemon and the capture API, and stops them all together."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

from rich.console import Console

from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import project_root
from feedback_pipeline.store.keeper import PR_SET_PDEATHSIG
from jobs.instance import prepare_environment

STOP_SECONDS = 10.0


def run_services(pipeline: Pipeline, port: int, api_port: int, console: Console) -> int:
    """Runs the services until one of them ends or a signal comes; returns the exit status.

    Each service leads a process group of its own, so that nothing it started outlives it.
    """
    environment = dict(os.environ)
    environment.setdefault("FEEDBACK_AUTOMATION", "1")
    prepare_environment(pipeline.settings, pipeline.database, environment)
    commands = {
        "Dagster UI": [
            sys.executable, "-m", "jobs.webserver", "dev",
            "--workspace", str(project_root() / "workspace.yaml"), "--port", str(port),
        ],
        "capture API": [sys.executable, "-m", "feedback_pipeline.cli", "serve", "--port", str(api_port)],
    }  # fmt: skip
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    services = {
        name: subprocess.Popen(
            command, cwd=project_root(), env=environment, start_new_session=True, preexec_fn=_stop_with_parent
        )
        for name, command in commands.items()
    }
    try:
        told = False
        while not stopping:
            for name, service in services.items():
                if service.poll() is not None:
                    console.print(f"{name} ended with status {service.returncode}", style="red")
                    return service.returncode or 1
            if not told and _answers(f"http://127.0.0.1:{port}/server_info"):
                told = True
                console.print(
                    f"Dagster UI   http://127.0.0.1:{port}\ncapture API  http://127.0.0.1:{api_port}/openapi.json"
                )
                console.print(f"demo page    http://127.0.0.1:{api_port}/demo\nCtrl-C stops everything")
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
