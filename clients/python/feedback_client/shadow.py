"""A candidate answers in the background: nobody sees it, and nothing it does reaches the caller.

`shadow(candidate, …)` wraps the call that answers. The caller waits for that call alone; what the candidate does with
the same arguments happens in threads of its own, on a bounded queue, sampled, within a budget and a deadline. It may
hang, raise or be flooded: what cannot be taken is dropped and counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import logging
import queue
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Callable, Literal, Protocol, TypeVar

from feedback_client.draws import DRAW

Answers = TypeVar("Answers", bound=Callable[..., Any])
Status = Literal["ok", "failed", "late"]

MAX_QUEUE = 100
THREADS = 2
MAX_OUTPUT = 20_000
"""Characters of a candidate's answer that are kept."""

_log = logging.getLogger(__name__)


class Sink(Protocol):
    """Takes what a candidate answered; `FeedbackClient.shadow_run` is one."""

    def __call__(self, run: dict[str, Any], /) -> object: ...


@dataclass
class Counts:
    """What became of the calls seen so far."""

    seen: int = 0
    sampled: int = 0
    answered: int = 0
    failed: int = 0
    late: int = 0
    dropped: int = 0
    spent_usd: float = 0.0


@dataclass(frozen=True)
class _Job:
    request_id: str
    arguments: tuple[Any, ...]
    named: dict[str, Any]


@dataclass
class Shadow:
    """One candidate behind a call.

    Attributes:
        candidate: answers like the wrapped call: same arguments, a text or something with one. May be a coroutine
            function.
        sink: where its answers go.
        name: of the candidate, as its answers are filed.
        sample: share of calls it answers.
        budget_usd: dollars it may cost; no more calls once they are spent. None for no limit.
        deadline: seconds an answer may take; later ones are filed as late, without a text.
        cost: dollars of an answer, given what the candidate returned.
        request_id: the caller's name of a call, given its arguments: what the answer shown is logged under.
    """

    candidate: Callable[..., Any]
    sink: Sink
    name: str
    sample: float = 0.1
    budget_usd: float | None = None
    deadline: float = 30.0
    cost: Callable[[Any], float] | None = None
    request_id: Callable[..., str] | None = None
    counts: Counts = field(default_factory=Counts)
    _queue: queue.Queue[_Job] = field(default_factory=lambda: queue.Queue(MAX_QUEUE), repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        for number in range(THREADS):
            threading.Thread(target=self._work, name=f"shadow-{self.name}-{number}", daemon=True).start()

    def __call__(self, call: Answers) -> Answers:
        """Wraps a function or coroutine function that answers."""
        if inspect.iscoroutinefunction(call):

            @functools.wraps(call)
            async def answered(*arguments: Any, **named: Any) -> Any:
                try:
                    return await call(*arguments, **named)
                finally:
                    self.offer(*arguments, **named)

            return answered  # type: ignore[return-value]

        @functools.wraps(call)
        def answer(*arguments: Any, **named: Any) -> Any:
            try:
                return call(*arguments, **named)
            finally:
                self.offer(*arguments, **named)

        return answer  # type: ignore[return-value]

    def offer(self, *arguments: Any, **named: Any) -> bool:
        """Lets the candidate answer a call, perhaps; never raises and never waits. False where it does not."""
        try:
            self.counts.seen += 1
            if DRAW.random() >= self.sample:
                return False
            if self._spent():
                return False
            identity = named.get("request_id") if self.request_id is None else self.request_id(*arguments, **named)
            if identity is None:
                return False
            self._queue.put_nowait(_Job(str(identity), arguments, dict(named)))
            self.counts.sampled += 1
            return True
        except Exception:  # noqa: BLE001 - whatever goes wrong here must not reach the application
            self.counts.dropped += 1
            return False

    def flush(self, seconds: float = 5.0) -> bool:
        """Waits until nothing waits and nothing is under way; False if that took longer."""
        # a call that a thread has taken is in the queue no more: it counts until the thread is done with it
        with self._queue.all_tasks_done:
            return self._queue.all_tasks_done.wait_for(lambda: not self._queue.unfinished_tasks, seconds)

    def _work(self) -> None:
        while True:
            job = self._queue.get()
            with contextlib.suppress(Exception):
                self._answer(job)
            self._queue.task_done()

    def _spent(self) -> bool:
        return self.budget_usd is not None and self.counts.spent_usd >= self.budget_usd

    def _answer(self, job: _Job) -> None:
        if self._spent():  # by those that were before it in the queue
            with self._lock:
                self.counts.dropped += 1
            return
        started = time.monotonic()
        box: list[Any] = []
        # a candidate that hangs keeps this thread of its own and nothing else; it cannot be killed
        thread = threading.Thread(target=self._ask, args=(job, box), daemon=True)
        thread.start()
        thread.join(self.deadline)
        status: Status = "late" if not box else "failed" if isinstance(box[0], Exception) else "ok"
        text, cost = (None, None) if status != "ok" else (_text(box[0]), self._cost(box[0]))
        with self._lock:
            name = {"ok": "answered", "failed": "failed", "late": "late"}[status]
            setattr(self.counts, name, getattr(self.counts, name) + 1)
            self.counts.spent_usd += cost or 0.0
        if status == "failed":
            _log.info("the shadow %s failed (%s)", self.name, type(box[0]).__name__)
        self.sink({
            "request_id": job.request_id, "candidate": self.name, "status": status,
            "output": None if text is None else text[:MAX_OUTPUT],
            "latency_ms": round(1000 * (time.monotonic() - started), 2), "cost_usd": cost,
            "occurred_at": datetime.now(UTC).isoformat(),
        })  # fmt: skip

    def _ask(self, job: _Job, box: list[Any]) -> None:
        try:
            found = self.candidate(*job.arguments, **job.named)
            box.append(asyncio.run(_awaited(found)) if inspect.isawaitable(found) else found)
        except Exception as error:  # noqa: BLE001 - a candidate may fail in any way
            box.append(error)

    def _cost(self, found: Any) -> float | None:
        return None if self.cost is None else max(0.0, float(self.cost(found)))


def shadow(
    candidate: Callable[..., Any], sink: Sink, *, name: str, sample: float = 0.1, budget_usd: float | None = None,
    deadline: float = 30.0, cost: Callable[[Any], float] | None = None,
    request_id: Callable[..., str] | None = None,
) -> Shadow:  # fmt: skip
    """A candidate that answers behind a call; the arguments are those of `Shadow`.

    Example:
        >>> runs = []
        >>> @shadow(lambda question, request_id: question.upper(), runs.append, name="v2", sample=1.0)
        ... def answer(question, request_id):
        ...     return question
        >>> answer("hello", request_id="r1")
        'hello'
    """
    return Shadow(candidate, sink, name, sample, budget_usd, deadline, cost, request_id)


def shadow_completions(client: Any, behind: Shadow) -> Any:
    """Puts a shadow behind `chat.completions.create` of an `openai` client, sync or async, and returns the client.

    The answer shown has to be logged under the same request id, which the call's `metadata["request_id"]` (or `user`)
    names.
    """
    completions = client.chat.completions
    if behind.request_id is None:
        behind.request_id = _completion_id
    completions.create = behind(completions.create)
    return client


def _completion_id(*_: Any, **named: Any) -> str:
    metadata = named.get("metadata") or {}
    return str(metadata["request_id"] if "request_id" in metadata else named["user"])


async def _awaited(found: Any) -> Any:
    return await found


def _text(found: Any) -> str:
    if isinstance(found, str):
        return found
    choices = getattr(found, "choices", None)
    return str(choices[0].message.content or "") if choices else str(found)
