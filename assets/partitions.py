"""Days, weeks and months: the partitionings of the pipeline, in the configured zone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import dagster as dg

from feedback_pipeline.calendar import days_between, first_of_month

DAYS = "feedback/days"
"""Tag of a run over some days of its stretch alone: `2026-09-07,2026-09-10/2026-09-12`."""


def days_tag(stretches: Sequence[tuple[date, date]]) -> str:
    """The value of the tag, from the first and last day of each stretch."""
    return ",".join(f"{first}" if first == last else f"{first}/{last}" for first, last in stretches)


def named_days(tags: Mapping[str, str]) -> list[date] | None:
    """The days that a run's tag names; None where it has none."""
    if DAYS not in tags:
        return None
    stretches = [one.split("/") for one in tags[DAYS].split(",")]
    return [day for ends in stretches for day in days_between(*(date.fromisoformat(ends[at]) for at in (0, -1)))]


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
        return dg.MonthlyPartitionsDefinition(start_date=first_of_month(self.start).isoformat(), timezone=self.timezone)
