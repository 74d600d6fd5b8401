"""The calendar starts where the votes do."""

from datetime import UTC, date, datetime
from pathlib import Path

from feedback_pipeline import first_day
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import changes
from feedback_pipeline.store.database import Database

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def opened(database: Database, home: Path, **more: str) -> Pipeline:
    given = {"FEEDBACK_HOME": str(home), "FEEDBACK_DATABASE_URL": database.url, **more}
    return Pipeline(Settings.from_environment(given), NOW)


def vote_on(database: Database, day: date) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO change (day) VALUES (%s)", (day,))
    changes.fold(database)


def test_the_first_week_is_that_of_the_first_vote_and_moves_earlier_only(database: Database, tmp_path: Path) -> None:
    assert opened(database, tmp_path).settings.start == date(2025, 1, 6)
    vote_on(database, date(2026, 9, 30))
    assert first_day.follow(opened(database, tmp_path)) is None
    assert opened(database, tmp_path).settings.start == date(2026, 9, 28)
    vote_on(database, date(2026, 10, 20))
    assert first_day.follow(opened(database, tmp_path)) is None
    assert opened(database, tmp_path).settings.start == date(2026, 9, 28)
    vote_on(database, date(2024, 2, 29))
    said = first_day.follow(opened(database, tmp_path))
    assert said == (
        "the first week is now that of 2024-02-26 (it was 2026-09-28); a running UI shows it after a restart"
    )
    assert opened(database, tmp_path).settings.start == date(2024, 2, 26)


def test_a_start_set_by_hand_stays_and_what_lies_before_it_is_named(database: Database, tmp_path: Path) -> None:
    vote_on(database, date(2026, 9, 30))
    pipeline = opened(database, tmp_path, FEEDBACK_START="2026-10-05")
    assert first_day.follow(pipeline) == (
        "1 days lie before FEEDBACK_START (2026-10-05) and are not computed; set FEEDBACK_START=2026-09-28, or unset it"
    )
    assert not (tmp_path / "start").exists()
