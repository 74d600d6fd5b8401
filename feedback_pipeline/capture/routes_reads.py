"""Reading: votes, their state on a page, accuracy, statistics, summaries."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from feedback_pipeline.capture import bodies, statistics, views, votes
from feedback_pipeline.capture.access import Principal
from feedback_pipeline.capture.asking import asks
from feedback_pipeline.capture.problems import ProblemError, invalid
from feedback_pipeline.capture.responses import json_response, parsed
from feedback_pipeline.capture.routes_votes import current, named_content, require_own
from feedback_pipeline.capture.service import Service, service_of
from feedback_pipeline.capture.shapes import ContentState, Parameter, StateRequest, StatesRequest
from feedback_pipeline.store.rows import content_name

router = APIRouter()


class Groups(BaseModel):
    """Which answers the votes are about."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    model: Parameter | None = None
    intent: Parameter | None = None
    project: Parameter | None = None


class Stats(Groups):
    """Which votes to count."""

    days: Literal["7", "30", "90"] = "30"


MAX_LOOKED_AT = 20_000
"""Votes that a search or a count looks at, the newest first: there is no index of texts, which would make each write
twenty times slower."""


class Listing(Groups):
    """Which votes to list; `search` is as one types it into a search engine: words, "a phrase", or, -not."""

    content_type: Parameter | None = None
    content_id: Parameter | None = None
    action_type: Parameter | None = None
    kind: Literal["explicit", "implicit", "outcome", "correction", "preference", "comment"] | None = None
    rating: Literal["up", "down", "positive", "negative", "1", "-1", "true", "false"] | None = None
    has_comment: bool | None = None
    prompt_version: Parameter | None = None
    search: Parameter | None = None
    user_id: Parameter | None = None
    session_id: Parameter | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, Field(max_length=200)] | None = None


@router.get("/v1/feedback")
async def list_feedback(request: Request, wanted: Annotated[Listing, Query()]) -> Response:
    """Current votes of the team, newest first. With `content_type`, `content_id` and a person: what that person voted
    on that content; a browser's token names both."""
    service = service_of(request)
    principal = await service.authenticate(request, "read")
    if principal.browser or (wanted.content_id is not None and (wanted.user_id or wanted.session_id)):
        return json_response(await _state(service, request, principal, wanted))
    if wanted.content_id is not None:
        raise invalid("user_id", "is needed with content_id, or session_id")
    return json_response(await listing(service, principal.tenant, wanted))


async def _state(service: Service, request: Request, principal: Principal, wanted: Listing) -> dict[str, Any]:
    content = named_content(principal, wanted.content_type, wanted.content_id)
    person = await service.person(request, principal, wanted.user_id, wanted.session_id, writes=False)
    return await _voted(service, principal, content, person, None)


async def _voted(
    service: Service, principal: Principal, content: tuple[str, str], person: votes.Person, shown: str | None
) -> dict[str, Any]:
    tenant = principal.tenant
    rows = await service.store.fetch(tenant, "read_state", *content_name(*content), person.voter, shown, tenant)
    view = views.own_vote if principal.browser else views.vote
    return {"items": [view(row) for row in rows], "next_cursor": None}


@router.post("/v1/feedback/state")
async def read_state(request: Request) -> Response:
    """What a person voted on content as it is shown now: a vote on an earlier snapshot of it is not theirs on this."""
    service = service_of(request)
    principal = await service.authenticate(request, "read")
    body = await bodies.read(request, service.settings.capture.body_bytes)
    value = bodies.parse(body, request.headers.get("content-type", ""))
    wanted: StateRequest = parsed(TypeAdapter(StateRequest), value)
    content = (wanted.content_type, wanted.content_id)
    if principal.browser and content != principal.content:
        raise ProblemError(403, "wrong_content", "the token belongs to other content")
    person = await service.person(request, principal, wanted.user_id, wanted.session_id, writes=False)
    if person.voter is None:
        raise invalid("user_id", "name a person: user_id or session_id")
    shown = _shown(service, wanted.content_snapshot)
    return json_response(await _voted(service, principal, content, person, shown))


