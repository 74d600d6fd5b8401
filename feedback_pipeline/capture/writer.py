"""Natural batching: while one transaction commits, the votes that arrive gather for the next one.

There is no timer and no queue to tune: a lone vote is written at once, a flood in batches as large as the flood. Every
caller is answered after the commit that holds its row. Per tenant two batches are in flight, so that one is worked on
while the other waits for the disk.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from feedback_pipeline.capture.connections import Store
from feedback_pipeline.capture.door import Door
from feedback_pipeline.capture.problems import ProblemError, unavailable
from feedback_pipeline.capture.votes import AnswerRow, Filing, NameRow

LARGEST_BATCH = 1000
IN_FLIGHT = 2
WAITING_LIMIT = 50_000
_MANY = 200
FILE = "SELECT ordinal, feedback_id, outcome FROM file_votes($1, $2, $3, $4)"
LOG = "SELECT file_answers($1, $2, $3)"


@dataclass(frozen=True)
class Outcome:
    """What became of a vote: `stored`, `replayed`, `reused` or `opted_out` (see the function file_votes)."""

    feedback_id: UUID
    outcome: str


class Writer:
    """Writes votes for one process."""

    def __init__(self, store: Store, door: Door) -> None:
        self._store = store
        self._door = door
        self._waiting: dict[str, deque[tuple[Filing, asyncio.Future[Outcome]]]] = {}
        self._running: dict[str, set[asyncio.Task[None]]] = {}

    async def write(self, tenant: str, filing: Filing) -> Outcome:
        """Files one vote together with those that wait.

        Raises:
            ProblemError: 503 where the store cannot be reached, 422 where it refuses the row.
        """
        (future,) = self._enqueue(tenant, [filing])
        return await future

    async def write_many(self, tenant: str, filings: Sequence[Filing]) -> list[Outcome | ProblemError]:
        """Files many votes, in several transactions; says of each what became of it.

        Raises:
            ProblemError: 503; what was filed before is kept, and is replayed under its idempotency keys.
        """
        outcomes = await asyncio.gather(*self._enqueue(tenant, filings), return_exceptions=True)
        result: list[Outcome | ProblemError] = []
        for outcome in outcomes:
            if isinstance(outcome, ProblemError):
                if outcome.status == 503:
                    raise outcome
                result.append(outcome)
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                result.append(outcome)
        return result

    async def log(self, tenant: str, answers: Sequence[AnswerRow], names: Sequence[NameRow]) -> int:
        """Files answers; returns how many were new."""
        redacted = await asyncio.to_thread(self._door.answers, answers)
        async with self._store.connection() as connection:
            return len(await connection.fetch(LOG, tenant, redacted, list(names)))

    async def drain(self) -> None:
        """Waits for what is under way."""
        running = [task for tasks in self._running.values() for task in tasks]
        await asyncio.gather(*running, return_exceptions=True)

    def _enqueue(self, tenant: str, filings: Sequence[Filing]) -> list["asyncio.Future[Outcome]"]:
        waiting = self._waiting.setdefault(tenant, deque())
        if len(waiting) + len(filings) > WAITING_LIMIT:
            raise ProblemError(503, "overloaded", "too many votes wait; try again", headers={"Retry-After": "1"})
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in filings]
        waiting.extend(zip(filings, futures, strict=True))
        running = self._running.setdefault(tenant, set())
        if len(running) < IN_FLIGHT:
            running.add(loop.create_task(self._run(tenant)))
        return futures

    async def _run(self, tenant: str) -> None:
        waiting = self._waiting[tenant]
        try:
            while waiting:
                batch = [waiting.popleft() for _ in range(min(LARGEST_BATCH, len(waiting)))]
                await self._file(tenant, batch)
        finally:
            running = self._running[tenant]
            running.discard(asyncio.current_task())
            if not running:
                for _, future in waiting:  # nobody is left to file them
                    _settle(future, unavailable())
                del self._running[tenant], self._waiting[tenant]

    async def _file(self, tenant: str, batch: list[tuple[Filing, "asyncio.Future[Outcome]"]]) -> None:
        try:
            outcomes = await self._filed(tenant, [filing for filing, _ in batch])
        except (ProblemError, asyncpg.PostgresError) as error:
            if isinstance(error, ProblemError) or len(batch) == 1:
                problem = error if isinstance(error, ProblemError) else _refused(error)
                for _, future in batch:
                    _settle(future, problem)
            else:
                # one row that the store refuses must not take the others with it
                for single in batch:
                    await self._file(tenant, [single])
            return
        except BaseException:
            for _, future in batch:
                _settle(future, unavailable())  # whatever broke, nobody is left waiting
            raise
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            _settle(future, outcome)

    async def _filed(self, tenant: str, filings: Sequence[Filing]) -> list[Outcome]:
        if len(filings) > _MANY:
            redacted = await asyncio.to_thread(self._door.redacted, filings)
        else:
            redacted = self._door.redacted(filings)
        votes = [filing.vote._replace(ordinal=place) for place, filing in enumerate(redacted)]
        answers = [answer for filing in redacted for answer in filing.answers]
        names = [name for filing in redacted for name in filing.names]
        async with self._store.connection() as connection:
            rows = await connection.fetch(FILE, tenant, votes, answers, names)
        by_place = {row["ordinal"]: Outcome(row["feedback_id"], row["outcome"]) for row in rows}
        return [by_place[place] for place in range(len(filings))]


def _settle(future: "asyncio.Future[Outcome]", result: Outcome | ProblemError) -> None:
    if future.done():  # the caller has gone
        return
    if isinstance(result, ProblemError):
        future.set_exception(result)
    else:
        future.set_result(result)


def _refused(error: asyncpg.PostgresError) -> ProblemError:
    """A row that passed every check here and not the store's: its code is named, its content is not."""
    if isinstance(error, asyncpg.exceptions.SerializationError | asyncpg.exceptions.DeadlockDetectedError):
        return ProblemError(503, "busy", "the store is busy; try again", headers={"Retry-After": "1"})
    return ProblemError(422, "refused", f"the store refused the row (SQLSTATE {error.sqlstate})")
