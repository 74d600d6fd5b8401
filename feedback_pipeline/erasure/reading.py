"""What stands in a file, whatever it is called: tables column by column, compressed files unpacked, the rest as text.

Told by the first bytes, as a name says nothing. A file that cannot be read is named with the reason; it is never passed
over in silence.
"""

import zipfile
from collections.abc import Iterator
from typing import IO, Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

_BLOCK = 8 * 1024 * 1024
_OVERLAP = 16 * 1024
"""Bytes of a block that are read again with the next: a text may stand across."""
_COMPRESSED = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bz2"), (b"\x04\x22\x4d\x18", "lz4"))
_OPAQUE = (
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"), (b"Rar!", "a RAR archive"), (b"\xfd7zXZ", "an xz file"),
    (b"%PDF", "a PDF"), (b"Salted__", "an encrypted file"), (b"age-encryption", "an encrypted file"),
    (b"-----BEGIN PGP", "an encrypted file"),
)  # fmt: skip
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
    if head.startswith(b"PAR1"):
        yield from _columns(file)
    elif head.startswith(b"PK\x03\x04"):
        yield from _members(file)
    elif compression := next((name for mark, name in _COMPRESSED if head.startswith(mark)), None):
        yield from _unpacked(file, compression)
    else:
        yield from _blocks(file)


def _columns(file: IO[bytes]) -> Iterator[pl.Series]:
    try:
        for batch in pq.ParquetFile(file).iter_batches(50_000):
            yield from _series(pl.DataFrame(pl.from_arrow(batch)))
    except (pa.ArrowException, OSError) as error:
        raise UnreadableError("a Parquet file that is damaged or was never finished") from error


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
            yield from _blocks(stream)
    except (pa.ArrowException, OSError) as error:
        raise UnreadableError(f"a {compression} file that is damaged or was never finished") from error


def _blocks(file: Any) -> Iterator[pl.Series]:
    tail = b""
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
