"""`/console`: pages for people, made by the server. What users wrote is shown as text and nothing else."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from feedback_pipeline.capture import bodies, statistics, views
from feedback_pipeline.capture.access import Principal, close_session, find_session, open_session
from feedback_pipeline.capture.problems import ProblemError, invalid
from feedback_pipeline.capture.routes_reads import Listing, listing
from feedback_pipeline.capture.routes_votes import current
from feedback_pipeline.capture.service import Service, service_of
from feedback_pipeline.console.pages import environment

router = APIRouter(include_in_schema=False)
COOKIE = "feedback_console"
SESSION = timedelta(hours=8)
PAGES = (
    ("/console", "Votes"),
    ("/console/audit", "Audit"),
    ("/console/experiments", "Experiments"),
    ("/console/reports", "Reports"),
)
"""The console's pages by address, in the order of its navigation."""
CHOICES = {
    "kind": ("explicit", "implicit", "outcome", "correction", "preference", "comment"),
    "rating": ("up", "down"),
    "has_comment": ("true", "false"),
}
"""Filters with a closed set of values."""
FILTERS = (
    "content_type",
    "action_type",
    "model",
    "intent",
    "project",
    "kind",
    "rating",
    "has_comment",
    "since",
    "until",
)


@router.get("/console")
async def console(request: Request) -> Response:
    """Filters, the figures and a page of votes."""
    service = service_of(request)
    principal = await visitor(service, request)
    if principal is None:
        return page("console_login.html", problem=None)
    given = {name: value for name, value in request.query_params.items() if value}
    shown: dict[str, Any] = {"items": [], "next_cursor": None}
    problem = None
    try:
        shown = await listing(service, principal.tenant, _wanted(given))
    except ProblemError as error:
        if error.status == 503:
            raise
        problem = error.detail
    stats = await statistics.stats(service.store, principal.tenant, 30, None, None, None)
    accuracy = await statistics.accuracy(service.store, principal.tenant, None, None, None)
    uses = await statistics.uses(service.store, principal.tenant, 30)
    following = urlencode({**given, "cursor": shown["next_cursor"]}) if shown["next_cursor"] else None
    return page(
        "console.html", tenant=principal.tenant, here="/console", filters=FILTERS, choices=CHOICES, given=given,
        items=shown["items"], next=following, stats=stats, accuracy=accuracy, uses=uses, problem=problem,
    )  # fmt: skip


def _wanted(given: dict[str, str]) -> Listing:
    fields: dict[str, Any] = {name: given[name] for name in (*FILTERS, "cursor") if name in given}
    for name in ("since", "until"):
        if name in fields:
            try:
                fields[name] = datetime.combine(datetime.fromisoformat(fields[name]).date(), time(), UTC)
            except ValueError:
                raise invalid(name, "must be a date such as 2026-11-20") from None
    try:
        return Listing.model_validate(fields)
    except ValueError:
        raise ProblemError(422, "invalid", "a filter holds what it cannot hold") from None


@router.get("/console/feedback/{feedback_id}")
async def console_item(request: Request, feedback_id: UUID) -> Response:
    """One vote with its snapshot and its history."""
    service = service_of(request)
    principal = await visitor(service, request)
    if principal is None:
        return page("console_login.html", problem=None)
    row = await current(service, principal, feedback_id)
    events = await service.store.fetch(principal.tenant, "read_history", row["id"])
    return page(
        "console_item.html", tenant=principal.tenant, here="", item=views.vote(row, feedback_id, row["first_at"]),
        events=[views.event(event) for event in events],
    )  # fmt: skip


@router.post("/console/login")
async def login(request: Request) -> Response:
    """A key with the scope read opens the console for some hours."""
    service = service_of(request)
    await service.limits.take("address", service.client_address(request), service.settings.capture.address_requests)
    form = bodies.parse(await bodies.read(request, 2000), request.headers.get("content-type", ""))
    key = form.get("key") if isinstance(form, dict) else None
    try:
        if not isinstance(key, str):
            raise invalid("key", "is missing")
        principal = await service.keys.find(key.strip())
    except ProblemError as problem:
        if problem.status == 503:
            raise
        return page("console_login.html", status=401, problem="No key of this service: unknown, expired or revoked.")
    if not principal.scopes & {"read", "admin"}:
        return page("console_login.html", status=403, problem="This key lacks the scope read.")
    seconds = int(SESSION.total_seconds())
    secret = await open_session(service.store, principal, seconds)
    answer = RedirectResponse("/console", status_code=303)
    answer.set_cookie(
        COOKIE, secret, max_age=seconds, httponly=True, samesite="strict", path="/console",
        secure=service.scheme(request) == "https",
    )  # fmt: skip
    return answer


@router.post("/console/logout")
async def logout(request: Request) -> Response:
    """Ends the session, for whoever else may hold its cookie as well."""
    if secret := request.cookies.get(COOKIE):
        await close_session(service_of(request).store, secret)
    answer = RedirectResponse("/console", status_code=303)
    answer.delete_cookie(COOKIE, path="/console")
    return answer


async def visitor(service: Service, request: Request) -> Principal | None:
    """Whose session this is; None where there is none that may read."""
    secret = request.cookies.get(COOKIE)
    principal = None if secret is None else await find_session(service.store, secret)
    if principal is None or not principal.scopes & {"read", "admin"}:
        return None
    await service.limits.take("key", str(principal.key_id), service.settings.capture.key_requests)
    return principal


def page(template: str, status: int = 200, **values: Any) -> Response:
    """A page of the console, which nobody keeps."""
    text = environment().get_template(template).render(pages=PAGES, verdict=views.verdict, **values)
    return HTMLResponse(text, status, headers={"Cache-Control": "no-store"})
