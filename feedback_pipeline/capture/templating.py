"""The pages' templates: every value is escaped, an unknown one is an error."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined


@cache
def environment() -> Environment:
    return Environment(
        loader=PackageLoader("feedback_pipeline.capture"), autoescape=True, undefined=StrictUndefined, auto_reload=False
    )
