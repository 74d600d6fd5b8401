"""The two jobs of the loop: the days, and the week that sums them up."""

from collections.abc import Iterable, Sequence
from typing import Any

import dagster as dg

from assets.declaration import Declaration
from assets.freshness import DAILY as DAILY_ASSETS
from assets.freshness import WEEKLY as WEEKLY_ASSETS
from assets.keys import key_of
from feedback_pipeline.settings import Settings
from jobs.executors import WITH_THE_RUN
from jobs.side_by_side import executor_for

DAILY = "daily_loop"
WEEKLY = "weekly_loop"
MONTHLY = "monthly_loop"
IMPORT = "import_sources"
FRESHNESS = "freshness_checks"
DAYS_PER_RUN = 366


def loop_jobs(declarations: Iterable[Declaration], executor: dg.ExecutorDefinition, settings: Settings) -> list[Any]:
    """`daily_loop` over the day-partitioned assets and `weekly_loop` and `monthly_loop` over the others."""
    every = list(declarations)
    return [
        dg.define_asset_job(
            name,
            selection=_selected(settings, [each.name for each in every if each.by == partitioning]),
            description=description,
            # days of a stretch are computed side by side within a step; of weeks and months there is one a run
            executor_def=executor if partitioning == "day" else executor_for(executor),
        )
        for name, partitioning, description in (
            (DAILY, "day", "From the store to cleaned rows and daily counts, for one day or a stretch of days."),
            (WEEKLY, "week", "From a week of days to findings, report, judged quality and training files."),
            (MONTHLY, "month", "The month in one report."),
        )
    ]


def _selected(settings: Settings, names: Sequence[str]) -> dg.AssetSelection:
    """Assets with their checks; without those of freshness where each step has a process or a worker of its own, which
    takes seconds to start for one query: the job of the morning looks at these."""
    assets: dg.AssetSelection = dg.AssetSelection.assets(*(key_of(settings, name) for name in names))
    if settings.executor == "in_process":
        return assets
    return assets - dg.AssetSelection.checks(*_freshness_checks(settings))


def _freshness_checks(settings: Settings) -> list[dg.AssetCheckKey]:
    checks = [dg.AssetCheckKey(key_of(settings, asset), "yesterday_is_there") for asset in DAILY_ASSETS]
    return checks + [dg.AssetCheckKey(key_of(settings, asset), "last_week_is_there") for asset in WEEKLY_ASSETS]


def import_job(settings: Settings) -> Any:
    """Brings the sources of sources.yaml in."""
    return dg.define_asset_job(
        IMPORT, selection=[key_of(settings, "imported_feedback")],
        description="Imports what is new in the sources of sources.yaml.",
        executor_def=WITH_THE_RUN,
    )  # fmt: skip


def freshness_job(executor: dg.ExecutorDefinition, settings: Settings) -> Any:
    """Looks whether yesterday and last week are there."""
    return dg.define_asset_job(
        FRESHNESS, selection=dg.AssetSelection.checks(*_freshness_checks(settings)), executor_def=executor,
        description="Looks whether the day and the week that ended are there.",
    )  # fmt: skip
