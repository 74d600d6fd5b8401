"""`/console/reports`: the weekly and monthly reports that a tenant may see."""

from datetime import date
from typing import TYPE_CHECKING, Literal

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from feedback_pipeline.capture.problems import ProblemError
from feedback_pipeline.capture.service import Service
from feedback_pipeline.console.pages import page
from feedback_pipeline.console.sessions import visit

if TYPE_CHECKING:
    from feedback_pipeline.tables.parquet import ParquetFolder

router = APIRouter(include_in_schema=False)
PATH = "/console/reports"


@router.get(PATH)
async def reports(request: Request) -> Response:
    """What was published, newest first."""
    service, visitor = await visit(request)
    principal = visitor.principal
    from feedback_pipeline.reports.published import published

    shelf = await run_in_threadpool(published, _frames(service), service.settings.timezone)
    return page("console_reports.html", tenant=principal.tenant, teams=visitor.teams, here=PATH, reports=shelf)


@router.get(PATH + "/{kind}/{start}")
async def report(request: Request, kind: Literal["weekly", "monthly"], start: date) -> Response:
    """One report's page: as it was published where it is about this tenant alone, else on this tenant's votes."""
    service, visitor = await visit(request)
    principal = visitor.principal
    from feedback_pipeline.reports.page import policy_of
    from feedback_pipeline.reports.published import page_for

    shown = await run_in_threadpool(page_for, _frames(service), service.settings, kind, start, principal.tenant)
    if shown is None:
        raise ProblemError(404, "not_found", "there is no report of this period")
    # the page admits its own style sheet, by hash, and nothing else
    policy = f"{policy_of(shown)}; frame-ancestors 'none'"
    return HTMLResponse(shown, headers={"Cache-Control": "no-store", "Content-Security-Policy": policy})


def _frames(service: Service) -> "ParquetFolder":
    # imported when a report is first asked for: a process that only takes votes need not load the analysis
    from feedback_pipeline.pipeline import Pipeline

    return Pipeline(service.settings).frames
