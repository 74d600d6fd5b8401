"""What applications report of experiments and shadow runs, which answers are asked about, and prompts by label."""

from datetime import datetime
from typing import Annotated, Any, Literal

import orjson
import polars as pl
from fastapi import APIRouter, Query
from pydantic import Field, TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from feedback_pipeline.capture import bodies
from feedback_pipeline.capture.access import Principal
from feedback_pipeline.capture.asking import asks
from feedback_pipeline.capture.identifiers import new_id
from feedback_pipeline.capture.problems import ProblemError, invalid, not_found
from feedback_pipeline.capture.responses import json_response, parsed
from feedback_pipeline.capture.service import Service, service_of
from feedback_pipeline.capture.shapes import Identifier, Moment, Shape, Text
from feedback_pipeline.privacy.redaction import redact

router = APIRouter()
MAX_ITEMS = 1_000

Name = Annotated[str, Field(min_length=1, max_length=80)]


class Exposure(Shape):
    """An arm that was used for an answer."""

    experiment: Name
    variant: Name
    request_id: Identifier
    user_id: Identifier | None = None
    session_id: Identifier | None = None
    conversation_id: Identifier | None = None
    version: Annotated[int, Field(ge=0)] = 0
    propensity: Annotated[float, Field(gt=0, le=1)] | None = None
    leaf: int | None = None
    occurred_at: Moment | None = None


class ShadowRun(Shape):
    """What a candidate would have answered; nobody saw it."""

    request_id: Identifier
    candidate: Annotated[str, Field(min_length=1, max_length=200)]
    status: Literal["ok", "failed", "late"]
    output: Text | None = None
    latency_ms: Annotated[float, Field(ge=0)] | None = None
    cost_usd: Annotated[float, Field(ge=0)] | None = None
    occurred_at: Moment | None = None


class Ask(Shape):
    """An answer that somebody might be asked about."""

    request_id: Identifier
    session_id: Identifier | None = None
    user_id: Identifier | None = None


@router.post("/v1/exposures", status_code=202)
async def add_exposures(request: Request) -> Response:
    """Keep up to 1,000 exposures; a repeated one is none."""
    service, principal = await _server(request, "write")
    items: list[Exposure] = parsed(TypeAdapter(list[Exposure]), await _items(service, request))
    rows = [_exposure(service, principal, item) for item in items]
    new = await service.store.fetch(principal.tenant, "add_exposures", principal.tenant, orjson.dumps(rows).decode())
    return json_response({"new": len(new)}, 202)


def _exposure(service: Service, principal: Principal, item: Exposure) -> dict[str, Any]:
    pseudonym = service.intake.pseudonym
    unit = item.conversation_id or pseudonym(principal.tenant, item.user_id or item.session_id)
    if unit is None:
        raise invalid("user_id", "name whom the arm was for: user_id, session_id or conversation_id")
    row = item.model_dump(exclude={"user_id", "session_id", "conversation_id", "occurred_at"})
    return row | {"unit": unit, "at": _moment(item.occurred_at)}


@router.post("/v1/shadow-runs", status_code=202)
async def add_shadow_runs(request: Request) -> Response:
    """Keep up to 1,000 answers of candidates, redacted; they are no answers anybody can vote on."""
    service, principal = await _server(request, "write")
    items: list[ShadowRun] = parsed(TypeAdapter(list[ShadowRun]), await _items(service, request))
    texts = redact(pl.Series([item.output or "" for item in items], dtype=pl.String)).texts
    rows = [
        item.model_dump(exclude={"occurred_at"})
        | {"id": str(new_id()), "output": text or None, "at": _moment(item.occurred_at)}
        for item, text in zip(items, texts, strict=True)
    ]
    new = await service.store.fetch(principal.tenant, "add_shadow_runs", principal.tenant, orjson.dumps(rows).decode())
    return json_response({"new": len(new)}, 202)


@router.post("/v1/asks")
async def decide_ask(request: Request) -> Response:
    """Whether to ask about an answer: with the probability of `FEEDBACK_ASK_SHARE`, and once a session at most."""
    service = service_of(request)
    principal = await service.authenticate(request, "write")
    body = await bodies.read(request, 5_000)
    wanted: Ask = parsed(TypeAdapter(Ask), bodies.parse(body, request.headers.get("content-type", "")))
    person = await service.person(request, principal, wanted.user_id, wanted.session_id, writes=False)
    if person.voter is None:
        raise invalid("session_id", "is needed: nobody is asked twice in a session")
    asked, probability = await asks(service, principal.tenant, person, "request", wanted.request_id)
    return json_response({"ask": asked, "probability": probability})


@router.get("/v1/prompts/{name}")
async def read_prompt(
    request: Request, name: str, label: Annotated[str, Query(min_length=1, max_length=80)] = "production"
) -> Response:
    """A prompt: what was promoted (`production`), the newest (`latest`), or a version."""
    service, principal = await _server(request, "read")
    rows = await service.store.fetch(principal.tenant, "read_prompt", principal.tenant, name, label)
    if not rows:
        raise not_found("prompt")
    row = rows[0]
    tag = f'"{row["digest"]}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    found = {"name": name, "label": label, "version": row["version"], "text": row["template"], "digest": row["digest"],
             "since": row["since"].isoformat()}  # fmt: skip
    return json_response(found, 200, {"ETag": tag, "Cache-Control": "private, max-age=30"})


async def _server(request: Request, scope: str) -> tuple[Service, Principal]:
    service = service_of(request)
    principal = await service.authenticate(request, scope)
    if principal.browser:
        raise ProblemError(403, "missing_scope", "this needs an API key")
    return service, principal


async def _items(service: Service, request: Request) -> list[Any]:
    body = await bodies.read(request, service.settings.capture.batch_bytes)
    value = bodies.parse(body, request.headers.get("content-type", ""))
    items = value.get("items") if isinstance(value, dict) and value.keys() == {"items"} else [value]
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_ITEMS:
        raise invalid("items", f"must be a list of 1 to {MAX_ITEMS}")
    return items


def _moment(value: datetime | None) -> str:
    return (value or datetime.now().astimezone()).isoformat()
