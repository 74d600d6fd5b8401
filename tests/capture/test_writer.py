"""The writer's batches: what one row does wrong costs the others nothing."""

import asyncio
from pathlib import Path
from typing import Any

from feedback_pipeline.capture.connections import Store
from feedback_pipeline.capture.intake import Intake
from feedback_pipeline.capture.problems import ProblemError
from feedback_pipeline.capture.shapes import StoreVote
from feedback_pipeline.capture.votes import Person, Submission, read, submission
from feedback_pipeline.capture.writer import Outcome, Writer
from feedback_pipeline.privacy.pseudonyms import Pseudonymiser

NOBODY = Person(None, None, "server")


def votes(tenant: str, number: int) -> list[Submission]:
    shapes = [StoreVote(kind="explicit", thumb=True, request_id=f"r-{place}") for place in range(number)]
    return [submission(read(shape), shape, tenant, NOBODY, None, None, place) for place, shape in enumerate(shapes)]


async def filed(database: Any, home: Path, tenant: str, submissions: list[Submission]) -> list[Outcome | ProblemError]:
    store = Store(database.address(), 4)
    writer = Writer(store, Intake(Pseudonymiser.open(home, production=False), keep_raw=False))
    try:
        return await writer.enqueue(tenant, submissions)
    finally:
        await writer.drain()
        await store.close()


def test_a_row_that_the_store_refuses_does_not_take_the_others_with_it(service: Any, tmp_path: Path) -> None:
    submissions = votes(service.tenant, 9)
    # no request can make such a row: the store's own check is the last one
    submissions[4] = submissions[4]._replace(vote=submissions[4].vote._replace(kind="unheard_of"))
    outcomes = asyncio.run(filed(service.database, tmp_path, service.tenant, submissions))
    assert [getattr(outcome, "outcome", "refused") for outcome in outcomes] == ["stored"] * 4 + ["refused"] + [
        "stored"
    ] * 4
    (refused,) = [outcome for outcome in outcomes if isinstance(outcome, ProblemError)]
    assert (refused.status, "23514" in refused.detail) == (422, True)  # check_violation; the row is not quoted
    assert service.rows("SELECT count(*) FROM feedback WHERE tenant = %s") == [(8,)]


def test_a_store_that_is_away_is_said_of_every_vote(tmp_path: Path) -> None:
    class Nowhere:
        def address(self) -> str:
            return "postgresql://nobody@127.0.0.1:9/nothing"  # the discard port: nobody listens

    outcomes = asyncio.run(filed(Nowhere(), tmp_path, "default", votes("default", 3)))
    assert [isinstance(outcome, ProblemError) and outcome.status for outcome in outcomes] == [503] * 3
