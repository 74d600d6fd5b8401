"""What every reader yields, and how a column or JSON path is found in what was delivered."""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import polars as pl

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
    """

    frame: pl.DataFrame
    unread: tuple[Unread, ...]
    last_row: int
    consumed: int | None = None


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
                raise UnreadableError("missing_column", _missing(alternatives, available))
        present = {name for names in found.values() for name in names}
        return [name for name in available if name in present]

    def possible_columns(self) -> list[str]:
        """Every name that could hold a wanted value, where rows need not have the same keys."""
        return list(dict.fromkeys(prefix for path in self.paths for prefix in prefixes(path)))


def prefixes(path: str) -> list[str]:
    """The names under which a dotted path may start, longest first: `a.b.c`, `a.b`, `a`."""
    parts = path.split(".")
    return [".".join(parts[:end]) for end in range(len(parts), 0, -1)]


def path_expression(path: str, columns: Iterable[str], schema: pl.Schema) -> pl.Expr | None:
    """The value at a path: the column of that name, else what lies below a shorter one; None if there is neither."""
    name = path.removesuffix("?")
    present = set(columns)
    found = [_below(prefix, name[len(prefix) + 1 :], schema[prefix]) for prefix in prefixes(name) if prefix in present]
    if not found:
        return None
    return found[0] if len(found) == 1 else pl.coalesce(*(expression.cast(pl.String) for expression in found))


def _below(column: str, rest: str, dtype: pl.DataType) -> pl.Expr:
    value = pl.col(column)
    if not rest:
        return value
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


def json_path(parts: Iterable[str]) -> str:
    """The JSONPath of keys below each other."""
    return "$" + "".join("['" + part.replace("\\", "\\\\").replace("'", "\\'") + "']" for part in parts)


def _missing(alternatives: tuple[str, ...], available: Collection[str]) -> str:
    shown = ", ".join(list(available)[:30]) or "none"
    hint = ""
    if len(available) == 1:
        mark = next((mark for mark in (";", "\t", "|") if mark in next(iter(available))), None)
        if mark:
            hint = f"; they seem to be separated by another mark: set delimiter: {mark!r}"
    return (
        f"column {' or '.join(alternatives)} is not there (columns: {shown}{hint}); "
        "name another in mapping, write NAME? if it may be absent, or null to leave the field out"
    )
