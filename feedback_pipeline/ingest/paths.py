"""Paths into delivered values: `context.model`, `messages[last].content`, `turns[role=user].text`,
`history.messages[{message_id}].content`.

A path names a column, or a key below one; in brackets stands which item of a list is meant:

- `[0]`, `[2]`, `[last]`: by position;
- `[role=user]`: the first whose key has that value; `[last role=user]`: the last;
- `[{column}]`: the entry of an object, or the item of a list with that `id`, that another column names;
- `["a.b"]`: a key with dots or brackets of its own;
- `[json]`: what a text says that is JSON itself (`"yes"` in quotes is yes).

JSON that was written into a text is read as JSON.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

_STEP = re.compile(r"\.?([^.\[\]]+)|\[([^\[\]]+)\]")
_POSITION = re.compile(r"-?\d+|last")
_MATCH = re.compile(r"(last\s+)?([^=\s{}]+)\s*=\s*(.*)")
_QUOTED = re.compile(r"""(["'])(.+)\1""")
_LOOKUP = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True)
class Step:
    """One step down: a key, a position, the item with a value, the entry another column names; or JSON in a text."""

    kind: Literal["key", "position", "match", "lookup", "json"]
    name: str = ""
    position: int = 0
    value: str = ""


def steps(path: str) -> tuple[Step, ...]:
    """The steps of a path.

    Raises:
        ValueError: it is no path; the message says where and what brackets take.
    """
    found, place = [], 0
    while place < len(path):
        match = _STEP.match(path, place)
        if match is None:
            raise ValueError(f"{path!r} cannot be read from {path[place:]!r}: close the bracket, or leave the dot out")
        key, inside = match.groups()
        found.append(Step("key", key) if key else _inside(path, inside.strip()))
        place = match.end()
    return tuple(found)


def _inside(path: str, text: str) -> Step:
    if _POSITION.fullmatch(text):
        return Step("position", position=-1 if text == "last" else int(text))
    if text == "json":
        return Step("json")
    if quoted := _QUOTED.fullmatch(text):
        return Step("key", quoted[2])
    if lookup := _LOOKUP.fullmatch(text):
        return Step("lookup", lookup[1].strip())
    if match := _MATCH.fullmatch(text):
        return Step("match", match[2], -1 if match[1] else 0, match[3].strip().strip("'\""))
    raise ValueError(
        f"{path!r}: [{text}] is none of [0], [last], [key=value], [last key=value], [{{column}}], [\"key\"], [json]"
    )  # fmt: skip


def columns_named(path: str) -> tuple[str, ...]:
    """The columns that brackets of a path name."""
    return tuple(step.name for step in steps(path) if step.kind == "lookup") if "[" in path else ()


def walk(value: Any, down: Sequence[Step], names: Sequence[str | None]) -> Any:
    """What lies at the end of the steps; None where there is nothing.

    Args:
        value: parsed JSON, or text that may hold JSON.
        down: the steps.
        names: what the columns of the lookups hold, in their order.
    """
    remaining = iter(names)
    for step in down:
        if isinstance(value, str):
            value = _parsed(value)
        if value is None:
            return None
        value = _taken(value, step, next(remaining, None) if step.kind == "lookup" else None)
    return value


def _taken(value: Any, step: Step, named: str | None) -> Any:
    match step.kind:
        case "json":
            return value  # it was parsed on the way here
        case "key":
            return value.get(step.name) if isinstance(value, dict) else None
        case "position":
            inside = isinstance(value, list) and -len(value) <= step.position < len(value)
            return value[step.position] if inside else None
        case "lookup":
            if named is None:
                return None
            if isinstance(value, dict):
                return value.get(named)
            items = value if isinstance(value, list) else []
            return next((item for item in items if isinstance(item, dict) and as_text(item.get("id")) == named), None)
        case "match":
            items = value if isinstance(value, list) else []
            fits = [item for item in items if as_text(_below(item, step.name)) == step.value]
            return fits[step.position] if fits else None


def _below(item: Any, name: str) -> Any:
    """The value of a key of an item, or of keys below each other (`message.role`)."""
    for key in (name,) if isinstance(item, dict) and name in item else name.split("."):
        item = item.get(key) if isinstance(item, dict) else None
    return item


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def as_text(value: Any) -> str | None:
    """A value as the readers deliver it: text as it is, everything else as JSON."""
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode()