@router.post("/v1/feedback/states")
async def read_states(request: Request) -> Response:
    """What a browser voted on all the content of a page, in order: each item with its own token, or its own refusal.

    With `FEEDBACK_ASK_SHARE` it also draws which of them the page asks about (`ask`), one in a session at most.
    """
    service = service_of(request)
    await service.limits.take("address", service.client_address(request), service.settings.capture.address_requests)
    body = await bodies.read(request, service.settings.capture.body_bytes)
    value = bodies.parse(body, request.headers.get("content-type", ""))
    wanted: StatesRequest = parsed(TypeAdapter(StatesRequest), value)
    return json_response({"results": [await _state_of(service, request, item) for item in wanted.items]})


async def _state_of(service: Service, request: Request, item: ContentState) -> dict[str, Any]:
    try:
        principal = await service.browser(request, item.token)
        if (item.content_type, item.content_id) != principal.content:
            raise ProblemError(403, "wrong_content", "the token belongs to other content")
        person = await service.person(request, principal, None, None, writes=False)
        found = await _voted(service, principal, principal.content, person, _shown(service, item.content_snapshot))
        _, name = content_name(*principal.content)
        asked, _ = await asks(service, principal.tenant, person, "content", name)
        return {"status": 200, "items": found["items"], "ask": asked}
    except ProblemError as problem:
        if problem.status == 503:
            raise
        return {"status": problem.status, "items": []}


def _shown(service: Service, content_snapshot: Any) -> str | None:
    """A snapshot as the store knows it; None where none was named."""
    if content_snapshot is None:
        return None
    snapshot, _, _ = votes.opened(content_snapshot)
    return service.intake.snapshot(bodies.to_json(snapshot, "content_snapshot"))


async def listing(service: Service, tenant: str, wanted: Listing) -> dict[str, Any]:
    """A page of votes, and the cursor of the next."""
    looked_at = wanted.limit + 1 if wanted.search is None else MAX_LOOKED_AT
    rows = [row for row in await _listed(service, tenant, wanted, wanted.limit + 1, looked_at) if row["id"] is not None]
    shown = rows[: wanted.limit]
    more = len(rows) > wanted.limit
    return {"items": [views.vote(row) for row in shown], "next_cursor": _cursor(shown[-1]) if more else None}


@dataclass(frozen=True)
class Page:
    """Some rows of a list.

    Attributes:
        items: the rows, newest first.
        first: the place of the first one, from 1 on.
        total: how many match.
        back_to: where not all were looked at: the time of the last one that was.
    """

    items: list[dict[str, Any]]
    first: int
    total: int
    back_to: datetime | None

    @classmethod
    def of(cls, rows: list[Any], view: Callable[[Any], dict[str, Any]], number: int, size: int) -> "Page":
        """The page `number` of rows with `total`, `looked_at` and `back_to`, the first without an id if none match."""
        items = [view(row) for row in rows if row["id"] is not None]
        total = rows[0]["total"] or 0
        cut = rows[0]["looked_at"] > MAX_LOOKED_AT
        return cls(items, (number - 1) * size + 1, min(total, MAX_LOOKED_AT), rows[0]["back_to"] if cut else None)

    @property
    def last(self) -> int:
        return self.first + len(self.items) - 1


async def vote_page(service: Service, tenant: str, wanted: Listing, number: int, voter: str | None = None) -> Page:
    """The page `number` of what matches, with the total.

    Args:
        service: the service.
        tenant: whose.
        wanted: filters and the size of a page.
        number: from 1 on.
        voter: only the votes of this pseudonym.
    """
    offset = (number - 1) * wanted.limit
    rows = await _listed(service, tenant, wanted, wanted.limit, MAX_LOOKED_AT + 1, offset, voter)
    return Page.of(rows, views.vote, number, wanted.limit)


async def _listed(
    service: Service, tenant: str, wanted: Listing, rows: int, looked_at: int, offset: int = 0, voter: str | None = None
) -> list[Any]:
    thumb = None if wanted.rating is None else wanted.rating in {"up", "positive", "1", "true"}
    after = (None, None, None) if wanted.cursor is None else _read_cursor(wanted.cursor)
    return await service.store.fetch(
        tenant, "list_votes", *after, wanted.model, wanted.intent, wanted.project, wanted.content_type, thumb,
        voter or service.intake.pseudonym(tenant, wanted.user_id or None), aware(wanted.since, "since"),
        aware(wanted.until, "until"), wanted.kind, wanted.action_type, wanted.has_comment, rows, wanted.prompt_version,
        wanted.search or None, looked_at, offset,
    )  # fmt: skip


