"""Which days changed, which were computed, which failed: the bookkeeping between the store and the daily runs.

Triggers write a row to `change` for every day a statement touched. Folding takes the rows away and raises the version
of their days in one transaction; a writer that commits late leaves its rows for the next fold, so no cursor can step
over them. A day is due while the version it was last computed at is behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa

from feedback_pipeline.store.database import Database

MAX_ATTEMPTS = 3
MAX_STRETCHES = 50
"""Of days that do not touch, in one run: its tag names them, and tags are short."""
MAX_GAP = timedelta(days=31)
"""Between days of one run: Dagster notes every day between as well, and at some length a second run costs less."""

_FOLD = sa.text(
    """
    WITH taken AS (DELETE FROM change RETURNING day)
    INSERT INTO day_state (day, version, waiting_since)
    SELECT day, 1, now() FROM taken GROUP BY day
    ON CONFLICT (day) DO UPDATE
    SET version = day_state.version + 1, changed_at = now(), attempts = 0, problem = NULL,
        waiting_since = CASE WHEN day_state.version <= day_state.computed THEN now()
                             ELSE COALESCE(day_state.waiting_since, now()) END
    """
)


@dataclass(frozen=True)
class Patience:
    """How long changes are left to settle before they are computed: a trickle of late votes is one run, not one each.

    Attributes:
        quiet: seconds without another change.
        longest_wait: seconds after which a day, week or month is computed all the same.
    """

    quiet: float = 0.0
    longest_wait: float = 0.0


AT_ONCE = Patience()


@dataclass(frozen=True)
class DueDay:
    """A day whose contents changed since it was last computed."""

    day: date
    version: int
    attempts: int
    alone: bool
    """It failed before: run it by itself, so that it cannot hold up others."""


@dataclass(frozen=True)
class DueBatch:
    """Days to compute in one run, ascending; what lies between them is left as it is."""

    days: tuple[DueDay, ...]

    @property
    def first(self) -> date:
        return self.days[0].day

    @property
    def last(self) -> date:
        return self.days[-1].day

    @property
    def stretches(self) -> list[tuple[date, date]]:
        """First and last day of each contiguous stretch."""
        return stretches([day.day for day in self.days])


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


def due(
    database: Database,
    *,
    include_requested: bool = False,
    given_up: bool = False,
    patience: Patience = AT_ONCE,
) -> list[DueDay]:
    """Days to compute, ascending; those already asked for and not yet answered are left out.

    Args:
        database: the store.
        include_requested: also days with a run under way (for a command that runs in the foreground).
        given_up: also days that failed too often to be tried again by themselves: a person asks for them.
        patience: how long changes are left to settle.
    """
    behind = "computed" if include_requested else "GREATEST(requested, computed)"
    statement = sa.text(
        f"SELECT day, version, attempts FROM day_state"  # noqa: S608 (one of two column expressions)
        f" WHERE version > {behind} AND attempts < :attempts"
        " AND (changed_at <= now() - make_interval(secs => :quiet)"
        " OR COALESCE(waiting_since, changed_at) <= now() - make_interval(secs => :longest_wait)) ORDER BY day"
    )
    given = {
        "attempts": 1_000_000_000 if given_up else MAX_ATTEMPTS,
        "quiet": patience.quiet,
        "longest_wait": patience.longest_wait,
    }
    with database.engine.connect() as connection:
        rows = connection.execute(statement, given).all()
    return [DueDay(row.day, row.version, row.attempts, alone=row.attempts > 0) for row in rows]


def expect(database: Database, day: date) -> None:
    """Makes a day due that was never computed, though it may hold nothing: an empty day has its partitions too."""
    expecting = sa.text(
        "INSERT INTO day_state (day, version, waiting_since) VALUES (:day, 1, now()) ON CONFLICT DO NOTHING"
    )
    with database.engine.begin() as connection:
        connection.execute(expecting, {"day": day})


def stretches(days: Sequence[date]) -> list[tuple[date, date]]:
    """First and last day of each contiguous stretch of ascending days."""
    found: list[tuple[date, date]] = []
    for day in days:
        if found and found[-1][1] + timedelta(days=1) == day:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found


def batches(days: Sequence[DueDay], longest: int) -> list[DueBatch]:
    """Groups days into as few runs as may be, of at most `longest` days; a day that failed before stays alone."""
    groups: list[list[DueDay]] = []
    for day in (one for one in days if not one.alone):
        if groups and len(groups[-1]) < longest and _fits(groups[-1], day):
            groups[-1].append(day)
        else:
            groups.append([day])
    return [DueBatch(tuple(group)) for group in groups] + [DueBatch((day,)) for day in days if day.alone]


def _fits(group: Sequence[DueDay], day: DueDay) -> bool:
    near = day.day - group[-1].day <= MAX_GAP
    return near and len(DueBatch((*group, day)).stretches) <= MAX_STRETCHES


def claim(database: Database, batch: DueBatch, run_key: str) -> bool:
    """Records that a run is asked for these versions of these days; False, and nothing recorded, where somebody else
    asked first for one of them."""
    claiming = sa.text(
        "UPDATE day_state AS d SET requested = g.version, run_key = :run_key, requested_at = now()"
        " FROM unnest(CAST(:days AS date[]), CAST(:versions AS bigint[])) AS g (day, version)"
        " WHERE d.day = g.day AND GREATEST(d.requested, d.computed) < g.version"
    )
    given = {
        "run_key": run_key,
        "days": [day.day for day in batch.days],
        "versions": [day.version for day in batch.days],
    }
    with database.engine.connect() as connection, connection.begin() as transaction:
        claimed = connection.execute(claiming, given).rowcount == len(batch.days)
        if not claimed:
            transaction.rollback()
    return claimed


def mark_requested(database: Database, batch: DueBatch, run_key: str) -> None:
    """Records that a run computes these versions of these days now, whoever asked before."""
    _update(
        database,
        "UPDATE day_state SET requested = :version, run_key = :run_key, requested_at = now() WHERE day = :day",
        [{"day": day.day, "version": day.version, "run_key": run_key} for day in batch.days],
    )


def take_back(database: Database, run_key: str) -> None:
    """Takes a request back whose run never came or was stopped: its days are due again, and no attempt is counted."""
    _update(
        database,
        "UPDATE day_state SET requested = computed WHERE run_key = :run_key AND requested > computed",
        [{"run_key": run_key}],
    )


def request_age(database: Database, run_key: str) -> float:
    """Seconds since a run was asked for by this key."""
    asked = sa.text(
        "SELECT COALESCE(extract(epoch FROM now() - min(requested_at)), 'infinity') FROM day_state"
        " WHERE run_key = :run_key"
    )
    with database.engine.connect() as connection:
        return float(connection.execute(asked, {"run_key": run_key}).scalar_one())


def count_attempt(database: Database, run_key: str, problem: str) -> None:
    """Counts a failure of the days of a request whose run died without naming one: every day of it may be the bad one.

    Args:
        database: the store.
        run_key: of the request.
        problem: why, in codes and numbers only.
    """
    _update(
        database,
        "UPDATE day_state SET attempts = attempts + 1, problem = :problem"
        " WHERE run_key = :run_key AND requested > computed",
        [{"run_key": run_key, "problem": problem}],
    )


def run_of_requests(database: Database) -> list[str]:
    """Keys of the runs that were asked for and have not computed their days yet."""
    with database.engine.connect() as connection:
        return list(
            connection.execute(
                sa.text(
                    "SELECT DISTINCT run_key FROM day_state WHERE requested > computed AND run_key IS NOT NULL"
                    " ORDER BY run_key"
                )
            ).scalars()
        )


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


def sealed(database: Database, days: Sequence[date]) -> set[date]:
    """Those of the days that are past the retention of raw text: what was kept of them can only shrink."""
    found = sa.text("SELECT day FROM day_state WHERE day = ANY (:days) AND sealed")
    with database.engine.connect() as connection:
        return set(connection.execute(found, {"days": list(days)}).scalars())


def is_sealed(database: Database, day: date) -> bool:
    """Whether the day is among the `sealed`."""
    return day in sealed(database, [day])


def _update(database: Database, statement: str, rows: list[dict[str, object]]) -> None:
    if rows:
        with database.engine.begin() as connection:
            connection.execute(sa.text(statement), rows)
