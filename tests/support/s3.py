"""An S3 server on the loopback address: a process of its own that speaks the protocol (moto's server)."""

import http.client
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from feedback_pipeline.store.embedded import lasting_port

START_SECONDS = 300.0
"""Far more than it takes: a machine may be busy, and a server that ended is noticed at once."""
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests", "AWS_DEFAULT_REGION": "us-east-1"}
"""Besides the endpoint, what the S3 clients read."""


@contextmanager
def s3_server(log: Path) -> Iterator[str]:
    """The address of a fresh, empty server; its log has a line for every request."""
    port = lasting_port()
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
        with urllib.request.urlopen(url, timeout=10):
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


@contextmanager
def in_front_of(server: str, answer: Callable[[str, str], int | None]) -> Iterator[str]:
    """A proxy before an S3 server: `answer` gives the status that a method and path are refused with, or None."""

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = self.rfile.read(length) if length else None
            status = answer(self.command, self.path)
            if status is not None:
                self._send(status, [("content-type", "application/xml")], REFUSALS[status])
                return
            connection = http.client.HTTPConnection(server.removeprefix("http://"), timeout=20)
            headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            connection.request(self.command, self.path, body, headers)
            found = connection.getresponse()
            kept = [(name, value) for name, value in found.getheaders() if name.lower() not in HOP_BY_HOP]
            self._send(found.status, kept, found.read(), found.getheader("content-length"))
            connection.close()

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_one  # noqa: N815 (the base class names them)

        def _send(self, status: int, headers: list[tuple[str, str]], body: bytes, length: str | None = None) -> None:
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("content-length", length if self.command == "HEAD" and length else str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: the server behind keeps the log."""

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{proxy.server_port}"
    finally:
        proxy.shutdown()
        proxy.server_close()


HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}
REFUSALS = {
    503: b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>",
    403: b"<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>",
}
