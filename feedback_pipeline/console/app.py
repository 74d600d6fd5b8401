"""What `feedback serve` runs: the capture API with the console's pages beside it, as one application."""

import gc
from importlib import resources

from fastapi import APIRouter, FastAPI
from starlette.responses import Response

from feedback_pipeline.capture import app as api
from feedback_pipeline.capture.routes_service import STATIC_HEADERS
from feedback_pipeline.console import answers, audit, experiments, exports, prompts, reports, sessions, votes
from feedback_pipeline.settings import Settings

STATIC = {"htmx.min.js": "text/javascript", "console.js": "text/javascript", "console.css": "text/css"}

router = APIRouter(include_in_schema=False)


@router.get("/static/htmx.min.js")
async def htmx() -> Response:
    """The library that fetches parts of pages."""
    return _static("htmx.min.js")


@router.get("/static/console.js")
async def script() -> Response:
    """Opens the console with the key of a link."""
    return _static("console.js")


@router.get("/static/console.css")
async def stylesheet() -> Response:
    """How the pages look."""
    return _static("console.css")


def _static(name: str) -> Response:
    text = (resources.files("feedback_pipeline.console") / "static" / name).read_bytes()
    return Response(text, media_type=STATIC[name], headers=STATIC_HEADERS)


def create_app(settings: Settings, *, address: str | None = None) -> FastAPI:
    """The API and the console on the settings' database; see `capture.app.create_app`."""
    modules = (sessions, votes, answers, prompts, audit, experiments, reports, exports)
    pages = (router, *(module.router for module in modules))
    app = api.create_app(settings, address=address, pages=pages)
    app.add_exception_handler(sessions.SignedOutError, sessions.login_page)
    return app


def from_environment() -> FastAPI:
    """The application of a worker process, configured by the environment."""
    app = create_app(Settings.from_environment())
    gc.collect()
    gc.freeze()  # what is loaded stays: a collection in the middle of a batch need not look at it again
    gc.set_threshold(20_000, 20, 20)  # a batch makes thousands of rows: not a collection every few hundred
    return app
