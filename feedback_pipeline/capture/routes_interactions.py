"""Writing answers: what a model said, voted on or not."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from feedback_pipeline.capture import bodies, votes
from feedback_pipeline.capture.access import Principal
from feedback_pipeline.capture.problems import ProblemError, invalid
from feedback_pipeline.capture.responses import json_response, parsed, problem_response
from feedback_pipeline.capture.service import Service, service_of
from feedback_pipeline.capture.shapes import LoggedAnswer, shortened
from feedback_pipeline.capture.votes import AnswerRow, NameRow, Person
from feedback_pipeline.llm.prices import read_prices

router = APIRouter()

LOGGED = TypeAdapter(LoggedAnswer)
MAX_ANSWERS = 1000


@router.post("/v1/interactions", status_code=202)
async def log_interactions(request: Request) -> Response:
    """Keep answers, one or up to 1,000, whether or not anybody votes on them."""
    service = service_of(request)
    principal = await service.authenticate(request, "write")
    if principal.browser:
        raise ProblemError(403, "missing_scope", "logging needs an API key")
    body = await bodies.read(request, service.settings.capture.batch_bytes)
    value = bodies.parse(body, request.headers.get("content-type", ""))
    items = value.get("items") if isinstance(value, dict) and value.keys() == {"items"} else [value]
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_ANSWERS:
        raise invalid("items", f"must be a list of 1 to {MAX_ANSWERS} answers")
    many = isinstance(value, dict) and value.keys() == {"items"}
    if not many:
        _logged(service, principal.tenant, value)  # a lone answer that cannot be kept is the request's own problem
    results = await file_answers(service, principal, items)
    refused = sum(result["status"] >= 400 for result in results)
    if not many and refused:
        return problem_response(results[0]["problem"])
    ids = [result.get("interaction_id") for result in results]
    new = len({result["interaction_id"] for result in results if result.get("outcome") == "new"})
    found = {"interaction_ids": ids, "new": new, "refused": refused, "results": results}
    return json_response(found, 207 if refused else 202)


async def file_answers(service: Service, principal: Principal, items: list[Any]) -> list[dict[str, Any]]:
    """Keeps answers; says of each what became of it, in order.

    Raises:
        ProblemError: 503, the store is away.
    """
    rows: dict[int, AnswerRow] = {}
    names: list[NameRow] = []
    results: list[dict[str, Any]] = [{} for _ in items]
    for place, item in enumerate(items):
        try:
            row, own_names, cut = _logged(service, principal.tenant, item)
        except ProblemError as problem:
            results[place] = {"status": problem.status, "problem": problem.document()}
            continue
        rows[place] = row
        names += own_names
        if cut:
            results[place] = {"cut": cut}
    first = {row.id: row for row in reversed(rows.values())}
    outcomes = await service.writer.log(principal.tenant, list(first.values()), names) if rows else {}
    new: dict[UUID, AnswerRow] = {}
    for place, row in rows.items():
        outcome = outcomes[row.id]
        if outcome == "new" and row.id in new:  # an answer twice in one request
            outcome = "known" if row.output == new[row.id].output else "conflict"
        elif outcome == "new":
            new[row.id] = row
        results[place] |= _logged_result(row.id, outcome)
    return results


def _logged(service: Service, tenant: str, item: Any) -> tuple[AnswerRow, list[NameRow], list[str]]:
    """The rows of a logged answer, and which of its names were too long and are cut."""
    item, cut = shortened(item)
    answer: LoggedAnswer = parsed(LOGGED, item)
    pseudonym = service.intake.pseudonym
    person = Person(pseudonym(tenant, answer.user_id), pseudonym(tenant, answer.session_id), "logged")
    row, names = votes.logged(answer, tenant, person)
    if row.content_snapshot is not None and len(row.content_snapshot) > service.settings.capture.snapshot_bytes:
        raise invalid("content_snapshot", "too large")
    if row.cost_usd is None:
        prices = read_prices(service.settings.prices_file)
        row = row._replace(cost_usd=prices.cost(row.model, row.input_tokens, row.output_tokens))
    return row, names, cut


def _logged_result(identity: UUID, outcome: str | ProblemError) -> dict[str, Any]:
    if outcome == "conflict":
        outcome = ProblemError(409, "conflict", "another answer was logged under this id; it stays as it is")
    if isinstance(outcome, ProblemError):
        return {"status": outcome.status, "problem": outcome.document()}
    return {"status": 202, "interaction_id": str(identity), "outcome": outcome}
