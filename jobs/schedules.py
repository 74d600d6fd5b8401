"""The heartbeat: the day that ended, every night; the week that ended, on Monday morning; the month that ended.

The sensors compute what changed; these are the net below them. They ask for what is due and skip what is current.
"""

from datetime import timedelta
from typing import Any

import dagster as dg

from feedback_pipeline.calendar import first_of_month, month_before
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.store import changes, periods
from feedback_pipeline.store.changes import AT_ONCE
from jobs.loops import DAILY, MONTHLY, WEEKLY
from jobs.requests import request_days, request_periods

DAILY_AT = "15 1 * * *"
WEEKLY_AT = "0 9 * * 1"
MONTHLY_AT = "0 9 1 * *"


def loop_schedules(jobs: dict[str, Any], timezone: str, status: dg.DefaultScheduleStatus) -> list[Any]:
    """One every night, one on Monday at 9, one on the first of a month at 9, in the partitions' zone."""

    @dg.schedule(
        job=jobs[DAILY], cron_schedule=DAILY_AT, execution_timezone=timezone, default_status=status, name="every_day",
        description="Computes the day that ended, even where nothing was said on it, and whatever else waits.",
    )  # fmt: skip
    def every_day(context: dg.ScheduleEvaluationContext, pipeline: dg.ResourceParam[Pipeline]) -> Any:
        yesterday = pipeline.today() - timedelta(days=1)
        if yesterday >= pipeline.settings.start:
            changes.expect(pipeline.database, yesterday)
        changes.fold(pipeline.database)
        return request_days(pipeline, AT_ONCE) or dg.SkipReason("every day is computed")

    @dg.schedule(
        job=jobs[WEEKLY], cron_schedule=WEEKLY_AT, execution_timezone=timezone, default_status=status,
        name="every_monday", description="Computes the week that ended, where it is not: the report people read on "
        "Monday.",
    )  # fmt: skip
    def every_monday(context: dg.ScheduleEvaluationContext, pipeline: dg.ResourceParam[Pipeline]) -> Any:
        monday = pipeline.today() - timedelta(days=pipeline.today().weekday() + 7)
        return _periods(pipeline, "week", monday)

    @dg.schedule(
        job=jobs[MONTHLY], cron_schedule=MONTHLY_AT, execution_timezone=timezone, default_status=status,
        name="every_month", description="Reports on the month that ended, where that is not done.",
    )  # fmt: skip
    def every_month(context: dg.ScheduleEvaluationContext, pipeline: dg.ResourceParam[Pipeline]) -> Any:
        first = month_before(first_of_month(pipeline.today()))
        return _periods(pipeline, "month", first)

    return [every_day, every_monday, every_month]


def import_schedule(job: Any, timezone: str, status: dg.DefaultScheduleStatus) -> Any:
    """Every hour, where there is something to import from."""

    @dg.schedule(
        job=job, cron_schedule="5 * * * *", execution_timezone=timezone, default_status=status, name="every_hour",
        description="Imports what is new in the sources of sources.yaml, where there is one.",
    )  # fmt: skip
    def every_hour(context: dg.ScheduleEvaluationContext, pipeline: dg.ResourceParam[Pipeline]) -> Any:
        file = pipeline.settings.sources_file
        return dg.RunRequest() if file.exists() else dg.SkipReason(f"{file} is not there")

    return every_hour


def freshness_schedule(job: Any, timezone: str, status: dg.DefaultScheduleStatus) -> Any:
    """Every morning, before people come."""
    return dg.ScheduleDefinition(
        job=job, name="every_morning", cron_schedule="30 6 * * *", execution_timezone=timezone, default_status=status,
        description="Looks whether the day and the week that ended are there.",
    )  # fmt: skip


def _periods(pipeline: Pipeline, period: str, newest: Any) -> Any:
    if newest >= pipeline.settings.start.replace(day=1 if period == "month" else pipeline.settings.start.day):
        periods.expect(pipeline.database, period, newest)
    requests = request_periods(pipeline, AT_ONCE, only=period)
    return requests or dg.SkipReason(f"every {period} that ended is computed")
