"""Natural batching: while one transaction commits, the votes that arrive gather for the next one.

There is no timer and no queue to tune: a lone vote is written at once, a flood in batches as large as the flood. Every
caller is answered after the commit that holds its row. Per tenant two batches are in flight, so that one is worked on
while the other waits for the disk.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import asyncpg

from feedback_pipeline.capture.answer_redaction import AnswerRedaction
from feedback_pipeline.capture.connections import Store
from feedback_pipeline.capture.intake import Intake
from feedback_pipeline.capture.problems import ProblemError, unavailable
from feedback_pipeline.capture.votes import AnswerRow, NameRow, Submission

MAX_BATCH = 1000
IN_FLIGHT = 2
WAITING_LIMIT = 50_000
_MANY = 200
FILE = "SELECT vote_id, feedback_id, outcome FROM file_votes($1, $2, $3, $4)"
LOG = "SELECT answer_id, outcome FROM file_answers($1, $2, $3)"


class Outcome(NamedTuple):
    """What became of a vote: `stored`, `replayed`, `reused` or `opted_out` (see the function file_votes)."""

    feedback_id: UUID
    outcome: str


@dataclass(eq=False)
class _Job:
    """Votes of one request that are filed together; `settled` gets what became of each."""

    submissions: Sequence[Submission]
    settled: "asyncio.Future[list[Outcome | ProblemError]]"


class _Queue:
    """What waits and what is under way for one tenant."""

    def __init__(self) -> None:
        self.jobs: deque[_Job] = deque()
        self.votes = 0
        self.running: set[asyncio.Task[None]] = set()

    def add(self, job: _Job) -> None:
        self.jobs.append(job)
        self.votes += len(job.submissions)

    def take(self) -> list[_Job]:
        """The jobs at the head that make one transaction."""
        taken: list[_Job] = []
        votes = 0
        while self.jobs and (not taken or votes + len(self.jobs[0].submissions) <= MAX_BATCH):
            taken.append(self.jobs.popleft())
            votes += len(taken[-1].submissions)
        self.votes -= votes
        return taken


class Writer:
    """Writes votes for one process."""

    def __init__(self, store: Store, intake: Intake) -> None:
        self._store = store
        self._intake = intake
        self._answer_redaction = AnswerRedaction(intake)
        self._queues: dict[str, _Queue] = {}

    async def write(self, tenant: str, submission: Submission) -> Outcome:
        """Files one vote together with those that wait.

        Raises:
            ProblemError: 503 where the store cannot be reached, 422 where it refuses the row.
        """
        (outcome,) = await self.enqueue(tenant, [submission])
        if isinstance(outcome, ProblemError):
            raise outcome
        return outcome

    async def log(
        self, tenant: str, answers: Sequence[AnswerRow], names: Sequence[NameRow]
    ) -> dict[UUID, str | ProblemError]:
        """Files answers; says of each id what became of it: `new`, `known`, `conflict`, `opted_out` (see the function
        file_answers), or why the store refused it, which costs no other answer."""
        redacted = await self._answer_redaction.redacted(tenant, answers)
        return await self._logged(tenant, redacted, names)

    async def _logged(
        self, tenant: str, answers: Sequence[AnswerRow], names: Sequence[NameRow]
    ) -> dict[UUID, str | ProblemError]:
        try:
            async with self._store.connection() as connection:
                rows = await connection.fetch(LOG, tenant, list(answers), list(names))
            return {row["answer_id"]: row["outcome"] for row in rows}
        except asyncpg.PostgresError as error:
            if len(answers) == 1:
                return {answers[0].id: _refused(error)}
        found: dict[UUID, str | ProblemError] = {}
        for half in (answers[: len(answers) // 2], answers[len(answers) // 2 :]):
            ids = {answer.id for answer in half}
            found |= await self._logged(tenant, half, [name for name in names if name.interaction_id in ids])
        return found

    async def drain(self) -> None:
        """Waits for what is under way."""
        running = [task for queue in self._queues.values() for task in queue.running]
        await asyncio.gather(*running, return_exceptions=True)

    def enqueue(self, tenant: str, submissions: Sequence[Submission]) -> "asyncio.Future[list[Outcome | ProblemError]]":
        """Has votes filed in one transaction, from 1 to MAX_BATCH of them; says of each what became of it.

        Raises:
            ProblemError: 503, too many votes wait.
        """
        queue = self._queues.setdefault(tenant, _Queue())
        if queue.votes + len(submissions) > WAITING_LIMIT:
            raise ProblemError(503, "overloaded", "too many votes wait; try again", headers={"Retry-After": "1"})
        loop = asyncio.get_running_loop()
        job = _Job(submissions, loop.create_future())
        queue.add(job)
        if len(queue.running) < IN_FLIGHT:
            queue.running.add(loop.create_task(self._run(tenant, queue)))
        return job.settled

    async def _run(self, tenant: str, queue: _Queue) -> None:
        try:
            while queue.jobs:
                await self._file(tenant, queue.take())
        finally:
            task = asyncio.current_task()
            assert task is not None
            queue.running.discard(task)
            if not queue.running:
                for job in queue.jobs:  # nobody is left to file them
                    _settle(job, [unavailable()] * len(job.submissions))
                del self._queues[tenant]

    async def _file(self, tenant: str, jobs: list[_Job]) -> None:
        try:
            outcomes = await self._outcomes(tenant, [submission for job in jobs for submission in job.submissions])
        except BaseException:
            for job in jobs:
                _settle(job, [unavailable()] * len(job.submissions))  # whatever broke, nobody is left waiting
            raise
        first = 0
        for job in jobs:
            _settle(job, outcomes[first : first + len(job.submissions)])
            first += len(job.submissions)

    async def _outcomes(self, tenant: str, submissions: Sequence[Submission]) -> list[Outcome | ProblemError]:
        """What became of each vote. A row that the store refuses does not take the others with it: the halves are
        filed apart, down to the row itself."""
        try:
            return await self._filed(tenant, submissions)
        except ProblemError as problem:
            return [problem] * len(submissions)
        except asyncpg.PostgresError as error:
            if len(submissions) == 1:
                return [_refused(error)]
        half = len(submissions) // 2
        return [*await self._outcomes(tenant, submissions[:half]), *await self._outcomes(tenant, submissions[half:])]

    async def _filed(self, tenant: str, submissions: Sequence[Submission]) -> list[Outcome | ProblemError]:
        if len(submissions) > _MANY:
            submissions = await asyncio.to_thread(self._intake.redacted, tenant, submissions)
        else:
            submissions = self._intake.redacted(tenant, submissions)
        votes = [submission.vote for submission in submissions]
        answers = [answer for submission in submissions for answer in submission.answers]
        names = [name for submission in submissions for name in submission.names]
        async with self._store.connection() as connection:
            rows = await connection.fetch(FILE, tenant, votes, answers, names)
        otherwise = {row["vote_id"]: Outcome(row["feedback_id"], row["outcome"]) for row in rows}
        return [otherwise.get(vote.id) or Outcome(vote.id, "stored") for vote in votes]


def _settle(job: _Job, outcomes: list[Outcome | ProblemError]) -> None:
    if not job.settled.done():  # else the caller has gone
        job.settled.set_result(outcomes)


def _refused(error: asyncpg.PostgresError) -> ProblemError:
    """A row that passed every check here and not the store's: its code is named, its content is not."""
    if isinstance(error, asyncpg.exceptions.SerializationError | asyncpg.exceptions.DeadlockDetectedError):
        return ProblemError(503, "busy", "the store is busy; try again", headers={"Retry-After": "1"})
    return ProblemError(422, "refused", f"the store refused the row (SQLSTATE {error.sqlstate})")
