"""The export for fine-tuning that older clients ask for: thumbs as chat lines with fixed weights.

Read a day at a time, so that no long snapshot holds back the clean-up behind the votes that come in meanwhile. The
weighted, deduplicated, leak-free files are made by the training assets; this one keeps a contract.
"""

import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
from upath import UPath

from feedback_pipeline.capture.connections import Store
from feedback_pipeline.capture.problems import invalid

POSITIVE_WEIGHT = 2.0
NEGATIVE_WEIGHT = 0.5
DEFAULT_WINDOW = timedelta(days=7)
LONGEST_WINDOW = timedelta(days=366)
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._=-]{0,99}")


@dataclass(frozen=True)
class Exported:
    """What was written: where, how many lines, of how many thumbs up and down."""

    path: str
    lines: int
    positive: int
    negative: int
    start: datetime
    end: datetime


def target(folder: str, tenant: str, path: str) -> UPath:
    """The file that a caller's path names under the export folder of their tenant.

    Raises:
        ProblemError: the path leads elsewhere, or holds more than letters, digits, dots, dashes and underscores.
    """
    parts = path.split("/")
    if not parts or any(_PART.fullmatch(part) is None or ".." in part for part in parts):
        raise invalid("output_path", "must be a relative path of letters, digits, dots, dashes and underscores")
    if not parts[-1].endswith(".jsonl"):
        raise invalid("output_path", "must end in .jsonl")
    if _PART.fullmatch(tenant) is None:
        raise invalid("tenant", "the tenant's name cannot be a folder")
    root = UPath(folder) / "exports" / tenant
    found = root.joinpath(*parts)
    if root.protocol in {"", "file"} and not found.resolve().is_relative_to(root.resolve()):
        raise invalid("output_path", "leads out of the export folder")
    return found


async def write(store: Store, tenant: str, file: UPath, start: datetime | None, end: datetime | None) -> Exported:
    """Writes the votes of a window as `{"messages", "weight", "metadata"}` lines, in the order of the votes.

    Raises:
        ProblemError: the window is empty or longer than a year.
    """
    end = end or datetime.now(UTC)
    start = start or end - DEFAULT_WINDOW
    if not start < end <= start + LONGEST_WINDOW:
        raise invalid("start_date", "must lie before end_date, by a year at most")
    positive = negative = 0
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        with temporary.open("wb") as stream:
            async for row in _rows(store, tenant, start, end):
                stream.write(orjson.dumps(_line(row)) + b"\n")
                positive, negative = positive + row["thumb"], negative + (not row["thumb"])
        temporary.rename(file)
    finally:
        if temporary.exists():
            temporary.unlink()
    return Exported("/".join(file.parts[-2:]), positive + negative, positive, negative, start, end)


async def _rows(store: Store, tenant: str, start: datetime, end: datetime) -> AsyncIterator[Any]:
    # a zone may be a day ahead of or behind UTC
    day: date = start.astimezone(UTC).date() - timedelta(days=1)
    while day <= end.astimezone(UTC).date() + timedelta(days=1):
        for row in await store.fetch(tenant, "read_export", day, start, end):
            yield row
        day += timedelta(days=1)


def _line(row: Any) -> dict[str, Any]:
    if row["messages"] is not None:
        messages = [*orjson.loads(row["messages"]), {"role": "assistant", "content": row["output"]}]
    else:
        messages = [{"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": row["output"]}]
    return {
        "messages": messages,
        "weight": POSITIVE_WEIGHT if row["thumb"] else NEGATIVE_WEIGHT,
        "metadata": {
            "intent": row["intent"],
            "project": row["project"],
            "model": row["model"],
            "timestamp": row["occurred_at"].isoformat(),
        },
    }
