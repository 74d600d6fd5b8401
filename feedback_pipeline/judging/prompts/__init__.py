"""The words sent to a judge: one Jinja template each, filled with values that are never read as templates."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

_FOLDER = Path(__file__).parent
TEMPLATES = ("pointwise_system", "pairwise_system", "decision_system", "examples", "data_user", "repair")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=select_autoescape(enabled_extensions=("html",)),
        undefined=StrictUndefined,
        keep_trailing_newline=False,
        auto_reload=False,
    )
    environment.filters["tojson"] = lambda value: orjson.dumps(value).decode()
    return environment


def render(template: str, values: Mapping[str, object]) -> str:
    """A template by name, filled in."""
    return _environment().get_template(f"{template}.txt.jinja").render(values)


@cache
def sources() -> str:
    """All templates as they are: part of a judge's fingerprint."""
    return "\x1f".join((_FOLDER / f"{name}.txt.jinja").read_text(encoding="utf-8") for name in TEMPLATES)
