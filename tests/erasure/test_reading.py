"""Files of every form are looked through whatever they are called, or refused with the reason: none is passed over."""

import gzip
import io
import lzma
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.orc
import pytest
from upath import UPath

from feedback_pipeline.erasure.normal_form import normal_form
from feedback_pipeline.erasure.reading import UnreadableError, texts_of
from feedback_pipeline.erasure.search import Found, Sought, search_files

SAID = "my grandmother's cobalt teapot was stolen in Trieste last winter"
LONG = f"{'long ago ' * 3000}{SAID}{' and so on' * 3000}"
"""Longer than a page of a database."""
SOUGHT = str(normal_form(pl.Series([SAID]))[0])
TABLE = pl.DataFrame({"number": [1, 2], "words": ["something", LONG]})


def sqlite(path: Path, *, then: str = "", encoding: str = "UTF-8", journal: str = "delete") -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA secure_delete = off")  # which it is in most installations
    connection.execute(f"PRAGMA encoding = '{encoding}'")
    connection.execute(f"PRAGMA journal_mode = {journal}")
    connection.execute('CREATE TABLE "odd ""name" (number int, words text, raw blob)')
    connection.execute('INSERT INTO "odd ""name" VALUES (1, ?, ?)', (LONG, SAID.encode()))
    connection.commit()
    if then:
        connection.execute(then)
        connection.commit()
    connection.close()


def xlsx_like(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", f"<sst><si><t>{LONG}</t></si></sst>")


def parquet_in_gzip(path: Path) -> None:
    buffer = io.BytesIO()
    TABLE.write_parquet(buffer)
    path.write_bytes(gzip.compress(buffer.getvalue()))


WRITERS: dict[str, Callable[[Path], object]] = {
    "sqlite": sqlite,
    "sqlite of UTF-16": lambda path: sqlite(path, encoding="UTF-16le"),
    "sqlite with a log": lambda path: sqlite(path, journal="wal"),
    "sqlite, deleted": lambda path: sqlite(path, then='DELETE FROM "odd ""name"'),
    "sqlite in a zip": lambda path: _zipped(path, sqlite),
    "arrow": lambda path: TABLE.write_ipc(path, compression="zstd"),
    "orc": lambda path: pyarrow.orc.write_table(TABLE.to_arrow().cast(pa.schema(
        [("number", pa.int64()), ("words", pa.string())])), path, compression="zstd"),
    "parquet in gzip": parquet_in_gzip,
    "xlsx": xlsx_like,
    "text that begins like a table": lambda path: path.write_text(f"ORCHESTRA AND CHOIR: {LONG}"),
    "xz": lambda path: path.write_bytes(lzma.compress(LONG.encode())),
    "gzip": lambda path: path.write_bytes(gzip.compress(LONG.encode())),
}  # fmt: skip


def _zipped(path: Path, write: Callable[[Path], object]) -> None:
    inside = path.with_suffix(".inside")
    write(inside)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(inside)
    inside.unlink()


@pytest.mark.parametrize("form", WRITERS)
def test_words_are_found_in(form: str, tmp_path: Path) -> None:
    WRITERS[form](tmp_path / "table.of.mine")
    found = Found(Sought(stretches=(SOUGHT,)))
    search_files(tmp_path, "home", found)
    assert found.stretches == {"home/table.of.mine": {SOUGHT}}
    assert found.unreadable == {}


@pytest.mark.parametrize(
    "content",
    [
        b"SQLite format 3\x00" + b"\x00" * 50,
        b"\x00" * 8 + b"DUCK" + b"\x00" * 50,
        b"\x89HDF\r\n\x1a\n",
        b"Obj\x01",
        b"ORC\x00\xff\x00 and nothing else",
        b"ARROW1\x00\x00",
        b"%PDF-1.7",
        gzip.compress(b"%PDF-1.7", mtime=0),
        lzma.compress(b"words")[:20],
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    ],
    ids=lambda content: repr(content[:8]),
)
def test_what_cannot_be_read_is_refused_with_the_reason(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_bytes(content)
    with pytest.raises(UnreadableError, match=r"not read|damaged"):
        list(texts_of(UPath(file)))
