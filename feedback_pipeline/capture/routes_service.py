"""What is not about single votes: the export, health, metrics, the component and its demo page."""

import re
from functools import cache
from importlib import resources
from typing import Any

import orjson
from fastapi import APIRouter
from pydantic import TypeAdapter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from feedback_pipeline.capture import bodies, export
from feedback_pipeline.capture.problems import ProblemError, not_found, unavailable
from feedback_pipeline.capture.responses import json_response, parsed
from feedback_pipeline.capture.service import host_name, is_loopback, service_of
from feedback_pipeline.capture.shapes import ExportRequest
from feedback_pipeline.capture.templating import environment
from feedback_pipeline.tables.free_space import MIN_FREE_BYTES, free_bytes

router = APIRouter()
STATIC_HEADERS = {"Cache-Control": "public, max-age=300", "Access-Control-Allow-Origin": "*"}
_SPACES = re.compile(
    r"""("(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|'(?:\\.|[^'\\\n])*')"""  # in a text they stay
    r"| *([{}();,:?=<>&|]) +| +([{}();,:?=<>&|])"
)
_STATIC = {"llm-feedback.js": "text/javascript", "docs.css": "text/css"}
DEMO_TENANT = "default"
DEMO_CONTENT: tuple[dict[str, Any], ...] = (
    {
        "type": "qa_answer",
        "id": "demo-1",
        "title": "A question answered",
        "text": "Yes: the return label in the parcel is valid for 30 days after delivery.",
        "stars": False,
        "input": "Can I still send the shoes back?",
    },
    {
        "type": "pr_summary",
        "id": "demo-2",
        "title": "A pull request summarised",
        "text": "Replaces the retry loop of the importer by one with jitter; five files changed.",
        "stars": True,
        "input": "Summarise pull request 123.",
    },
    {
        "type": "engineering_insight",
        "id": "demo-3",
        "title": "An insight of the day",
        "text": "Reviews took 40 % less time this week; most of it on smaller changes.",
        "stars": False,
        "input": "What changed in the team's week?",
    },
)


@router.post("/v1/feedback/export/finetuning", status_code=201)
async def export_finetuning(request: Request) -> Response:
    """Write the votes of a window as a training file under the export folder; the last 7 days by default."""
    service = service_of(request)
    principal = await service.authenticate(request, "export")
    if principal.browser:
        raise ProblemError(403, "missing_scope", "this needs a key with the scope export")
    value = bodies.parse(await bodies.read(request, 10_000), request.headers.get("content-type", ""))
    wanted: ExportRequest = parsed(TypeAdapter(ExportRequest), value)
    file = await run_in_threadpool(export.target, service.settings.data_url, principal.tenant, wanted.output_path)
    done = await export.write(
        service.store, principal.tenant, file, wanted.start_date, wanted.end_date, f"key {principal.key_id}"
    )
    await service.store.fetch(principal.tenant, "note_export", principal.tenant, done.lines)
    found = {
        "path": wanted.output_path,
        "lines": done.lines,
        "positive": done.positive,
        "negative": done.negative,
        "skipped": done.skipped,
        "start_date": done.start.isoformat(),
        "end_date": done.end.isoformat(),
    }
    return json_response(found, 201)


@router.get("/", include_in_schema=False)
async def endpoints(request: Request) -> Response:
    """Every endpoint with what it does, and where to read more."""
    found = [
        {"method": method.upper(), "path": path, "does": operation.get("description") or operation.get("summary")}
        for path, operations in request.app.openapi()["paths"].items()
        for method, operation in operations.items()
    ]
    links = {"docs": "/docs", "openapi": "/openapi.json", "console": "/console", "ready": "/readyz"}
    return json_response({"service": "feedback", "links": links, "endpoints": found})


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> Response:
    """The reference as a page, made here: it needs no other server."""
    page = environment().get_template("docs.html").render(api=request.app.openapi(), code=_code)
    return HTMLResponse(page)


def _code(schema: dict[str, Any]) -> str:
    return orjson.dumps(schema, option=orjson.OPT_INDENT_2).decode()


@router.get("/healthz", include_in_schema=False)
async def healthz() -> Response:
    """The process runs."""
    return PlainTextResponse("ok\n")


@router.get("/readyz", include_in_schema=False)
async def readyz(request: Request) -> Response:
    """The process can take votes."""
    service = service_of(request)
    settings = service.settings
    # of a server elsewhere the disk is not ours to look at
    full = settings.database_url is None and free_bytes(settings.home) < MIN_FREE_BYTES
    if full or not await service.store.ready():
        raise unavailable()
    return PlainTextResponse("ready\n")


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """Prometheus metrics of this process: for this machine, and for keys with the scope read."""
    service = service_of(request)
    if not service.from_this_machine(request):
        principal = await service.authenticate(request, "read")
        if principal.browser:
            raise ProblemError(403, "missing_scope", "this needs an API key with the scope read")
    return PlainTextResponse(service_of(request).metrics.text(), media_type="text/plain; version=0.0.4")


@router.get("/static/{name}", include_in_schema=False)
async def static(name: str) -> Response:
    """The component."""
    if name not in _STATIC:
        raise not_found("file")
    return Response(_script(name), media_type=_STATIC[name], headers=STATIC_HEADERS)


@cache
def _script(name: str) -> bytes:
    """A script as it is served: without the comments and the spaces that are there for its readers."""
    text = (resources.files("feedback_pipeline.capture") / "static" / name).read_text(encoding="utf-8")
    lines = re.sub(r"^\s*/\*.*?\*/\s*$", "", text, flags=re.DOTALL | re.MULTILINE).split("\n")
    kept = [line.strip() for line in lines if line.strip() and not line.strip().startswith("//")]
    if not name.endswith(".js"):
        return ("\n".join(kept) + "\n").encode()
    script = "\n".join(re.sub(r" +// .*$", "", line) for line in kept) + "\n"
    return re.sub(r"(?<=[{;,])\n", "", _SPACES.sub(r"\1\2\3", script)).encode()


@router.get("/demo", include_in_schema=False)
async def demo(request: Request) -> Response:
    """Three kinds of content to vote on. It hands out tokens to whoever asks: in development only, and only under a
    name of this machine, which no page of another site can use."""
    service = service_of(request)
    if service.settings.environment == "production" or not is_loopback(host_name(request)):
        raise not_found("page")
    await service.limits.take("address", service.client_address(request), service.settings.capture.address_requests)
    origin = f"{service.scheme(request)}://{request.headers.get('host', '')}"
    items = [
        item | {"token": service.tokens.mint(DEMO_TENANT, (item["type"], item["id"]), origin, None, 3600)}
        for item in DEMO_CONTENT
    ]
    general = service.tokens.mint(DEMO_TENANT, ("general", "demo"), origin, None, 3600)
    capture = service.settings.capture
    page = environment().get_template("demo.html").render(
        items=items, general=general, reasons=",".join(capture.reasons), survey=capture.posthog_survey
    )  # fmt: skip
    return HTMLResponse(page, headers={"Cache-Control": "no-store"})
