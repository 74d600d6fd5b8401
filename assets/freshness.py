"""Whether what people look at in the morning is there: yesterday's day, and the report of the week that ended.

"Something was materialised lately" would be green after a late vote on an old day, with yesterday missing.
"""

from datetime import date, timedelta
from typing import Any

import dagster as dg

from assets.descriptions import of_check
from feedback_pipeline.calendar import monday_of
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.store import computed

DAILY = ("clean_interactions", "clean_feedback")
WEEKLY = ("weekly_report",)


def build_freshness() -> list[Any]:
    """A check each of the daily assets that others stand on, and of the report."""
    yesterday = [_check(name, "yesterday_is_there", _yesterday) for name in DAILY]
    week = [_check(name, "last_week_is_there", _last_week) for name in WEEKLY]
    return [*yesterday, *week]


def _yesterday(today: date) -> date:
    return today - timedelta(days=1)


def _last_week(today: date) -> date:
    return monday_of(today) - timedelta(weeks=1)


def _check(asset: str, name: str, wanted: Any) -> Any:
    @dg.asset_check(asset=asset, name=name, description=of_check(name))
    def check(pipeline: dg.ResourceParam[Pipeline]) -> dg.AssetCheckResult:
        partition = wanted(pipeline.today())
        state = computed.state(pipeline.database, asset, partition)
        return dg.AssetCheckResult(
            passed=state is None,
            severity=dg.AssetCheckSeverity.WARN,
            description=state or f"{partition} is there",
            metadata={"partition": str(partition)},
        )

    return check
