"""JSON lines: one object a line, parsed a block at a time by Polars, line by line only where a block has a bad line."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, Protocol

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl
import pyarrow as pa

from feedback_pipeline.ingest.readers.chunks import (
    ROW,
    ROW_LIMIT,
    Chunk,
    Unread,
    Wanted,
    digest_of,
    json_path,
    missing_column,
    path_expression,
    prefixes,
)

BLOCK = 16 * 1024 * 1024
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NEWLINE = 10
_NOT_QUOTED = r"^(?:true|false|-?[0-9].*)$"


class Stream(Protocol):
    """Bytes to read."""

    def read(self, size: int, /) -> bytes: ...


def read_jsonl(stream: Stream | BinaryIO, wanted: Wanted) -> Iterator[Chunk]:
    """The rows of a file of JSON lines; row numbers are line numbers from 1."""
    line, consumed = 1, 0
    for stretch in _whole_lines(stream):
        consumed += stretch.size
        if line == 1 and stretch.block is not None:
            _check_keys(stretch.block, wanted)
        if stretch.block is None:
            yield Chunk(_nothing(wanted), (Unread(line, "row_too_large"),), line, consumed)
        else:
            yield replace(parse_lines(stretch.block, line, wanted, stretch.cut), consumed=consumed)
        line += stretch.lines


def _check_keys(block: bytes, wanted: Wanted) -> None:
    """Rows need not have the same keys, but a required key that none of the first megabytes has is a wrong name.

    Raises:
        UnreadableError: there is such a key.
    """
    for alternatives in wanted.required:
        if not any(_written(path, block) for path in alternatives):
            first = next((line for line in block.split(b"\n") if line.strip()), b"{}")
            try:
                keys = list(orjson.loads(first))
            except (orjson.JSONDecodeError, TypeError):
                return  # lines that are no objects are refused one by one
            raise missing_column(alternatives, [str(key) for key in keys])


def _written(path: str, block: bytes) -> bool:
    """Whether a key that a path may start with, and the one it ends with, are anywhere in the text."""
    names = [name for name in prefixes(path) if _has_key(name, block)]
    return bool(names) and (path in names or _has_key(path.rpartition(".")[2], block) or "[" in path)


def _has_key(name: str, block: bytes) -> bool:
    written = orjson.dumps(name)
    escaped = orjson.dumps(written.decode())[1:-1]  # in JSON that was written into a text
    return written in block or escaped in block or json.dumps(name).encode() in block


@dataclass(frozen=True)
class _Stretch:
    """Whole lines (None: one line too long to hold), and whether the file ends within the last."""

    block: bytes | None
    size: int
    lines: int
    cut: bool = False


def _whole_lines(stream: Stream | BinaryIO) -> Iterator[_Stretch]:
    rest, oversized, start = b"", 0, True
    while data := stream.read(BLOCK):
        data = bytes(data)
        if start:
            data, start = data.removeprefix(BYTE_ORDER_MARK), False
        if oversized:
            end = data.find(b"\n")
            oversized += len(data) if end < 0 else end + 1
            if end < 0:
                continue
            yield _Stretch(None, oversized, 1)
            data, oversized = data[end + 1 :], 0
        block = rest + data
        end = block.rfind(b"\n") + 1
        rest = block[end:]
        if end:
            yield _Stretch(block[:end], end, block.count(b"\n", 0, end))
        if len(rest) > ROW_LIMIT:
            oversized, rest = len(rest), b""
    if oversized:
        yield _Stretch(None, oversized, 1)
    if rest:
        yield _Stretch(rest + b"\n", len(rest), 1, cut=True)


def parse_lines(block: bytes, first_row: int, wanted: Wanted, ends_cut: bool = False) -> Chunk:
    """The rows of whole lines; `first_row` is the number of the first line.

    Every value is text: strings as they are, everything else as JSON. A value that must be text (`wanted.texts`) and
    was delivered as a boolean or a number is refused: whoever wrote the file changed it on the way.
    """
    if b"NaN" in block or b"Infinity" in block:
        block = b"".join(_without_nan(line) + b"\n" for line in block.removesuffix(b"\n").split(b"\n"))
    lines = _Lines.of(block)
    last_row = first_row + max(lines.count - 1, 0)
    held = np.flatnonzero(lines.ends > lines.starts)
    unread: list[Unread] = []
    frame = _parsed(block, wanted) if len(held) else _nothing(wanted)
    if frame is None or frame.height != len(held) or _may_hold_half_characters(block, frame):
        held = held[_readable(lines, held, first_row, unread, ends_cut)]
        frame, taken = _bisected([lines.line(int(position)) for position in held], held + first_row, wanted, unread)
        held = held[taken]
    frame = frame.with_columns(pl.Series(ROW, held + first_row, dtype=pl.Int64))
    frame = _with_structures(frame, lines, held, unread)
    unread += _not_text(frame, wanted, lines, first_row)
    return Chunk(frame, tuple(sorted(unread, key=lambda row: row.row)), last_row)


def _without_nan(line: bytes) -> bytes:
    """A line with NaN and Infinity, which some write and JSON has not, as null."""
    if b"NaN" not in line and b"Infinity" not in line:
        return line
    try:
        return orjson.dumps(json.loads(line, parse_constant=lambda _: None))
    except (ValueError, RecursionError, orjson.JSONEncodeError):
        return line  # it is refused with the others that are no JSON


@dataclass(frozen=True)
class _Lines:
    """A block and where its lines start and end (before the line break)."""

    block: bytes
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]

    @classmethod
    def of(cls, block: bytes) -> "_Lines":
        ends = np.flatnonzero(np.frombuffer(block, np.uint8) == _NEWLINE).astype(np.int64)
        return cls(block, np.concatenate([np.zeros(1, np.int64), ends[:-1] + 1])[: len(ends)], ends)

    @property
    def count(self) -> int:
        return len(self.ends)

    def line(self, position: int) -> bytes:
        return self.block[self.starts[position] : self.ends[position]]

    def texts(self, positions: npt.NDArray[np.int64]) -> pl.Series:
        """The lines at some positions, all of them UTF-8."""
        offsets = pa.py_buffer(np.concatenate([self.starts, self.ends[-1:] + 1]))
        whole = pa.Array.from_buffers(pa.large_binary(), self.count, [None, offsets, pa.py_buffer(self.block)])
        return pl.Series(pl.from_arrow(whole.take(pa.array(positions)))).cast(pl.String)


def _with_structures(
    frame: pl.DataFrame, lines: _Lines, held: npt.NDArray[np.int64], unread: list[Unread]
) -> pl.DataFrame:
    """The frame with objects and arrays written again as JSON.

    Polars 2.1 does not escape backslashes and keys when it writes an object into a column of text; words that a
    stranger wrote could become structure. So these values are taken from the line by a parser that does.
    """
    for name in frame.columns:
        if name == ROW:
            continue
        rows = frame.select(pl.col(name).str.contains(r"^[\[{]").arg_true()).to_series()
        if rows.is_empty():
            continue
        values = lines.texts(held[rows.to_numpy()]).str.json_path_match(json_path([name]))
        lost = rows.filter(values.is_null())
        for position in lost:
            line = lines.line(held[position])
            unread.append(Unread(int(frame[ROW][position]), "malformed_json", name, digest_of(line)))
        frame = frame.with_columns(frame[name].scatter(rows, values))
    return frame


def _nothing(wanted: Wanted) -> pl.DataFrame:
    return pl.DataFrame(schema={**dict.fromkeys(wanted.possible_columns(), pl.String), ROW: pl.Int64})


def _parsed(block: bytes, wanted: Wanted) -> pl.DataFrame | None:
    """The block as a frame of text, or None where a line of it cannot be parsed."""
    schema = dict.fromkeys(wanted.possible_columns(), pl.String())
    try:
        return pl.read_ndjson(block, schema=schema)
    except pl.exceptions.ComputeError:
        return None


def _may_hold_half_characters(block: bytes, frame: pl.DataFrame) -> bool:
    """Half a surrogate pair is no text, but Polars makes a NUL of it."""
    if rb"\ud" not in block and rb"\uD" not in block:
        return False
    return bool(frame.select(pl.any_horizontal(pl.all().str.contains("\0", literal=True).any())).item())


def _readable(
    lines: _Lines, held: npt.NDArray[np.int64], first_row: int, unread: list[Unread], ends_cut: bool
) -> npt.NDArray[np.bool_]:
    """Which lines hold a JSON object; the others are added to `unread`, blank ones are passed over."""
    good = np.ones(len(held), bool)
    for place, position in enumerate(held):
        line = lines.line(position)
        reason = _line_problem(line)
        if reason is None:
            continue
        good[place] = False
        if line.strip():
            reason = "cut_off" if ends_cut and position == lines.count - 1 else reason
            unread.append(Unread(first_row + int(position), reason, digest=digest_of(line)))
    return good


def _line_problem(line: bytes) -> str | None:
    if len(line) > ROW_LIMIT:
        return "row_too_large"
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        try:
            line.decode()
        except UnicodeDecodeError:
            return "invalid_utf8"
        return "malformed_json"
    return None if isinstance(value, dict) else "not_an_object"


def _bisected(
    lines: list[bytes], numbers: npt.NDArray[np.int64], wanted: Wanted, unread: list[Unread]
) -> tuple[pl.DataFrame, npt.NDArray[np.bool_]]:
    """The lines as a frame and which of them it holds, where the two parsers do not agree on every line."""
    if not lines:
        return _nothing(wanted).drop(ROW), np.ones(0, bool)
    frame = _parsed(b"\n".join(lines) + b"\n", wanted)
    if frame is not None and frame.height == len(lines):
        return frame, np.ones(len(lines), bool)
    if len(lines) == 1:
        unread.append(Unread(int(numbers[0]), "malformed_json", digest=digest_of(lines[0])))
        return _nothing(wanted).drop(ROW), np.zeros(1, bool)
    middle = len(lines) // 2
    left, left_taken = _bisected(lines[:middle], numbers[:middle], wanted, unread)
    right, right_taken = _bisected(lines[middle:], numbers[middle:], wanted, unread)
    return pl.concat([left, right]), np.concatenate([left_taken, right_taken])


def _not_text(frame: pl.DataFrame, wanted: Wanted, lines: _Lines, first_row: int) -> list[Unread]:
    """Rows in which a text was delivered as a boolean or a number; only look-alikes are parsed again."""
    refused: dict[int, Unread] = {}
    for path in sorted(wanted.texts):
        value = path_expression(path, frame.columns, frame.schema)
        if value is None:
            continue
        for row in frame.filter(value.str.contains(_NOT_QUOTED))[ROW]:
            line = lines.line(row - first_row)
            if isinstance(_at(orjson.loads(line), path), bool | int | float):
                refused.setdefault(row, Unread(row, "not_text", path, digest_of(line)))
    return list(refused.values())


def _at(value: object, path: str) -> object:
    if isinstance(value, dict):
        if path in value:
            return value[path]
        for match in re.finditer(r"\.", path):
            head, tail = path[: match.start()], path[match.end() :]
            if head in value:
                return _at(value[head], tail)
    return None
