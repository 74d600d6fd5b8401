"""Tables in a bucket: one object per file, whole or not there, seen at once by everybody who lists."""

from collections.abc import Iterator

import polars as pl
import pytest
from upath import UPath

from feedback_pipeline.tables.parquet import ParquetFolder, files_below, names_in, remove, replaced_file, scan_file
from tests.support.s3 import RequestLog
from tests.support.things import TABLE, things


@pytest.fixture(params=["memory", "s3"])
def folder(request: pytest.FixtureRequest) -> ParquetFolder:
    """An empty prefix of a bucket."""
    if request.param == "memory":
        return ParquetFolder(f"memory://bucket/{request.node.name}")
    bucket: str = request.getfixturevalue("bucket")
    return ParquetFolder(f"{bucket}/tables")


def test_what_was_written_is_read_with_its_types(folder: ParquetFolder) -> None:
    written = folder.write(TABLE, "2026-09-07", things(1, 2))
    assert (written.rows, written.bytes) == (2, folder.path(TABLE, "2026-09-07").stat().st_size)
    read = folder.read(TABLE, ["2026-09-07", "2026-09-08"])
    assert read.schema == TABLE.schema
    assert read["name"].to_list() == ["n1", "n2"]
    assert folder.read(TABLE, ["2026-09-08"]).is_empty()
    assert folder.partitions(TABLE) == ["2026-09-07"]
    assert scan_file(folder.path(TABLE, "2026-09-07")).select(pl.len()).collect().item() == 2


def test_a_partition_is_written_again_and_taken_away(folder: ParquetFolder) -> None:
    folder.write(TABLE, "a", things(1))
    folder.write(TABLE, "a", things(2, 3))
    assert folder.read(TABLE, ["a"])["number"].to_list() == [2, 3]
    folder.delete(TABLE, "a")
    folder.delete(TABLE, "a")
    assert folder.partitions(TABLE) == []
    assert folder.read(TABLE, ["a"]).is_empty()


def test_a_failure_in_the_middle_leaves_the_old_partition(folder: ParquetFolder) -> None:
    folder.write(TABLE, "a", things(1))

    def cut_off() -> Iterator[pl.DataFrame]:
        yield things(*range(200_000))
        raise ConnectionError("the network is gone")

    with pytest.raises(ConnectionError, match="network"):
        folder.write(TABLE, "a", cut_off())
    assert folder.read(TABLE, ["a"])["number"].to_list() == [1]
    assert folder.partitions(TABLE) == ["a"]


def test_nothing_is_seen_of_an_object_before_it_is_whole(folder: ParquetFolder) -> None:
    page = folder.root / "weekly_report" / "2026-09-07.html"

    def interrupted() -> None:
        with replaced_file(page) as file:
            file.write(b"<html>")
            raise ValueError("half a page")

    with pytest.raises(ValueError, match="half"):
        interrupted()
    assert not page.exists()
    with replaced_file(page) as file:
        file.write(b"<html></html>")
        assert names_in(page.parent) == []
    assert names_in(page.parent) == ["2026-09-07.html"]


def test_what_another_process_writes_is_listed_at_once(bucket: str) -> None:
    """A process that kept its listings (s3fs does) would serve yesterday's reports for ever."""
    folder = ParquetFolder(bucket)
    folder.write(TABLE, "a", things(1))
    assert folder.partitions(TABLE) == ["a"]
    other = UPath(f"{bucket}/things/b.parquet", skip_instance_cache=True)
    other.write_bytes(folder.path(TABLE, "a").read_bytes())
    assert folder.partitions(TABLE) == ["a", "b"]
    assert folder.read(TABLE, ["a", "b"]).height == 2


def test_many_partitions_are_found_by_one_listing(bucket: str, s3_requests: RequestLog) -> None:
    folder = ParquetFolder(bucket)
    folder.write(TABLE, "2026-09-07", things(1))
    s3_requests.clear()
    frame = folder.scan(TABLE, [f"2026-{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 29)])
    assert len(s3_requests.lines()) == 1
    assert frame.collect().height == 1


def test_what_lies_below_a_name_goes_whole_and_alone(folder: ParquetFolder) -> None:
    for name in ("2026-09-07/sft/a.jsonl", "2026-09-07/manifest.json", "2026-09-07.json", "2026-09-07.jsonl"):
        with replaced_file(folder.root.joinpath("files", *name.split("/"))) as file:
            file.write(b"{}")
    files = folder.root / "files"
    assert names_in(files) == ["2026-09-07", "2026-09-07.json", "2026-09-07.jsonl"]
    assert [path.name for path in files_below(files / "2026-09-07")] == ["manifest.json", "a.jsonl"]
    assert (remove(files / "2026-09-07"), remove(files / "2026-09-07.json"), remove(files / "none")) == (2, 1, 0)
    assert names_in(files) == ["2026-09-07.jsonl"]


def test_a_folder_whose_name_looks_like_a_pattern_is_a_folder(tmp_path: object) -> None:
    folder = ParquetFolder(f"{tmp_path}/our [data] *")
    folder.write(TABLE, "a", things(1))
    assert folder.read(TABLE, ["a"]).height == 1
