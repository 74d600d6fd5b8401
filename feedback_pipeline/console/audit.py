"""`/console/audit`: people judge random answers, one after the other, and see nobody's verdict on them.

A form is good for the session, answer, criterion and person it was made for: it carries them sealed, so that another
site cannot send one, and nobody can judge an answer that was not shown to them.
"""

import asyncio
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import polars as pl
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from feedback_pipeline.capture.problems import invalid
from feedback_pipeline.capture.service import Service
from feedback_pipeline.console.pages import page
from feedback_pipeline.console.sessions import claims_of, posted, sealed_form, visit
from feedback_pipeline.judging.audit import AUDIT_VERDICTS, ITEM_SCHEMA, label_next
from feedback_pipeline.judging.rubrics import Criterion, read_rubric
from feedback_pipeline.judging.tables import OVERALL

router = APIRouter(include_in_schema=False)
PATH = "/console/audit"
PURPOSE = "audit"
NAME_LENGTH = 60
LABEL_SCHEMA = dict.fromkeys(("interaction_id", "criterion", "voter", "verdict"), pl.String)


@router.get(PATH)
async def audit(request: Request) -> Response:
    """The answer whose verdict says most, with its question; before that, who judges."""
    service, visitor = await visit(request)
    principal = visitor.principal
    auditor = request.query_params.get("auditor", "").strip()
    criterion = _criterion(service, request.query_params.get("criterion", OVERALL))
    shown: dict[str, Any] = {
        "tenant": principal.tenant,
        "teams": visitor.teams,
        "here": PATH,
        "criteria": _criteria(service),
    }
    shown |= {"auditor": auditor, "criterion": criterion, "verdicts": AUDIT_VERDICTS, "left": 0, "answer": None}
    shown |= {"name_length": NAME_LENGTH, "may_write": bool({"write", "admin"} & principal.scopes), "form": None}
    if len(auditor) > NAME_LENGTH or not auditor.isprintable():
        raise invalid("auditor", f"must be a name of at most {NAME_LENGTH} characters")
    if auditor and shown["may_write"]:
        waiting = await _waiting(service, principal.tenant, auditor, criterion.name)
        shown["left"] = len(waiting)
        if waiting:
            shown["answer"] = await _answer(service, principal.tenant, waiting[0])
            shown["form"] = sealed_form(service, visitor, PURPOSE, i=waiting[0], c=criterion.name, a=auditor)
    return page("console_audit.html", **shown)


@router.post(PATH)
async def judge(request: Request) -> Response:
    """Takes one verdict and shows the next answer."""
    service, visitor = await visit(request)
    principal = visitor.principal
    principal.require("write")
    form = await posted(request)
    verdict = form.get("verdict")
    if verdict not in AUDIT_VERDICTS:
        raise invalid("verdict", f"must be one of {', '.join(AUDIT_VERDICTS)}")
    claims = claims_of(service, visitor, PURPOSE, form)
    given = (UUID(claims["i"]), claims["c"], claims["a"], verdict)
    await service.store.fetch(principal.tenant, "add_audit_label", *given)
    following = urlencode({"auditor": claims["a"], "criterion": claims["c"]})
    return RedirectResponse(f"{PATH}?{following}", status_code=303)


def _criteria(service: Service) -> tuple[Criterion, ...]:
    return read_rubric(service.settings.judge_rubric).criteria


def _criterion(service: Service, name: str) -> Criterion:
    found = [one for one in _criteria(service) if one.name == name]
    if not found:
        raise invalid("criterion", "is not one of the rubric's")
    return found[0]


async def _waiting(service: Service, tenant: str, auditor: str, criterion: str) -> list[str]:
    """What is left for this person in the newest week with anything left, the most useful first."""
    items = await service.store.fetch(tenant, "read_audit_items")
    labels = await service.store.fetch(tenant, "read_audit_labels", criterion)
    return await asyncio.to_thread(_ordered, [*map(tuple, items)], [*map(tuple, labels)], auditor, criterion)


def _ordered(items: list[Any], labels: list[Any], auditor: str, criterion: str) -> list[str]:
    schema: dict[str, Any] = {"interaction_id": pl.String, "week": pl.Date} | ITEM_SCHEMA
    drawn = pl.DataFrame(items, schema=schema, orient="row")
    said = pl.DataFrame(labels, schema=LABEL_SCHEMA, orient="row")
    for week in drawn["week"].unique().sort(descending=True):
        left = label_next(drawn.filter(pl.col("week") == week), said, auditor, criterion)
        if not left.is_empty():
            return left["interaction_id"].to_list()
    return []


async def _answer(service: Service, tenant: str, identity: str) -> dict[str, str]:
    rows = await service.store.fetch(tenant, "read_audit_answer", UUID(identity))
    return {"prompt": rows[0]["prompt"] or "", "answer": rows[0]["output"] or ""} if rows else {}
