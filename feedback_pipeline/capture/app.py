"""The HTTP API as an application: routes, problem answers, limits at the edge, the OpenAPI page."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from feedback_pipeline.capture import (
    openapi,
    routes_batches,
    routes_decisions,
    routes_experiments,
    routes_forms,
    routes_interactions,
    routes_provider,
    routes_reads,
    routes_service,
    routes_telemetry,
    routes_tokens,
    routes_votes,
)
from feedback_pipeline.capture.metrics import Metrics
from feedback_pipeline.capture.problems import ProblemError, place, unavailable
from feedback_pipeline.capture.service import DISTINCT_ID_HEADER, SESSION_HEADER, Service
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings

PAGE_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
    b"x-frame-options": b"DENY",
    b"content-security-policy": (
        b"default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        b"frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
}


HTMX_HEADERS = ("HX-Boosted", "HX-Current-URL", "HX-Request", "HX-Target", "HX-Trigger", "HX-Trigger-Name")
"""What HTMX adds to its requests: a page of another origin may post a vote with it as it is."""


OWN_HEADERS = ("Authorization", "Content-Type", "Idempotency-Key", SESSION_HEADER)
POSTHOG_HEADERS = (DISTINCT_ID_HEADER, "x-posthog-session-id", "x-posthog-window-id")
"""What posthog-js adds to requests where it is told to."""


def routers() -> tuple[APIRouter, ...]:
    """The routes of the API, in the order they are looked at."""
    # forms before reads: /v1/feedback/pixel is no id of a vote
    own = (
        routes_forms, routes_votes, routes_batches, routes_interactions, routes_tokens, routes_reads, routes_service,
        routes_provider, routes_decisions, routes_experiments, routes_telemetry,
    )  # fmt: skip
    return tuple(routes.router for routes in own)


def create_app(settings: Settings, *, address: str | None = None, pages: Sequence[APIRouter] = ()) -> FastAPI:
    """The application on the settings' database, which is opened (and migrated) here unless `address` names one that
    is ready. It connects when first used, and again whenever it must.

    `pages` are routes of packages above this one: those of the console.

    Raises:
        DatabaseError: the database cannot be opened.
        MissingKeyError, MissingSigningKeyError: production without its keys.
        WrongKeyError: the store holds pseudonyms made with other keys.
    """
    if address is None:
        pipeline = Pipeline(settings)
        service = Service.open(settings, pipeline.database.address, pipeline.pseudonymiser)
    else:
        service = Service.open(settings, address)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        try:
            yield
        finally:
            await service.stop()

    app = FastAPI(
        title="Feedback",
        version="1",
        summary="Votes on the answers of language models: durable, changeable, counted.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    for router in (*pages, *routers()):
        app.include_router(router)
    app.openapi = lambda: openapi.document(app)  # type: ignore[method-assign]
    _answer_problems(app)
    app.add_middleware(VoteRoute)
    app.add_middleware(Edge, metrics=service.metrics)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.capture.origins,
        allow_methods=["GET", "POST", "PUT", "DELETE"],
        allow_headers=[
            "Authorization",
            "Content-Type",
            "Idempotency-Key",
            SESSION_HEADER,
            *POSTHOG_HEADERS,
            *HTMX_HEADERS,
        ],
        expose_headers=["Idempotency-Replayed", "Retry-After"],
        max_age=600,
    )
    return app


def _answer_problems(app: FastAPI) -> None:
    async def problem(_: Request, error: Exception) -> Response:
        assert isinstance(error, ProblemError)
        return error.response()

    async def invalid_request(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        errors = [{"field": place(item["loc"][1:] or item["loc"]), "reason": item["msg"]} for item in error.errors()]
        return ProblemError(422, "invalid", "invalid: " + ", ".join(e["field"] for e in errors), errors).response()

    async def http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "refused")
        return ProblemError(error.status_code, code, str(error.detail), headers=error.headers or {}).response()

    async def database(_: Request, error: Exception) -> Response:
        assert isinstance(error, asyncpg.PostgresError)
        return _store_problem(error).response()

    app.add_exception_handler(ProblemError, problem)
    app.add_exception_handler(RequestValidationError, invalid_request)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(asyncpg.PostgresError, database)


def _store_problem(error: asyncpg.PostgresError) -> ProblemError:
    if isinstance(error, asyncpg.exceptions.DataError | asyncpg.exceptions.IntegrityConstraintViolationError):
        return ProblemError(422, "refused", f"the store refused a value (SQLSTATE {error.sqlstate})")
    return unavailable()


class VoteRoute:
    """Answers `POST /v1/feedback` ahead of the framework, whose way to a route takes longer than the route itself.

    The route is declared there all the same, for the OpenAPI page.
    """

    path = "/v1/feedback"

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != self.path or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        scope["route"] = self
        try:
            answer = await routes_votes.create_feedback(Request(scope, receive, send))
        except ProblemError as problem:
            answer = problem.response()
        except asyncpg.PostgresError as error:
            answer = _store_problem(error).response()
        await answer(scope, receive, send)


class Edge:
    """Counts and times each request by its route, and adds the headers that keep pages safe."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = {name for name, _ in message["headers"]}
                added = [(name, value) for name, value in PAGE_HEADERS.items() if name not in given]
                message["headers"] = [*message["headers"], *added]
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:
            route: Any = scope.get("route")
            path = getattr(route, "path", "none")
            self._metrics.request(path, scope["method"], status, time.perf_counter() - started)
