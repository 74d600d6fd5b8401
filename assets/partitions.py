"""Days, weeks and months: the partitionings of the pipeline, in the configured zone."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import dagster as dg

from feedback_pipeline.calendar import first_of_month


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
