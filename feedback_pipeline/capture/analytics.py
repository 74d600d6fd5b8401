"""The product-analytics event beside the database write: on a queue, so that a dead endpoint costs a vote nothing.

PostHog's own SDK is an optional extra; without it or without a key no event is made.
"""

import importlib
import logging
import queue
import threading
from typing import Any, Protocol

from feedback_pipeline.extras import install_command

EVENT = "llm_feedback_submitted"
MAX_QUEUE = 10_000
_log = logging.getLogger(__name__)


class Sender(Protocol):
    """A client of an analytics service."""

    def capture(self, event: str, *, distinct_id: str, properties: dict[str, Any]) -> Any: ...

    def shutdown(self) -> Any: ...


class Analytics:
    """Sends events from a thread of its own; what does not fit into the queue is dropped and counted."""

    def __init__(self, sender: Sender | None) -> None:
        self._sender = sender
        self._queue: queue.Queue[tuple[str, dict[str, Any]] | None] = queue.Queue(MAX_QUEUE)
        self.dropped = 0
        self.failed = 0
        if sender is not None:
            self._thread = threading.Thread(target=self._run, args=(sender,), name="analytics", daemon=True)
            self._thread.start()

    def submitted(
        self, person: str | None, kind: str, content_type: str | None, rating: bool | None, has_comment: bool
    ) -> None:
        """A vote, a comment or a correction was stored or changed. What an application noticed or reports (implicit
        signals, outcomes) nobody submitted: no event is made of it."""
        if self._sender is None or kind in {"implicit", "outcome"}:
            return
        properties = {"content_type": content_type, "rating": rating, "has_comment": has_comment}
        try:
            self._queue.put_nowait((person or "anonymous", properties))
        except queue.Full:
            self.dropped += 1

    def close(self, seconds: float = 2.0) -> None:
        """Sends what waits, for a limited time."""
        if self._sender is None:
            return
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            return
        self._thread.join(seconds)

    def _run(self, sender: Sender) -> None:
        while (item := self._queue.get()) is not None:
            person, properties = item
            try:
                sender.capture(EVENT, distinct_id=person, properties=properties)
            except Exception as error:  # noqa: BLE001 - the outermost edge of a foreign SDK's thread
                self.failed += 1
                _log.warning("analytics event not sent (%s)", type(error).__name__)


def open_posthog(key: str | None, host: str) -> Sender | None:
    """PostHog's client where a key is set and the SDK is installed (the extra `posthog`)."""
    if key is None:
        return None
    try:
        posthog: Any = importlib.import_module("posthog")
    except ModuleNotFoundError:
        _log.warning("POSTHOG_API_KEY is set, but no events are sent without the extra: %s", install_command("posthog"))
        return None
    sender: Sender = posthog.Posthog(key, host=host, timeout=3)
    return sender
