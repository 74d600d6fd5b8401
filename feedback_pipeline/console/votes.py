"""`/console`: the votes of a team, filtered, searched, counted; and one vote. What users wrote is shown as text and
nothing else."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from feedback_pipeline.capture import statistics, views
from feedback_pipeline.capture.problems import ProblemError
from feedback_pipeline.capture.routes_reads import Listing, Page, vote_page
from feedback_pipeline.capture.routes_votes import current
from feedback_pipeline.console import wording
from feedback_pipeline.console.answers import answer_of, with_turns
from feedback_pipeline.console.lists import days_wanted, page_number, paging, values_in_use
from feedback_pipeline.console.pages import page
from feedback_pipeline.console.sessions import visit

router = APIRouter(include_in_schema=False)
PAGE_SIZE = 50
CHOICES: dict[str, dict[str, str]] = {
    "kind": wording.KINDS,
    "rating": {"up": "Thumb up", "down": "Thumb down"},
    "has_comment": {"true": "with a comment", "false": "without"},
}
"""Filters with a closed set of values, and what these are called."""
FILTERS = {
    "rating": "Rating",
    "has_comment": "Comment",
    "kind": "Kind",
    "content_type": "Content",
    "action_type": "Action",
    "model": "Model",
    "prompt_version": "Prompt version",
    "intent": "Intent",
    "project": "Project",
    "since": "From",
    "until": "To",
}
"""Filters by the names they have in addresses, with those they have on the page."""


@router.get("/console")
async def console(request: Request) -> Response:
    """Filters, the figures and a page of votes."""
    service, visitor = await visit(request)
    given = {name: value for name, value in request.query_params.items() if value}
    listed, problem = Page([], 1, 0, None), None
    try:
        number = page_number(given)
        listed = await vote_page(service, visitor.tenant, _wanted(given), number, given.get("voter"))
    except ProblemError as error:
        if error.status == 503:
            raise
        problem = error.detail
    stats = await statistics.stats(service.store, visitor.tenant, 30, None, None, None)
    accuracy = await statistics.accuracy(service.store, visitor.tenant, None, None, None)
    uses = await statistics.uses(service.store, visitor.tenant, 30)
    return page(
        "console.html", tenant=visitor.tenant, teams=visitor.teams, here="/console", filters=FILTERS, choices=CHOICES,
        given=given, listed=listed, links=paging("/console", given, listed, PAGE_SIZE), stats=stats, accuracy=accuracy,
        uses=uses, problem=problem, values=await values_in_use(service, visitor.tenant),
    )  # fmt: skip


def _wanted(given: dict[str, str]) -> Listing:
    fields: dict[str, Any] = {name: given[name] for name in (*FILTERS, "search") if name in given}
    try:
        return Listing.model_validate(fields | days_wanted(given) | {"limit": PAGE_SIZE})
    except ValueError:
        raise ProblemError(422, "invalid", "a filter holds what it cannot hold") from None


@router.get("/console/feedback/{feedback_id}")
async def console_item(request: Request, feedback_id: UUID) -> Response:
    """One vote with its history, and the answer it is about."""
    service, visitor = await visit(request)
    row = await current(service, visitor.principal, feedback_id)
    events = await service.store.fetch(visitor.tenant, "read_history", row["id"])
    answer = None if row["interaction_id"] is None else await answer_of(service, visitor.tenant, row["interaction_id"])
    return page(
        "console_item.html", tenant=visitor.tenant, teams=visitor.teams, here="",
        item=views.vote(row, feedback_id, row["first_at"]), events=[views.event(event) for event in events],
        answer=answer, **await with_turns(service, visitor.tenant, answer),
    )  # fmt: skip
