"""The two jobs of the loop: the days, and the week that sums them up."""

from collections.abc import Iterable
from typing import Any

import dagster as dg

from assets.declaration import Declaration

DAILY = "daily_loop"
WEEKLY = "weekly_loop"
MONTHLY = "monthly_loop"
DAYS_PER_RUN = 366


def loop_jobs(declarations: Iterable[Declaration], executor: dg.ExecutorDefinition) -> list[Any]:
    """`daily_loop` over the day-partitioned assets and `weekly_loop` and `monthly_loop` over the others."""
    every = list(declarations)
    return [
        dg.define_asset_job(
            name,
            selection=[declaration.name for declaration in every if declaration.by == partitioning],
            description=description,
            executor_def=executor,
        )
        for name, partitioning, description in (
            (DAILY, "day", "From the store to cleaned rows and daily counts, for one day or a stretch of days."),
            (WEEKLY, "week", "From a week of days to findings, report, judged quality and training files."),
            (MONTHLY, "month", "The month in one report."),
        )
    ]
