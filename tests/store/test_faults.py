"""Whose fault it is: every error here is a real one, raised by the library that meets it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import adbc_driver_postgresql.dbapi as adbc
import asyncpg
import polars as pl
import psycopg
import pytest
import sqlalchemy as sa

from feedback_pipeline.store import bulk, changes
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database
from feedback_pipeline.store.embedded import free_port
from feedback_pipeline.store.faults import MachineFault, machine_fault
from feedback_pipeline.tables.free_space import space_for_writing
from feedback_pipeline.tables.parquet import ParquetFolder, location, names_in, replaced_file
from tests.support.disks import small_disk
from tests.support.store_rows import DAY, answers, votes
from tests.support.things import TABLE, things


def raised(work: Callable[[], object]) -> BaseException:
    with pytest.raises(BaseException) as caught:
        work()
    return caught.value


def dead(scheme: str = "postgresql") -> str:
    return f"{scheme}://nobody@127.0.0.1:{free_port()}/feedback"


@pytest.mark.parametrize(
    "connect",
    [
        lambda: psycopg.connect(dead()),
        lambda: sa.create_engine(dead("postgresql+psycopg")).connect(),
        lambda: adbc.connect(dead()),
        lambda: asyncio.run(asyncpg.connect(dead())),
    ],
    ids=["psycopg", "sqlalchemy", "adbc", "asyncpg"],
)
def test_a_database_that_is_not_there_is_the_machine_s(connect: Callable[[], object]) -> None:
    assert machine_fault(raised(connect)) is not None


def test_a_connection_cut_in_mid_statement_is_the_machine_s(database: Database) -> None:
    def cut() -> None:
        with database.engine.connect() as connection:
            pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            with psycopg.connect(database.address(), autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s)", (pid,))
            connection.exec_driver_sql("SELECT 1")

    fault = machine_fault(raised(cut))
    assert "57P01" in str(fault) or "cannot be reached" in str(fault)


def test_a_full_disk_is_the_machine_s_and_leaves_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1) as disk:
        folder = ParquetFolder(str(disk))
        folder.write(TABLE, "a", things(1))
        error = raised(lambda: folder.write(TABLE, "a", things(*range(0, 2_000_000, 7))))
        assert str(machine_fault(error)) == "No space left on device (ENOSPC)"
        assert [path.name for path in (disk / "things").iterdir()] == ["a.parquet"]
        assert folder.read(TABLE, ["a"])["number"].to_list() == [1]
        sunk = raised(lambda: pl.LazyFrame({"a": range(2_000_000)}).sink_csv(disk / "b.csv"))
        assert str(machine_fault(sunk)) == "No space left on device (ENOSPC)"


def test_a_page_smaller_than_a_buffer_leaves_nothing_on_a_full_disk(tmp_path: Path) -> None:
    """What fits into the buffer is written when the file is closed: there the disk is full, and the draft must go."""
    with small_disk(tmp_path / "disk", 1) as disk:
        (disk / "filler").write_bytes(b"x" * (1 << 20))

        def publish() -> None:
            with replaced_file(location(str(disk / "page.html"))) as file:
                file.write(b"y" * 6000)

        assert "ENOSPC" in str(machine_fault(raised(publish)))
        assert sorted(path.name for path in disk.iterdir()) == ["filler"]


def test_a_bucket_that_is_gone_or_out_of_reach_is_the_machine_s(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = ParquetFolder(f"{bucket}-that-is-gone")
    assert machine_fault(raised(lambda: lost.write(TABLE, "a", things(1)))) is not None
    path = location(f"{bucket}/things/a.parquet")
    ParquetFolder(bucket).write(TABLE, "a", things(1))
    frame = pl.scan_parquet(
        str(path), storage_options={"endpoint_url": f"http://127.0.0.1:{free_port()}", "max_retries": 0}
    )
    assert machine_fault(raised(frame.collect)) is not None


@pytest.mark.parametrize(
    "work",
    [
        lambda: pl.Series(["x"]).cast(pl.Int64),
        lambda: pl.read_parquet(__file__),
        lambda: Path("/nowhere/at/all").read_bytes(),
        lambda: {}["missing"],
        lambda: int("x"),
    ],
)
def test_what_the_data_or_the_code_did_is_not(work: Callable[[], object]) -> None:
    assert machine_fault(raised(work)) is None


def test_neither_is_a_row_that_the_database_refuses(database: Database) -> None:
    with database.engine.connect() as connection:
        assert machine_fault(raised(lambda: connection.exec_driver_sql("SELECT 'x'::int"))) is None


def test_what_something_was_raised_from_is_looked_at() -> None:
    def wrapped() -> None:
        try:
            raise MemoryError
        except MemoryError as error:
            raise ValueError("this week") from error

    fault = machine_fault(raised(wrapped))
    assert isinstance(fault, MachineFault)
    assert "this week" not in str(fault)


def test_what_the_machine_did_uses_up_no_attempt_of_a_day_and_a_person_may_always_try(database: Database) -> None:
    bulk.file_batch(database, Batch(answers({"name": "a"}), None, votes({"name": "v", "on": "a"}), None))
    changes.fold(database)

    def asked(run_key: str) -> None:
        [batch] = changes.batches(changes.due(database), 1)
        assert changes.claim(database, batch, run_key)

    for number in range(5):
        asked(f"full disk {number}")
        changes.take_back(database, f"full disk {number}")
    for number in range(changes.MAX_ATTEMPTS):
        asked(f"bad {number}")
        changes.count_attempt(database, f"bad {number}", "run x failed")
        changes.take_back(database, f"bad {number}")
    assert changes.due(database) == []
    assert [day.day for day in changes.due(database, given_up=True)] == [DAY]


def test_it_is_known_beforehand_whether_anything_can_be_written(tmp_path: Path, bucket: str) -> None:
    assert space_for_writing(location(str(tmp_path / "new" / "folder"))) is None
    assert space_for_writing(location(f"{bucket}/loop")) is None
    assert names_in(location(f"{bucket}/loop")) == []
    assert "cannot be written" in str(space_for_writing(location(f"{bucket}-that-is-gone/loop")))
    with small_disk(tmp_path / "disk", 1) as disk:
        assert str(space_for_writing(location(str(disk)))).endswith("is full: 1 MB are free")
