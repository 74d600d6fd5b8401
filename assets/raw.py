"""Raw: the store's own tables as Dagster sees them. Nothing is copied; each day has a version that grows with it.

Whoever asks for days to be computed reports the versions of exactly these (`observations`): a year of days observed at
each look would fill the event log with what everybody knows.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import dagster as dg

from assets import descriptions
from assets.declaration import OWNERS
from assets.imports import imported_feedback
from assets.keys import key_of
from assets.partitions import Calendar
from feedback_pipeline.settings import Settings
from feedback_pipeline.store.rows import INCOMING_FEEDBACK, INCOMING_INTERACTION
from feedback_pipeline.tables.schema import Table

TABLES: Mapping[str, tuple[str, str, Table]] = {
    "raw_interactions": ("interaction", "Model answers as the store holds them.", INCOMING_INTERACTION),
    "raw_feedback": ("feedback", "Feedback events as the store holds them.", INCOMING_FEEDBACK),
}


def build_raw(calendar: Calendar) -> list[Any]:
    """The two tables that everything is made from, by day."""
    return [
        dg.AssetSpec(
            name,
            deps=[imported_feedback],
            group_name="raw",
            description=f"{described} Filed by the API and by imports; a day's version grows with each change of it.",
            partitions_def=calendar.days,
            kinds={"postgres"},
            owners=OWNERS,
            tags={"feedback/by": "day"},
            metadata={"dagster/table_name": table, "dagster/column_schema": descriptions.columns(rows)},
        )
        for name, (table, described, rows) in TABLES.items()
    ]


def observations(settings: Settings, versions: Iterable[tuple[date, int]]) -> list[dg.AssetObservation]:
    """What Dagster is told of days that changed."""
    return [
        dg.AssetObservation(
            key_of(settings, name),
            partition=day.isoformat(),
            tags={"dagster/data_version": str(version)},
            metadata={"version": version},
        )
        for day, version in versions
        for name in TABLES
    ]
