"""`/console/exports`: the files that a team's votes went to, with links to those that are ours to give."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from feedback_pipeline.capture import export
from feedback_pipeline.capture.problems import not_found
from feedback_pipeline.capture.service import Service
from feedback_pipeline.console.pages import page
from feedback_pipeline.console.sessions import Visitor, claims_of, posted, sealed_form, visit
from feedback_pipeline.console.wording import FORMATS
from feedback_pipeline.tables.parquet import location

router = APIRouter(include_in_schema=False)
PATH = "/console/exports"
PURPOSE = "export"
_BLOCK = 1024 * 1024


@router.get(PATH)
async def exports(request: Request) -> Response:
    """What was exported, newest first, by command and by the API."""
    service, visitor = await visit(request)
    may_export = _may_export(visitor)
    form = sealed_form(service, visitor, PURPOSE) if may_export else None
    rows = [dict(row) for row in await service.store.fetch(visitor.tenant, "list_exports")]
    for row in rows:
        ours = row["place"] is not None and row["lines"] is not None and _is_ours(service, visitor.tenant, row["place"])
        row["link"] = f"{PATH}/{row['id']}" if ours and may_export else None
        row["file"] = (row["place"] or "").replace("\\", "/").rpartition("/")[2]
        row["what"] = FORMATS.get(row["format"], row["format"])
    return page(
        "console_exports.html", tenant=visitor.tenant, teams=visitor.teams, here=PATH, exports=rows, form=form,
    )  # fmt: skip


@router.post(PATH)
async def export_now(request: Request) -> Response:
    """Exports the votes of the last seven days; for keys with the scope export."""
    service, visitor = await visit(request)
    visitor.principal.require("export")
    claims_of(service, visitor, PURPOSE, await posted(request))
    name = f"console-{datetime.now(UTC):%Y%m%dT%H%M%S}.jsonl"
    file = await run_in_threadpool(export.target, service.settings.data_url, visitor.tenant, name)
    done = await export.write(service.store, visitor.tenant, file, None, None, f"key {visitor.principal.key_id}")
    await service.store.fetch(visitor.tenant, "note_export", visitor.tenant, done.lines)
    return RedirectResponse(PATH, status_code=303)


@router.get(PATH + "/{export_id}")
async def download(request: Request, export_id: UUID) -> Response:
    """One file, as it was written; noted as an export of its own."""
    service, visitor = await visit(request)
    visitor.principal.require("export")
    rows = await service.store.fetch(visitor.tenant, "read_export_file", export_id)
    if not rows or rows[0]["place"] is None or not _is_ours(service, visitor.tenant, rows[0]["place"]):
        raise not_found("export")
    path = location(rows[0]["place"])
    if not await run_in_threadpool(path.exists):
        raise not_found("file: it was removed, by an erasure or with its time")
    # a copy that left over the wire: an erasure names it
    by, row = f"key {visitor.principal.key_id}", rows[0]
    (noted,) = await service.store.fetch(
        visitor.tenant, "begin_export", None, visitor.tenant, row["first_day"], row["last_day"], by, row["format"]
    )
    await service.store.fetch(visitor.tenant, "finish_export", noted["id"], row["lines"])
    detail = orjson.dumps({"export": str(export_id)}).decode()
    await service.store.fetch(visitor.tenant, "note_audit", by, "votes.exported", visitor.tenant, detail)
    headers = {"Content-Disposition": f'attachment; filename="{path.name}"', "Cache-Control": "no-store"}
    return StreamingResponse(_blocks(path), media_type="application/octet-stream", headers=headers)


def _blocks(path: Any) -> Any:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def _may_export(visitor: Visitor) -> bool:
    return bool({"export", "admin"} & visitor.principal.scopes)


def _is_ours(service: Service, tenant: str, place: str) -> bool:
    """Whether a file lies in the folder that exports of this team are written to."""
    root = str(location(service.settings.data_url) / "exports" / tenant).rstrip("/") + "/"
    return place.startswith(root) and ".." not in place
