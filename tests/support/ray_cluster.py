"""A Ray cluster on this machine: nodes that share no home folder, each a process group that can be killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from feedback_pipeline.store.embedded import lasting_port

RAY = Path(sys.executable).with_name("ray")
GIGABYTE = 1024**3
START_SECONDS = 120.0
# a node's folder of its own lies over the home: what a step left there would not be there for the next
NODE = 'mount -t tmpfs node "$FEEDBACK_HOME" && cp "$KEYS" "$FEEDBACK_HOME/keys.json" && exec "$@"'


class Cluster:
    """Two nodes: the head, and one beside it that can be lost."""

    def __init__(self, folder: Path, environment: Mapping[str, str], keys: Path, cores: int = 2) -> None:
        self._folder, self._cores = folder, cores
        self._environment = {
            **environment, "KEYS": str(keys), "RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0",
            "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
            # a step's command is `dagster …`: that of this environment
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', os.defpath)}",
        }  # fmt: skip
        self._nodes: list[subprocess.Popen[bytes]] = []
        self._port, dashboard = lasting_port(), lasting_port()
        self.address = f"http://127.0.0.1:{dashboard}"
        self._ports = 20_000
        self._start("--head", "--port", str(self._port), "--dashboard-host", "127.0.0.1",
                    "--dashboard-port", str(dashboard), "--ray-client-server-port", str(lasting_port()))  # fmt: skip
        self.add_node()

    def add_node(self) -> None:
        """One more node; comes back when the cluster knows it."""
        self._wait_for(len(self._nodes))
        self._start("--address", f"127.0.0.1:{self._port}")
        self._wait_for(len(self._nodes))

    def _wait_for(self, nodes: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        while self.alive() != nodes:
            assert time.monotonic() < deadline, (self._folder / f"node-{nodes - 1}.log").read_text()[-3000:]
            time.sleep(0.5)

    def lose_node(self) -> None:
        """The newest node and every process on it are gone at once, as when a machine is."""
        assert len(self._nodes) > 1, "without its head there is no cluster"
        node = self._nodes.pop()
        for pid in [*_below(node.pid), node.pid]:
            _kill(pid)
        node.wait(30)

    def steps(self, *, newest_node: bool = False) -> dict[str, int]:
        """Processes of steps under way, by the step's name: of every node, or of the newest."""
        found = {}
        for node in self._nodes[-1:] if newest_node else self._nodes:
            for pid in _below(node.pid):
                step, command = _variable(pid, "DAGSTER_RUN_STEP_KEY"), _read(pid, "cmdline")
                if step is not None and b"execute_step" in command and b"/bin/sh" not in command:
                    found[step] = pid
        return found

    def alive(self) -> int:
        """Nodes that the cluster knows to be alive."""
        try:
            with urllib.request.urlopen(f"{self.address}/nodes?view=summary", timeout=5) as answer:
                known: list[dict[str, Any]] = json.loads(answer.read())["data"]["summary"]
        except (OSError, KeyError, ValueError):
            return 0
        return sum(one.get("raylet", {}).get("state") == "ALIVE" for one in known)

    def stop(self) -> None:
        for node in reversed(self._nodes):
            for pid in [*_below(node.pid), node.pid]:
                _kill(pid)
            node.wait(30)

    def _start(self, *arguments: str) -> None:
        number, self._ports = len(self._nodes), self._ports + 100
        command = [
            "unshare", "--mount", "sh", "-ec", NODE, "node", str(RAY), "start", "--block", *arguments,
            "--node-ip-address", "127.0.0.1", "--num-cpus", str(self._cores), "--memory", str(10 * GIGABYTE),
            "--object-store-memory", str(GIGABYTE // 8), "--temp-dir", f"/tmp/ray-{os.getpid()}",
            "--min-worker-port", str(self._ports), "--max-worker-port", str(self._ports + 90), "--disable-usage-stats",
            "--dashboard-agent-listen-port", str(lasting_port()), "--dashboard-agent-grpc-port", str(lasting_port()),
            "--runtime-env-agent-port", str(lasting_port()), "--metrics-export-port", str(lasting_port()),
        ]  # fmt: skip
        with (self._folder / f"node-{number}.log").open("wb") as log:
            self._nodes.append(
                subprocess.Popen(command, env=self._environment, stdout=log, stderr=log, start_new_session=True)
            )


@contextmanager
def two_nodes(folder: Path, environment: Mapping[str, str], keys: Path) -> Iterator[Cluster]:
    """A cluster of two nodes, gone afterwards with all its processes."""
    cluster = Cluster(folder, environment, keys)
    try:
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(f"/tmp/ray-{os.getpid()}", ignore_errors=True)


def _below(pid: int) -> list[int]:
    """Descendants of a process, those that left its group included."""
    try:
        children = [int(one) for task in Path(f"/proc/{pid}/task").iterdir()
                    for one in (task / "children").read_text().split()]  # fmt: skip
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [each for child in children for each in (*_below(child), child)]


def _variable(pid: int, name: str) -> str | None:
    for one in _read(pid, "environ").split(b"\0"):
        if one.startswith(f"{name}=".encode()):
            return one.partition(b"=")[2].decode()
    return None


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
