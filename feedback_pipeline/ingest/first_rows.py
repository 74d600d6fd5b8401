"""The first rows of a file or table that nobody has described yet, as plain values."""

import codecs
import csv
import io
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import sqlalchemy as sa

from feedback_pipeline.ingest.readers.chunks import ROW, UnreadableError, Wanted
from feedback_pipeline.ingest.readers.json_array import SIZE_LIMIT
from feedback_pipeline.ingest.readers.parquet import frame_column
from feedback_pipeline.ingest.readers.sql import read_sql
from feedback_pipeline.settings import without_password

MAX_ROWS, MAX_BYTES = 500, 8 * 1024 * 1024
"""Rows that are looked at, and bytes read of a file whose rows have no end."""
DELIMITERS = (",", ";", "\t", "|")
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_TELLING = ("feedback", "vote", "rating", "score", "annotation", "assessment", "preference", "review")
"""What a table of votes is called, the most telling first."""


@dataclass(frozen=True)
class FirstRows:
    """Some rows, and how they were read.

    Attributes:
        settings: what an entry of `sources.yaml` says about where they are: kind, path, delimiter, rows, table …
        rows: JSON-like values by column.
        remarks: what a person should know about a setting, by its name.
        document: what the rows stand in, where that is one object.
    """

    settings: dict[str, Any]
    rows: list[dict[str, Any]]
    remarks: dict[str, str] = field(default_factory=dict)
    document: dict[str, Any] | None = None


def first_rows(place: str, table: str | None = None) -> FirstRows:
    """The first rows of a file or of a table.

    Args:
        place: a file, or the URL of a database.
        table: the database's table; told by its name where there is none.

    Raises:
        UnreadableError: it is not there, or no table of rows can be seen in it.
    """
    if place.startswith(("http://", "https://")):
        raise UnreadableError("no_table", f"{place} is a page: download the file, or give the URL of a database")
    if "://" in place:
        return _of_database(place, table)
    path = Path(place).expanduser()
    if not path.is_file():
        raise UnreadableError("no_such_file", f"{place} is no file")
    name = path.name.lower().removesuffix(".gz")
    if name.endswith((".parquet", ".pq")):
        return _of_parquet(path, place)
    try:
        with pa.input_stream(str(path)) as stream:
            start = bytes(stream.read(MAX_BYTES))
    except OSError as error:
        raise UnreadableError("unreadable", f"{place} cannot be read: {error.strerror or 'it is damaged'}") from error
    if not start.strip():
        raise UnreadableError("empty", f"{place} is empty")
    if start.startswith(b"PAR1"):
        return _of_parquet(path, place)
    if start.startswith(b"SQLite format 3\0"):
        return _of_database(f"sqlite:///{path}", table)
    if start.startswith(b"PK\x03\x04"):
        raise UnreadableError("no_table", f"{place} is a spreadsheet or an archive: save its table as CSV")
    if b"\0" in start and not start.startswith(UTF_16):
        raise UnreadableError("no_table", f"{place} is neither text nor Parquet nor SQLite")
    first = start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if first in (b"{", b"[") and not name.endswith((".csv", ".tsv")):
        return _of_lines(start, place) or _of_document(path, place)
    return _of_csv(start, place)


def _settings(kind: str, place: str) -> dict[str, Any]:
    return {"kind": kind, "path": place}


def _of_parquet(path: Path, place: str) -> FirstRows:
    try:
        with pa.parquet.ParquetFile(path) as file:
            batch = next(file.iter_batches(MAX_ROWS), None)
    except (pa.ArrowException, OSError) as error:
        raise UnreadableError("damaged_parquet", f"{place} is cut off or no Parquet file") from error
    if batch is None:
        raise UnreadableError("empty", f"{place} has no rows")
    frame = pl.DataFrame([frame_column(name, batch.column(name)) for name in batch.schema.names])
    return FirstRows(_settings("parquet", place), [_plain(row) for row in frame.to_dicts()])


def _plain(value: Any) -> Any:
    """A value with what JSON has no word for as text."""
    match value:
        case dict():
            return {key: _plain(inner) for key, inner in value.items()}
        case list():
            return [_plain(inner) for inner in value]
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value / timedelta(milliseconds=1)
        case Decimal():
            return float(value)
        case bytes():
            return value.decode(errors="replace")
        case _:
            return value


def _of_lines(start: bytes, place: str) -> FirstRows | None:
    """JSON lines; None where the first line is no object of its own, or the file is one of them."""
    lines = [line for line in start.split(b"\n") if line.strip()]
    if len(start) == MAX_BYTES:
        lines = lines[:-1]
    rows: list[dict[str, Any]] = []
    for line in lines[:MAX_ROWS]:
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            if not rows:
                return None
            continue
        if isinstance(value, dict):
            rows.append(value)
    lone_envelope = len(rows) == len(lines) == 1 and _arrays(rows[0])
    return FirstRows(_settings("jsonl", place), rows) if rows and not lone_envelope else None


