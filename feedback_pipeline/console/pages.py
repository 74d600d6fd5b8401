"""The console's templates: every value is escaped, an unknown one is an error."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined


@cache
def environment() -> Environment:
    return Environment(
        loader=PackageLoader("feedback_pipeline.console"), autoescape=True, undefined=StrictUndefined, auto_reload=False
    )
