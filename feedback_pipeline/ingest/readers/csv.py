"""CSV with a header, as RFC 4180 has it, through PyArrow's block parser; quoted line breaks are part of the value."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.csv

from feedback_pipeline.ingest.readers.chunks import (
    ROW,
    ROW_LIMIT,
    Chunk,
    Unread,
    UnreadableError,
    Wanted,
    digest_of,
)

BLOCK = 8 * 1024 * 1024
LARGE_BLOCK = 128 * 1024 * 1024
"""Second attempt for a file with a row that does not fit into a block."""
_HEADER_LIMIT = 1024 * 1024


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written."""

    delimiter: str = ","
    encoding: str = "utf-8"


def read_csv(path: Path, wanted: Wanted, dialect: Dialect) -> Iterator[Chunk]:
    """The rows of a file. The header is row 1, as in a spreadsheet; blank lines are not counted.

    Raises:
        UnreadableError: the file is empty, or a column is missing or there twice.
    """
    header = _header(path, dialect)
    columns = wanted.columns(header)
    if repeated := [name for name in columns if header.count(name) > 1]:
        raise UnreadableError("repeated_column", f"column {repeated[0]} is there twice: rename one of the two")
    done = 1
    for block in (BLOCK, LARGE_BLOCK):
        reading = _Reading(path, dialect, header, columns, block)
        try:
            for chunk in reading.chunks(done):
                yield chunk
                done = chunk.last_row
        except pa.ArrowInvalid as error:
            reason = "row_never_ends" if "straddling" in str(error) else "malformed_csv"
            if reason == "row_never_ends" and block < LARGE_BLOCK:
                continue
            # Where the next row would start is unknown; to guess could turn a value's text into rows.
            yield Chunk(reading.nothing(), (Unread(done + 1, reason),), done + 1)
        return


def _header(path: Path, dialect: Dialect) -> list[str]:
    try:
        with pa.input_stream(str(path)) as stream:
            start = bytes(stream.read(_HEADER_LIMIT)).decode(dialect.encoding, errors="replace").removeprefix("\ufeff")
    except LookupError as error:
        raise UnreadableError("unknown_encoding", f"encoding {dialect.encoding} is not known to Python") from error
    lines = csv.reader(io.StringIO(start, newline=""), delimiter=dialect.delimiter)
    try:
        header = next((line for line in lines if line), None)
    except csv.Error as error:
        raise UnreadableError("malformed_csv", "the first line is no CSV header") from error
    if not header:
        raise UnreadableError("empty", "the file is empty: it has no header")
    return header


