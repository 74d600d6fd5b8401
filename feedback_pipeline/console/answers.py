"""`/console/answers`: what was logged, voted on or not; one answer with all that is known of it; a whole conversation.
Whoever wonders whether logging works looks here first."""

from typing import Any
from uuid import UUID

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from feedback_pipeline.capture import views
from feedback_pipeline.capture.problems import ProblemError, invalid, not_found
from feedback_pipeline.capture.routes_reads import MAX_LOOKED_AT, Page
from feedback_pipeline.capture.service import Service
from feedback_pipeline.console.lists import days_wanted, page_number, paging, values_in_use
from feedback_pipeline.console.pages import page
from feedback_pipeline.console.sessions import visit

router = APIRouter(include_in_schema=False)
PATH = "/console/answers"
PAGE_SIZE = 50
VOTED = {"true": "with a vote", "false": "without a vote"}
TEXTS = ("model", "project", "prompt_version", "content_type", "search")
MAX_TEXT = 200
SHOWN_MESSAGES = 60
"""Messages of one answer's context that are shown; of a longer conversation the last ones."""


@router.get(PATH)
async def answers(request: Request) -> Response:
    """A page of answers, newest first."""
    service, visitor = await visit(request)
    given = {name: value for name, value in request.query_params.items() if value}
    listed, problem = Page([], 1, 0, None), None
    try:
        listed = await _page(service, visitor.tenant, given, page_number(given), days_wanted(given))
    except ProblemError as error:
        if error.status == 503:
            raise
        problem = error.detail
    return page(
        "console_answers.html", tenant=visitor.tenant, teams=visitor.teams, here=PATH, given=given, listed=listed,
        links=paging(PATH, given, listed, PAGE_SIZE), problem=problem, voted=VOTED,
        values=await values_in_use(service, visitor.tenant),
    )  # fmt: skip


async def _page(service: Service, tenant: str, given: dict[str, str], number: int, days: dict[str, Any]) -> Page:
    wanted = {name: given.get(name) for name in TEXTS}
    for name, value in wanted.items():
        if value is not None and (len(value) > MAX_TEXT or "\0" in value):
            raise invalid(name, f"must be at most {MAX_TEXT} characters")
    voted = {"true": True, "false": False}.get(given.get("voted", ""))
    rows = await service.store.fetch(
        tenant, "list_answers", wanted["model"], wanted["project"], wanted["prompt_version"], wanted["content_type"],
        voted, days.get("since"), days.get("until"), wanted["search"], MAX_LOOKED_AT + 1, PAGE_SIZE,
        (number - 1) * PAGE_SIZE,
    )  # fmt: skip
    return Page.of(rows, dict, number, PAGE_SIZE)


@router.get(PATH + "/{interaction_id}")
async def answer(request: Request, interaction_id: UUID) -> Response:
    """One answer: what was asked and answered, tools, cost, latency, votes."""
    service, visitor = await visit(request)
    shown = await answer_of(service, visitor.tenant, interaction_id)
    if shown is None:
        raise not_found("answer")
    votes = await service.store.fetch(visitor.tenant, "read_votes_on", [interaction_id], None)
    return page(
        "console_answer.html", tenant=visitor.tenant, teams=visitor.teams, here="", answer=shown,
        votes=[views.vote(row) for row in votes], **await with_turns(service, visitor.tenant, shown),
    )  # fmt: skip


@router.get("/console/conversation")
async def conversation(request: Request) -> Response:
    """A conversation: its turns, what each called and cost, and what people said of each and of the whole."""
    service, visitor = await visit(request)
    name = request.query_params.get("id", "")
    if not name or len(name) > MAX_TEXT or "\0" in name:
        raise invalid("id", f"must be the name of a conversation, of at most {MAX_TEXT} characters")
    turns = [_turn(row) for row in await service.store.fetch(visitor.tenant, "read_turns", name, None)]
    ids = [turn["id"] for turn in turns]
    votes = [views.vote(row) for row in await service.store.fetch(visitor.tenant, "read_votes_on", ids, name)]
    if not turns and not votes:
        raise not_found("conversation")
    for turn in turns:
        turn["votes"] = [vote for vote in votes if vote["interaction_id"] == str(turn["id"])]
    whole = [vote for vote in votes if vote["subject"] is not None]
    totals = {field: sum(turn[field] or 0 for turn in turns) for field in ("cost_usd", "input_tokens", "output_tokens")}
    return page(
        "console_conversation.html", tenant=visitor.tenant, teams=visitor.teams, here="", name=name, turns=turns,
        whole=whole, totals=totals,
    )  # fmt: skip


async def answer_of(service: Service, tenant: str, identity: UUID) -> dict[str, Any] | None:
    """An answer with its messages as a list; None where this tenant has none of that id."""
    rows = await service.store.fetch(tenant, "read_answer", identity)
    if not rows:
        return None
    found = dict(rows[0])
    return found | {
        "messages": _messages(found["messages"]),
        "content_snapshot": _value(found["content_snapshot"]),
        "metadata": _value(found["metadata"]),
    }


async def with_turns(service: Service, tenant: str, shown: dict[str, Any] | None) -> dict[str, Any]:
    """How many answers the conversation of an answer has, for a page that links to it."""
    if shown is None or not shown["conversation_id"]:
        return {"turns": 0}
    return {"turns": len(await service.store.fetch(tenant, "read_turns", shown["conversation_id"], None))}


def _turn(row: Any) -> dict[str, Any]:
    found = dict(row)
    return found | {"messages": _messages(found["messages"])}


def _messages(text: str | None) -> list[dict[str, Any]]:
    """Messages as they were sent, each with its role, its text and what it called; what is no message is left out."""
    given = _value(text)
    shown = []
    for message in given if isinstance(given, list) else []:
        if not isinstance(message, dict):
            continue
        calls = [_call(call) for call in message.get("tool_calls") or [] if isinstance(call, dict)]
        shown.append({"role": str(message.get("role", "")), "text": _text(message.get("content")), "calls": calls})
    return shown[-SHOWN_MESSAGES:]


def _text(content: Any) -> str:
    """The words of a message's content, which may come in parts."""
    if content is None or isinstance(content, str):
        return content or ""
    if isinstance(content, list):
        texts = [part.get("text") if isinstance(part, dict) else part for part in content]
        said = [
            text if isinstance(text, str) else f"({part.get('type', 'part') if isinstance(part, dict) else 'part'})"
            for text, part in zip(texts, content, strict=True)
        ]
        return "\n".join(said)
    return orjson.dumps(content, option=orjson.OPT_INDENT_2).decode()


def _call(call: dict[str, Any]) -> dict[str, str]:
    given = call.get("function")
    function: dict[str, Any] = given if isinstance(given, dict) else call
    arguments = function.get("arguments", "")
    text = arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()
    return {"name": str(function.get("name", "")), "arguments": text}


def _value(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
