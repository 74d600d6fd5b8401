"""JSON lines: one object a line, parsed a block at a time by Polars, line by line only where a block has a bad line."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, Protocol

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl

from feedback_pipeline.ingest.readers.chunks import (
    ROW,
    ROW_LIMIT,
    Chunk,
    Unread,
    Wanted,
    digest_of,
    path_expression,
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
        if stretch.block is None:
            yield Chunk(_nothing(wanted), (Unread(line, "row_too_large"),), line, consumed)
        else:
            yield replace(parse_lines(stretch.block, line, wanted, stretch.cut), consumed=consumed)
        line += stretch.lines


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
    starts, ends = _line_bounds(block)
    numbers = np.arange(first_row, first_row + len(starts), dtype=np.int64)
    last_row = int(numbers[-1]) if len(numbers) else first_row
    held = ends > starts
    starts, ends, numbers = starts[held], ends[held], numbers[held]
    unread: list[Unread] = []
    frame = _parsed(block, wanted) if len(starts) else _nothing(wanted)
    if frame is None or frame.height != len(starts):
        good = _readable(block, starts, ends, numbers, unread, ends_cut)
        starts, ends, numbers = starts[good], ends[good], numbers[good]
        lines = [block[start:end] for start, end in zip(starts, ends, strict=True)]
        frame, taken = _bisected(lines, numbers, wanted, unread)
        starts, ends, numbers = starts[taken], ends[taken], numbers[taken]
    frame = frame.with_columns(pl.Series(ROW, numbers, dtype=pl.Int64))
    unread += _not_text(frame, wanted, block, starts, ends)
    return Chunk(frame, tuple(sorted(unread, key=lambda row: row.row)), last_row)


def _line_bounds(block: bytes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    newlines = np.flatnonzero(np.frombuffer(block, np.uint8) == _NEWLINE).astype(np.int64)
    starts = np.concatenate([np.zeros(1, np.int64), newlines[:-1] + 1])
    return starts, newlines


def _nothing(wanted: Wanted) -> pl.DataFrame:
    return pl.DataFrame(schema={**dict.fromkeys(wanted.possible_columns(), pl.String), ROW: pl.Int64})


def _parsed(block: bytes, wanted: Wanted) -> pl.DataFrame | None:
    """The block as a frame of text, or None where a line of it cannot be parsed."""
    schema = dict.fromkeys(wanted.possible_columns(), pl.String())
    try:
        frame = pl.read_ndjson(block, schema=schema)
    except pl.exceptions.ComputeError:
        return None
    # Half a surrogate pair is no text, but this parser makes a NUL of it.
    if rb"\ud" in block or rb"\uD" in block:
        held = frame.select(pl.any_horizontal(pl.all().str.contains("\0", literal=True).any())).item()
        return None if held else frame
    return frame


def _readable(
    block: bytes,
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    numbers: npt.NDArray[np.int64],
    unread: list[Unread],
    ends_cut: bool,
) -> npt.NDArray[np.bool_]:
    """Which lines hold a JSON object; the others are added to `unread`, blank ones are passed over."""
    good = np.ones(len(starts), bool)
    for position, (start, end) in enumerate(zip(starts, ends, strict=True)):
        line = block[start:end]
        reason = _line_problem(line)
        if reason is None:
            continue
        good[position] = False
        if line.strip():
            is_last = ends_cut and position == len(starts) - 1
            reason = "cut_off" if is_last else reason
            unread.append(Unread(int(numbers[position]), reason, digest=digest_of(line)))
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


def _not_text(
    frame: pl.DataFrame,
    wanted: Wanted,
    block: bytes,
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
) -> list[Unread]:
    """Rows in which a text was delivered as a boolean or a number; only look-alikes are parsed again."""
    refused: dict[int, Unread] = {}
    for path in sorted(wanted.texts):
        value = path_expression(path, frame.columns, frame.schema)
        if value is None:
            continue
        for position in frame.select(value.str.contains(_NOT_QUOTED).arg_true()).to_series():
            delivered = _at(orjson.loads(block[starts[position] : ends[position]]), path)
            if isinstance(delivered, bool | int | float):
                row = int(frame[ROW][position])
                digest = digest_of(block[starts[position] : ends[position]])
                refused.setdefault(row, Unread(row, "not_text", path, digest))
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
