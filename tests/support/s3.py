"""An S3 server on the loopback address: a process of its own that speaks the protocol (moto's server)."""

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from feedback_pipeline.store.embedded import free_port

START_SECONDS = 30.0
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests", "AWS_DEFAULT_REGION": "us-east-1"}
"""Besides the endpoint, what the S3 clients read."""


@contextmanager
def s3_server(log: Path) -> Iterator[str]:
    """The address of a fresh, empty server; its log has a line for every request."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as file:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=file,
            stderr=file,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(url):
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the S3 server did not start: {log.read_text()[-500:]}")
            time.sleep(0.05)
        yield url
    finally:
        server.kill()
        server.wait(10)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except OSError:
        return False


class RequestLog:
    """The requests that a server has got since a moment."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self.clear()

    def clear(self) -> None:
        """Forgets what came so far."""
        self._seen = self._log.stat().st_size

    def lines(self) -> list[str]:
        """Method and path of each request, in order."""
        with self._log.open("rb") as file:
            file.seek(self._seen)
            return [line.split('"')[1] for line in file.read().decode().splitlines() if "HTTP/1.1" in line]
