"""A JSON file that is one array of objects. It is held in memory, so its size has a limit; JSON lines have none."""

import json
import re
from collections.abc import Iterator

from feedback_pipeline.ingest.paths import steps, walk
from feedback_pipeline.ingest.readers.chunks import Chunk, Unread, UnreadableError, Wanted
from feedback_pipeline.ingest.readers.jsonl import BLOCK, BYTE_ORDER_MARK, Stream, parse_lines

SIZE_LIMIT = 256 * 1024 * 1024
DOCUMENT = "$"
"""As `rows`: the whole document is one row."""
_SPACE = re.compile(r"\s*")
_BETWEEN = re.compile(r"\s*([,\]])\s*")


def read_json(stream: Stream, wanted: Wanted, rows: str | None = None) -> Iterator[Chunk]:
    """The elements of the array; row numbers are positions from 1.

    `rows` is the path of the array inside a document that is an object (`data.items`).

    Elements before the place where the file breaks off or stops being JSON are read; what follows is one unread row.

    Raises:
        UnreadableError: the file is larger than the limit, or holds no array.
    """
    data = bytes(stream.read(SIZE_LIMIT + 1))
    if len(data) > SIZE_LIMIT:
        raise UnreadableError(
            "file_too_large",
            f"a JSON array is read whole and may have {SIZE_LIMIT >> 20} MB: turn it into JSON lines "
            "(jq -c '.[]' FILE > FILE.jsonl) and set kind: jsonl",
        )
    text = data.removeprefix(BYTE_ORDER_MARK).decode("utf-8", errors="surrogateescape")
    start = _SPACE.match(text).end()  # type: ignore[union-attr]
    if start == len(text):
        raise UnreadableError("empty", "the file is empty")
    if rows is not None:
        text, start = _inside(text, rows), 0
    if text[start] != "[":
        raise UnreadableError(
            "not_an_array",
            "expected an array of objects ([{…}, …]); for one object a line set kind: jsonl, for an array inside an "
            "object say where it is (rows: data.items)",
        )
    lines: list[bytes] = []
    first, size, row = 1, 0, 0
    for row, line in _elements(text, start + 1):
        if line is None:
            break
        lines.append(line)
        size += len(line)
        if size > BLOCK:
            yield _chunk(lines, first, wanted)
            lines, first, size = [], row + 1, 0
    if lines:
        yield _chunk(lines, first, wanted)
    if row and line is None:
        unread = Unread(row, "cut_off" if not text.rstrip().endswith("]") else "malformed_json")
        yield Chunk(_chunk([], row, wanted).frame, (unread,), row)


def _inside(text: str, rows: str) -> str:
    """The array of rows inside a document, as JSON.

    Raises:
        UnreadableError: the document is no JSON, or there is no array at the path.
    """
    try:
        document = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise UnreadableError("malformed_json", "the file is cut off or no JSON") from error
    found = [document] if rows == DOCUMENT else walk(document, steps(rows), ())
    if isinstance(found, dict):
        found = list(found.values())
    if not isinstance(found, list):
        keys = ", ".join(list(document)[:30]) if isinstance(document, dict) else type(document).__name__
        raise UnreadableError("not_an_array", f"there is no array at rows: {rows} (the document has: {keys})")
    return json.dumps(found, ensure_ascii=False)


def _elements(text: str, position: int) -> Iterator[tuple[int, bytes | None]]:
    """Each element on a line of its own, with its number; None for the one at which the text stops being JSON."""
    decoder = json.JSONDecoder()
    position = _SPACE.match(text, position).end()  # type: ignore[union-attr]
    if text[position : position + 1] == "]":
        return
    row = 0
    while True:
        row += 1
        try:
            _, end = decoder.raw_decode(text, position)
        except (json.JSONDecodeError, RecursionError):
            yield row, None
            return
        # A raw line break can only stand between tokens.
        line = text[position:end].replace("\n", " ").replace("\r", " ")
        yield row, line.encode("utf-8", errors="surrogateescape")
        between = _BETWEEN.match(text, end)
        if between is None:
            yield row + 1, None
            return
        if between[1] == "]":
            return
        position = between.end()


def _chunk(lines: list[bytes], first: int, wanted: Wanted) -> Chunk:
    return parse_lines(b"".join(line + b"\n" for line in lines), first, wanted)
