"""The services as they are deployed (docs/deploy.md): a code server, the daemon and the web server, each a process."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from dagster import DagsterEventType

from feedback_pipeline.store.database import Database
from feedback_pipeline.store.embedded import lasting_port
from jobs import instance
from tests.support.home import ROOT, Home

WORKSPACE = """
load_from:
  - grpc_server: {{ host: 127.0.0.1, port: {port}, location_name: feedback_pipeline }}
"""


class Deployment(Home):
    """One home whose services run apart."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        super().__init__(folder, environment)
        self.folder, self.code_port = folder, lasting_port()
        dagster_home = folder / "dagster"
        dagster_home.mkdir(parents=True)
        shutil.copyfile(Path(instance.__file__).with_name("dagster.yaml"), dagster_home / "dagster.yaml")
        (folder / "workspace.yaml").write_text(WORKSPACE.format(port=self.code_port))
        self.environment |= {
            "DAGSTER_HOME": str(dagster_home),
            "DAGSTER_POSTGRES_URL": Database(self.environment["FEEDBACK_DATABASE_URL"]).dagster_url,
        }
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    @contextmanager
    def deployed(self) -> Iterator[None]:
        """Every service, stopped at the end."""
        try:
            self.start_code_server()
            self._start("daemon", "dagster._daemon", "run", "-w", str(self.folder / "workspace.yaml"))
            self._start("web", "jobs.webserver", "serve", "-w", str(self.folder / "workspace.yaml"),
                        "-h", "127.0.0.1", "-p", str(self.port))  # fmt: skip
            yield
        finally:
            for service in self.running.values():
                self._end(service, signal.SIGTERM)

    def start_code_server(self) -> None:
        self._start("code", "dagster", "code-server", "start", "-m", "feedback_pipeline.definitions",
                    "-h", "127.0.0.1", "-p", str(self.code_port))  # fmt: skip

    def stop_code_server(self) -> None:
        """As a deployment of new code stops it."""
        self._end(self.running.pop("code"), signal.SIGTERM)

    def alive(self) -> set[str]:
        """Names of the services whose process has not ended."""
        return {name for name, service in self.running.items() if service.poll() is None}

    def log(self, name: str) -> str:
        """What a service has written."""
        return (self.folder / f"{name}.log").read_text()

    def workers(self, run: str) -> list[int]:
        """Processes that a run has named as its own."""
        with dg.DagsterInstance.from_config(self.environment["DAGSTER_HOME"]) as opened:
            records = opened.get_records_for_run(run, of_type=DagsterEventType.ENGINE_EVENT).records
        events = [one.event_log_entry.dagster_event for one in records]
        named = [one.engine_event_data.metadata.get("pid") for one in events if one is not None]
        return sorted({int(str(one.value)) for one in named if one is not None})

    def _start(self, name: str, *module: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", *module], cwd=ROOT, env=self.environment, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def _end(self, service: subprocess.Popen[bytes], number: signal.Signals) -> None:
        for one in (number, signal.SIGKILL):
            if service.poll() is None:
                os.killpg(service.pid, one)
                deadline = time.monotonic() + 20
                while service.poll() is None and time.monotonic() < deadline:
                    time.sleep(0.1)
