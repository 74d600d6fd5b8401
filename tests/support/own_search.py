"""A search that knows nothing of the register, the normal form or the readers: bytes, and what common tools decode.

Used by tests only. It goes through every file below a folder and every row of every table of the given databases, and
looks for texts as they were written, as JSON escapes them, in UTF-16, and after decompression.
"""

import gzip
import html
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import psycopg
import pyarrow.parquet as pq


def spellings(text: str) -> set[bytes]:
    """The bytes that a text may stand as, whole and in pieces of 40 characters."""
    pieces = {text, *(text[start : start + 40] for start in range(0, max(1, len(text) - 40), 40))}
    found = set()
    for piece in pieces:
        for written in (
            piece,
            json.dumps(piece)[1:-1],
            json.dumps(piece, ensure_ascii=False)[1:-1],
            html.escape(piece),
        ):
            found |= {written.encode(), written.lower().encode(), written.encode("utf-16-le")}
    return found


def contents(path: Path) -> Iterator[bytes]:
    """A file's bytes; those of a compressed one or of a Parquet file as text besides."""
    data = path.read_bytes()
    yield data
    if data[:2] == b"\x1f\x8b":
        yield gzip.decompress(data)
    if data[:4] == b"PAR1" and data[-4:] == b"PAR1":
        yield json.dumps(pq.read_table(path).to_pylist(), default=str, ensure_ascii=False).encode()


def places_with(texts: Iterable[str], folder: Path, urls: Iterable[str], *, leave_out: tuple[str, ...]) -> set[str]:
    """Files (relative to the folder) and tables that hold any of the texts."""
    wanted = re.compile(b"|".join(re.escape(one) for one in sorted({s for text in texts for s in spellings(text)})))
    found = set()
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if not path.is_file() or name.startswith(leave_out):
            continue
        if any(wanted.search(data) or wanted.search(data.lower()) for data in contents(path)):
            found.add(name)
    for url in urls:
        with psycopg.connect(url) as connection:
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            for (table,) in tables:
                copied = connection.cursor().copy(f'COPY "{table}" TO STDOUT (FORMAT csv)')
                with copied as rows:
                    data = b"".join(bytes(row) for row in rows)
                if wanted.search(data) or wanted.search(data.lower()) or wanted.search(_binary(data)):
                    found.add(f"{url.rsplit('/', 1)[-1]}.{table}")
    return found


def _binary(data: bytes) -> bytes:
    """The bytea values in a table's text, which are written in hexadecimal digits."""
    return b"\n".join(bytes.fromhex(one.decode()) for one in re.findall(rb"\\x((?:[0-9a-f]{2})+)", data))
