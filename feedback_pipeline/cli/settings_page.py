"""The reference page of the settings, from their declarations: `python -m feedback_pipeline.cli.settings_page`."""

from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from feedback_pipeline.environment import Declared, declared
from feedback_pipeline.settings import Settings, default_text

_HEAD = """# Settings

Everything is set by environment variables; a wrong value is refused with what the variable takes, and one with the
prefix `FEEDBACK_` that means nothing is named with the nearest that does. `feedback doctor` shows every setting, where
it came from and its default. A secret can stand in a file: where `FEEDBACK_TOKEN_KEY` is not set,
`FEEDBACK_TOKEN_KEY_FILE=/run/secrets/token_key` is read.

(This page is written by `python -m feedback_pipeline.cli.settings_page > docs/settings.md`.)
"""


def page() -> str:
    """The page as Markdown: a table for each group."""
    settings = [one for one in declared(Settings) if one.setting.variables]
    text = _HEAD
    for group in dict.fromkeys(one.group for one in settings):
        text += f"\n## {group}\n\n| variable | takes | default | what it does |\n|---|---|---|---|\n"
        text += "".join(_row(one) for one in settings if one.group == group)
    return text


def _row(one: Declared) -> str:
    variables = ", else ".join(f"`{name}`" for name in one.setting.variables)
    if one.setting.secret:
        variables += " (secret)"
    needs = f"; needs the extra `{one.setting.needs}`" if one.setting.needs else ""
    cells = (variables, _takes(one), default_text(one).replace("not set", "none"), one.setting.help + needs)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _takes(one: Declared) -> str:
    kind: Any = one.kind
    if get_origin(kind) in (Union, UnionType):
        kind = next(option for option in get_args(kind) if option is not type(None))
    if one.setting.read is not None:
        of = ", ".join(f"`{choice}`" for choice in get_args(get_args(kind)[0])) if get_args(kind) else ""
        return (one.setting.read.__doc__ or "").format(of)
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(kind))
    if get_origin(kind) in (tuple, frozenset):
        return "a list, separated by commas"
    if kind is int:
        return f"a whole number from {one.setting.low}"
    return {"str": "text", "float": "a number", "bool": "1 or 0", "date": "a date", "Path": "a path"}[kind.__name__]


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - what the command is for
