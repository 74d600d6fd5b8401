"""Which days changed, which were computed, which failed: the bookkeeping between the store and the daily runs.

Triggers write a row to `change` for every day a statement touched. Folding takes the rows away and raises the version
of their days in one transaction; a writer that commits late leaves its rows for the next fold, so no cursor can step
over them. A day is due while the version it was last computed at is behind.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa

from feedback_pipeline.store.database import Database

MAX_ATTEMPTS = 3
MAX_SMALLINT = 32_767

_FOLD = sa.text(
    """
    WITH taken AS (DELETE FROM change RETURNING day)
    INSERT INTO day_state (day, version)
    SELECT day, 1 FROM taken GROUP BY day
    ON CONFLICT (day) DO UPDATE
    SET version = day_state.version + 1, changed_at = now(), attempts = 0, problem = NULL
    """
)


@dataclass(frozen=True)
class DueDay:
    """A day whose contents changed since it was last computed."""

    day: date
    version: int
    attempts: int
    alone: bool
    """It failed before: run it by itself, so that it cannot hold up others."""


@dataclass(frozen=True)
class Stretch:
    """Contiguous days to compute in one run."""

    first: date
    last: date
    days: tuple[DueDay, ...]


def fold(database: Database) -> None:
    """Moves recorded changes into the days' versions."""
    with database.engine.begin() as connection:
        connection.execute(_FOLD)
        connection.execute(sa.text("SELECT fold_counts()"))  # the rollups of the API, where no service does it


def touch(database: Database, first: date, last: date) -> int:
    """Makes the days from `first` to `last` that hold rows due, whatever they hold; returns how many.

    Days whose rows have expired stay as they were counted.
    """
    statement = sa.text(
        "INSERT INTO change (day) SELECT day FROM day_state WHERE day BETWEEN :first AND :last AND NOT expired"
    )
    fold(database)
    with database.engine.begin() as connection:
        touched = connection.execute(statement, {"first": first, "last": last}).rowcount
    fold(database)
    return touched


def versions(database: Database) -> dict[date, int]:
    """The version of every day that ever held a row."""
    with database.engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT day, version FROM day_state ORDER BY day")).all()
        return {row.day: row.version for row in rows}


def due(database: Database, *, include_requested: bool = False, given_up: bool = False) -> list[DueDay]:
    """Days to compute, ascending; those already asked for and not yet answered are left out.

    Args:
        database: the store.
        include_requested: also days with a run under way (for a command that runs in the foreground).
        given_up: also days that failed too often to be tried again by themselves: a person asks for them.
    """
    behind = "computed" if include_requested else "GREATEST(requested, computed)"
    statement = sa.text(
        f"SELECT day, version, attempts FROM day_state"  # noqa: S608 (one of two column expressions)
        f" WHERE version > {behind} AND attempts < :attempts ORDER BY day"
    )
    with database.engine.connect() as connection:
        rows = connection.execute(statement, {"attempts": MAX_SMALLINT if given_up else MAX_ATTEMPTS}).all()
    return [DueDay(row.day, row.version, row.attempts, alone=row.attempts > 0) for row in rows]


def stretches(days: Sequence[DueDay], longest: int) -> list[Stretch]:
    """Groups days into contiguous stretches of at most `longest`; a day that failed before stays alone."""
    groups: list[list[DueDay]] = []
    for day in days:
        last = groups[-1][-1] if groups else None
        if (
            last is not None
            and last.day + timedelta(days=1) == day.day
            and len(groups[-1]) < longest
            and not (last.alone or day.alone)
        ):
            groups[-1].append(day)
        else:
            groups.append([day])
    return [Stretch(group[0].day, group[-1].day, tuple(group)) for group in groups]


def mark_requested(database: Database, stretch: Stretch, run_key: str) -> None:
    """Records that a run was asked for these versions of these days."""
    _update(
        database,
        "UPDATE day_state SET requested = :version, run_key = :run_key WHERE day = :day",
        [{"day": day.day, "version": day.version, "run_key": run_key} for day in stretch.days],
    )


def mark_computed(database: Database, days: Iterable[DueDay]) -> None:
    """Records that these versions of these days were computed."""
    _update(
        database,
        "UPDATE day_state SET computed = GREATEST(computed, :version), requested = GREATEST(requested, :version),"
        " attempts = 0, problem = NULL WHERE day = :day",
        [{"day": day.day, "version": day.version} for day in days],
    )


def mark_failed(
    database: Database, days: Iterable[date], problem: str, *, to_blame: Iterable[date], counted: bool = True
) -> None:
    """Takes back the request for days whose run failed: those to blame are tried alone, a few times, the others again.

    Args:
        database: the store.
        days: all days of the failed run.
        problem: why, in codes and numbers only.
        to_blame: the days that failed; where none is known, every day is.
        counted: False where the machine failed (`faults.machine_fault`): no attempt of any day is used up.
    """
    days = list(days)
    blamed = (set(to_blame) or set(days)) if counted else set()
    _update(
        database,
        "UPDATE day_state SET requested = computed, attempts = attempts + :blame,"
        " problem = CASE WHEN :blame = 1 THEN :problem ELSE problem END WHERE day = :day",
        [{"day": day, "blame": int(day in blamed), "problem": problem} for day in days],
    )


def run_of_requests(database: Database) -> dict[str, list[DueDay]]:
    """Days with a run under way or unanswered, by the run's key."""
    with database.engine.connect() as connection:
        rows = connection.execute(
            sa.text(
                "SELECT day, requested, attempts, run_key FROM day_state"
                " WHERE requested > computed AND run_key IS NOT NULL ORDER BY day"
            )
        ).all()
    requests: dict[str, list[DueDay]] = {}
    for row in rows:
        requests.setdefault(row.run_key, []).append(DueDay(row.day, row.requested, row.attempts, alone=False))
    return requests


def failed_days(database: Database) -> dict[date, str]:
    """Days given up after repeated failures, with the reason."""
    with database.engine.connect() as connection:
        rows = connection.execute(
            sa.text("SELECT day, problem FROM day_state WHERE attempts > 0 AND version > computed ORDER BY day")
        ).all()
    return {row.day: row.problem or "" for row in rows}


def weeks_with_votes(database: Database) -> list[date]:
    """Mondays of the weeks that hold events, ascending."""
    with database.engine.connect() as connection:
        return list(
            connection.execute(
                sa.text("SELECT DISTINCT date_trunc('week', day)::date FROM day_state ORDER BY 1")
            ).scalars()
        )


def seal_days(database: Database, before: date) -> int:
    """Seals the days older than the retention of raw text; returns how many were newly sealed."""
    with database.engine.begin() as connection:
        return connection.execute(
            sa.text("UPDATE day_state SET sealed = true WHERE day < :before AND NOT sealed AND computed >= version"),
            {"before": before},
        ).rowcount


def is_sealed(database: Database, day: date) -> bool:
    """Whether the day is past the retention of raw text: what was kept of it can only shrink."""
    with database.engine.connect() as connection:
        return bool(connection.execute(sa.text("SELECT sealed FROM day_state WHERE day = :day"), {"day": day}).scalar())


def _update(database: Database, statement: str, rows: list[dict[str, object]]) -> None:
    if rows:
        with database.engine.begin() as connection:
            connection.execute(sa.text(statement), rows)
