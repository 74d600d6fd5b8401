"""How long what is kept: one table of policies, and the functions that apply them.

A day past the retention of raw text is sealed: its words are removed from the store, what was made of them stays, and
from then on the day can only shrink. A day past the retention of cleaned rows expires: its rows are removed, what is
left in the store names nobody, and its counts stay as they were for ever.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from upath import UPath

from feedback_pipeline.erasure import exports, leftovers, retention_limits
from feedback_pipeline.erasure.register import Period, folders
from feedback_pipeline.store import changes, computed
from feedback_pipeline.store.database import Database
from feedback_pipeline.store.statements import query
from feedback_pipeline.tables.parquet import ParquetFolder, names_in, remove

CLEANED_DAYS = 396
"""Thirteen months: a month can be compared with the same month a year before."""


@dataclass(frozen=True)
class Policy:
    """How long one kind of data is kept.

    Attributes:
        data: what it is, in words.
        days: for how many days after its own day or week; None for ever.
        held_in: where it is.
        removed: what then happens to it.
    """

    data: str
    days: int | None
    held_in: tuple[str, ...]
    removed: str


def policies(raw_text_days: int, cleaned_days: int = CLEANED_DAYS) -> tuple[Policy, ...]:
    """The policies in force.

    Args:
        raw_text_days: `Settings.raw_text_days`.
        cleaned_days: days for which cleaned rows are kept.
    """
    rows = (*folders("day"), *folders("week"), *folders("month"))
    return (
        Policy(
            "raw text: prompts, answers, comments, corrections as stored",
            raw_text_days,
            ("interaction", "feedback"),
            "emptied; the day is sealed",
        ),
        Policy("refused deliveries", raw_text_days, ("refusal", "rejects"), "emptied; the count and the reason stay"),
        Policy(
            "cleaned rows, training data, reports that quote people",
            cleaned_days,
            rows,
            "deleted",
        ),
        Policy(
            "exports: files made through the API or by `feedback export` in our folders",
            raw_text_days,
            ("export_file", "exports"),
            "deleted; copies elsewhere are the exporter's",
        ),
        Policy("replies of judging models", cleaned_days, ("judge_reply",), "deleted"),
        Policy("who voted", cleaned_days, ("interaction", "feedback", "person_seen"), "names removed"),
        Policy("counts, findings, rollups", None, ("slice_counts", "term_counts", "vote_day"), "kept for ever"),
    )


@dataclass(frozen=True)
class Applied:
    """What one application removed."""

    sealed: int
    """Days newly sealed."""
    emptied: int
    """Rows of the store whose texts were removed."""
    reject_files: int
    expired: int
    """Days newly expired."""
    unnamed: int
    """Rows of the store whose names were removed."""
    files: int
    """Files of cleaned rows, training data and reports deleted."""
    replies: int
    """Replies of judging models deleted."""
    exports: int
    """Exported files deleted."""
    leftovers: int
    """Temporary files that a crash had left."""


def apply(
    database: Database,
    frames: ParquetFolder,
    home: Path,
    in_force: Sequence[Policy],
    now: datetime,
    today: date,
    report: Callable[[str], None] = lambda line: None,
    limits: retention_limits.Limits | None = None,
) -> Applied:
    """Applies the policies; applying them again changes nothing. A day that is not computed yet waits until it is.

    Args:
        database: the store.
        frames: the tables.
        home: where the reject files are.
        in_force: from `policies`.
        now: the time (UTC).
        today: the day in the configured zone.
        report: takes a line of progress.
        limits: what this run may remove at most; None where a person has said that more is meant.

    Raises:
        RetentionRefusedError: more would go than the limits allow; nothing was removed.
    """
    if limits is not None:
        retention_limits.hold_to(limits, planned(database, in_force, today))
    ends = {place: policy.days for policy in in_force for place in policy.held_in if policy.days is not None}
    raw_before, cleaned_before = (
        today - timedelta(days=ends["refusal"]), today - timedelta(days=ends["clean_feedback"])
    )  # fmt: skip
    sealed = changes.seal_days(database, raw_before)
    days = _days(database, "SELECT day FROM day_state WHERE sealed AND emptied < version ORDER BY day")
    emptied = sum(_emptied(database, day, report) for day in days)
    rejects = _old_files(home / "rejects", now - timedelta(days=ends["rejects"]))
    expiring = _days(
        database,
        "SELECT day FROM day_state WHERE day < :before AND sealed AND computed >= version AND NOT expired ORDER BY day",
        before=cleaned_before,
    )
    unnamed = sum(_expired(database, day) for day in expiring)
    replies = _old_replies(database, now - timedelta(days=ends["judge_reply"]))
    files = _old_partitions(database, frames, cleaned_before)
    exported = exports.remove_older(database, frames.root, home, now - timedelta(days=ends["exports"])).files
    swept = leftovers.sweep(frames.root, home, now)
    retention_limits.end_grace(database, datetime.now(UTC))
    return Applied(sealed, emptied, rejects, len(expiring), unnamed, files, replies, exported, swept)


def planned(database: Database, in_force: Sequence[Policy], today: date) -> retention_limits.Plan:
    """What applying the policies would remove from the store."""
    ends = {place: policy.days for policy in in_force for place in policy.held_in if policy.days is not None}
    raw_before, cleaned_before = (today - timedelta(days=ends[place]) for place in ("refusal", "clean_feedback"))
    return retention_limits.plan(database, raw_before, cleaned_before)


def _days(database: Database, statement: str, **parameters: object) -> list[date]:
    with database.engine.connect() as connection:
        return list(connection.execute(sa.text(statement), parameters).scalars())


def _emptied(database: Database, day: date, report: Callable[[str], None]) -> int:
    """Removes a sealed day's words from the store. Nothing is computed from them any more, so the day is not due."""
    parameters: Mapping[str, object] = {"day": day}
    with database.engine.begin() as connection:
        retention_limits.keep_for_grace(connection, day)
        rows = sum(
            connection.execute(sa.text(query(f"empty_{table}")), parameters).rowcount
            for table in ("interactions", "feedback")
        )
        connection.execute(sa.text("DELETE FROM change WHERE txid = pg_current_xact_id()"))
        # what was refused has a copy in `quarantined_feedback`, which is computed anew without it
        rows += connection.execute(sa.text(query("empty_refusals")), parameters).rowcount
        connection.execute(sa.text("UPDATE day_state SET emptied = version WHERE day = :day"), parameters)
    if rows:
        report(f"{day}: {rows} rows emptied")
    return rows


