"""Days and weeks: the only two partitionings of the pipeline.

A day is a calendar day in the configured zone. A week starts on Monday and its key is that Monday's date; people read
it as an ISO week (`2026-W47`).
"""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import dagster as dg


@dataclass(frozen=True)
class Calendar:
    """The partitions of one code location: their first day (a Monday) and their zone."""

    start: date
    timezone: str

    @cached_property
    def days(self) -> dg.DailyPartitionsDefinition:
        return dg.DailyPartitionsDefinition(start_date=self.start.isoformat(), timezone=self.timezone)

    @cached_property
    def weeks(self) -> dg.WeeklyPartitionsDefinition:
        # day_offset=1: Dagster's weeks start on Sunday unless told
        return dg.WeeklyPartitionsDefinition(start_date=self.start.isoformat(), timezone=self.timezone, day_offset=1)

    @cached_property
    def months(self) -> dg.MonthlyPartitionsDefinition:
        return dg.MonthlyPartitionsDefinition(start_date=self.start.replace(day=1).isoformat(), timezone=self.timezone)


def monday(day: date) -> date:
    """The Monday of a day's week."""
    return day - timedelta(days=day.weekday())


def days_of(week: date) -> list[date]:
    """The seven days of the week that starts on this Monday."""
    return [week + timedelta(days=offset) for offset in range(7)]


def window(week: date, weeks: int) -> list[date]:
    """The days of the `weeks` weeks that end with this one."""
    first = week - timedelta(weeks=weeks - 1)
    return [first + timedelta(days=offset) for offset in range(7 * weeks)]


def days_of_month(first: date) -> list[date]:
    """The days of the month that starts on this day."""
    following = (first + timedelta(days=31)).replace(day=1)
    return [first + timedelta(days=offset) for offset in range((following - first).days)]


def label(week: date) -> str:
    """The ISO week people read, such as `2026-W47`."""
    year, number, _ = week.isocalendar()
    return f"{year}-W{number:02d}"
