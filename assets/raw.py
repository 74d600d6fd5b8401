"""Raw: the store's own tables as Dagster sees them. Nothing is copied; each day has a version that grows with it."""

from typing import Any

import dagster as dg

from assets.declaration import OWNERS
from assets.partitions import Calendar
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.store import changes


def build_raw(calendar: Calendar) -> list[Any]:
    """The two source tables, observed by day."""
    return [
        _observed("raw_interactions", "Model answers as the store holds them: table `interaction`.", calendar),
        _observed("raw_feedback", "Feedback events as the store holds them: table `feedback`.", calendar),
    ]


def _observed(name: str, description: str, calendar: Calendar) -> Any:
    @dg.observable_source_asset(
        name=name,
        group_name="raw",
        description=description,
        partitions_def=calendar.days,
        metadata={"dagster/table_name": name.removeprefix("raw_").removesuffix("s")},
        tags={"dagster/kind/postgres": "", "owner": OWNERS[0].removeprefix("team:")},
    )
    def observe(pipeline: dg.ResourceParam[Pipeline]) -> dg.DataVersionsByPartition:
        versions = changes.versions(pipeline.database)
        known = {day.isoformat(): str(version) for day, version in versions.items() if day >= calendar.start}
        return dg.DataVersionsByPartition(known)

    return observe
