"""`feedback dev`: the real UI, daemon and API come up on one database and go away together, however stopped."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from feedback_pipeline.store.embedded import lasting_port

ROOT = Path(__file__).resolve().parent.parent.parent
QUERY = (
    "{workspaceOrError{... on Workspace{locationEntries{name loadStatus locationOrLoadError{__typename}}}}"
    " instance{daemonHealth{allDaemonStatuses{daemonType required healthy}}}}"
)


def get(url: str, data: bytes | None = None) -> str | None:
    request = urllib.request.Request(url, data=data, headers={"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.read().decode()
    except (urllib.error.URLError, OSError):
        return None


def wait_for(look, seconds: float):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.3)
    return None


def using(home: Path) -> list[str]:
    """Processes whose environment or command names the home."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        try:
            known = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
            if str(home).encode() in known and "Z" not in (process / "stat").read_text().rpartition(")")[2][:3]:
                found.append(process.name)
        except (PermissionError, FileNotFoundError, ProcessLookupError):
            continue
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
@pytest.mark.parametrize("stopped_by", [signal.SIGTERM, signal.SIGKILL])
def test_everything_starts_works_and_stops_together(tmp_path: Path, stopped_by: signal.Signals) -> None:
    home = tmp_path / "dev home"
    port, api_port = lasting_port(), lasting_port()
    environment = {**os.environ, "FEEDBACK_HOME": str(home)}
    command = [
        sys.executable,
        "-m",
        "feedback_pipeline.cli",
        "dev",
        "--port",
        str(port),
        "--api-port",
        str(api_port),
    ]
    with (tmp_path / "log").open("wb") as log:
        service = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log)
        try:
            assert wait_for(lambda: get(f"http://127.0.0.1:{port}/server_info"), 300), (tmp_path / "log").read_text()

            def loaded() -> dict | None:
                answer = get(f"http://127.0.0.1:{port}/graphql", json.dumps({"query": QUERY}).encode())
                data = json.loads(answer)["data"] if answer else None
                ready = data and data["workspaceOrError"]["locationEntries"][0]["loadStatus"] == "LOADED"
                return data if ready else None

            state = wait_for(loaded, 300)
            assert get(f"http://127.0.0.1:{port}/graphql?query=%7Bversion%7D") is None  # the guard stands before the UI
            [location] = state["workspaceOrError"]["locationEntries"]
            assert location["name"] == "feedback_pipeline"
            assert location["locationOrLoadError"]["__typename"] == "RepositoryLocation"

            def healthy() -> bool:
                daemons = (loaded() or state)["instance"]["daemonHealth"]["allDaemonStatuses"]
                return all(daemon["healthy"] for daemon in daemons if daemon["required"])

            assert wait_for(healthy, 300)
            assert wait_for(lambda: get(f"http://127.0.0.1:{api_port}/healthz"), 300)
        finally:
            service.send_signal(stopped_by)
            service.wait(120)
    assert wait_for(lambda: not using(home), 120), using(home)
