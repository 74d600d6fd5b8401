"""What every reader yields, and how a column or JSON path is found in what was delivered."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import polars as pl

from feedback_pipeline.ingest.paths import Step, as_text, columns_named, steps, walk

ROW = "\x00row"
"""Name of the column with the row numbers: no delivered column can have it."""

ROW_LIMIT = 16 * 1024 * 1024
"""Bytes in one delivered row; a longer one is refused without being held in memory."""


class UnreadableError(Exception):
    """A file or table cannot be read (further); the message says why and what to do. It quotes no contents."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Unread:
    """A row that cannot be taken as it was delivered; `digest` is a hash of its bytes, where they were held."""

    row: int
    reason: str
    field: str | None = None
    digest: str | None = None


@dataclass(frozen=True)
class Chunk:
    """Some delivered rows.

    Attributes:
        frame: the wanted columns as delivered, and ROW (Int64, ascending).
        unread: rows of the same stretch that cannot be taken. Those that could be taken apart are in the frame too, to
            be shown.
        last_row: number of the last row of the stretch.
        consumed: bytes of the file read so far, where known.
        passed_over: rows that the source's `where` or an empty list left out.
    """

    frame: pl.DataFrame
    unread: tuple[Unread, ...]
    last_row: int
    consumed: int | None = None
    passed_over: int = 0


def digest_of(row: bytes) -> str:
    """A hash of a delivered row."""
    return hashlib.blake2b(row, digest_size=16).hexdigest()


def readable(frame: pl.DataFrame, unread: Iterable[Unread]) -> pl.DataFrame:
    """The rows of a frame that were not refused."""
    refused = pl.Series([row.row for row in unread], dtype=pl.Int64)
    return frame.filter(~pl.col(ROW).is_in(refused.implode())) if refused.len() else frame


@dataclass(frozen=True)
class Wanted:
    """The paths a source's mapping reads.

    Attributes:
        paths: columns or dotted paths.
        required: sets of paths of which at least one must be there.
        texts: those that must have been delivered as text.
    """

    paths: tuple[str, ...]
    required: tuple[tuple[str, ...], ...] = ()
    texts: frozenset[str] = frozenset()

    def columns(self, available: Collection[str]) -> list[str]:
        """The delivered columns to read, in the order delivered.

        Raises:
            UnreadableError: a column that must be there is not.
        """
        found = {path: [prefix for prefix in prefixes(path) if prefix in available] for path in self.paths}
        for alternatives in self.required:
            if not any(found[path] for path in alternatives):
                raise missing_column(alternatives, available)
        present = {name for names in found.values() for name in names}
        return [name for name in available if name in present]

    def possible_columns(self) -> list[str]:
        """Every name that could hold a wanted value, where rows need not have the same keys."""
        return list(dict.fromkeys(prefix for path in self.paths for prefix in prefixes(path)))


def prefixes(path: str) -> list[str]:
    """The names under which a path may start, longest first: `a.b.c`, `a.b`, `a`; of `a.b[0].c`: itself, `a.b`, `a`."""
    head, bracket, _ = path.partition("[")
    parts = head.split(".")
    found = [".".join(parts[:end]) for end in range(len(parts), 0, -1)]
    return [path, *found] if bracket else found


def path_expression(path: str, columns: Iterable[str], schema: pl.Schema) -> pl.Expr | None:
    """The value at a path: the column of that name, else what lies below a shorter one; None if there is neither."""
    present = set(columns)
    name = path if any(prefix in present for prefix in prefixes(path)) else path.removesuffix("?")
    named = [path_expression(other, columns, schema) for other in _columns_named(name)]
    found = [
        _below(prefix, name[len(prefix) :].removeprefix("."), schema[prefix], named)
        for prefix in prefixes(name)
        if prefix in present
    ]
    if not found:
        return None
    return found[0] if len(found) == 1 else pl.coalesce(*(expression.cast(pl.String) for expression in found))


def _columns_named(path: str) -> tuple[str, ...]:
    try:
        return columns_named(path)
    except ValueError:
        return ()  # the name of a column with brackets of its own


def _below(column: str, rest: str, dtype: pl.DataType, named: Sequence[pl.Expr | None]) -> pl.Expr:
    value = pl.col(column)
    if not rest:
        return value
    if "[" in rest:
        return _walked(value, steps(rest), named)
    parts = rest.split(".")
    while parts and isinstance(dtype, pl.Struct):
        inner = {field.name: field.dtype for field in dtype.fields}
        if parts[0] not in inner:
            return pl.lit(None, pl.String)
        value, dtype = value.struct.field(parts[0]), inner[parts[0]]  # type: ignore[assignment]
        parts = parts[1:]
    if not parts:
        return value
    if dtype != pl.String:
        return pl.lit(None, pl.String)
    return value.str.json_path_match(json_path(parts))


def _walked(value: pl.Expr, down: Sequence[Step], named: Sequence[pl.Expr | None]) -> pl.Expr:
    """What lies at the end of a path with brackets, read from each value as JSON."""
    others = [(pl.lit(None) if one is None else one).cast(pl.String).alias(f"\x00{n}") for n, one in enumerate(named)]

    def texts(rows: pl.Series) -> pl.Series:
        found = [as_text(walk(row["\x00value"], down, [row[f"\x00{n}"] for n in range(len(named))])) for row in rows]
        return pl.Series(found, dtype=pl.String)

    whole = pl.struct(value.alias("\x00value"), *others)
    return whole.map_batches(texts, return_dtype=pl.String, is_elementwise=True)


def json_path(parts: Iterable[str]) -> str:
    """The JSONPath of keys below each other."""
    return "$" + "".join("['" + part.replace("\\", "\\\\").replace("'", "\\'") + "']" for part in parts)


def missing_column(alternatives: tuple[str, ...], available: Collection[str]) -> UnreadableError:
    """The error that a column of the mapping is not there, with what is and the nearest."""
    return UnreadableError("missing_column", _missing(alternatives, available))


def _missing(alternatives: tuple[str, ...], available: Collection[str]) -> str:
    near = get_close_matches(alternatives[0].lower(), {name.lower(): name for name in available}, 1, 0.6)
    meant = next((f" did you mean {name}?" for name in available if near and name.lower() == near[0]), "")
    shown = ", ".join(list(available)[:30]) or "none"
    hint = ""
    if len(available) == 1:
        mark = next((mark for mark in (";", "\t", "|") if mark in next(iter(available))), None)
        if mark:
            hint = f"; they seem to be separated by another mark: set delimiter: {mark!r}"
    return (
        f"column {' or '.join(alternatives)} is not there (columns: {shown}{hint});{meant} "
        "name another in mapping, write NAME? if it may be absent, or null to leave the field out"
    )
