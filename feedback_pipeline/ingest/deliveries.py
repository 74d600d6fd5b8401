"""What a source delivers: files that match its pattern, or a table; opened, batched and told apart by content."""

import glob
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import polars as pl
import pyarrow as pa

from feedback_pipeline.ingest.mapping import as_text, lookup_table, wanted_paths
from feedback_pipeline.ingest.readers.chunks import ROW, Chunk, Unread, UnreadableError, Wanted, readable
from feedback_pipeline.ingest.readers.csv import Dialect, read_csv
from feedback_pipeline.ingest.readers.json_array import read_json
from feedback_pipeline.ingest.readers.jsonl import read_jsonl
from feedback_pipeline.ingest.readers.parquet import read_parquet
from feedback_pipeline.ingest.readers.sql import read_sql
from feedback_pipeline.ingest.readers.tools import Place, read_tool
from feedback_pipeline.ingest.shaping import shaped
from feedback_pipeline.ingest.source_entry import Source
from feedback_pipeline.settings import without_password

FIRST_LOOK = timedelta(days=90)
"""How far back a tool is asked the first time, unless its source says since when."""
BATCH_ROWS = 50_000
BATCH_BYTES = 64 * 1024 * 1024
JOIN_LIMIT = 256 * 1024 * 1024
"""Bytes of a file that rows are looked up in: it is held in memory."""
_SAMPLED = 64 * 1024


@dataclass(frozen=True)
class Delivery:
    """One file, or the table or query of a database.

    Attributes:
        name: how people are told about it: the path below the pattern's fixed part, or the table.
        path: the file; None for a database.
        size: bytes; None for a database.
        fingerprint: changes with the file and with what the source says about it.
    """

    name: str
    path: Path | None
    size: int | None
    fingerprint: str


def deliveries(source: Source, base: Path) -> list[Delivery]:
    """What a source delivers now, in the order of names.

    Args:
        base: folder that relative paths start in.

    Raises:
        UnreadableError: nothing matches, or something is a folder.
    """
    if source.kind == "api":
        return [Delivery(urlsplit(source.url or "").netloc, None, None, _hash(source.url or "", source.meaning))]
    if source.path is None:
        name = source.table or "query"
        identity = [without_password(source.url or ""), source.table or "", source.query or "", source.meaning]
        return [Delivery(name, None, None, _hash(*identity))]
    paths, root = _matches(source.path, base)
    joined = [
        part
        for name in sorted(source.joins)
        for path in _matches(source.joins[name].path, base)[0]
        for part in _identity(path)
    ]
    return [
        Delivery(
            str(path.relative_to(root)), path, path.stat().st_size, _hash(source.meaning, *_identity(path), *joined)
        )
        for path in paths
    ]


def _matches(pattern: str, base: Path) -> tuple[list[Path], Path]:
    """The files of a pattern, and the folder their shown names start in."""
    full = base / Path(pattern).expanduser()
    if not glob.has_magic(str(full)) or full.exists():
        paths, root = [full], full.parent
    else:
        paths = [Path(found) for found in sorted(glob.glob(str(full), recursive=True))]  # noqa: PTH207 (may be absolute)
        parts = full.parts
        root = Path(*parts[: next(i for i, part in enumerate(parts) if glob.has_magic(part))])
        paths = [path for path in paths if not path.is_dir()]
    if not paths or not paths[0].exists():
        raise UnreadableError("no_such_file", f"no file matches {pattern} (looked in {base})")
    if paths[0].is_dir():
        raise UnreadableError("is_a_folder", f"{pattern} is a folder: name the files in it, such as {pattern}/*.csv")
    return paths, root


def _identity(path: Path) -> list[str]:
    """What tells one state of a file from another: name, size, time of change, and its first and last bytes."""
    status = path.stat()
    digest = hashlib.blake2b(digest_size=8)
    with path.open("rb") as file:
        digest.update(file.read(_SAMPLED))
        file.seek(max(0, status.st_size - _SAMPLED))
        digest.update(file.read(_SAMPLED))
    return [path.name, str(status.st_size), str(status.st_mtime_ns), digest.hexdigest()]


def _hash(*parts: str) -> str:
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=8).hexdigest()


