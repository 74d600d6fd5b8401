"""What stands in a file, whatever it is called: tables column by column, compressed files unpacked, the rest as text.

Told by the first bytes, as a name says nothing. A file that cannot be read is named with the reason; it is never passed
over in silence.
"""

import io
import lzma
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import IO, Any

import polars as pl
import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet as pq

_BLOCK = 8 * 1024 * 1024
_OVERLAP = 16 * 1024
"""Bytes of a block that are read again with the next: a text may stand across."""
_COMPRESSED = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bz2"), (b"\x04\x22\x4d\x18", "lz4"))
_OPAQUE = (
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"), (b"Rar!", "a RAR archive"), (b"%PDF", "a PDF"),
    (b"\x89HDF", "an HDF5 file"), (b"Obj\x01", "an Avro file"), (b"\xff\x06\x00\x00sNaPpY", "a Snappy file"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office file of the old form"),
    (b"Salted__", "an encrypted file"), (b"age-encryption", "an encrypted file"),
    (b"-----BEGIN PGP", "an encrypted file"),
)  # fmt: skip
_DUCKDB = slice(8, 12)
_HEAD = 16


class UnreadableError(ValueError):
    """What stands in a file cannot be looked through; the message says why and quotes nothing."""


def texts_of(path: Any) -> Iterator[pl.Series]:
    """The texts of a file (`Path` or `UPath`).

    Raises:
        UnreadableError: it is damaged, or in a form that is not read here.
        FileNotFoundError: it is gone meanwhile.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
        file.seek(0)
        yield from _texts(file, head)


def _texts(file: IO[bytes], head: bytes) -> Iterator[pl.Series]:
    for mark, what in _OPAQUE:
        if head.startswith(mark):
            raise UnreadableError(f"{what} is not read")
    if head[_DUCKDB] == b"DUCK":
        raise UnreadableError("a DuckDB database is not read")
    reader = next((reader for mark, reader in _FORMS.items() if head.startswith(mark)), None)
    if reader is _orc and head.isascii() and head.decode().isprintable():
        reader = None  # words that begin like that
    if reader is not None:
        yield from reader(file)
    elif compression := next((name for mark, name in _COMPRESSED if head.startswith(mark)), None):
        yield from _unpacked(file, compression)
    else:
        yield from _blocks(file)


def _parquet(file: IO[bytes]) -> Iterator[pl.Series]:
    yield from _batches("a Parquet file", lambda: pq.ParquetFile(file).iter_batches(50_000))


def _arrow(file: IO[bytes]) -> Iterator[pl.Series]:
    def batches() -> Iterator[pa.RecordBatch]:
        reader = pa.ipc.open_file(file)
        return (reader.get_batch(number) for number in range(reader.num_record_batches))

    yield from _batches("an Arrow file", batches)


def _orc(file: IO[bytes]) -> Iterator[pl.Series]:
    def batches() -> Iterator[pa.RecordBatch]:
        reader = pa.orc.ORCFile(file)
        return (reader.read_stripe(number) for number in range(reader.nstripes))

    yield from _batches("an ORC file", batches)


def _batches(what: str, read: Callable[[], Iterator[pa.RecordBatch]]) -> Iterator[pl.Series]:
    try:
        for batch in read():
            yield from _series(pl.DataFrame(pl.from_arrow(batch)))
    except (pa.ArrowException, OSError) as error:
        raise UnreadableError(f"{what} that is damaged or was never finished") from error


def _sqlite(file: IO[bytes]) -> Iterator[pl.Series]:
    """The tables, and the file's own bytes besides: what was deleted stays in free pages until these are used again."""
    yield from _blocks(file)
    file.seek(0)
    content = bytearray(file.read())
    content[18:20] = b"\x01\x01"  # a write-ahead log is a file of its own, which is looked through as such
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.text_factory = lambda value: value.decode(errors="replace")
        try:
            connection.deserialize(bytes(content))
            tables = connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0"
            ).fetchall()
            for (table,) in tables:
                quoted = str(table).replace('"', '""')
                rows = connection.execute(f'SELECT * FROM "{quoted}"')  # noqa: S608 (a name from the catalogue)
                while some := rows.fetchmany(10_000):
                    yield pl.Series([_cell(value) for row in some for value in row], dtype=pl.String)
        except sqlite3.Error as error:
            raise UnreadableError("an SQLite database that is damaged") from error


