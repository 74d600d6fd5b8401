"""What `feedback materialize` and `feedback demo` compute in the foreground, with the same jobs the daemon launches."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import dagster as dg

from assets import raw
from assets.events import together
from feedback_pipeline.calendar import days_of, days_of_month
from feedback_pipeline.loading import uncollected
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.store import changes, computed, periods
from feedback_pipeline.store.faults import machine_fault
from jobs import foreground
from jobs.foreground import LOGGING as LOGGING
from jobs.location import build_definitions
from jobs.loops import DAILY, DAYS_PER_RUN, MONTHLY, WEEKLY
from jobs.requests import batch_tags, fault_of, named_by, settle_requests
from jobs.stages import loops_of_assets

Report = Callable[[str], None]
"""Takes one line of progress: names of assets and partitions, counts; never text of users."""


@dataclass(frozen=True)
class RunResult:
    """How the foreground runs ended: what was computed, and nothing else, is counted.

    Attributes:
        failed: partitions that failed, with the run to look at.
        interrupted: a person stopped it; what is left waits for the next time.
        left: days, weeks and months that wait since it was stopped.
    """

    runs: int
    days: int
    weeks: int
    failed: tuple[str, ...]
    months: int = 0
    interrupted: bool = False
    left: int = 0


class _MachineFaultError(Exception):
    """The disk, the memory, the database or the bucket: nothing can be computed now."""


@dataclass
class _Progress:
    runs: int = 0
    days: set[date] = field(default_factory=set)
    weeks: int = 0
    months: int = 0
    failed: list[str] = field(default_factory=list)


def compute(
    pipeline: Pipeline,
    instance: dg.DagsterInstance,
    *,
    weeks: Sequence[date] | None = None,
    months: Sequence[date] | None = None,
    within: tuple[date, date] | None = None,
    report: Report = lambda line: None,
) -> RunResult:
    """Computes every day that is due, then the weeks and months that are, in order, as far as these ended.

    What failed before is tried again, and what was lost is made again: a person asks. A day, week or month that a run
    left unfinished is still due, so that the next call goes on where the last one was stopped or killed.

    Args:
        pipeline: settings, store and tables.
        instance: where the runs are recorded.
        weeks: Mondays to compute, whether they are due or not, and no other week or month.
        months: firsts of months to compute beside them.
        within: first and last day; what is due outside of them goes on waiting.
        report: takes lines of progress.
    """
    done = _Progress()

    def work() -> None:
        with foreground.command(pipeline.database) as token:
            _Foreground(pipeline, instance, report, token, done, within).run(weeks, months)

    interrupted = False
    try:
        foreground.interruptible(work, report)
    except foreground.InterruptedRunError:
        interrupted = True
    except Exception as error:
        fault = machine_fault(error)
        if fault is None:
            raise
        done.failed.append(f"{fault}: what is left waits for the next feedback materialize")
    left = _waiting(pipeline) if interrupted else 0
    failed = tuple(done.failed)
    return RunResult(done.runs, len(done.days), done.weeks, failed, done.months, interrupted, left)


@dataclass(frozen=True)
class _Foreground:
    pipeline: Pipeline
    instance: dg.DagsterInstance
    report: Report
    token: str
    done: _Progress
    within: tuple[date, date] | None = None

    def run(self, weeks: Sequence[date] | None, months: Sequence[date] | None) -> None:
        pipeline, database = self.pipeline, self.pipeline.database
        foreground.settle_orphans(self.instance, database, _of(pipeline))
        settle_requests(self.instance, pipeline)
        # a command computes in its own process, whatever executor the daemon's runs have
        here = replace(pipeline.settings, executor="in_process")
        with uncollected():  # they live as long as the command
            loggers = {"console": progress_logger(self.report)}
            definitions = build_definitions(here, {"pipeline": pipeline}, loggers=loggers)
            jobs = {name: definitions.resolve_job_def(name) for name in (DAILY, WEEKLY, MONTHLY)}
        self._find_lost()
        try:
            self._days(jobs[DAILY])
        except _MachineFaultError:
            return  # everything else would fail as well, and is tried again the next time
        bad_days = changes.failed_days(database)
        self.done.failed += [f"{day}: {problem}" for day, problem in bad_days.items()]
        if weeks is None and months is None:
            periods.close(database, pipeline.today(), pipeline.settings.lateness_days)
            due = self._due_periods()
            self._weeks(jobs[WEEKLY], [one.first for one in due if one.period == "week"], bad_days)
            self._months(jobs[MONTHLY], [one.first for one in self._due_periods() if one.period == "month"], bad_days)
            return
        self._weeks(jobs[WEEKLY], [week for week in weeks or () if self._ended("week", week)], bad_days)
        self._months(jobs[MONTHLY], [first for first in months or () if self._ended("month", first)], bad_days)

    def _find_lost(self) -> None:
        database, settings = self.pipeline.database, self.pipeline.settings
        lost = computed.absent(database, self.pipeline.frames)
        if lost:
            self.report(computed.described(lost))
            computed.heal(database, lost, loops_of_assets(), settings.start)

    def _days(self, job: dg.JobDefinition) -> None:
        database = self.pipeline.database
        changes.fold(database)
        tried: dict[date, int] = {}
        while batches := changes.batches(self._due_days(tried), DAYS_PER_RUN):
            for number, batch in enumerate(batches, 1):
                tried |= {day.day: day.version for day in batch.days}
                run_key = f"{self.token}:{batch.first}:{number}"
                changes.mark_requested(database, batch, run_key)
                of = f" ({number} of {len(batches)})" if len(batches) > 1 else ""
                self.report(f"{_named(batch)}{of}")
                versions = [(day.day, day.version) for day in batch.days]
                with together(self.instance):
                    for observation in raw.observations(self.pipeline.settings, versions):
                        self.instance.report_runless_asset_event(observation)
                run = self._execute(job, batch_tags(batch, run_key))
                if (fault := fault_of(self.instance, run.run_id)) is not None:
                    changes.take_back(database, run_key)
                    self.done.failed.append(f"{_named(batch)}: {fault} (run {run.run_id})")
                    raise _MachineFaultError
                behind = {day.day for day in changes.due(database, include_requested=True, given_up=True)}
                self.done.days |= {day.day for day in batch.days} - behind
                if not run.is_success and not named_by(self.instance, run.run_id):
                    # no day is to blame: the run never came so far
                    self.done.failed.append(f"{_named(batch)}: run {run.run_id} failed")
                changes.take_back(database, run_key)

    def _weeks(self, job: dg.JobDefinition, weeks: Sequence[date], bad_days: Iterable[date]) -> None:
        for number, week in enumerate(weeks, 1):
            label = f"week {week}"
            self.done.weeks += self._period(job, week, label, days_of(week), bad_days, f" ({number} of {len(weeks)})")

    def _months(self, job: dg.JobDefinition, months: Sequence[date], bad_days: Iterable[date]) -> None:
        for first in months:
            self.done.months += self._period(job, first, f"month {first:%Y-%m}", days_of_month(first), bad_days, "")

    def _period(
        self, job: dg.JobDefinition, first: date, label: str, days: Sequence[date], bad_days: Iterable[date], of: str
    ) -> bool:
        if gate := sorted(set(days) & set(bad_days)):
            self.done.failed.append(f"{label}: not computed, because {', '.join(map(str, gate))} failed")
            return False
        self.report(f"{label}{of}")
        run = self._execute(job, {"dagster/partition": first.isoformat()})
        if not run.is_success:
            self.done.failed.append(f"{label}: run {run.run_id}")
        return run.is_success

    def _execute(self, job: dg.JobDefinition, tags: dict[str, str]) -> dg.DagsterRun:
        self.done.runs += 1
        return foreground.execute(job, self.instance, tags, self.token, _of(self.pipeline))

    def _due_days(self, tried: dict[date, int]) -> list[changes.DueDay]:
        due = changes.due(self.pipeline.database, include_requested=True, given_up=True)
        first, last = self.within or (self.pipeline.settings.start, self.pipeline.today())
        first, last = max(first, self.pipeline.settings.start), min(last, self.pipeline.today() - timedelta(days=1))
        return [day for day in due if first <= day.day <= last and tried.get(day.day) != day.version]

    def _due_periods(self) -> list[periods.DuePeriod]:
        return due_periods(self.pipeline)

    def _ended(self, period: str, first: date) -> bool:
        return periods.last_day(period, first) < self.pipeline.today()


def _named(batch: changes.DueBatch) -> str:
    """A batch of days in a line of progress."""
    of = f"{len(batch.days)} of the days" if len(batch.stretches) > 1 else "days"
    return f"{of} {batch.first} to {batch.last}"


def _of(pipeline: Pipeline) -> str:
    return "/".join(pipeline.settings.asset_prefix)


def due_periods(pipeline: Pipeline) -> list[periods.DuePeriod]:
    """Weeks and months that a person's command computes now."""
    start = pipeline.settings.start
    due = periods.due(pipeline.database, today=pipeline.today(), start=start, requested_too=True, given_up=True)
    return [one for one in due if one.first >= start - timedelta(days=31 if one.period == "month" else 0)]


def _waiting(pipeline: Pipeline) -> int:
    days = changes.due(pipeline.database, include_requested=True, given_up=True)
    return len([day for day in days if pipeline.settings.start <= day.day < pipeline.today()]) + len(
        due_periods(pipeline)
    )


def progress_logger(report: Report) -> dg.LoggerDefinition:
    """The logger `console` of a foreground run: a line for each step that ended, and for what failed."""

    class Forward(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            event: Any = getattr(record, "dagster_meta", {}).get("dagster_event")
            if event is not None and event.event_type == dg.DagsterEventType.STEP_SUCCESS:
                seconds = event.step_success_data.duration_ms / 1000
                report(f"  {event.step_key} {seconds:.1f} s")
            elif event is not None and event.event_type == dg.DagsterEventType.STEP_FAILURE:
                said = getattr(event.event_specific_data, "user_failure_data", None)
                report(f"  {event.step_key} failed{': ' + said.description if said else ''}")

    @dg.logger
    def progress(_: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.Logger("feedback.progress", level=logging.DEBUG)
        logger.addHandler(Forward())
        return logger

    return progress