@dataclass
class _Reading:
    """One pass over a file with one block size."""

    path: Path
    dialect: Dialect
    header: list[str]
    columns: list[str]
    block: int
    bad: dict[int, tuple[str, str]] = field(default_factory=dict)

    def chunks(self, skip: int) -> Iterator[Chunk]:
        """Chunks of the rows after `skip`; the last is only known as such when the parser has come to the end."""
        next_row, failure = 2, None
        batches = iter(self._open())
        batch = next(batches, None)
        while batch is not None:
            try:
                following = next(batches, None)
            except pa.ArrowInvalid as error:
                following, failure = None, error
            numbers, next_row = self._numbers(batch.num_rows, next_row)
            is_last = following is None and failure is None
            yield from self._chunk(batch, numbers, next_row - 1, skip, is_last=is_last)
            batch = following
        if failure is not None:
            raise failure
        if left := self._unread(max(self.bad, default=0), skip):
            yield Chunk(self.nothing(), tuple(left), left[-1].row)

    def _open(self) -> Any:
        kept = list(dict.fromkeys([*self.columns, self.header[-1]]))
        return pa.csv.open_csv(
            # Never closed here: the parser reads ahead in a thread of its own, past an error too, and closes the file
            # when it is gone. Closed before, the file's number goes to the next one opened, whose bytes it then takes.
            pa.input_stream(str(self.path)),
            # One thread: only then does the parser know the numbers of bad rows.
            read_options=pa.csv.ReadOptions(block_size=self.block, use_threads=False, encoding=self.dialect.encoding),
            parse_options=pa.csv.ParseOptions(
                delimiter=self.dialect.delimiter, newlines_in_values=True, invalid_row_handler=self._refuse
            ),
            convert_options=pa.csv.ConvertOptions(
                column_types=dict.fromkeys(kept, pa.binary()),
                include_columns=kept,
                strings_can_be_null=False,
                quoted_strings_can_be_null=False,
            ),
        )

    def _refuse(self, row: Any) -> str:
        cut = row.actual_columns < row.expected_columns and (row.text or "").count('"') % 2
        reason = "cut_off" if cut else "wrong_number_of_columns"
        self.bad[row.number] = (reason, digest_of((row.text or "").encode()))
        return "skip"

    def _numbers(self, rows: int, first: int) -> tuple[npt.NDArray[np.int64], int]:
        """The numbers of the next `rows` good rows, and of the row after them."""
        numbers = np.arange(first, first + rows, dtype=np.int64)
        for bad in sorted(row for row in self.bad if row >= first):
            position = int(np.searchsorted(numbers, bad))
            if position == len(numbers):
                break
            numbers[position:] += 1
        return numbers, (int(numbers[-1]) + 1 if rows else first)

    def _unread(self, last: int, skip: int) -> list[Unread]:
        """The bad rows up to `last` that have not been told yet."""
        rows = sorted(row for row in self.bad if row <= last)
        told = [(row, *self.bad.pop(row)) for row in rows]
        return [Unread(row, reason, digest=digest) for row, reason, digest in told if row > skip]

    def _chunk(
        self, batch: pa.RecordBatch, numbers: npt.NDArray[np.int64], last: int, skip: int, *, is_last: bool
    ) -> Iterator[Chunk]:
        unread = self._unread(last, skip)
        if is_last and len(numbers) and self._is_cut(batch):
            unread.append(Unread(last, "cut_off"))
            batch, numbers = batch.slice(0, batch.num_rows - 1), numbers[:-1]
        frame = pl.DataFrame(pl.from_arrow(batch.select(self.columns)))
        frame = frame.with_columns(pl.Series(ROW, numbers, dtype=pl.Int64)).filter(pl.col(ROW) > skip)
        frame, undecodable = _decoded(frame)
        unread += undecodable
        if unread or frame.height:
            yield Chunk(frame, tuple(sorted(unread, key=lambda row: row.row)), last)

    def nothing(self) -> pl.DataFrame:
        """A frame without rows."""
        return pl.DataFrame(schema={**dict.fromkeys(self.columns, pl.String), ROW: pl.Int64})

    def _is_cut(self, batch: pa.RecordBatch) -> bool:
        """The file ends within the quotes of its last value: the parser takes such a row as if it were whole."""
        value: bytes = batch.column(self.header[-1])[-1].as_py()
        written = value.replace(b'"', b'""')
        if not written or len(written) > ROW_LIMIT:
            return bool(written)
        with pa.input_stream(str(self.path)) as stream:
            tail = _tail(stream, len(written) + 4)
        return tail.endswith((b'"' + written, b'"' + written.rstrip(b"\r\n")))


def _tail(stream: Any, size: int) -> bytes:
    if stream.seekable():
        stream.seek(max(0, stream.size() - size))
        return bytes(stream.read())
    tail = b""
    while data := stream.read(BLOCK):
        tail = (tail + bytes(data))[-size:]
    return tail


def _decoded(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[Unread]]:
    """The frame with text in place of bytes, and the rows whose bytes are no UTF-8."""
    columns = [name for name in frame.columns if name != ROW]
    try:
        return frame.with_columns(pl.col(columns).cast(pl.String)), []
    except pl.exceptions.ComputeError:
        refused = [
            Unread(row, "invalid_utf8", name)
            for name in columns
            for row, value in zip(frame[ROW], frame[name], strict=True)
            if value is not None and not _is_text(value)
        ]
        rows = pl.Series([row.row for row in refused], dtype=pl.Int64)
        good = frame.filter(~pl.col(ROW).is_in(rows.implode())).with_columns(pl.col(columns).cast(pl.String))
        return good, list({row.row: row for row in refused}.values())


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
