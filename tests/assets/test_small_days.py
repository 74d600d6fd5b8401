"""Days of few rows are computed several in one pass: as many as fit, and a bad one is left out alone."""

from datetime import timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from assets import small_days
from feedback_pipeline.cleaning import days
from feedback_pipeline.cleaning.tables import CLEAN_INTERACTIONS
from feedback_pipeline.store import bulk, changes
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database
from jobs import runs
from tests.support.store_rows import MONDAY, answers, later, votes
from tests.support.world import checks, pipeline_for

DAYS = [MONDAY.date() + timedelta(days=offset) for offset in range(4)]


@pytest.fixture
def instance() -> dg.DagsterInstance:
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


def file(database: Database, counts: list[int], **said: str) -> None:
    """So many answers, each with a vote, on one day after the other."""
    for offset, count in enumerate(counts):
        named = [{"name": f"{offset}/{n}", "occurred_at": later(days=offset)} for n in range(count)]
        rows = [{**one, **said} if offset == 2 else one for one in named]
        bulk.file_batch(database, Batch(interactions=answers(*rows)))
        bulk.file_batch(database, Batch(feedback=votes(*({**one, "on": one["name"]} for one in named))))


def test_as_many_days_as_fit_are_computed_in_one_pass(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    file(database, [2, 1, 5, 1])
    # an answer and a vote are two rows
    for rows, expected in {
        6: [[0, 1], [2], [3]],
        12: [[0, 1], [2, 3]],
        100: [[0, 1, 2, 3]],
        1: [[0], [1], [2], [3]],
    }.items():
        monkeypatch.setattr(small_days, "ROWS_IN_A_PASS", rows)
        passes = list(small_days.passes(database, DAYS))
        assert passes == [[DAYS[place] for place in some] for some in expected], rows
    assert list(small_days.passes(database, DAYS[:1])) == [DAYS[:1]]
    monkeypatch.setattr(small_days, "ROWS_IN_A_PASS", 100)
    monkeypatch.setattr(small_days, "DAYS_IN_A_PASS", 3)
    assert list(small_days.passes(database, DAYS)) == [DAYS[:3], DAYS[3:]]
    assert list(small_days.passes(database, [])) == []


def test_of_days_whose_pass_fails_only_the_bad_one_is_left_out(
    database: Database, instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = pipeline_for(tmp_path / "home", database)
    file(database, [1, 1, 1, 1])
    real = days.clean_interactions

    def clean(raw: pl.DataFrame) -> pl.DataFrame:
        if DAYS[2] in raw["day"]:
            raise ValueError("no such day")
        return real(raw)

    monkeypatch.setattr(days, "clean_interactions", clean)
    assert runs.compute(pipeline, instance).days == 3
    assert list(changes.failed_days(database)) == [DAYS[2]]
    assert pipeline.frames.partitions(CLEAN_INTERACTIONS) == [str(day) for day in DAYS if day != DAYS[2]]
    said = [entry.user_message for run in instance.get_runs() for entry in instance.all_logs(run.run_id)]
    [warned] = [one for one in said if "computed one by one" in one]
    assert f"4 days from {DAYS[0]} to {DAYS[3]}" in warned
    assert "no such day" not in warned  # an error's words may be a person's


def test_what_is_left_of_an_address_is_counted_for_its_day_alone(
    database: Database, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    pipeline = pipeline_for(tmp_path / "home", database)
    file(database, [1, 1, 1, 1], prompt="I am ada@example.org, call me")
    runs.compute(pipeline, instance)
    [day] = changes.failed_days(database)
    assert day == DAYS[2]
    every = {one for run in instance.get_runs() for one in checks(instance, run.run_id)}
    looked = {one[2]: one[3] for one in every if one[:2] == ("clean_interactions", "no_personal_data")}
    assert looked == {str(each): each != DAYS[2] for each in DAYS}
