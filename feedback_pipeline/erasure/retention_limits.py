"""What keeps a wrong clock or setting from emptying the store: limits for one run, a second clock, days of grace."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import sqlalchemy as sa

from feedback_pipeline.store.database import Database
from feedback_pipeline.store.statements import query

GRACE = timedelta(days=7)
"""How long a day that was emptied can be taken back."""
MAX_CLOCK_DIFFERENCE = timedelta(hours=1)
MIN_LIMITED_ROWS = 1_000
"""Of fewer rows no share is limited: a small store may well be old altogether."""


class RetentionRefusedError(RuntimeError):
    """Nothing was removed; the message says why, and how to go on where it is meant."""


@dataclass(frozen=True)
class Limits:
    """How much one run may remove: rows, and the share of all rows that hold words or names."""

    rows: int
    share: float


@dataclass(frozen=True)
class Plan:
    """What a run would remove.

    Attributes:
        days: days that would be emptied.
        texts: rows whose words would go; all_texts: rows that hold words.
        expiring_days: days that would expire.
        names: rows whose names would go; all_names: rows that hold one.
    """

    days: int
    texts: int
    all_texts: int
    expiring_days: int
    names: int
    all_names: int

    def __str__(self) -> str:
        return (
            f"words of {self.texts:,} of {self.all_texts:,} rows on {self.days} days, "
            f"names of {self.names:,} of {self.all_names:,} rows on {self.expiring_days} days"
        )


def plan(database: Database, raw_before: date, cleaned_before: date) -> Plan:
    """What a run would remove from the store now; nothing is changed."""
    parameters = {"raw_before": raw_before, "cleaned_before": cleaned_before}
    with database.engine.connect() as connection:
        return Plan(**connection.execute(sa.text(query("plan_retention")), parameters).mappings().one())


def hold_to(limits: Limits, planned: Plan) -> None:
    """Raises RetentionRefusedError where a run would remove more than it may."""
    for rows, total, what in ((planned.texts, planned.all_texts, "words"), (planned.names, planned.all_names, "names")):
        if rows > limits.rows or (rows > MIN_LIMITED_ROWS and rows > limits.share * total):
            raise RetentionRefusedError(
                f"the retention would remove {what} of {rows:,} of {total:,} rows at once; it may remove "
                f"{limits.rows:,} rows and {limits.share:.0%} (FEEDBACK_RETENTION_MAX_ROWS, _MAX_SHARE). If the clock "
                "and FEEDBACK_RAW_TEXT_DAYS are right: feedback retention --apply --beyond-limits"
            )


def compare_clocks(database: Database) -> None:
    """Raises RetentionRefusedError where this machine's clock and the database's are apart."""
    with database.engine.connect() as connection:
        theirs: datetime = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
    ours, theirs = datetime.now(UTC), theirs.astimezone(UTC)
    if abs(ours - theirs) > MAX_CLOCK_DIFFERENCE:
        raise RetentionRefusedError(
            f"this machine's clock says {ours:%Y-%m-%d %H:%M} and the database's {theirs:%Y-%m-%d %H:%M} "
            "UTC: put right the one that is wrong; nothing was removed"
        )


def keep_for_grace(connection: sa.Connection, day: date) -> None:
    """Keeps the rows of a day as they are, before they are emptied in the same transaction."""
    connection.execute(sa.text(query("grace_keep")), {"day": day})


def end_grace(database: Database, now: datetime) -> int:
    """Forgets what can be taken back no longer; returns how many rows."""
    with database.engine.begin() as connection:
        statement = sa.text("DELETE FROM retention_grace WHERE removed_at < :before")
        return connection.execute(statement, {"before": now - GRACE}).rowcount


def take_back(database: Database, day: date) -> int:
    """Gives a day its words and names back, and has it computed anew; returns how many rows got something.

    Raises:
        RetentionRefusedError: nothing of the day is kept any more.
    """
    with database.engine.begin() as connection:
        parameters = {"day": day}
        connection.execute(
            sa.text("UPDATE day_state SET sealed = false, expired = false, emptied = 0 WHERE day = :day"), parameters
        )
        rows: int = connection.execute(sa.text(query("grace_take_back")), parameters).scalar_one()
        if not rows:
            raise RetentionRefusedError(
                f"nothing of {day} can be taken back: it was not emptied in the last {GRACE.days} days"
            )
        connection.execute(sa.text("DELETE FROM retention_grace WHERE day = :day"), parameters)
    return rows
