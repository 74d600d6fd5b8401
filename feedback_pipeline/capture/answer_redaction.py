"""Redaction of logged answers in natural batches: while some are redacted, those that arrive gather for the next.

A lone answer costs some eighty searches of a column of one, a hundred cost little more. Only the redaction is shared:
each request numbers its own placeholders and files its own rows, so that nobody can tell what was redacted beside it.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from feedback_pipeline.capture.intake import Intake
from feedback_pipeline.capture.votes import AnswerRow

MAX_ANSWERS = 1000
MAX_CHARACTERS = 4_000_000
"""Of what is redacted together; a request beyond it is redacted by itself."""
IN_FLIGHT = 2
_TEXTS = ("prompt", "output", "messages", "content_snapshot", "metadata")


@dataclass(eq=False)
class _Request:
    """The answers of one request; `settled` gets them redacted."""

    tenant: str
    answers: Sequence[AnswerRow]
    characters: int
    settled: "asyncio.Future[list[AnswerRow]]"


class AnswerRedaction:
    """Redacts the answers of one process."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._waiting: deque[_Request] = deque()
        self._running: set[asyncio.Task[None]] = set()

    async def redacted(self, tenant: str, answers: Sequence[AnswerRow]) -> list[AnswerRow]:
        """`Intake.answers`, together with what waits."""
        characters = sum(len(getattr(answer, name) or "") for answer in answers for name in _TEXTS)
        if len(answers) > MAX_ANSWERS or characters > MAX_CHARACTERS:
            return await asyncio.to_thread(self._intake.answers, tenant, answers)
        loop = asyncio.get_running_loop()
        request = _Request(tenant, answers, characters, loop.create_future())
        self._waiting.append(request)
        if len(self._running) < IN_FLIGHT:
            task = loop.create_task(self._run())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return await request.settled

    async def _run(self) -> None:
        while self._waiting:
            await self._settle(self._taken())

    def _taken(self) -> list[_Request]:
        taken = [self._waiting.popleft()]
        answers, characters = len(taken[0].answers), taken[0].characters
        while self._waiting:
            answers += len(self._waiting[0].answers)
            characters += self._waiting[0].characters
            if answers > MAX_ANSWERS or characters > MAX_CHARACTERS:
                break
            taken.append(self._waiting.popleft())
        return taken

    async def _settle(self, requests: Sequence[_Request]) -> None:
        """Redacts requests together. One that cannot be does not take the others with it: the halves are redacted
        apart, down to the request itself, which gets the error."""
        brought = [(request.tenant, request.answers) for request in requests]
        try:
            cleaned = await asyncio.to_thread(self._intake.answers_of, brought)
        except asyncio.CancelledError:
            for request in requests:
                request.settled.cancel()
            raise
        except BaseException as error:  # noqa: BLE001 - whatever broke, nobody is left waiting
            if len(requests) > 1:
                for half in (requests[: len(requests) // 2], requests[len(requests) // 2 :]):
                    await self._settle(half)
            elif not requests[0].settled.done():
                requests[0].settled.set_exception(error)
            return
        for request, answers in zip(requests, cleaned, strict=True):
            if not request.settled.done():  # else the caller has gone
                request.settled.set_result(answers)
