"""How the API listens: uvicorn, with deadlines and a limit that uvicorn itself does not have.

A client that sends its request a byte at a time costs a connection for as long as it likes; a thousand of them and
nobody else is served (slowloris). Here a request's head has ten seconds, its body a time that grows with its length,
and of too many connections the one goes that has kept us waiting longest.
"""

import asyncio
import contextlib
import resource
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 10.0
BODY_SECONDS = 20.0
MIN_BODY_BYTES_PER_SECOND = 20_000
MAX_HEAD_BYTES = 64 * 1024
KEEP_ALIVE_SECONDS = 75
"""Longer than the minute that proxies keep connections for."""
_SPARED_FILES = 200
_WANTED_FILES = 8192
_EVICTED_SHARE = 0.05


def max_connections() -> int:
    """How many connections a process may hold open: what its limit of files leaves, which is raised first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED_FILES if hard == resource.RLIM_INFINITY else min(_WANTED_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    files = _WANTED_FILES if soft == resource.RLIM_INFINITY else min(soft, _WANTED_FILES)
    return max(100, files - _SPARED_FILES)


class GuardedProtocol(HttpToolsProtocol):
    """One connection with deadlines for the head and the body of each request."""

    limit: int | None = None
    """Open connections of a process; worked out at the first."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.waiting_since: float | None = self.loop.time()
        self._head_bytes = 0
        self._deadline: asyncio.TimerHandle | None = self.loop.call_later(HEAD_SECONDS, self._too_slow)
        if GuardedProtocol.limit is None:
            GuardedProtocol.limit = max_connections()
        if len(self.connections) > GuardedProtocol.limit:
            self._make_room(GuardedProtocol.limit)

    def _make_room(self, limit: int) -> None:
        """Ends the connections that have kept us waiting longest for the rest of a request, or for the next one."""
        open_ = cast("set[GuardedProtocol]", self.connections)
        waiting = [one for one in open_ if getattr(one, "waiting_since", None) is not None and one is not self]
        waiting.sort(key=lambda one: one.waiting_since or 0.0)
        for one in waiting[: max(len(open_) - limit, int(limit * _EVICTED_SHARE))]:
            one.transport.abort()
        if not waiting:
            self.transport.abort()  # everybody else is being served

    def data_received(self, data: bytes) -> None:
        if self._deadline is None and self.waiting_since is not None:  # the first bytes of a later request
            self._deadline = self.loop.call_later(HEAD_SECONDS, self._too_slow)
        if self.waiting_since is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        if self.waiting_since is not None and self._head_bytes > MAX_HEAD_BYTES:
            self.transport.abort()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._done_waiting()
        length = next((value for name, value in self.headers if name == b"content-length"), b"0")
        chunked = any(name == b"transfer-encoding" for name, _ in self.headers)
        if chunked or (length.isdigit() and int(length)):
            seconds = BODY_SECONDS + (int(length) if length.isdigit() else 0) / MIN_BODY_BYTES_PER_SECOND
            self._deadline = self.loop.call_later(seconds, self._too_slow)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._done_waiting()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._done_waiting()
        self.waiting_since = self.loop.time()
        self._head_bytes = 0
        if self.cycle.more_body:  # answered before the request had ended: the rest of it has its time as well
            self._deadline = self.loop.call_later(HEAD_SECONDS, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        self._done_waiting()
        super().connection_lost(exc)

    def _done_waiting(self) -> None:
        self.waiting_since = None
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.abort()


def options(log_level: str = "warning") -> dict[str, Any]:
    """How uvicorn is set up for the API, whoever starts it."""
    return {
        "http": GuardedProtocol,
        "log_level": log_level,
        "access_log": False,
        "server_header": False,
        # FEEDBACK_TRUSTED_PROXIES alone decides whose X-Forwarded-For is believed (capture/service.py)
        "proxy_headers": False,
        "timeout_keep_alive": KEEP_ALIVE_SECONDS,
        "backlog": 2048,
    }


def run(factory: str, host: str, port: int, workers: int) -> None:
    """Serves an application until a signal comes."""
    uvicorn.run(factory, factory=True, host=host, port=port, workers=workers, **options())
