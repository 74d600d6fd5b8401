"""`/console/prompts`: the prompt versions that answered lately, with what people said beside each; and those of the
registry."""

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from feedback_pipeline.capture import statistics, views
from feedback_pipeline.capture.service import Service
from feedback_pipeline.console.pages import page
from feedback_pipeline.console.sessions import visit

if TYPE_CHECKING:
    from feedback_pipeline.experiments.prompts import Prompt

router = APIRouter(include_in_schema=False)
PATH = "/console/prompts"
WINDOWS = ("7", "30", "90")


@router.get(PATH)
async def prompts(request: Request) -> Response:
    """Versions by how many votes they have; beside them, where the registry knows them, the prompt's text."""
    service, visitor = await visit(request)
    days = request.query_params.get("days", "30")
    days = days if days in WINDOWS else "30"
    today: date = (await service.store.fetch(visitor.tenant, "read_today"))[0]["today"]
    rows = await service.store.fetch(visitor.tenant, "read_prompt_versions", today - timedelta(days=int(days) - 1))
    known, answering = await run_in_threadpool(_registered, service, visitor.tenant)
    versions = [_version(dict(row), [one for one in known if one.version == row["version"]]) for row in rows]
    listed = {row["version"] for row in rows}
    return page(
        "console_prompts.html", tenant=visitor.tenant, teams=visitor.teams, here=PATH, days=days, windows=WINDOWS,
        versions=versions, answering=answering, silent=[one for one in known if one.version not in listed],
    )  # fmt: skip


def _version(row: dict[str, Any], prompts_of_it: "list[Prompt]") -> dict[str, Any]:
    thumbs = row["up"] + row["down"]
    ends = statistics.wilson(row["up"], thumbs) if thumbs else None
    return row | {
        "approval": views.share(row["up"], thumbs),
        "interval": None if ends is None else [100 * end for end in ends],
        "average_stars": row["stars_sum"] / row["stars"] if row["stars"] else None,
        "prompts": prompts_of_it,
    }


def _registered(service: Service, tenant: str) -> "tuple[list[Prompt], set[tuple[str, str]]]":
    """The registry's prompts, and name and version of those that answer now."""
    # imported when the page is first asked for: a process that only takes votes need not load the analysis
    from feedback_pipeline.experiments import prompts as registry
    from feedback_pipeline.pipeline import Pipeline

    database = Pipeline(service.settings).database
    known = registry.prompts(database, tenant)
    names = {one.name for one in known}
    return known, {(name, registry.answering(database, name, tenant).version) for name in names}
