"""Writing votes in batches."""

import asyncio
import time
from collections import Counter
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from feedback_pipeline.capture import bodies
from feedback_pipeline.capture.access import Principal
from feedback_pipeline.capture.identifiers import digest
from feedback_pipeline.capture.problems import ProblemError, invalid
from feedback_pipeline.capture.responses import json_response
from feedback_pipeline.capture.service import Service, service_of
from feedback_pipeline.capture.shapes import Voter
from feedback_pipeline.capture.submissions import idempotency_key, note_for_analytics, shape_of, submission_of, user_of
from feedback_pipeline.capture.votes import Person, Submission
from feedback_pipeline.capture.writer import Outcome

router = APIRouter()

MAX_ITEMS = 5000
ITEMS_AT_A_TIME = 250


@router.post("/v1/feedback/batch")
async def create_batch(request: Request) -> Response:
    """File up to 5,000 votes; each is answered by itself, in order."""
    service = service_of(request)
    principal = await service.authenticate(request, "write")
    if principal.browser:
        raise ProblemError(403, "missing_scope", "batches need an API key")
    body = await bodies.read(request, service.settings.capture.batch_bytes)
    value = bodies.parse(body, request.headers.get("content-type", ""))
    items = value.get("items") if isinstance(value, dict) and value.keys() == {"items"} else value
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_ITEMS:
        raise invalid("items", f"must be a list of 1 to {MAX_ITEMS} votes")
    started = time.time()
    results = await file_batch(service, principal, items, idempotency_key(request))
    stored = sum(result["status"] == 201 for result in results)
    refused = sum(result["status"] >= 400 for result in results)
    found = {"stored": stored, "refused": refused, "seconds": round(time.time() - started, 4), "results": results}
    return json_response(found, 200 if not refused else 207)


async def file_batch(
    service: Service, principal: Principal, items: list[Any], key: str | None = None
) -> list[dict[str, Any]]:
    """Files votes; says of each what became of it, in order.

    Raises:
        ProblemError: 503, the store is away; what was filed is replayed under its idempotency keys.
    """
    results: list[dict[str, Any]] = [{} for _ in items]
    shares = []
    for first in range(0, len(items), ITEMS_AT_A_TIME):
        submissions: list[Submission] = []
        places: list[tuple[int, Voter, Submission, Person]] = []
        for place in range(first, min(first + ITEMS_AT_A_TIME, len(items))):
            try:
                shape = shape_of(items[place])
                person = _server_person(service, principal, shape)
                submission = _batch_submission(service, principal, items[place], shape, person, key, place)
                submissions.append(submission)
                places.append((place, shape, submission, person))
            except ProblemError as problem:
                results[place] = {"status": problem.status, "problem": problem.document()}
        if submissions:
            shares.append((places, service.writer.enqueue(principal.tenant, submissions)))
        await asyncio.sleep(0)  # the store works on these votes, and others have their turn, while the next are read
    for places, settled in shares:
        for (place, shape, submission, person), outcome in zip(places, await settled, strict=True):
            if isinstance(outcome, ProblemError) and outcome.status == 503:
                raise outcome  # what was filed is replayed under its idempotency keys
            results[place] = _batch_result(outcome)
            if results[place].get("outcome") == "stored":
                note_for_analytics(service, shape, submission, service.analysed(person, user_of(shape)))
    for name, number in Counter(result.get("outcome") for result in results).items():
        if name is not None:
            service.metrics.vote(name, number)
    return results


def _server_person(service: Service, principal: Principal, shape: Voter) -> Person:
    pseudonym, tenant = service.intake.pseudonym, principal.tenant
    return Person(pseudonym(tenant, user_of(shape)), pseudonym(tenant, shape.session_id), "server")


def _batch_submission(
    service: Service, principal: Principal, item: Any, shape: Voter, person: Person, key: str | None, place: int
) -> Submission:
    own = shape.idempotency_key or (None if key is None else f"{key}#{place}")
    fingerprint = None if own is None else digest(orjson.dumps(item, option=orjson.OPT_SORT_KEYS))
    return submission_of(service, principal, person, shape, own, fingerprint, place)


def _batch_result(outcome: Outcome | ProblemError) -> dict[str, Any]:
    if isinstance(outcome, ProblemError):
        return {"status": outcome.status, "problem": outcome.document()}
    if outcome.outcome == "reused":
        problem = ProblemError(422, "idempotency_key_reused", "the key was used for another request")
        return {"status": 422, "problem": problem.document()}
    identity = None if outcome.outcome == "opted_out" else str(outcome.feedback_id)
    return {"status": 201 if outcome.outcome == "stored" else 200, "id": identity, "outcome": outcome.outcome}
