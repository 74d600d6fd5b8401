"""Revision numbers of weekly results: a report that changes after its week closed says so."""

from datetime import date, datetime

import sqlalchemy as sa

from feedback_pipeline.store.database import Database

_REVISE = sa.text(
    """
    INSERT INTO week_state (week, revision, content_hash) VALUES (:week, 0, :content_hash)
    ON CONFLICT (week) DO UPDATE
    SET revision = week_state.revision + CASE
            WHEN :closed AND week_state.content_hash IS NOT NULL
                AND week_state.content_hash <> excluded.content_hash THEN 1 ELSE 0 END,
        content_hash = excluded.content_hash
    RETURNING revision
    """
)


def revise(database: Database, week: date, content_hash: str, *, closed: bool) -> int:
    """The revision of a week's report: raised when its content changes after the week closed, else as it was.

    Args:
        database: the store.
        week: its Monday.
        content_hash: of everything the report says, revision apart.
        closed: whether the week is closed.
    """
    with database.engine.begin() as connection:
        parameters = {"week": week, "content_hash": content_hash, "closed": closed}
        return int(connection.execute(_REVISE, parameters).scalar_one())


def last_change(database: Database, days: list[date]) -> datetime | None:
    """When the newest change to any of these days was noticed (UTC)."""
    with database.engine.connect() as connection:
        changed: datetime | None = connection.execute(
            sa.text("SELECT max(changed_at) FROM day_state WHERE day = ANY (:days)"), {"days": days}
        ).scalar()
    return changed
