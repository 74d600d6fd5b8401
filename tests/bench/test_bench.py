"""`make bench` runs from end to end, on any day of the week; at its small size, which says nothing about speed."""

import datetime as dt
import importlib
import json
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest

from bench import __main__ as command
from bench import machine, patterns, plot, week
from bench.rows import Row, complete
from feedback_pipeline.cleaning.tables import VOTE_FACTS
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings


@pytest.mark.parametrize("package", command.PACKAGES)
def test_every_package_measures_and_every_row_has_something_beside_it(package: str) -> None:
    rows = list(importlib.import_module(f"bench.{package}").rows("small"))
    assert rows
    for row in rows:
        assert complete(row)["peer"]
        assert row["ours"] or "not installed" in f"{row['peer']} {row.get('note', '')}"


def test_the_table_is_kept_with_the_machine_the_time_and_the_commit(tmp_path, monkeypatch, capsys) -> None:
    kept = tmp_path / "rows.json"
    monkeypatch.setattr("sys.argv", ["bench", "patterns", "--small", "--json", str(kept)])
    assert command.main() == 0
    found = json.loads(kept.read_text())
    assert found["machine"].keys() >= {"at", "commit", "cores", "processor", "memory_gb", "python"}
    assert dt.datetime.fromisoformat(found["machine"]["at"]).tzinfo is not None
    assert "slice findings" in capsys.readouterr().out


def test_a_package_that_cannot_be_measured_says_why_and_stops_no_other(monkeypatch, capsys) -> None:
    monkeypatch.setenv("FEEDBACK_PEER_PYTHON", "/nowhere/python")
    monkeypatch.setattr("sys.argv", ["bench", "patterns", "experiments", "--small"])
    assert command.main() == 1
    printed = capsys.readouterr().out
    assert "FileNotFoundError" in printed
    assert "a decision in process" in printed


def test_what_was_measured_before_a_failure_is_kept(monkeypatch) -> None:
    def fails(size: str) -> Iterator[Row]:
        yield Row(work=f"some work, {size}", ours="1 s", peer="2 s")
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(patterns, "rows", fails)
    found = command.measured("patterns", "small")
    assert [row["work"] for row in found] == ["some work, small", "patterns"]
    assert (found[1]["failed"], found[1]["note"]) == (True, "RuntimeError: the disk is full")


@pytest.mark.parametrize("newest", [dt.date(2026, 11, 16) + dt.timedelta(days=days) for days in range(7)])
def test_the_week_measured_is_one_whose_days_are_counted(tmp_path, newest: dt.date) -> None:
    """A week of sample votes ends yesterday, whichever day that is: the Monday of six days before to the day itself."""
    pipeline = Pipeline(Settings.from_environment({"FEEDBACK_HOME": str(tmp_path)}))
    first = newest - dt.timedelta(days=6)
    day = first - dt.timedelta(days=first.weekday())
    while day <= newest:
        pipeline.frames.write(VOTE_FACTS, day, VOTE_FACTS.empty())
        day += dt.timedelta(days=1)
    found = week.newest_week(pipeline)
    assert found == (dt.date(2026, 11, 16) if newest.weekday() == 6 else dt.date(2026, 11, 9))


def test_the_drawing_says_what_is_extrapolated() -> None:
    rows = [{"work": "loop", "peer": "60 s", "figures": {"votes": votes, "wall": 2 + votes / 2e4, "cpu": votes / 1e4,
             "peak": 5e8 + votes}} for votes in (10_000, 100_000, 1_000_000)]  # fmt: skip
    drawn = plot.of_loop(rows)
    assert drawn is not None
    assert "extrapolated 502" in "".join(ElementTree.fromstring(drawn).itertext())  # 2 s and 10⁷ / 2·10⁴
    assert plot.of_loop(rows[:1]) is None


def test_the_machine_is_described_without_its_name() -> None:
    assert "node" not in machine.described()
