"""The feedback events of some days that are about no single answer, with their verdicts."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from feedback_pipeline.cleaning.verdicts import VerdictPolicy, add_verdicts
from feedback_pipeline.store import bulk
from feedback_pipeline.store.database import Database


def subject_events(
    database: Database, days: Sequence[date], policy: VerdictPolicy, tenant: str | None = None
) -> pl.DataFrame:
    """`Sources.subjects` of days that follow each other: of one tenant, or of all that allow analyses."""
    events = bulk.read_day(database, "read_subject_events", days[0], days[-1])
    if tenant is not None:
        events = events.filter(pl.col("tenant") == tenant)
    return add_verdicts(events, policy)
