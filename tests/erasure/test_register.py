"""The register covers everything that is written, and leftovers and exports are found through it."""

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from upath import UPath

from feedback_pipeline.erasure import exports, leftovers
from feedback_pipeline.erasure.register import registered
from feedback_pipeline.erasure.walk import unregistered
from feedback_pipeline.store.database import Database
from feedback_pipeline.tables.parquet import ParquetFolder, replaced_file

NOW = datetime(2026, 9, 12, 12, tzinfo=UTC)
DAY = date(2026, 9, 7)


def test_every_table_of_a_fresh_database_is_registered(database: Database, tmp_path: Path) -> None:
    assert unregistered(database, ParquetFolder(str(tmp_path / "data")), tmp_path) == []


def test_a_table_or_file_that_nobody_registered_is_named(database: Database, tmp_path: Path) -> None:
    with psycopg.connect(database.address()) as connection:
        connection.execute("CREATE TABLE scratch (words text)")
    for name in ("data/new_table/2026-09-07.parquet", "notes/a.txt", "rejects/a.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("words")
    found = unregistered(database, ParquetFolder(str(tmp_path / "data")), tmp_path)
    assert found == ["store.scratch", "data/new_table/2026-09-07.parquet", "home/notes/a.txt"]


def test_what_a_killed_writer_leaves_is_swept_and_what_a_living_one_writes_is_not(tmp_path: Path) -> None:
    data, home = tmp_path / "data", tmp_path
    killed = (
        "import os, sys; from upath import UPath; from feedback_pipeline.tables.parquet import replaced_file\n"
        f"with replaced_file(UPath({str(data / 'clean_feedback' / 'a.parquet')!r})) as file:\n"
        "    file.write(b'words'); file.flush(); os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", killed], check=False).returncode == -9
    left = [path.name for path in (data / "clean_feedback").iterdir()]
    assert len(left) == 1
    assert registered(f"data/clean_feedback/{left[0]}").erased == "found"
    with replaced_file(UPath(data / "clean_feedback" / "b.parquet")) as file:
        file.write(b"words")
        assert leftovers.sweep(UPath(data), home, NOW) == 1
        assert len(list((data / "clean_feedback").iterdir())) == 1
    assert [path.name for path in (data / "clean_feedback").iterdir()] == ["b.parquet"]


@pytest.mark.parametrize("name", ["rejects/a.tmp", "training_runs/j/.exit.json.draft", "spool/web/.1.partial"])
def test_other_temporary_names_are_left_for_an_hour(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True)
    file.write_text("words")
    written = file.stat().st_mtime
    soon, later = (datetime.fromtimestamp(written, UTC) + timedelta(minutes=minutes) for minutes in (59, 61))
    assert leftovers.sweep(UPath(tmp_path / "data"), tmp_path, soon) == 0
    assert leftovers.sweep(UPath(tmp_path / "data"), tmp_path, later) == 1
    assert not file.exists()


def noted(database: Database, place: Path | None, first: date, *, tenant: str | None = "default") -> None:
    export = exports.begin(database, None if place is None else str(place), tenant, first, first, "jsonl", "tests")
    if place is not None:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"lines of {first}")
        exports.finish(database, export, 1, exports.sha256_of(place))


def test_an_erasure_removes_the_exports_of_its_days(database: Database, tmp_path: Path) -> None:
    data, home = UPath(tmp_path / "home" / "data"), tmp_path / "home"
    ours, unchanged, changed, other = (
        Path(str(data)) / "exports" / "default" / "a.jsonl", tmp_path / "mine.jsonl", tmp_path / "edited.jsonl",
        tmp_path / "other.jsonl",
    )  # fmt: skip
    for place in (ours, unchanged, changed):
        noted(database, place, DAY)
    noted(database, other, DAY - timedelta(days=1))
    noted(database, Path(str(data)) / "exports" / "acme" / "a.jsonl", DAY, tenant="acme")
    noted(database, None, DAY)
    changed.write_text("lines and more")
    stray = Path(str(data)) / "exports" / "default" / "nobody-noted.jsonl"
    stray.write_text("lines")
    removed = exports.remove_of_days(database, data, home, "default", [DAY])
    assert removed.files == 3
    assert [place.exists() for place in (ours, unchanged, changed, other, stray)] == [False, False, True, True, False]
    assert len(removed.elsewhere) == 2  # the one that was edited, the one that went over the wire
    assert any(str(changed) in line for line in removed.elsewhere)
    assert exports.remove_of_days(database, data, home, "default", [DAY]).elsewhere == removed.elsewhere


def test_exports_below_our_folders_have_their_time(database: Database, tmp_path: Path) -> None:
    data, home = UPath(tmp_path / "home" / "data"), tmp_path / "home"
    ours, mine = Path(str(data)) / "exports" / "default" / "a.jsonl", tmp_path / "mine.jsonl"
    for place in (ours, mine):
        noted(database, place, DAY)
    with psycopg.connect(database.address()) as connection:
        connection.execute("UPDATE export_file SET made_at = %s", (NOW - timedelta(days=91),))
    assert exports.remove_older(database, data, home, NOW - timedelta(days=92)).files == 0
    assert exports.remove_older(database, data, home, NOW - timedelta(days=90)).files == 1
    assert (ours.exists(), mine.exists()) == (False, True)
    assert list(ours.parent.iterdir()) == []
