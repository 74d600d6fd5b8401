"""Who looked at what in the console goes into the audit log: each key and page once an hour, by ids, without words."""

import time
from typing import Any

import orjson
from starlette.requests import Request

from feedback_pipeline.capture.access import Principal
from feedback_pipeline.capture.service import Service

AGAIN_SECONDS = 3600
"""A page that is looked at again within this time is not noted again."""
MAX_REMEMBERED = 20_000


async def note(service: Service, request: Request, principal: Principal) -> None:
    """Notes that a key looks at the page of a request."""
    if request.method != "GET":
        return
    detail = _looked_at(service, request, principal.tenant)
    what = orjson.dumps(detail, option=orjson.OPT_SORT_KEYS).decode()
    seen: dict[tuple[str, str], float] = request.app.state.__dict__.setdefault("viewed", {})
    key, now = (str(principal.key_id), what), time.monotonic()
    if now - seen.get(key, -AGAIN_SECONDS) < AGAIN_SECONDS:
        return
    if len(seen) >= MAX_REMEMBERED:
        seen.clear()
    await service.store.fetch(
        principal.tenant, "note_audit", f"key {principal.key_id}", "console.viewed", principal.tenant, what
    )
    seen[key] = now


def _looked_at(service: Service, request: Request, tenant: str) -> dict[str, Any]:
    """The page, and which vote, answer, report or conversation: names that strangers chose as keyed hashes."""
    detail: dict[str, Any] = {"page": request.scope["route"].path}
    detail |= {name: str(value) for name, value in request.path_params.items()}
    if conversation := request.query_params.get("id"):
        detail["conversation"] = service.intake.pseudonym(tenant, f"conversation {conversation}")
    return detail
