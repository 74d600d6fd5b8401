"""The heartbeat: the day that ended, every night; the week that ended, on Monday morning."""

from typing import Any

import dagster as dg

from jobs.loops import DAILY, MONTHLY, WEEKLY

DAILY_HOUR = 1
WEEKLY_HOUR = 9


def loop_schedules(jobs: dict[str, Any], status: dg.DefaultScheduleStatus) -> list[Any]:
    """A nightly schedule of `daily_loop` and a Monday 09:00 one of `weekly_loop`, in the partitions' zone."""
    return [
        dg.build_schedule_from_partitioned_job(
            jobs[DAILY],
            name="every_day",
            description="Computes the day that ended.",
            hour_of_day=DAILY_HOUR,
            minute_of_hour=15,
            default_status=status,
        ),
        dg.build_schedule_from_partitioned_job(
            jobs[WEEKLY],
            name="every_monday",
            description="Computes the week that ended: the report people read on Monday.",
            hour_of_day=WEEKLY_HOUR,
            minute_of_hour=0,
            day_of_week=1,
            default_status=status,
        ),
        dg.build_schedule_from_partitioned_job(
            jobs[MONTHLY],
            name="every_month",
            description="Reports on the month that ended.",
            hour_of_day=WEEKLY_HOUR,
            minute_of_hour=0,
            default_status=status,
        ),
    ]
