"""People's audit of random answers in the store: which answers, and who said what. No text."""

from datetime import date

import polars as pl
import sqlalchemy as sa

from feedback_pipeline.store import bulk
from feedback_pipeline.store.database import Database
from feedback_pipeline.store.statements import query

_ADD_LABEL = sa.text(
    """
    INSERT INTO audit_label (interaction_id, criterion, auditor, verdict)
    VALUES (:interaction_id, :criterion, :auditor, :verdict)
    ON CONFLICT DO NOTHING
    """
)


def keep_items(database: Database, week: date, items: pl.DataFrame) -> bool:
    """Files the answers drawn for a week's audit; a week is drawn once.

    Args:
        database: the store.
        week: its Monday.
        items: `interaction_id`, `day`, `stratum`, `place`, `inclusion_probability`.

    Returns:
        Whether they were filed; False where the week had been drawn before.
    """
    with bulk.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE audit_item IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute("SELECT EXISTS (SELECT FROM audit_item WHERE week = $1)", (week,))
        if cursor.fetchone()[0] or items.is_empty():
            return False
        bulk.stage(cursor, "stage_audit_item", items)
        cursor.execute(query("insert_audit_items"), (week,))
    return True


def read_items(database: Database) -> pl.DataFrame:
    """Every answer ever drawn: `interaction_id`, `week`, `day`, `stratum`, `place`, `inclusion_probability`."""
    return bulk.read_day(database, "read_audit_items")


def read_labels(database: Database) -> pl.DataFrame:
    """Everything people said: `interaction_id`, `week`, `criterion`, `voter` (the auditor), `verdict`."""
    return bulk.read_day(database, "read_audit_labels")


def add_label(database: Database, interaction_id: str, criterion: str, auditor: str, verdict: str) -> bool:
    """Files one verdict; False where this person had given one already, which stays."""
    given = {"interaction_id": interaction_id, "criterion": criterion, "auditor": auditor, "verdict": verdict}
    with database.engine.begin() as connection:
        return connection.execute(_ADD_LABEL, given).rowcount == 1
