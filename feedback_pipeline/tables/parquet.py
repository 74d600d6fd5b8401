"""Where tables live: one Parquet file per table and partition, in a folder or bucket.

Everything that is written below FEEDBACK_DATA_URL is written by `replaced_file`: a reader sees the old file or the new
one, never half of one. The same rows give the same bytes.
"""

import contextlib
import hashlib
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Literal
from uuid import uuid4

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from feedback_pipeline.tables.schema import Table

ROWS_PER_GROUP = 100_000
COMPRESSION: Literal["zstd"] = "zstd"
TEMPORARY = ".partial"
"""How names of files end that are being written on a disk."""
OWNER_ALONE = 0o600
"""Who may read what is written on a disk, whatever the process's mask: prompts and answers of people are in it."""
LOCAL = ("", "file", "local")
SEEN_WHEN_CLOSED = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl")
"""Buckets whose objects appear when they are closed; what goes elsewhere is held in memory and put at once."""
READ_BY_POLARS = SEEN_WHEN_CLOSED


@dataclass(frozen=True)
class Written:
    """A partition as written: rows, bytes on disk, and the SHA-256 of the file."""

    path: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class ParquetFolder:
    """The tables under one URL (`/folder`, `s3://bucket/prefix` …)."""

    url: str

    @cached_property
    def root(self) -> UPath:
        return location(self.url)

    def folder(self, table: Table | str) -> UPath:
        """Where a table's files are."""
        return self.root / (table if isinstance(table, str) else table.name)

    def path(self, table: Table | str, partition: date | str) -> UPath:
        return self.folder(table) / f"{partition}.parquet"

    def write(self, table: Table, partition: date | str, frames: pl.DataFrame | Iterable[pl.DataFrame]) -> Written:
        """Writes one partition; an iterable of frames is streamed, so a partition may be larger than memory."""
        path = self.path(table, partition)
        stored = stored_schema(table)
        batches = regroup([frames] if isinstance(frames, pl.DataFrame) else frames, ROWS_PER_GROUP)
        arrow_schema = pl.DataFrame(schema=stored).to_arrow().schema
        rows = 0
        with replaced_file(path) as file:
            digest = _Digest(file)
            with (
                pq.ParquetWriter(
                    pa.PythonFile(digest, mode="w"), arrow_schema, compression=COMPRESSION, compression_level=1
                ) as writer,
                ThreadPoolExecutor(1) as encoder,
            ):
                # a group is encoded while the next one is computed; nothing else holds it then
                encoded: Future[None] | None = None
                for batch in batches:
                    if encoded is not None:
                        encoded.result()
                    rows += batch.height
                    # in one piece, or the bytes would depend on the frames that the rows came in
                    as_stored = batch.cast(dict(stored)).rechunk()  # type: ignore[arg-type]
                    del batch
                    encoded = encoder.submit(writer.write_table, as_stored.to_arrow().cast(arrow_schema))
                    del as_stored
                if encoded is not None:
                    encoded.result()
        return Written(str(path), rows, digest.size, digest.hexdigest())

    def scan(self, table: Table, partitions: Sequence[date | str]) -> pl.LazyFrame:
        """The rows of those partitions that exist, in the order of the partitions; no rows where none does.

        A column that was declared after a partition was written is null in it until the partition is computed anew.
        """
        folder = self.folder(table)
        present = set(names_in(folder))
        names = [name for name in (f"{partition}.parquet" for partition in partitions) if name in present]
        if not names:
            return table.empty().lazy()
        declared = {column.name: column.dtype for column in table.columns}
        stored = stored_schema(table)
        frame = pl.scan_parquet(
            _sources(folder, names),
            glob=False,
            schema=pl.Schema(stored),
            missing_columns="insert",
            extra_columns="ignore",
        )
        return frame.with_columns(pl.col(name).cast(dtype) for name, dtype in declared.items() if stored[name] != dtype)

    def read(self, table: Table, partitions: Sequence[date | str]) -> pl.DataFrame:
        """`scan`, collected."""
        return self.scan(table, partitions).collect()

    def partitions(self, table: Table) -> list[str]:
        """The partitions that exist, ascending."""
        names = self.names(table)
        return [name.removesuffix(".parquet") for name in names if name.endswith(".parquet") and name[0] != "."]

    def names(self, table: Table | str) -> list[str]:
        """Names of the files in a table's folder, ascending."""
        return names_in(self.folder(table))

    def delete(self, table: Table, partition: date | str) -> None:
        """Removes a partition where it exists."""
        remove_file(self.path(table, partition))


def of_ids(rows: pl.LazyFrame, column: str, ids: pl.Series) -> pl.LazyFrame:
    """The rows of a scan whose `column` is one of some ids, in their order.

    A condition goes down into the files, whose other columns are then read for these rows alone; a join takes all of
    them into memory first, which for texts is a gigabyte at a million answers. All ids are looked at anew for each
    group of rows: of many, `of_days` gives each day its own.
    """
    return rows.filter(pl.col(column).is_in(ids.drop_nulls().implode()))


def of_days(rows: pl.LazyFrame, column: str, wanted: pl.DataFrame, size: int) -> Iterator[pl.LazyFrame]:
    """`of_ids` in blocks of whole days, each of about `size` rows and at least one day, in the order of the days.

    Args:
        rows: a scan with the column `day`.
        column: of the ids.
        wanted: the ids, in a column of the same name, and their `day`.
        size: rows from which a block is full.
    """
    days = wanted.group_by("day").len().sort("day")
    for block in days.with_columns(block=(pl.col("len").cum_sum() - 1) // size).partition_by(
        "block", maintain_order=True
    ):
        between = pl.col("day").is_between(block["day"].min(), block["day"].max())
        yield of_ids(rows.filter(between), column, wanted.filter(between)[column])


