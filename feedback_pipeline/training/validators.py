"""Own validators of training files: the rules of every trainer that reads a format, together.

Providers check late and after the upload, some hardly at all (a recent client of Together only asks that each line be
an object), and LLaMA-Factory empties what it does not like without a word. Problems name file, line and field, and
never quote what stands there.

`validate_file` reads a file that anybody wrote; `WhileWriting` looks at the lines of one that is being written.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
from upath import UPath

from feedback_pipeline.training.formats import FORMATS, Format
from feedback_pipeline.training.line_rules import RULES, Found
from feedback_pipeline.training.tokens import exceeds

MIN_LINES = {"openai": 10, "azure": 10, "fireworks": 3}
"""Least number of examples in a training file, where a provider has one."""

MAX_BYTES = {"openai": 512 * 1024 * 1024, "azure": 512 * 1024 * 1024}
"""Bytes a file must stay under, where a provider has a limit."""

TOKENS_PER_EXAMPLE = 65_536
MAX_PROBLEMS = 100
"""Problems described one by one; the rest are counted."""

SAMPLE = 20
"""Lines of every block that are read by the rules although their rows are vouched for: a mistake in how lines are
joined would be in all of them."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LINE_FEED = 10
_PIECE = 256 * 1024
_CHUNK = 4 * 1024 * 1024


@dataclass(frozen=True)
class Problem:
    """What is wrong with a file; `line` counts from 1, 0 is the whole file."""

    file: str
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.field}: {self.message}"


@dataclass(frozen=True)
class Validation:
    """The outcome for one file.

    Attributes:
        lines: lines read.
        problems: the first MAX_PROBLEMS problems.
        problem_count: all of them.
    """

    file: str
    lines: int
    problems: tuple[Problem, ...]
    problem_count: int

    @property
    def passed(self) -> bool:
        return self.problem_count == 0


class _Notes:
    """Problems of one file as they are found."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.count = 0

    def add(self, line: int, field: str, message: str) -> None:
        self.count += 1
        if self.count <= MAX_PROBLEMS:
            self.problems.append(Problem(self.file, line, field, message))

    def outcome(self, lines: int, size: int, least_lines: int, format_: Format) -> Validation:
        """The validation, once the whole file is known."""
        for reader in format_.accepted_by:
            if size >= MAX_BYTES.get(reader, size + 1):
                self.add(0, "file", f"{size} bytes, {reader} takes less than {MAX_BYTES[reader]}")
        if lines < least_lines:
            self.add(0, "file", f"{lines} lines, at least {least_lines} are needed")
        return Validation(self.file, lines, tuple(self.problems), self.count)


def validate_file(
    path: Path | UPath,
    format_name: str,
    *,
    least_lines: int | None = None,
    maximum_tokens: int = TOKENS_PER_EXAMPLE,
) -> Validation:
    """Checks a file of JSON lines against the rules of its format.

    Args:
        path: the file.
        format_name: name in FORMATS.
        least_lines: lines it must have; by default MIN_LINES of the format's readers for a training split, else 1.
        maximum_tokens: tokens an example may have; counted only where its bytes exceed the number.

    Raises:
        ValueError: the format has no lines to check (tables, YAML).
    """
    format_ = FORMATS[format_name]
    if format_.rules is None:
        raise ValueError(f"format {format_name} is not checked line by line")
    place = UPath(path)
    notes = _Notes(place.name)
    lines = 0
    check = RULES[format_.rules]
    for lines, text in enumerate(_lines(place, format_.byte_order_mark, notes.add), start=1):
        for field, message in _line_problems(text, check, maximum_tokens):
            notes.add(lines, field, message)
    least = least_lines
    if least is None:
        readers = format_.accepted_by if "train" in place.name else ()
        least = max((MIN_LINES.get(reader, 1) for reader in readers), default=1)
    return notes.outcome(lines, place.stat().st_size, least, format_)


class WhileWriting:
    """Checks the lines of a file while they are written, against the same rules as `validate_file`.

    Lines whose rows are vouched for (see `row_checks`) are only measured and counted, but for a sample; the others are
    read one by one.
    """

    def __init__(self, file: str, format_: Format) -> None:
        if format_.rules is None:
            raise ValueError(f"format {format_.name} is not checked line by line")
        self._format = format_
        self._check = RULES[format_.rules]
        self._notes = _Notes(file)
        self._lines = 0

    def read(self, lines: pl.Series, vouched: pl.Series, content: memoryview) -> None:
        """Takes the next lines.

        Args:
            lines: each with its line feed.
            vouched: for each, whether its row is vouched for.
            content: their bytes, as they go to the file.
        """
        short = lines.str.len_bytes() <= TOKENS_PER_EXAMPLE
        sampled = pl.Series(np.arange(len(lines)) < SAMPLE)
        doubtful = (~(vouched & short).fill_null(value=False) | sampled).arg_true()
        for place, text in zip(doubtful.to_list(), lines.gather(doubtful).to_list(), strict=True):
            number = self._lines + place + 1
            if text is None:
                self._notes.add(number, "line", "cannot be written: a part of it is missing")
                continue
            for field, message in _line_problems(text.removesuffix("\n").encode(), self._check, TOKENS_PER_EXAMPLE):
                self._notes.add(number, field, message)
        self._lines += len(lines)
        feeds = _line_feeds(content)
        if feeds != len(lines):
            self._notes.add(0, "file", f"{feeds} line feeds after {len(lines)} lines")

    def outcome(self, size: int) -> Validation:
        """The validation of the file, which has `size` bytes."""
        return self._notes.outcome(self._lines, size, 1, self._format)


def _line_feeds(content: memoryview) -> int:
    """How many there are; counted piece by piece, so that what is compared stays in the processor's cache."""
    found = np.frombuffer(content, dtype=np.uint8)
    pieces = (found[start : start + _PIECE] for start in range(0, len(found), _PIECE))
    return sum(int(np.count_nonzero(piece == _LINE_FEED)) for piece in pieces)


def _lines(place: UPath, byte_order_mark: bool, note: Callable[[int, str, str], None]) -> Iterator[bytes]:
    rest = b""
    first = True
    with place.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            if first:
                first = False
                marked = chunk.startswith(_BYTE_ORDER_MARK)
                if marked != byte_order_mark:
                    note(0, "file", "starts with a byte order mark" if marked else "lacks a byte order mark")
                chunk = chunk.removeprefix(_BYTE_ORDER_MARK)
            *whole, rest = (rest + chunk).split(b"\n")
            yield from whole
    if rest:
        note(0, "file", "does not end with a line feed")
        yield rest


def _line_problems(text: bytes, check: Callable[[dict[str, Any]], Found], maximum_tokens: int) -> Found:
    if text.endswith(b"\r"):
        yield "line", "ends with a carriage return"
    try:
        line = orjson.loads(text)
    except orjson.JSONDecodeError:
        yield "line", "is blank" if not text.strip() else "is not JSON in UTF-8"
        return
    if type(line) is not dict:
        yield "line", "is not a JSON object"
        return
    yield from check(line)
    if len(text) > maximum_tokens and exceeds([text.decode()], maximum_tokens):
        yield "line", f"has more than {maximum_tokens} tokens"