def read_delivery(source: Source, delivery: Delivery, since: datetime | None = None) -> Iterator[Chunk]:
    """The rows of a delivery as its reader yields them.

    Args:
        since: of a tool that is asked over HTTP, where to start unless the source says.

    Raises:
        UnreadableError: it cannot be read (further).
    """
    wanted = wanted_paths(source)
    if source.kind == "api":
        until = datetime.now(UTC)
        given = datetime(source.since.year, source.since.month, source.since.day, tzinfo=UTC) if source.since else None
        first = given or since or until - FIRST_LOOK
        place = Place(source.url or "", source.key, source.tool_project, first, until)
        chunks = read_tool(source.preset or "", place, wanted)
    elif delivery.path is None:
        chunks = read_sql(source.url or "", source.table, source.query, wanted)
    else:
        dialect = Dialect(source.delimiter, source.encoding)
        chunks = _read_file(delivery.path, source.kind, dialect, wanted, source.rows)
    shapes = source.explode or source.where or source.thread or source.chat
    yield from shaped(chunks, source) if shapes else chunks


def _read_file(path: Path, kind: str, dialect: Dialect, wanted: Wanted, rows: str | None = None) -> Iterator[Chunk]:
    try:
        if kind == "csv":
            yield from read_csv(path, wanted, dialect)
        elif kind == "parquet":
            yield from read_parquet(path, wanted)
        else:
            with pa.input_stream(str(path)) as stream:
                yield from read_json(stream, wanted, rows) if kind == "json" else read_jsonl(stream, wanted)
    except OSError as error:
        raise UnreadableError("unreadable", f"the file cannot be read: {error.strerror or 'it is damaged'}") from error


def lookups(source: Source, base: Path) -> tuple[dict[str, pl.DataFrame], list[str]]:
    """The files that rows of a source are looked up in, by join name; and notes on rows of theirs that are no use.

    Raises:
        UnreadableError: one is missing, too large, or not readable.
    """
    tables, notes = {}, []
    for name, join in source.joins.items():
        paths, _ = _matches(join.path, base)
        if sum(path.stat().st_size for path in paths) > JOIN_LIMIT:
            raise UnreadableError(
                "join_too_large", f"join {name} is larger than {JOIN_LIMIT >> 20} MB: join the tables before the export"
            )
        wanted = wanted_paths(source, name)
        frames, unread = [], list[Unread]()
        for path in paths:
            for chunk in _read_file(path, join.kind, Dialect(join.delimiter), wanted):
                delivered = as_text(chunk.frame, wanted, ("",) if join.kind == "csv" else ())
                refused = (*chunk.unread, *delivered.unread)
                frames.append(readable(delivered.frame, refused))
                unread += refused
        if not frames:
            raise UnreadableError("empty", f"join {name}: {paths[0].name} holds no rows")
        tables[name] = lookup_table(pl.concat(frames), source, name)
        for reason in sorted({row.reason for row in unread}):
            count = sum(row.reason == reason for row in unread)
            notes.append(f"join {name}: {count} rows of {paths[0].name} cannot be used ({reason})")
    return tables, notes


def batched(chunks: Iterator[Chunk], rows: int = BATCH_ROWS, size: int = BATCH_BYTES) -> Iterator[Chunk]:
    """The same rows in batches of at most `rows`, and of about `size` bytes where rows are long."""
    held: list[Chunk] = []
    for chunk in chunks:
        held.append(chunk)
        if sum(c.frame.height for c in held) >= rows or sum(c.frame.estimated_size() for c in held) >= size:
            yield from _sliced(held, rows)
            held = []
    if held:
        yield from _sliced(held, rows)


def _sliced(chunks: list[Chunk], rows: int) -> Iterator[Chunk]:
    frame = pl.concat([chunk.frame for chunk in chunks], how="vertical_relaxed")
    unread = [row for chunk in chunks for row in chunk.unread]
    last, consumed = chunks[-1].last_row, chunks[-1].consumed
    told = -1
    for start in range(0, max(frame.height, 1), rows):
        part = frame.slice(start, rows)
        end = last if start + rows >= frame.height else int(part[ROW][-1])
        over = sum(chunk.passed_over for chunk in chunks) if start == 0 else 0
        yield Chunk(part, tuple(row for row in unread if told < row.row <= end), end, consumed, over)
        told = end