def stored_schema(table: Table) -> dict[str, Any]:
    """Column types as stored: categories as plain strings, whose bytes do not depend on what was read before them."""
    return {
        column.name: pl.String if isinstance(column.dtype, pl.Categorical) else column.dtype for column in table.columns
    }


def regroup(frames: Iterable[pl.DataFrame], rows: int) -> Iterator[pl.DataFrame]:
    """The same rows in frames of exactly `rows` rows (the last one shorter), holding at most a few frames at a time."""
    held: list[pl.DataFrame] = []
    height = 0
    for frame in frames:
        held.append(frame)
        height += frame.height
        del frame  # what waits for others is held here alone, or it would be in memory twice
        while height >= rows:
            joined = pl.concat(held) if len(held) > 1 else held[0]
            height -= rows
            held = [joined.slice(rows)] if height else []
            full = joined.head(rows)
            del joined
            yield full
            del full
    if height:
        yield pl.concat(held) if len(held) > 1 else held[0]


def in_parts(rows: pl.LazyFrame, size: int = ROWS_PER_GROUP // 2) -> Iterator[pl.DataFrame]:
    """The rows of a partition in frames of at most `size`, each read when it is asked for: at least one, if empty.

    A group of rows is the least that is read of a file, so that each is read twice: memory is dearer.
    """
    height = rows.select(pl.len()).collect().item()
    for start in range(0, max(height, 1), size):
        yield rows.slice(start, size).collect()


def location(url: str) -> UPath:
    """The folder, bucket or file of a URL. Listings of a bucket are not kept: what others write is seen at once."""
    place = UPath(url)
    return place if is_local(place) else UPath(url, use_listings_cache=False)


def is_local(path: UPath) -> bool:
    """Whether a path is on this machine's disk."""
    return path.protocol in LOCAL


def names_in(folder: UPath) -> list[str]:
    """Names of the files and folders in a folder, ascending; none where it is missing. One request to a bucket."""
    try:
        if is_local(folder):
            return sorted(os.listdir(folder.path))  # noqa: PTH208 (names, not a path for each)
        found = folder.fs.ls(folder.path, detail=False)
    except (FileNotFoundError, NotADirectoryError):
        return []
    names = {str(path).rstrip("/").rpartition("/")[2] for path in found if str(path).strip("/") != folder.path}
    return sorted(names - {""})


def files_below(folder: UPath) -> list[UPath]:
    """Every file below a folder at any depth, ascending, or the file itself; none where there is nothing of that name.

    One listing of a bucket.
    """
    if is_local(folder):
        place = Path(folder.path)
        if place.is_file():
            return [folder]
        files = [one for one in place.rglob("*") if one.is_file()]
        return [folder.joinpath(*file.relative_to(place).parts) for file in sorted(files)]
    try:
        found = [str(path) for path in folder.fs.find(folder.path)]
    except FileNotFoundError:
        return []
    start = folder.path.rstrip("/") + "/"
    return [
        folder.joinpath(*path.removeprefix(start).split("/")) if path.startswith(start) else folder
        for path in sorted(found)
    ]


def remove_file(path: UPath) -> None:
    """Removes a file where it exists. One request to a bucket, whatever its name looks like."""
    if is_local(path):
        Path(path.path).unlink(missing_ok=True)
        return
    with contextlib.suppress(FileNotFoundError):
        path.fs.rm_file(path.path)


def remove(path: UPath) -> int:
    """Removes a file, or every file below a folder; returns how many."""
    files = files_below(path)
    for file in files:
        remove_file(file)
    return len(files)


def scan_file(path: UPath) -> pl.LazyFrame:
    """The rows of one Parquet file."""
    return pl.scan_parquet(_sources(path.parent, [path.name]), glob=False)


def _sources(folder: UPath, names: Sequence[str]) -> Any:
    """What Polars scans: it reads disks and the known buckets itself, with the same keys and endpoint as our writer."""
    # a path of each of a year of files takes as long as reading them
    if is_local(folder):
        return [f"{folder.path}/{name}" for name in names]
    paths = [folder / name for name in names]
    if folder.protocol in READ_BY_POLARS:
        return [str(path) for path in paths]
    return [io.BytesIO(path.read_bytes()) for path in paths]


@contextmanager
def replaced_file(path: UPath) -> Iterator[IO[bytes]]:
    """Opens a file for writing; it takes the path's place, whole, when the block ends well, and is not there otherwise.

    On a disk it is written under a temporary name and renamed; in a bucket, where an object appears when it is closed
    and nothing can be renamed, it is written in place and given up where the block fails.
    """
    with _renamed_file(Path(path.path)) if is_local(path) else _closed_object(path) as file:
        yield file


@contextmanager
def _renamed_file(path: Path) -> Iterator[IO[bytes]]:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{uuid4().hex}{TEMPORARY}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ALONE), "wb") as file:
            yield file
        temporary.replace(path)
    except BaseException:
        # closing is where a full disk is noticed: what was written has to go all the same
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def _closed_object(path: UPath) -> Iterator[IO[bytes]]:
    if path.protocol not in SEEN_WHEN_CLOSED:
        buffer = io.BytesIO()
        yield buffer
        path.fs.pipe_file(path.path, buffer.getvalue())
        return
    file = path.fs.open(path.path, "wb")
    try:
        yield file
        file.close()
    except BaseException:
        file.closed = True  # or it would be closed, and be seen, when it is collected
        with contextlib.suppress(Exception):
            file.discard()
        raise


class _Digest:
    """A file that hashes and counts what is written to it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0
        self.closed = False

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self.size += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self.closed = True

    def hexdigest(self) -> str:
        return self._hash.hexdigest()
