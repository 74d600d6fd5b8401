"""Runs in the foreground: what `feedback materialize` and `feedback demo` do with the same jobs the daemon launches."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import uuid4

import dagster as dg

from feedback_pipeline.calendar import days_of, days_of_month, first_of_month, monday_of
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.store import changes
from jobs.location import build_definitions
from jobs.loops import DAILY, DAYS_PER_RUN, MONTHLY, WEEKLY
from jobs.sensors import bad_partitions, stretch_tags

Report = Callable[[str], None]
"""Takes one line of progress: names of assets and partitions, counts; never text of users."""


@dataclass(frozen=True)
class RunResult:
    """How the foreground runs ended."""

    runs: int
    days: int
    weeks: int
    failed: tuple[str, ...]
    """Partitions that failed, with the run to look at."""


def compute(
    pipeline: Pipeline,
    instance: dg.DagsterInstance,
    *,
    weeks: Sequence[date] | None = None,
    report: Report = lambda line: None,
) -> RunResult:
    """Computes every day that is due, then the weeks and the months they belong to, in order, as far as these ended.

    Args:
        pipeline: settings, store and tables.
        instance: where the runs are recorded.
        weeks: Mondays to compute, and no month; by default the weeks and months whose days were computed now.
        report: takes lines of progress.
    """
    definitions = build_definitions(
        pipeline.settings, {"pipeline": pipeline}, loggers={"console": progress_logger(report)}
    )
    daily, weekly, monthly = (definitions.resolve_job_def(name) for name in (DAILY, WEEKLY, MONTHLY))
    changes.fold(pipeline.database)
    runs, computed, failed = 0, set[date](), list[str]()
    while stretches := changes.stretches(_due(pipeline), DAYS_PER_RUN):
        for stretch in stretches:
            run_key = f"foreground:{uuid4().hex}"
            changes.mark_requested(pipeline.database, stretch, run_key)
            report(f"days {stretch.first} to {stretch.last}")
            tags = stretch_tags(stretch, run_key)
            result = daily.execute_in_process(LOGGING, instance=instance, raise_on_error=False, tags=tags)
            runs += 1
            days = [day.day for day in stretch.days]
            if result.success:
                changes.mark_computed(pipeline.database, stretch.days)
                computed.update(days)
                continue
            blamed = bad_partitions(instance, result.run_id)
            to_blame = [day for day in days if day.isoformat() in blamed]
            changes.mark_failed(pipeline.database, days, f"run {result.run_id} failed", to_blame=to_blame)
    bad_days = changes.failed_days(pipeline.database)
    failed += [f"{day}: {problem}" for day, problem in bad_days.items()]
    wanted = sorted({monday_of(day) for day in computed}) if weeks is None else weeks
    ended = [week for week in wanted if (pipeline.today() - week).days >= 7]
    for week in ended:
        if gate := sorted(set(days_of(week)) & set(bad_days)):
            failed.append(f"week {week}: not computed, because {', '.join(map(str, gate))} failed")
            continue
        report(f"week {week}")
        result = weekly.execute_in_process(
            LOGGING, instance=instance, raise_on_error=False, partition_key=week.isoformat()
        )
        runs += 1
        if not result.success:
            failed.append(f"week {week}: run {result.run_id}")
    first_days = sorted({first_of_month(day) for day in computed}) if weeks is None else []
    for month in [first for first in first_days if days_of_month(first)[-1] < pipeline.today()]:
        report(f"month {month:%Y-%m}")
        result = monthly.execute_in_process(
            LOGGING, instance=instance, raise_on_error=False, partition_key=month.isoformat()
        )
        runs += 1
        if not result.success:
            failed.append(f"month {month:%Y-%m}: run {result.run_id}")
    return RunResult(runs, len(computed), len(ended), tuple(failed))


LOGGING: dict[str, Any] = {"loggers": {"console": {}}}
"""What a run is configured with to report to `progress_logger` alone."""


def _due(pipeline: Pipeline) -> list[changes.DueDay]:
    due = changes.due(pipeline.database, include_requested=True)
    return [day for day in due if pipeline.settings.start <= day.day < pipeline.today()]


def progress_logger(report: Report) -> dg.LoggerDefinition:
    """The logger `console` of a foreground run: a line for each step that ended, and for what failed."""

    class Forward(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            event: Any = getattr(record, "dagster_meta", {}).get("dagster_event")
            if event is not None and event.event_type == dg.DagsterEventType.STEP_SUCCESS:
                seconds = event.step_success_data.duration_ms / 1000
                report(f"  {event.step_key} {seconds:.1f} s")
            elif event is not None and event.is_failure:
                said = getattr(event.event_specific_data, "user_failure_data", None)
                report(f"  {event.step_key or event.job_name} failed{': ' + said.description if said else ''}")

    @dg.logger
    def progress(_: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.Logger("feedback.progress", level=logging.DEBUG)
        logger.addHandler(Forward())
        return logger

    return progress
