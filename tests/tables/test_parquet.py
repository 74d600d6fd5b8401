"""Partitions as files: whole or not there, the same bytes for the same rows, larger than memory if need be."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from feedback_pipeline.tables.parquet import ParquetFolder, regroup, replaced_file
from feedback_pipeline.tables.schema import Column, Table

TABLE = Table(
    "things",
    "One thing.",
    (Column("number", pl.Int64, "A number."), Column("name", pl.Categorical(), "A name.")),
)


def things(*numbers: int) -> pl.DataFrame:
    return pl.DataFrame({"number": numbers, "name": [f"n{n}" for n in numbers]}, schema=TABLE.schema)


def test_what_was_written_is_read_with_its_types(tmp_path: Path) -> None:
    folder = ParquetFolder(str(tmp_path))
    written = folder.write(TABLE, "2026-09-07", things(1, 2))
    assert (written.rows, written.bytes) == (2, Path(written.path).stat().st_size)
    read = folder.read(TABLE, ["2026-09-07", "2026-09-08"])
    assert read.schema == TABLE.schema
    assert read["name"].to_list() == ["n1", "n2"]
    assert folder.read(TABLE, ["2026-09-08"]).is_empty()


def test_bytes_do_not_depend_on_batches_or_on_what_was_read_before(tmp_path: Path) -> None:
    folder = ParquetFolder(str(tmp_path))
    whole = folder.write(TABLE, "a", things(1, 2, 3))
    pl.Series(["other", "categories", "n3"], dtype=pl.Categorical())
    parts = folder.write(TABLE, "b", iter([things(1), things(2, 3)]))
    assert whole.sha256 == parts.sha256


def test_bytes_do_not_depend_on_batches_where_a_column_has_many_pages(tmp_path: Path) -> None:
    folder = ParquetFolder(str(tmp_path))
    numbers = pl.int_range(90_000, eager=True)
    many = pl.DataFrame(
        {"number": numbers * 7_919, "name": pl.select(pl.format("n{}-{}", numbers, numbers)).to_series()}
    )
    many = many.cast(dict(TABLE.schema))
    whole = folder.write(TABLE, "a", many)
    parts = folder.write(TABLE, "b", many.iter_slices(7_001))
    assert whole.sha256 == parts.sha256


def test_partitions_older_than_a_column_are_read_with_it_empty(tmp_path: Path) -> None:
    folder = ParquetFolder(str(tmp_path))
    folder.write(TABLE, "2026-09-07", things(1))
    grown = Table("things", "One thing.", (*TABLE.columns, Column("size", pl.Array(pl.UInt64, 2), "Added later.")))
    folder.write(grown, "2026-09-08", things(2).with_columns(size=pl.lit([3, 4], grown.schema["size"])))
    read = folder.read(grown, ["2026-09-07", "2026-09-08"])
    assert read.schema == grown.schema
    assert read["size"].to_list() == [None, [3, 4]]
    assert folder.read(TABLE, ["2026-09-07", "2026-09-08"])["number"].to_list() == [1, 2]


@given(st.lists(st.integers(0, 7), max_size=12), st.integers(1, 9))
def test_regrouping_keeps_every_row_in_order(heights: list[int], rows: int) -> None:
    numbers = iter(range(sum(heights)))
    frames = [things(*(next(numbers) for _ in range(height))) for height in heights]
    groups = list(regroup(frames, rows))
    assert [n for group in groups for n in group["number"]] == list(range(sum(heights)))
    assert all(group.height == rows for group in groups[:-1])


def test_a_failure_in_the_middle_leaves_the_old_partition(tmp_path: Path) -> None:
    folder = ParquetFolder(str(tmp_path))
    folder.write(TABLE, "a", things(1))

    def full_disk() -> Iterator[pl.DataFrame]:
        yield things(*range(200_000))
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        folder.write(TABLE, "a", full_disk())
    assert folder.read(TABLE, ["a"])["number"].to_list() == [1]
    assert [path.name for path in (tmp_path / "things").iterdir()] == ["a.parquet"]


WRITE_FOR_EVER = """
import sys, time
sys.path.insert(0, sys.argv[2])
from test_parquet import TABLE, things
from feedback_pipeline.tables.parquet import ParquetFolder
def frames():
    while True:
        yield things(*range(100_000))
        print("written", flush=True)
ParquetFolder(sys.argv[1]).write(TABLE, "a", frames())
"""


def test_a_killed_writer_leaves_no_partition_that_can_be_read(tmp_path: Path) -> None:
    folder = ParquetFolder(str(tmp_path))
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITE_FOR_EVER, str(tmp_path), str(Path(__file__).parent)], stdout=subprocess.PIPE
    )
    assert writer.stdout.readline()
    time.sleep(0.1)
    writer.send_signal(signal.SIGKILL)
    writer.wait(10)
    assert folder.partitions(TABLE) == []
    assert folder.read(TABLE, ["a"]).is_empty()


def test_a_file_is_its_owners_alone_whatever_the_mask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        ParquetFolder(str(tmp_path / "data")).write(TABLE, "2026-09-07", things(3))
        with replaced_file(UPath(tmp_path / "report.html")) as file:
            file.write(b"words")
    finally:
        os.umask(before)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [oct(path.stat().st_mode & 0o777) for path in files] == ["0o600", "0o600"]
