"""Where tables live: one Parquet file per table and partition, in a folder or bucket.

A file is written under a temporary name and renamed: a reader sees the old partition or the new one, never half of one.
The same rows give the same bytes.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import IO, Any, Literal
from uuid import uuid4

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from feedback_pipeline.tables.schema import Table

ROWS_PER_GROUP = 100_000
COMPRESSION: Literal["zstd"] = "zstd"


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

    @property
    def root(self) -> UPath:
        return UPath(self.url)

    def path(self, table: Table | str, partition: date | str) -> UPath:
        name = table if isinstance(table, str) else table.name
        return self.root / name / f"{partition}.parquet"

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
                # a group is encoded while the next one is computed
                encoded: Future[None] | None = None
                for batch in batches:
                    if encoded is not None:
                        encoded.result()
                    table_of_batch = batch.cast(dict(stored)).to_arrow().cast(arrow_schema)  # type: ignore[arg-type]
                    encoded = encoder.submit(writer.write_table, table_of_batch)
                    rows += batch.height
                if encoded is not None:
                    encoded.result()
        return Written(str(path), rows, digest.size, digest.hexdigest())

    def scan(self, table: Table, partitions: Sequence[date | str]) -> pl.LazyFrame:
        """The rows of those partitions that exist, in the order of the partitions; no rows where none does.

        A column that was declared after a partition was written is null in it until the partition is computed anew.
        """
        paths = [path for path in (self.path(table, partition) for partition in partitions) if path.exists()]
        if not paths:
            return table.empty().lazy()
        declared = {column.name: column.dtype for column in table.columns}
        stored = stored_schema(table)
        frame = pl.scan_parquet(
            [str(path) for path in paths],
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
        folder = self.root / table.name
        if not folder.exists():
            return []
        return sorted(path.stem for path in folder.iterdir() if path.suffix == ".parquet")

    def delete(self, table: Table, partition: date | str) -> None:
        """Removes a partition where it exists."""
        self.path(table, partition).unlink(missing_ok=True)


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
        while height >= rows:
            joined = pl.concat(held) if len(held) > 1 else held[0]
            yield joined.head(rows)
            held, height = [joined.slice(rows)], height - rows
    if height:
        yield pl.concat(held) if len(held) > 1 else held[0]


class replaced_file:  # noqa: N801 (used like a function)
    """Opens a file for writing under a temporary name; it takes the path's place when the block ends well."""

    def __init__(self, path: UPath) -> None:
        self.path = path
        self.temporary = path.with_name(f".{path.name}.{uuid4().hex}.partial")

    def __enter__(self) -> IO[bytes]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.file: IO[bytes] = self.temporary.open("wb")
        return self.file

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.file.close()
        if kind is None:
            self.temporary.replace(self.path)
        else:
            self.temporary.unlink(missing_ok=True)


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
