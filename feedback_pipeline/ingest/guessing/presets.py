"""The preset whose columns a table has."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from feedback_pipeline.ingest.documents import load_document
from feedback_pipeline.ingest.first_rows import FirstRows
from feedback_pipeline.ingest.guessing.columns import listed, parsed_json
from feedback_pipeline.ingest.guessing.entry import Guess, spread_without_times
from feedback_pipeline.ingest.mapping import CHAT, THREAD
from feedback_pipeline.ingest.paths import steps, walk
from feedback_pipeline.ingest.readers.json_array import DOCUMENT
from feedback_pipeline.ingest.sources import PRESETS, preset_names

_PRESET_COLUMNS = 3


_ANSWERED_BY = {
    **{f"tensorzero-{kind}": "tensorzero-inferences" for kind in ("boolean", "comments", "demonstrations")},
    **dict.fromkeys(("langfuse-scores", "langfuse-evaluations"), "langfuse-observations"),
}
"""Presets of votes on answers that another source brings, and that source's preset."""


def guess_preset(found: FirstRows, now: datetime | None = None) -> Guess | None:
    """The entry with the preset most of whose columns are there, of those that need nothing that is not."""
    settings = dict(found.settings)
    name = _preset(found.rows)
    if name is None and found.document is not None and (name := _preset([found.document])) is not None:
        settings["rows"] = DOCUMENT
    if name is None:
        return None
    document = load_document(PRESETS / f"{name}.yaml")
    made = Guess({**settings, "preset": name}, dict(found.remarks))
    made.why["preset"] = "it has the columns of this table (docs/sources.md); lines of your own go before its own"
    if name in _ANSWERED_BY:
        made.missing.append(f"name the source of the answers: `answers: NAME` (preset {_ANSWERED_BY[name]})")
    if not {"occurred_at", "answered_at"} & {*(document.get("mapping") or {}), *(document.get("constants") or {})}:
        spread_without_times(made, now or datetime.now(UTC))
    return made


def _preset(rows: Sequence[Mapping[str, Any]]) -> str | None:
    best: tuple[int, str] | None = None
    for name in preset_names():
        document = load_document(PRESETS / f"{name}.yaml")
        needed, explode = _needed(document), document.get("explode")
        held = [any(_held(row, path, explode) for row in rows for path in either) for either in needed]
        if len(needed) >= _PRESET_COLUMNS and all(held) and (best is None or len(needed) > best[0]):
            best = (len(needed), name)
    return best[1] if best else None


def _needed(document: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The paths a preset cannot do without; of several, one is enough."""
    sides = document.get("pairwise") or {}
    references = [*(document.get("mapping") or {}).values()]
    references += [value for side in ("left", "right") for value in (sides.get(side) or {}).values()]
    winner = sides.get("winner")
    references += winner if isinstance(winner, list) else [winner] if isinstance(winner, str) else []
    thread = document.get("thread") or {}
    references += [thread[name] for name in ("messages", "answer") if name in thread]
    references += (document.get("chat") or {}).values()
    references += [document["explode"]] if document.get("explode") else []
    references += [path for path, said in (document.get("where") or {}).items() if said is not None]
    found: list[tuple[str, ...]] = []
    for reference in references:
        if isinstance(reference, str):
            found += [] if reference.endswith("?") or reference in (*THREAD, *CHAT) else [(reference,)]
        elif isinstance(reference, list):
            found += [(path,) for path in reference]
        elif isinstance(reference, dict) and not reference.get("optional"):
            if "first" in reference:
                found.append(tuple(reference["first"]))
            else:
                columns = [reference["column"]] if "column" in reference else reference.get("columns") or []
                found += [(path,) for path in columns]
    return list(dict.fromkeys(found))


def _held(row: Mapping[str, Any], path: str, explode: str | None) -> bool:
    """Whether a row has the place a path leads to, with nothing in it or something."""
    if path in row:
        return True
    head, bracket, _ = path.partition("[")
    if explode and path.startswith(f"{explode}."):
        items = listed(walk(dict(row), steps(explode), ()))
        return any(isinstance(item, dict) and _held(item, path.removeprefix(f"{explode}."), None) for item in items)
    value: Any = row
    for step in steps(head.rstrip(".")):
        value = parsed_json(value)
        if not isinstance(value, dict) or step.name not in value:
            return False
        value = value[step.name]
    return not bracket or bool(value)