def _of_document(path: Path, place: str) -> FirstRows:
    if path.stat().st_size > SIZE_LIMIT:
        raise UnreadableError("file_too_large", f"a JSON document is read whole and may have {SIZE_LIMIT >> 20} MB")
    try:
        with pa.input_stream(str(path)) as stream:
            document = orjson.loads(bytes(stream.read(SIZE_LIMIT)).removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise UnreadableError("malformed_json", f"{place} is cut off or no JSON") from error
    if isinstance(document, list):
        rows = [row for row in document[:MAX_ROWS] if isinstance(row, dict)]
        if rows:
            return FirstRows(_settings("json", place), rows)
    arrays = _arrays(document) if isinstance(document, dict) else {}
    if not arrays:
        raise UnreadableError("not_an_array", f"{place} holds no array of objects")
    where = max(arrays, key=lambda name: len(arrays[name]))
    others = ", ".join(name for name in arrays if name != where)
    remarks = {"rows": f"also an array of objects: {others}"} if others else {}
    return FirstRows({**_settings("json", place), "rows": where}, arrays[where][:MAX_ROWS], remarks, document)


def _arrays(value: dict[str, Any], above: str = "", depth: int = 3) -> dict[str, list[dict[str, Any]]]:
    """The arrays of objects in an envelope, by path."""
    found: dict[str, list[dict[str, Any]]] = {}
    for key, inner in value.items():
        if "." in key or "[" in key:
            continue
        if isinstance(inner, list) and inner and all(isinstance(item, dict) for item in inner):
            found[above + key] = inner
        elif isinstance(inner, dict) and depth:
            found |= _arrays(inner, f"{above}{key}.", depth - 1)
    return found


def delimiter_of(header: str) -> str:
    """What parts the columns of a line of headers: the mark that makes the most of them."""
    return max(DELIMITERS, key=lambda mark: len(next(csv.reader([header], delimiter=mark), [])))


def _of_csv(start: bytes, place: str) -> FirstRows:
    settings, remarks = _settings("csv", place), {}
    try:
        if start.startswith(UTF_16):  # what Excel calls Unicode text
            settings["encoding"] = "utf-16"
            start = start.decode("utf-16", errors="ignore").encode()
        text = start.decode("utf-8-sig", errors="strict" if len(start) < MAX_BYTES else "ignore")
    except UnicodeDecodeError:
        text = start.decode("cp1252", errors="replace")
        settings["encoding"] = "cp1252"
        remarks["encoding"] = "the file is not UTF-8: this is what Windows writes in western Europe"
    text = text.lstrip("\r\n")
    header = text.splitlines()[0] if "\n" not in text else text[: text.index("\n")].strip("\r")
    delimiter = delimiter_of(header)
    if len(next(csv.reader([header], delimiter=delimiter))) < 2:
        raise UnreadableError("malformed_csv", f"{place} has one column: no table with a header in its first line")
    if delimiter != ",":
        settings["delimiter"] = delimiter
    csv.field_size_limit(MAX_BYTES)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        rows = [{key: value or None for key, value in row.items() if key} for row in islice(reader, MAX_ROWS)]
    except csv.Error as error:
        raise UnreadableError("malformed_csv", f"{place}: {error}") from error
    if not rows:
        raise UnreadableError("empty", f"{place} has a header and no rows")
    return FirstRows(settings, rows, remarks)


def _of_database(url: str, table: str | None) -> FirstRows:
    settings: dict[str, Any] = {"kind": "sql", "url": url}
    remarks = {}
    try:
        address = sa.make_url(url)
        if address.get_backend_name().startswith("postgres"):
            address = address.set(drivername="postgresql+psycopg")
        engine = sa.create_engine(address)
        try:
            inspector = sa.inspect(engine)
            if table is None:
                names = sorted(inspector.get_table_names())
                table = next((name for word in _TELLING for name in names if word in name.lower()), None)
                table = table or next(iter(names), None)
                if table is None:
                    raise UnreadableError("missing_table", f"{without_password(url)} has no tables")
                remarks["table"] = f"of {', '.join(names)}"
            schema, _, name = table.rpartition(".")
            columns = [column["name"] for column in inspector.get_columns(name, schema=schema or None)]
        finally:
            engine.dispose()
    except (sa.exc.SQLAlchemyError, ModuleNotFoundError) as error:
        raise UnreadableError("sql_error", f"{without_password(url)} cannot be read: {type(error).__name__}") from error
    chunk = next(iter(read_sql(url, table, None, Wanted(tuple(columns)))), None)
    if chunk is None:
        raise UnreadableError("empty", f"table {table} has no rows")
    rows = chunk.frame.drop(ROW).head(MAX_ROWS).to_dicts()
    if address.password:
        settings["url"] = without_password(url).replace(":…", ":${DB_PASSWORD}")
        remarks["url"] = "the password comes from the environment"
    return FirstRows({**settings, "table": table}, rows, remarks)
