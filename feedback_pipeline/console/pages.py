"""The console's templates: every value is escaped, an unknown one is an error."""

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from feedback_pipeline.console import wording

PAGES = (
    ("/console", "Votes"),
    ("/console/answers", "Answers"),
    ("/console/prompts", "Prompts"),
    ("/console/experiments", "Experiments"),
    ("/console/audit", "Audit"),
    ("/console/reports", "Reports"),
    ("/console/exports", "Exports"),
)
"""The console's pages by address, in the order of its navigation."""


@cache
def environment() -> Environment:
    made = Environment(
        loader=PackageLoader("feedback_pipeline.console"), autoescape=True, undefined=StrictUndefined, auto_reload=False
    )
    for word in ("said", "first_line", "percent", "interval", "seconds", "dollars", "number", "person"):
        made.filters[word] = getattr(wording, word)
    return made


def page(template: str, status: int = 200, **values: Any) -> Response:
    """A page of the console, which nobody keeps."""
    text = environment().get_template(template).render(pages=PAGES, **values)
    return HTMLResponse(text, status, headers={"Cache-Control": "no-store"})