def _expired(database: Database, day: date) -> int:
    """Removes the names from a day's rows and keeps its counts for ever."""
    parameters: Mapping[str, object] = {"day": day}
    with database.engine.begin() as connection:
        retention_limits.keep_for_grace(connection, day)
        connection.execute(sa.text("UPDATE day_state SET expired = true WHERE day = :day"), parameters)
        rows = sum(
            connection.execute(sa.text(query(f"unname_{table}")), parameters).rowcount
            for table in ("interactions", "feedback")
        )
        connection.execute(sa.text("DELETE FROM person_seen WHERE day <= :day"), parameters)
        connection.execute(sa.text("DELETE FROM change WHERE txid = pg_current_xact_id()"))
    return rows


def _old_replies(database: Database, before: datetime) -> int:
    """Deletes what judging models replied: their reasons may repeat what they were shown."""
    with database.engine.begin() as connection:
        statement = sa.text("DELETE FROM judge_reply WHERE replied_at < :before")
        return connection.execute(statement, {"before": before}).rowcount


def _old_partitions(database: Database, frames: ParquetFolder, before: date) -> int:
    """Deletes the files of days before a date, and those of weeks and months that ended before it."""
    # a week or month has had its time when its last day has
    ends: dict[Period, timedelta] = {"day": timedelta(0), "week": timedelta(days=6), "month": timedelta(days=30)}
    removed = 0
    for period, length in ends.items():
        computed.forget(database, list(folders(period)), before - length)
        for folder in folders(period):
            removed += _delete_older(frames.root / folder, before - length)
    return removed


def _delete_older(folder: UPath, before: date) -> int:
    removed = 0
    for name in names_in(folder):
        try:
            own = date.fromisoformat(name[:10])
        except ValueError:
            continue
        if own < before:
            removed += remove(folder / name)
    return removed


def _old_files(folder: Path, before: datetime) -> int:
    """Deletes reject files that nobody wrote to since."""
    old = [path for path in folder.glob("*.jsonl") if path.stat().st_mtime < before.timestamp()]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)
