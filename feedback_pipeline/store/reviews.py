"""What people decided about feedback that waits for a review, in the store. No text."""

from collections.abc import Sequence
from typing import Literal

import polars as pl

from feedback_pipeline.store import bulk
from feedback_pipeline.store.database import Database
from feedback_pipeline.store.statements import statement

Decision = Literal["accepted", "rejected"]


def read(database: Database) -> pl.DataFrame:
    """Every decision: `feedback_id`, `decision`, `reviewer`, `decided_at`."""
    return bulk.read_day(database, "read_reviews")


def record(database: Database, feedback_ids: Sequence[str], decision: Decision, reviewer: str) -> int:
    """Files one decision about these votes, in place of earlier ones.

    Returns:
        How many of the votes are in the store and have the decision now.
    """
    given = {"feedback": list(feedback_ids), "decision": decision, "reviewer": reviewer}
    with database.engine.begin() as connection:
        return connection.execute(statement("record_review"), given).rowcount
