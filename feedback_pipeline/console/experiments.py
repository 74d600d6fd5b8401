"""`/console/experiments`: arms, people, approval with both intervals, verdicts; and the buttons that move them on."""

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from feedback_pipeline.capture.problems import ProblemError, invalid
from feedback_pipeline.capture.service import Service
from feedback_pipeline.console.pages import page
from feedback_pipeline.console.sessions import claims_of, posted, sealed_form, visit

if TYPE_CHECKING:
    from feedback_pipeline.pipeline import Pipeline

router = APIRouter(include_in_schema=False)
PATH = "/console/experiments"
PURPOSE = "experiments"
MAX_DAYS = 28
"""Newest days that are shown."""
MOVES = ("start", "ramp", "stop")


@router.get(PATH)
async def experiments(request: Request) -> Response:
    """Every experiment of the tenant."""
    service, visitor = await visit(request)
    principal = visitor.principal
    shown = await run_in_threadpool(_shown, service, principal.tenant)
    may_move = "admin" in principal.scopes
    form = sealed_form(service, visitor, PURPOSE) if may_move else None
    return page("console_experiments.html", tenant=principal.tenant, teams=visitor.teams, here=PATH, form=form, **shown)


@router.post(PATH)
async def move(request: Request) -> Response:
    """Starts, ramps or stops an experiment; for keys with the scope admin."""
    service, visitor = await visit(request)
    principal = visitor.principal
    principal.require("admin")
    form = await posted(request)
    name, wanted = form.get("name"), form.get("move")
    if wanted not in MOVES or not isinstance(name, str):
        raise invalid("move", f"must be one of {', '.join(MOVES)}")
    claims_of(service, visitor, PURPOSE, form)
    person = f"console key {str(principal.key_id)[:8]}"
    await run_in_threadpool(_move, service, principal.tenant, name, wanted, person)
    service.decisions.forget(principal.tenant)
    return RedirectResponse(PATH, status_code=303)


def _pipeline(service: Service) -> "Pipeline":
    from feedback_pipeline.pipeline import Pipeline

    return Pipeline(service.settings)


def _shown(service: Service, tenant: str) -> dict[str, Any]:
    from feedback_pipeline.experiments import registry
    from feedback_pipeline.experiments.tables import EXPERIMENT_READOUT

    pipeline = _pipeline(service)
    days = pipeline.frames.partitions(EXPERIMENT_READOUT)[-MAX_DAYS:]
    read = pipeline.frames.read(EXPERIMENT_READOUT, days).filter(tenant=tenant).sort("day", "arm")
    every = read.to_dicts()
    return {
        "experiments": [_told(one, [row for row in every if row["experiment"] == one.experiment.name], days)
                        for one in registry.experiments(pipeline.database, tenant)],
        "day": days[-1] if days else None,
    }  # fmt: skip


def _told(found: Any, every: list[dict[str, Any]], days: list[str]) -> dict[str, Any]:
    """The newest day's measures, and the deciding measure of each day before. Where the split is broken that is all
    there is to say."""
    newest = [row for row in every if days and row["day"].isoformat() == days[-1]]
    broken = any(row["verdict"] == "broken_assignment" for row in newest)
    rows = [row for row in newest if row["role"] == "primary" or not broken]
    return {"found": found, "rows": rows, "days": [row for row in every if row["role"] == "primary"][::-1]}


def _move(service: Service, tenant: str, name: str, wanted: str, person: str) -> None:
    from feedback_pipeline.experiments import registry

    pipeline = _pipeline(service)
    try:
        if wanted == "start":
            registry.start(pipeline.database, name, now=pipeline.now(), tenant=tenant, person=person)
        elif wanted == "ramp":
            registry.ramp(pipeline.database, name, now=pipeline.now(), tenant=tenant, person=person)
        else:
            registry.stop(
                pipeline.database,
                name,
                now=pipeline.now(),
                tenant=tenant,
                person=person,
                reason="stopped on the console",
            )
    except registry.ExperimentError as error:
        raise ProblemError(409, "conflict", str(error)) from error
