"""What reading a day asks of the store: the day's own rows and what they are about, not every answer there ever was."""

from datetime import timedelta

import polars as pl
import psycopg
import pytest

from feedback_pipeline.store import bulk
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database
from tests.support.store_rows import DAY, answers, later, votes

DAYS, ANSWERS = 60, 300
"""A history, of whose days each is a small part."""


@pytest.fixture
def history(database: Database) -> Database:
    """Many days of answers, a vote on each of the last day's."""
    long_text = "An answer of some length, so that the table has pages. " * 4
    for back in range(DAYS):
        one_day = answers(*({"name": f"{back}/{number}", "output": long_text, "occurred_at": later(days=-back)}
                            for number in range(ANSWERS)))  # fmt: skip
        bulk.file_batch(database, Batch(interactions=one_day))
    given = votes(*({"name": f"v{number}", "on": f"0/{number}", "user_key": f"u{number}"}
                    for number in range(ANSWERS)))  # fmt: skip
    bulk.file_batch(database, Batch(feedback=given))
    with psycopg.connect(database.url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE interaction")
        connection.execute("VACUUM ANALYZE feedback")
        connection.execute("SELECT pg_stat_reset()")
    return database


def scanned_whole(database: Database) -> int:
    """Answers read by scans of their whole table since the history was made."""
    with psycopg.connect(database.url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("SELECT pg_stat_clear_snapshot()")
        found = connection.execute("SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'interaction'")
        row = found.fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("statement", ["read_feedback", "read_interactions"])
def test_a_day_is_read_without_the_other_days(history: Database, statement: str) -> None:
    read = pl.concat(bulk.read_day_batches(history, statement, DAY))
    assert read.height == ANSWERS
    assert scanned_whole(history) == 0


def test_the_account_of_a_week_is_made_without_the_other_weeks(history: Database) -> None:
    accounts = bulk.read_day(history, "account_for_days", DAY - timedelta(days=6), DAY)
    assert accounts["current"].to_list() == [ANSWERS]
    assert scanned_whole(history) == 0