def _cell(value: object) -> str | None:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, str) else None


def _series(frame: pl.DataFrame) -> Iterator[pl.Series]:
    for column in frame.get_columns():
        kind = column.dtype
        if kind in (pl.String, pl.Categorical, pl.Enum):
            yield column.cast(pl.String)
        elif kind == pl.Binary:
            yield as_text(column)
        elif isinstance(kind, pl.List | pl.Array | pl.Struct):
            yield frame.select(pl.struct(column.name).struct.json_encode()).to_series()


def as_text(column: pl.Series) -> pl.Series:
    """Bytes as the text they may be."""
    decoded = [None if value is None else value.decode(errors="replace") for value in column.to_list()]
    return pl.Series(column.name, decoded, dtype=pl.String)


def _members(file: IO[bytes]) -> Iterator[pl.Series]:
    try:
        with zipfile.ZipFile(file) as archive:
            for name in archive.namelist():
                with archive.open(name) as member:
                    head = member.read(_HEAD)
                with archive.open(name) as member:
                    yield from _texts(member, head)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise UnreadableError("a ZIP archive that is damaged or encrypted") from error


def _unpacked(file: IO[bytes], compression: str) -> Iterator[pl.Series]:
    try:
        with pa.CompressedInputStream(pa.PythonFile(file, mode="r"), compression) as stream:
            yield from _within(stream)
    except (pa.ArrowException, OSError) as error:
        raise UnreadableError(f"a {compression} file that is damaged or was never finished") from error


def _xz(file: IO[bytes]) -> Iterator[pl.Series]:
    try:
        with lzma.open(file) as stream:
            yield from _within(stream)
    except (lzma.LZMAError, EOFError) as error:
        raise UnreadableError("an xz file that is damaged or was never finished") from error


def _within(stream: Any) -> Iterator[pl.Series]:
    """What was compressed may have a form of its own: a table, an archive."""
    head = stream.read(_HEAD)
    marks = (*_FORMS, *(mark for mark, _ in (*_OPAQUE, *_COMPRESSED)))
    if head.startswith(marks) or head[_DUCKDB] == b"DUCK":
        yield from _texts(io.BytesIO(head + stream.read()), head)
    else:
        yield from _blocks(stream, head)


def _blocks(file: Any, tail: bytes = b"") -> Iterator[pl.Series]:
    if tail:
        yield pl.Series([_decoded(tail)], dtype=pl.String)
    while block := file.read(_BLOCK):
        whole = tail + block
        yield pl.Series([_decoded(whole)], dtype=pl.String)
        tail = whole[-_OVERLAP:]


def _decoded(data: bytes) -> str:
    """UTF-8, or UTF-16 where every other byte is null as it is in Latin text; what is neither keeps its letters."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    text = data.decode(errors="replace")
    if data.count(0) * 4 > len(data):
        return text + "\n" + data.decode("utf-16-le", errors="replace") + "\n" + data[1:].decode("utf-16-le", "replace")
    return text


_FORMS: dict[bytes, Callable[[IO[bytes]], Iterator[pl.Series]]] = {
    b"PAR1": _parquet,
    b"ARROW1": _arrow,
    b"ORC": _orc,
    b"PK\x03\x04": _members,
    b"SQLite format 3\x00": _sqlite,
    b"\xfd7zXZ": _xz,
}
"""How files with these first bytes are read."""
