"""Delivery in the background: a queue and one thread that batches, redacts, retries, spools, and never raises."""

import json
import logging
import queue
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from feedback_pipeline.capture.spool import Spool

LARGEST_QUEUE = 10_000
LARGEST_BATCH = 500
ATTEMPTS = 4
FIRST_WAIT = 0.2
LONGEST_WAIT = 10.0
_log = logging.getLogger(__name__)


class DeliveryError(RuntimeError):
    """The service did not take a request; `status` is 0 where it was not reached."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{status or 'unreachable'}: {detail}")
        self.status = status
        self.detail = detail

    @property
    def worth_repeating(self) -> bool:
        return self.status in {0, 429} or self.status >= 500


@dataclass(frozen=True)
class Address:
    """Where the service is, and the key to it."""

    url: str
    key: str
    timeout: float = 5.0

    def request(self, method: str, path: str, body: Any = None, key: str | None = None) -> Any:
        """One request and its JSON answer.

        Raises:
            DeliveryError: the service was not reached, or refused.
        """
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        data = None if body is None else json.dumps(body, allow_nan=False).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)  # noqa: S310 - the caller's own
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as answer:  # noqa: S310
                text = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                raise DeliveryError(error.code, _code(error.read())) from None
        except (OSError, urllib.error.URLError) as error:
            raise DeliveryError(0, type(error).__name__) from error
        return json.loads(text) if text else None

    def patiently(self, method: str, path: str, body: Any, key: str, stopping: threading.Event | None = None) -> Any:
        """The same request until it is taken, with growing waits of random length, under one idempotency key.

        Raises:
            DeliveryError: refused, or still not taken after four attempts.
        """
        for attempt in range(ATTEMPTS):
            try:
                return self.request(method, path, body, key)
            except DeliveryError as error:
                last = attempt == ATTEMPTS - 1 or (stopping is not None and stopping.is_set())
                if last or not error.worth_repeating:
                    raise
                wait = random.uniform(0, min(LONGEST_WAIT, FIRST_WAIT * 2**attempt))
                if stopping is None:
                    time.sleep(wait)
                else:
                    stopping.wait(wait)
        raise AssertionError("unreachable")


def _code(body: bytes) -> str:
    try:
        return str(json.loads(body).get("code", "refused"))
    except (ValueError, AttributeError):
        return "refused"


@dataclass(frozen=True)
class _Item:
    path: str
    body: dict[str, Any]
    prepare: Callable[[dict[str, Any]], dict[str, Any]] | None


class Delivery:
    """Delivers items to `/v1/feedback/batch` and `/v1/interactions` from a thread of its own.

    `put` costs the caller an append to a queue. When the queue is full the item is dropped and counted; when the
    service is down, items go to the spool, and from there when it is back.
    """

    def __init__(self, address: Address, spool: Spool | None, flush_seconds: float = 0.2) -> None:
        self._address = address
        self._spool = spool
        self._flush_seconds = flush_seconds
        self._queue: queue.Queue[_Item] = queue.Queue(LARGEST_QUEUE)
        self._stopping = threading.Event()
        self._busy = threading.Lock()
        self.dropped = 0
        self.refused = 0
        self.delivered = 0
        self._thread = threading.Thread(target=self._run, name="feedback-delivery", daemon=True)
        self._thread.start()

    def put(
        self, path: str, body: dict[str, Any], prepare: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    ) -> bool:
        """Queues an item; `prepare` is run on it in the thread. False if it was dropped."""
        try:
            self._queue.put_nowait(_Item(path, body, prepare))
        except queue.Full:
            self.dropped += 1
            return False
        return True

    def flush(self, seconds: float = 10.0) -> bool:
        """Waits until what was queued is delivered, spooled or refused; False if that took longer."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._queue.empty() and self._busy.acquire(timeout=max(0.0, deadline - time.monotonic())):
                done = self._queue.empty()
                self._busy.release()
                if done:
                    return True
            time.sleep(0.01)
        return False

    def close(self, seconds: float = 10.0) -> None:
        """Delivers or spools what waits, then ends the thread."""
        self._stopping.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        while True:
            stopping = self._stopping.is_set()
            try:
                with self._busy:
                    self._turn()
            except Exception:  # noqa: BLE001 - the outermost edge of a thread that must outlive whatever happens in it
                _log.exception("a batch of feedback was not delivered")
            if stopping and self._queue.empty():
                return
            self._stopping.wait(self._flush_seconds)

    def _turn(self) -> None:
        items: list[_Item] = []
        while len(items) < LARGEST_BATCH:
            try:
                items.append(self._queue.get_nowait())
            except queue.Empty:
                break
        reached = True
        for path in dict.fromkeys(item.path for item in items):
            bodies = [body for item in items if item.path == path and (body := self._prepared(item)) is not None]
            if bodies:
                reached = self._deliver(path, {"items": bodies}, uuid4().hex) and reached
        if reached and self._spool is not None and not self._stopping.is_set():
            self._deliver_spooled()

    def _prepared(self, item: _Item) -> dict[str, Any] | None:
        if item.prepare is None:
            return item.body
        try:
            return item.prepare(item.body)
        except Exception as error:  # noqa: BLE001 - foreign objects are read here; the item is lost, and counted
            _log.warning("an item of feedback could not be prepared (%s)", type(error).__name__)
            self.dropped += 1
            return None

    def _deliver(self, path: str, body: dict[str, Any], key: str) -> bool:
        try:
            self._address.patiently("POST", path, body, key, self._stopping)
        except DeliveryError as error:
            if error.worth_repeating:
                if self._spool is None or not self._spool.add(path, body, key):
                    self.dropped += len(body["items"])
                return False
            self.refused += len(body["items"])
            _log.warning("the service refused %d items (%s)", len(body["items"]), error)
        except (TypeError, ValueError) as error:
            self.refused += len(body["items"])
            _log.warning("%d items cannot be sent as JSON (%s)", len(body["items"]), type(error).__name__)
        else:
            self.delivered += len(body["items"])
        return True

    def _deliver_spooled(self) -> None:
        assert self._spool is not None
        for spooled in self._spool.waiting():
            try:
                self._address.request("POST", spooled.path, spooled.body, spooled.key)
            except DeliveryError as error:
                if error.worth_repeating:
                    return
                self.refused += len(spooled.body["items"])
            else:
                self.delivered += len(spooled.body["items"])
            self._spool.done(spooled)