def aware(moment: datetime | None, field: str) -> datetime | None:
    """A moment of a filter, in the server's zone where it names none."""
    if moment is None:
        return None
    if not 1970 <= moment.year < 2100:
        raise invalid(field, "must be between the years 1970 and 2100")
    return moment if moment.tzinfo else moment.astimezone()


def _cursor(row: Any) -> str:
    text = f"{row['day'].isoformat()}|{row['occurred_at'].isoformat()}|{row['id']}"
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[date, datetime, UUID]:
    try:
        day, moment, identity = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split("|")
        parsed_moment = datetime.fromisoformat(moment)
        if parsed_moment.tzinfo is None:
            raise ValueError(moment)
        return date.fromisoformat(day), parsed_moment, UUID(identity)
    except (ValueError, Base64Error):
        raise invalid("cursor", "is not one that this API gave") from None


@router.get("/v1/feedback/accuracy")
async def read_accuracy(request: Request, wanted: Annotated[Groups, Query()]) -> Response:
    """Share of thumbs up by model, intent and project, current to the last vote."""
    service = service_of(request)
    principal = await reader(service, request)
    return json_response(
        await statistics.accuracy(service.store, principal.tenant, wanted.model, wanted.intent, wanted.project)
    )


@router.get("/v1/feedback/stats")
async def read_stats(request: Request, wanted: Annotated[Stats, Query()]) -> Response:
    """Totals, shares and distinct people of the last 7, 30 or 90 days."""
    service = service_of(request)
    principal = await reader(service, request)
    found = await statistics.stats(
        service.store, principal.tenant, int(wanted.days), wanted.model, wanted.intent, wanted.project
    )
    return json_response(found)


@router.get("/v1/feedback/subjects")
async def read_subjects(
    request: Request, kind: Literal["session", "conversation", "tool_call", "step"] | None = None,
    id: Parameter | None = None,
) -> Response:  # fmt: skip
    """Votes on sessions, conversations, tool calls and steps, which no figure about answers counts: by kind, or with
    `kind` by id."""
    service = service_of(request)
    principal = await reader(service, request)
    if id is not None and kind is None:
        raise invalid("kind", "is needed with id")
    rows = await service.store.fetch(principal.tenant, "read_subjects", kind, id)
    found = [
        {name: row[name] for name in ("kind", "id", "votes", "up", "down", "comments", "people")}
        | {"approval": views.share(row["up"], row["up"] + row["down"]),
           "average_stars": round(row["stars_sum"] / row["stars"], 2) if row["stars"] else None}
        for row in rows
    ]  # fmt: skip
    return json_response({"subjects": found})


@router.get("/v1/feedback/summary")
async def read_summary(request: Request) -> Response:
    """Thumbs by action type."""
    service = service_of(request)
    principal = await reader(service, request)
    return json_response({"summary": await statistics.summary(service.store, principal.tenant)})


@router.get("/api/feedback")
async def read_recent(request: Request, type: Literal["summary"] | None = None) -> Response:
    """Recent feedback, or with `type=summary` the thumbs by action type."""
    service = service_of(request)
    principal = await reader(service, request)
    if type == "summary":
        return json_response({"summary": await statistics.summary(service.store, principal.tenant)})
    found = await listing(service, principal.tenant, Listing())
    recent = [
        item | {"user_message": item["query"], "assistant_response": item["response"], "timestamp": item["updated_at"]}
        for item in found["items"]
    ]
    return json_response({"feedback": recent})


@router.get("/v1/feedback/{feedback_id}")
async def read_feedback(request: Request, feedback_id: UUID, history: bool = False) -> Response:
    """One vote as it stands, with its answer; with `history=true` every event of it."""
    service = service_of(request)
    principal = await service.authenticate(request, "read")
    row = await current(service, principal, feedback_id)
    view = views.vote
    if principal.browser:
        require_own(row, principal, await service.person(request, principal, None, None, writes=False))
        view = views.own_vote
    found = view(row, feedback_id, row["first_at"])
    if history:
        events = await service.store.fetch(principal.tenant, "read_history", row["id"])
        found["history"] = [views.event(event) for event in events]
    return json_response(found)


async def reader(service: Service, request: Request) -> Principal:
    """Who asks for the team's figures: a key, never a browser's token."""
    principal = await service.authenticate(request, "read")
    if principal.browser:
        raise ProblemError(403, "missing_scope", "this needs an API key with the scope read")
    return principal
