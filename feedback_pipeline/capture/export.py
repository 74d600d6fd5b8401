"""The export for fine-tuning that older clients ask for: thumbs as chat lines with the weights of policy `original`.

Read a day at a time, so that no long snapshot holds back the clean-up behind the votes that come in meanwhile. The
lines are those of the training files' format `feedback_export`; deduplicated, leak-free files are made by the training
assets, this one keeps a contract.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import IO, Any

import orjson
import polars as pl
from upath import UPath

from feedback_pipeline.capture.connections import Store
from feedback_pipeline.capture.problems import invalid
from feedback_pipeline.tables.parquet import is_local, location, replaced_file
from feedback_pipeline.training.formats import FORMATS
from feedback_pipeline.training.messages import conversation
from feedback_pipeline.training.weights import ORIGINAL

DEFAULT_WINDOW = timedelta(days=7)
MAX_WINDOW = timedelta(days=366)
FORMAT = "feedback_export"
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._=-]{0,99}")


@dataclass(frozen=True)
class Exported:
    """What was written: where, how many lines, of how many thumbs up and down; and how many thumbs no line can be
    made of, as their messages are not a conversation."""

    path: str
    lines: int
    positive: int
    negative: int
    skipped: int
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
    root = location(folder) / "exports" / tenant
    found = root.joinpath(*parts)
    if is_local(root) and not found.resolve().is_relative_to(root.resolve()):
        raise invalid("output_path", "leads out of the export folder")
    return found


async def write(
    store: Store, tenant: str, file: UPath, start: datetime | None, end: datetime | None, by: str
) -> Exported:
    """Writes the votes of a window as `{"messages", "weight", "metadata"}` lines, in the order of the votes.

    It is noted before the first byte is written, with the days it covers: an erasure and the retention find it by that.

    Raises:
        ProblemError: the window is empty or longer than a year.
    """
    end = end or datetime.now(UTC)
    start = start or end - DEFAULT_WINDOW
    if not start < end <= start + MAX_WINDOW:
        raise invalid("start_date", "must lie before end_date, by a year at most")
    positive = negative = skipped = 0
    first, last = _covered(start, end)
    noted = await store.fetch(tenant, "begin_export", str(file), tenant, first, last, by, FORMAT)
    async with _replaced_file(file) as stream:
        async for rows in _days(store, tenant, start, end):
            lines = await asyncio.to_thread(_lines, rows)
            await asyncio.to_thread(stream.write, "".join(lines["line"]).encode())
            up = int(lines["thumb"].sum())
            positive, negative = positive + up, negative + lines.height - up
            skipped += len(rows) - lines.height
    await store.fetch(tenant, "finish_export", noted[0]["id"], positive + negative)
    detail = {"export": str(noted[0]["id"]), "first": str(first), "last": str(last), "lines": positive + negative}
    await store.fetch(tenant, "note_audit", by, "votes.exported", tenant, orjson.dumps(detail).decode())
    return Exported("/".join(file.parts[-2:]), positive + negative, positive, negative, skipped, start, end)


@asynccontextmanager
async def _replaced_file(file: UPath) -> AsyncIterator[IO[bytes]]:
    """`replaced_file` for a coroutine: a disk or a bucket that is slow holds up nobody's vote."""
    writer = replaced_file(file)
    stream = await asyncio.to_thread(writer.__enter__)
    try:
        yield stream
    except BaseException as error:
        await asyncio.to_thread(writer.__exit__, type(error), error, error.__traceback__)
        raise
    await asyncio.to_thread(writer.__exit__, None, None, None)


def _covered(start: datetime, end: datetime) -> tuple[date, date]:
    """The days that votes of a window may have: a zone may be a day ahead of or behind UTC."""
    day = timedelta(days=1)
    return start.astimezone(UTC).date() - day, end.astimezone(UTC).date() + day


async def _days(store: Store, tenant: str, start: datetime, end: datetime) -> AsyncIterator[list[Any]]:
    day, last = _covered(start, end)
    while day <= last:
        if rows := await store.fetch(tenant, "read_export", day, start, end):
            yield rows
        day += timedelta(days=1)


def _lines(rows: list[Any]) -> pl.DataFrame:
    """`thumb` and `line` of every row whose messages are a conversation."""
    forms = [conversation(row["messages"], row["prompt"]) for row in rows]
    sound = [(row, form.messages) for row, form in zip(rows, forms, strict=True) if form.problem is None]
    texts = ("output", "intent", "project", "model")
    frame = pl.DataFrame(
        {
            "messages": pl.Series([messages for _, messages in sound], dtype=pl.String),
            "thumb": pl.Series([row["thumb"] for row, _ in sound], dtype=pl.Boolean),
            "occurred_at": pl.Series([row["occurred_at"] for row, _ in sound], dtype=pl.Datetime("us", "UTC")),
            **{name: pl.Series([row[name] for row, _ in sound], dtype=pl.String) for name in texts},
        }
    )
    line = FORMATS[FORMAT].line
    assert line is not None  # not a table
    weight = pl.when("thumb").then(ORIGINAL.positive).otherwise(ORIGINAL.negative).alias("weight")
    return frame.rename({"output": "completion"}).with_columns(weight).select("thumb", line)
