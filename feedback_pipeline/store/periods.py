"""Weeks and months that wait to be computed, like days (`changes`): for the daemon and for commands alike."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa

from feedback_pipeline.calendar import days_of_month
from feedback_pipeline.store.changes import AT_ONCE, MAX_ATTEMPTS, Patience
from feedback_pipeline.store.database import Database
from feedback_pipeline.store.statements import statement


@dataclass(frozen=True)
class DuePeriod:
    """A week or month of which something changed since it was computed.

    Attributes:
        period: `week` or `month`.
        first: its Monday, or the first of the month.
        failed_days: days of it that could not be computed: it waits for them.
        problem: why its last run failed, where it did.
    """

    period: str
    first: date
    version: int
    attempts: int
    failed_days: tuple[date, ...]
    problem: str | None


def close(database: Database, today: date, lateness_days: int) -> int:
    """Makes weeks due that closed since they were computed: their report was provisional. Returns how many."""
    closing = sa.text(
        "UPDATE period_state SET version = version + 1, waiting_since = now(), changed_at = now()"
        " WHERE period = 'week' AND computed >= version AND computed_on < first + :days AND first + :days <= :today"
    )
    with database.engine.begin() as connection:
        return connection.execute(closing, {"days": 7 + lateness_days, "today": today}).rowcount


def due(
    database: Database,
    *,
    today: date,
    start: date,
    patience: Patience = AT_ONCE,
    requested_too: bool = False,
    given_up: bool = False,
) -> list[DuePeriod]:
    """Weeks and months that ended and wait, in the order of their ends.

    Args:
        database: the store.
        today: the day in the configured zone.
        start: the first day of the pipeline.
        patience: how long changes are left to settle.
        requested_too: also those with a run under way (for a command that runs in the foreground).
        given_up: also those given up after repeated failures (for a person who asks).
    """
    parameters = {
        "today": today,
        "start": start,
        "quiet": patience.quiet,
        "longest_wait": patience.longest_wait,
        "requested_too": requested_too,
        "attempts": 1_000_000_000 if given_up else MAX_ATTEMPTS,
    }
    with database.engine.connect() as connection:
        rows = connection.execute(statement("due_periods"), parameters).all()
    return [
        DuePeriod(row.period, row.first, row.version, row.attempts, tuple(row.failed_days), row.problem)
        for row in rows
    ]  # fmt: skip


def expect(database: Database, period: str, first: date) -> None:
    """Makes a week or month due that was never computed, though nothing may have been said in it."""
    expecting = sa.text("INSERT INTO period_state (period, first) VALUES (:period, :first) ON CONFLICT DO NOTHING")
    with database.engine.begin() as connection:
        connection.execute(expecting, {"period": period, "first": first})


def claim(database: Database, period: DuePeriod, run_key: str) -> bool:
    """Records that a run is asked for this version; False where somebody else was first."""
    claiming = sa.text(
        "UPDATE period_state SET requested = :version, run_key = :key, requested_at = now()"
        " WHERE period = :period AND first = :first AND GREATEST(requested, computed) < :version RETURNING 1"
    )
    parameters = {"version": period.version, "key": run_key, "period": period.period, "first": period.first}
    with database.engine.begin() as connection:
        return connection.execute(claiming, parameters).scalar() is not None


def requested(database: Database) -> dict[str, tuple[str, date, float]]:
    """Weeks and months with a run under way or unanswered, by the run's key, and the seconds since it was asked for."""
    with database.engine.connect() as connection:
        rows = connection.execute(
            sa.text(
                "SELECT period, first, run_key, extract(epoch FROM now() - COALESCE(requested_at, '-infinity')) AS age"
                " FROM period_state WHERE requested > computed AND run_key IS NOT NULL"
            )
        ).all()
    return {row.run_key: (row.period, row.first, float(row.age)) for row in rows}


def take_back(database: Database, period: str, firsts: Iterable[date], problem: str | None) -> None:
    """Takes a request back whose run ended without computing it; with a problem it counts as an attempt."""
    back = sa.text(
        "UPDATE period_state SET requested = computed, attempts = attempts + :counted,"
        " problem = COALESCE(:problem, problem) WHERE period = :period AND first = ANY (:firsts)"
        " AND requested > computed"
    )
    given = {"period": period, "firsts": list(firsts), "counted": int(problem is not None), "problem": problem}
    with database.engine.begin() as connection:
        connection.execute(back, given)


def failed(database: Database) -> dict[tuple[str, date], str]:
    """Weeks and months whose last run failed, with the reason."""
    with database.engine.connect() as connection:
        rows = connection.execute(
            sa.text(
                "SELECT period, first, problem FROM period_state WHERE attempts > 0 AND version > computed"
                " ORDER BY first"
            )
        ).all()
    return {(row.period, row.first): row.problem or "" for row in rows}


def last_day(period: str, first: date) -> date:
    """The last day of a week or month."""
    if period == "week":
        return first + timedelta(days=6)
    return days_of_month(first)[-1]
