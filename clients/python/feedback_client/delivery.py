"""Delivery in the background: a queue and one thread that batches, redacts, retries, spools, and never raises."""

from __future__ import annotations

import atexit
import json
import logging
import os
import queue
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional
from uuid import uuid4

from feedback_client.address import Address
from feedback_client.errors import DeliveryError
from feedback_client.spool import Spool

MAX_QUEUE = 10_000
MAX_BATCH = 500
MAX_BYTES = 4 * 1024 * 1024
"""Of a batch, but for its last item: what is redacted together and sent in a request."""
AT_EXIT_SECONDS = 3.0
Prepare = Callable[[dict[str, Any]], Optional[dict[str, Any]]]
"""Makes the body of an item, in the thread; None where there is nothing to send."""
Redact = Callable[[Sequence[dict[str, Any]]], Sequence[dict[str, Any]]]
"""Makes of bodies as many without personal data, in the thread."""
_OF_AN_ITEM = frozenset({400, 413, 422})
"""Statuses by which a whole request is refused for what one of its items holds."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Item:
    path: str
    body: dict[str, Any]
    prepare: Prepare | None


class Delivery:
    """Delivers items to `/v1/feedback/batch` and `/v1/interactions` from a thread of its own.

    `put` costs the caller an append to a queue. When the queue is full the item is dropped and counted; when the
    service is down, items go to the spool, and from there when it is back.
    """

    def __init__(
        self,
        address: Address,
        spool: Spool | None,
        flush_seconds: float = 0.2,
        redact: Mapping[str, Redact] | None = None,
    ) -> None:
        """Args:
        address: where to.
        spool: where what is not delivered waits, if anywhere.
        flush_seconds: how long items gather.
        redact: for paths, what is done to all the bodies of a batch together.
        """
        self._address = address
        self._redact = redact or {}
        self._spool = spool
        self._flush_seconds = flush_seconds
        self._queue: queue.Queue[_Item] = queue.Queue(MAX_QUEUE)
        self._stopping = threading.Event()
        self._busy = threading.Lock()
        self.dropped = 0
        self.refused = 0
        self.delivered = 0
        self._process = os.getpid()
        self._starting = threading.Lock()
        self._thread = self._started()
        _open_deliveries.add(self)

    def _started(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, name="feedback-delivery", daemon=True)
        thread.start()
        return thread

    def put(self, path: str, body: dict[str, Any], prepare: Prepare | None = None) -> bool:
        """Queues an item; `prepare` is run on it in the thread. False if it was dropped."""
        if self._process != os.getpid():
            self._after_fork()
        try:
            self._queue.put_nowait(_Item(path, body, prepare))
        except queue.Full:
            self.dropped += 1
            return False
        return True

    def _after_fork(self) -> None:
        """A forked worker has the queue, but neither the thread nor a use for the parent's items and connections."""
        with self._starting:
            if self._process == os.getpid():
                return
            self._queue = queue.Queue(MAX_QUEUE)
            self._busy = threading.Lock()
            self._address = Address(self._address.url, self._address.key, self._address.timeout)
            self._process = os.getpid()
            self._thread = self._started()

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
        if self._process == os.getpid():
            self._thread.join(seconds)
        _open_deliveries.discard(self)

    def _run(self) -> None:
        while True:
            stopping = self._stopping.is_set()
            more = False
            try:
                with self._busy:
                    more = self._turn()
            except Exception:  # noqa: BLE001 - the outermost edge of a thread that must outlive whatever happens in it
                _log.exception("a batch of feedback was not delivered")
            if stopping and self._queue.empty():
                return
            if not more:
                self._stopping.wait(self._flush_seconds)

    def _turn(self) -> bool:
        """Delivers a batch of what waits; whether it was full, so that the next need not gather."""
        batch, full = self._taken()
        reached = True
        for path, bodies in batch.items():
            redact = self._redact.get(path)
            items = bodies if redact is None else self._redacted(redact, bodies)
            if items:
                reached = self._deliver(path, items) and reached
        if reached and self._spool is not None and not self._stopping.is_set():
            self._deliver_spooled()
        return full and reached

    def _taken(self) -> tuple[dict[str, list[dict[str, Any]]], bool]:
        """The bodies of a batch by path, and whether it is full."""
        batch: dict[str, list[dict[str, Any]]] = {}
        items = size = 0
        while items < MAX_BATCH and size < MAX_BYTES:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return batch, False
            items += 1
            if (body := self._prepared(item)) is not None:
                batch.setdefault(item.path, []).append(body)
                size += _size(body)
        return batch, True

    def _prepared(self, item: _Item) -> dict[str, Any] | None:
        if item.prepare is None:
            return item.body
        try:
            return item.prepare(item.body)
        except Exception as error:  # noqa: BLE001 - foreign objects are read here; the item is lost, and counted
            self._lost(error)
            return None

    def _redacted(self, redact: Redact, bodies: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The bodies redacted together. One that cannot be takes no other with it: halves are redacted apart, down to
        the body itself, which is lost and counted."""
        try:
            return list(redact(bodies))
        except Exception as error:  # noqa: BLE001 - foreign objects are read here
            if len(bodies) == 1:
                self._lost(error)
                return []
        return [body for half in _halves(bodies) for body in self._redacted(redact, half)]

    def _lost(self, error: Exception) -> None:
        _log.warning("an item of feedback could not be prepared (%s)", type(error).__name__)
        self.dropped += 1

    def _deliver(self, path: str, items: Sequence[dict[str, Any]]) -> bool:
        """Sends items in a request of their own; whether the service was reached. Where it refuses the request for what
        one of them holds, the halves are sent apart."""
        body, key = {"items": items}, uuid4().hex
        try:
            answer = self._address.patiently("POST", path, body, key, self._stopping)
        except DeliveryError as error:
            if error.worth_repeating:
                if self._spool is None or not self._spool.add(path, body, key):
                    self.dropped += len(items)
                return False
            return self._refused(path, items, error, str(error))
        except (TypeError, ValueError, RecursionError) as error:
            return self._refused(path, items, error, f"no JSON: {type(error).__name__}")
        self._count(answer, len(items))
        return True

    def _refused(self, path: str, items: Sequence[dict[str, Any]], error: Exception, why: str) -> bool:
        if len(items) > 1 and (not isinstance(error, DeliveryError) or error.status in _OF_AN_ITEM):
            reached = [self._deliver(path, half) for half in _halves(items)]
            return all(reached)
        self.refused += len(items)
        _log.warning("%d items were refused (%s)", len(items), why)
        return True

    def _count(self, answer: Any, items: int) -> None:
        """Counts what became of each item, which the service says."""
        results = answer.get("results") if isinstance(answer, dict) else None
        problems = [result["problem"] for result in results or () if result.get("problem")]
        self.refused += len(problems)
        self.delivered += items - len(problems)
        if problems:
            fields = sorted({error["field"] for problem in problems for error in problem.get("errors") or ()})
            _log.warning("the service refused %d of %d items (fields: %s)", len(problems), items, ", ".join(fields))

    def _deliver_spooled(self) -> None:
        assert self._spool is not None
        for spooled in self._spool.waiting():
            try:
                answer = self._address.request("POST", spooled.path, spooled.body, spooled.key)
            except DeliveryError as error:
                if error.worth_repeating:
                    return
                self._refused(spooled.path, spooled.body["items"], error, str(error))
            else:
                self._count(answer, len(spooled.body["items"]))
            self._spool.done(spooled)


def _halves(items: Sequence[dict[str, Any]]) -> tuple[Sequence[dict[str, Any]], Sequence[dict[str, Any]]]:
    middle = len(items) // 2
    return items[:middle], items[middle:]


def _size(body: dict[str, Any]) -> int:
    """Bytes of a body as JSON; 0 where it is none, which is found where it is redacted or sent."""
    try:
        return len(json.dumps(body))
    except (TypeError, ValueError, RecursionError):
        return 0


_open_deliveries: weakref.WeakSet[Delivery] = weakref.WeakSet()


@atexit.register
def _deliver_what_waits() -> None:
    """A script that ends without closing its client loses nothing that can be delivered in a moment."""
    for delivery in list(_open_deliveries):
        delivery.close(AT_EXIT_SECONDS)
