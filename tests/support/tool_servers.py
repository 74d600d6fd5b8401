"""Tools' HTTP interfaces on the loopback address, as their published descriptions have them: paging, keys, refusals."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse

from tests.support.serving import serve


@dataclass
class Tools:
    """A server that answers for several tools, and what it was asked."""

    scores: list[dict[str, Any]] = field(default_factory=list)
    traces: dict[str, dict[str, Any]] = field(default_factory=dict)
    spans: list[dict[str, Any]] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    tasks: list[dict[str, Any]] = field(default_factory=list)
    ratings: list[dict[str, Any]] = field(default_factory=list)
    busy: int = 0
    url: str = ""
    asked: list[str] = field(default_factory=list)

    def start(self) -> Callable[[], None]:
        self.url, stop = serve(_application(self))
        return stop


def _application(tools: Tools) -> FastAPI:
    app = FastAPI()

    @app.middleware("http")
    async def first(request: Request, answer: Any) -> Response:
        tools.asked.append(f"{request.url.path}?{request.url.query}")
        if tools.busy:
            tools.busy -= 1
            return JSONResponse({}, 429, {"Retry-After": "0.01"})
        if request.headers.get("authorization") not in ("Basic cGs6c2s=", "Bearer key", "Token key"):  # pk:sk
            return JSONResponse({"error": "no"}, 401)
        answered: Response = await answer(request)
        return answered

    @app.get("/api/public/v2/scores")
    def scores(page: int, limit: int, fromTimestamp: str, toTimestamp: str) -> Any:  # noqa: N803 - Langfuse's names
        found = [one for one in tools.scores if fromTimestamp <= one["timestamp"] < toTimestamp]
        found.sort(key=lambda one: one["timestamp"], reverse=True)
        pages = -(-len(found) // 2)  # two a page, whatever is asked
        shown = found[(page - 1) * 2 : page * 2]
        return {"data": shown, "meta": {"page": page, "limit": limit, "totalItems": len(found), "totalPages": pages}}

    @app.get("/api/public/traces/{identity}")
    def trace(identity: str) -> Any:
        return tools.traces.get(identity) or JSONResponse({"error": "LangfuseNotFoundError"}, 404)

    @app.get("/v1/projects")
    def projects() -> Any:
        return {"data": [{"id": "UHJvamVjdDox", "name": "shop"}], "next_cursor": None}

    @app.get("/v1/projects/{project}/spans")
    def spans(project: str, limit: int, cursor: str | None = None) -> Any:
        first = int(cursor or 0)
        more = str(first + 2) if first + 2 < len(tools.spans) else None
        return {"data": tools.spans[first : first + 2], "next_cursor": more}

    @app.get("/v1/projects/{project}/span_annotations")
    def annotations(project: str, span_ids: list[str] = Query()) -> Any:  # noqa: B008 - FastAPI's way
        return {"data": [one for one in tools.annotations if one["span_id"] in span_ids], "next_cursor": None}

    @app.get("/api/projects/{project}/export")
    def export(project: str) -> Any:
        return tools.tasks

    @app.get("/api/v1/evaluations/feedbacks/all/export")
    def feedback() -> Any:
        return tools.ratings

    return app
