"""What the daemon asks for: runs of days, weeks and months that are due, each asked for once, and taken back when the
run never came or died."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any
from uuid import uuid4

import dagster as dg
from dagster import AssetCheckEvaluation, DagsterRunStatus
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster_shared.error import SerializableErrorInfo

from assets.faults import TRIED_AGAIN
from assets.partitions import DAYS, days_tag, named_days
from feedback_pipeline.calendar import days_between
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.store import changes, computed, periods
from feedback_pipeline.store.changes import Patience
from jobs.loops import DAYS_PER_RUN, MONTHLY, WEEKLY

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
RUN_KEY = "feedback/run_key"
LOOP = "feedback/loop"
"""Tag by which the instance keeps weekly runs from overtaking each other (jobs/dagster.yaml)."""

DAGSTERS_STORAGE = "DagsterPostgresException"
"""What Dagster raises after some seconds without its storage."""
LOST_AFTER = 120.0
"""Seconds after which a request whose run is not there was never launched: the daemon died in between."""
WEEK_PATIENCE = 6
"""A week is waited for so many times as long as a day: it costs more, and each late vote of a trickle wakes it."""

_FAILED = {DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED}


def patience(pipeline: Pipeline, times: int = 1) -> Patience:
    """How long changes are left to settle."""
    settings = pipeline.settings
    return Patience(float(settings.quiet_seconds), float(settings.longest_wait_seconds * times))


def request_days(pipeline: Pipeline, waiting: Patience) -> list[dg.RunRequest]:
    """Runs for the days that are due and that nobody asked for yet."""
    database, today = pipeline.database, pipeline.today()
    due = [day for day in changes.due(database, patience=waiting) if pipeline.settings.start <= day.day < today]
    requests = []
    for batch in changes.batches(due, DAYS_PER_RUN):
        # whoever claims the days asks for them: a key that Dagster has seen would be dropped for ever
        run_key = f"{batch.first}:{uuid4().hex[:8]}"
        if changes.claim(database, batch, run_key):
            requests.append(dg.RunRequest(run_key=run_key, tags=batch_tags(batch, run_key)))
    return requests


def request_periods(pipeline: Pipeline, waiting: Patience, only: str | None = None) -> list[dg.RunRequest]:
    """A run for each week and month that is due, whose days are settled, and that nobody asked for yet.

    Args:
        pipeline: settings and store.
        waiting: how long changes are left to settle.
        only: `week` or `month`; both by default.
    """
    database, start = pipeline.database, pipeline.settings.start
    periods.close(database, pipeline.today(), pipeline.settings.lateness_days)
    requests = []
    for one in periods.due(database, today=pipeline.today(), start=start, patience=waiting):
        if only not in (None, one.period):
            continue
        run_key = f"{one.period}:{one.first}:{uuid4().hex[:8]}"
        if one.failed_days or not periods.claim(database, one, run_key):
            continue
        job = WEEKLY if one.period == "week" else MONTHLY
        tags = {RUN_KEY: run_key, LOOP: one.period}
        requests.append(dg.RunRequest(run_key=run_key, job_name=job, partition_key=one.first.isoformat(), tags=tags))
    return requests


def versions_of(pipeline: Pipeline, tags: Mapping[str, str]) -> list[tuple[date, int]]:
    """The days that a run is asked for, and the version of each."""
    days = named_days(tags)
    if days is None:
        single = tags.get("dagster/partition")
        first, last = (date.fromisoformat(tags.get(name) or str(single)) for name in (RANGE_START, RANGE_END))
        days = days_between(first, last)
    return list(computed.versions(pipeline.database, "day", days).items())


def batch_tags(batch: changes.DueBatch, run_key: str) -> dict[str, str]:
    """The tags that make a run of `daily_loop` compute a batch of days.

    Dagster knows one day or one stretch. Which days of a stretch are meant, where it is not all, says a tag of our own.
    """
    tags = {RUN_KEY: run_key}
    if len(batch.days) == 1:
        return {**tags, "dagster/partition": batch.first.isoformat()}
    tags |= {RANGE_START: batch.first.isoformat(), RANGE_END: batch.last.isoformat()}
    return tags if len(batch.stretches) == 1 else {**tags, DAYS: days_tag(batch.stretches)}


def settle_requests(instance: dg.DagsterInstance, pipeline: Pipeline) -> None:
    """Looks at how the runs asked for ended. What they computed they filed themselves; the rest is due again."""
    database = pipeline.database
    for run_key in changes.run_of_requests(database):
        ended, fault = _ended(instance, run_key, changes.request_age(database, run_key))
        if not ended:
            continue
        if fault is not None:
            changes.count_attempt(database, run_key, fault)
        changes.take_back(database, run_key)
    for run_key, (period, first, age) in periods.requested(database).items():
        ended, fault = _ended(instance, run_key, age)
        if ended:
            periods.take_back(database, period, [first], fault)


def _ended(instance: dg.DagsterInstance, run_key: str, age: float) -> tuple[bool, str | None]:
    """Whether a run asked for is over or never came, and what to count as a failure of what it should have computed.

    A run that was stopped, or that a full disk or a lost database ended, says nothing about its days.
    """
    runs = instance.get_runs(dg.RunsFilter(tags={RUN_KEY: run_key}), limit=1)
    if not runs:
        return age > LOST_AFTER, None
    run = runs[0]
    if run.status not in _FAILED | {DagsterRunStatus.SUCCESS}:
        return False, None
    if run.status != DagsterRunStatus.FAILURE or named_by(instance, run.run_id):
        return True, None
    return True, f"run {run.run_id} failed"


def named_by(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether a failed run names partitions of its own as bad, by a check too, or the machine as at fault, or was
    stopped: nothing else is blamed."""
    if any({"bad_partitions", "machine"} & set(found) for found in _failures(instance, run_id)):
        return True
    if any(check.blocking and not check.passed for check in _checks(instance, run_id)):
        return True
    errors = list(_errors(instance, run_id))
    if any(error.cls_name == DagsterExecutionInterruptedError.__name__ for error in errors):
        return True  # somebody stopped it: Dagster calls a run of this process failed, not canceled
    # Dagster's own storage was out of reach: what a step said could not be noted, or the step failed for that
    said = "".join(error.to_string() for error in errors)
    return TRIED_AGAIN in said or DAGSTERS_STORAGE in said


def _checks(instance: dg.DagsterInstance, run_id: str) -> Iterator[AssetCheckEvaluation]:
    """What a run's checks said."""
    for record in instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION).records:
        event = record.event_log_entry.dagster_event
        if event is not None:
            yield event.asset_check_evaluation_data


def _errors(instance: dg.DagsterInstance, run_id: str) -> Iterator[SerializableErrorInfo]:
    """What a run and its steps failed with."""
    for kind in (dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.STEP_FAILURE):
        for record in instance.get_records_for_run(run_id, of_type=kind).records:
            event = record.event_log_entry.dagster_event
            if event is None:
                continue
            of_run = kind == dg.DagsterEventType.RUN_FAILURE
            error = event.job_failure_data.error if of_run else event.step_failure_data.error
            if error is not None:
                yield error


def fault_of(instance: dg.DagsterInstance, run_id: str) -> str | None:
    """What of the machine a run failed for; None where it was not the machine."""
    return next((str(found["machine"].value) for found in _failures(instance, run_id) if "machine" in found), None)


def _failures(instance: dg.DagsterInstance, run_id: str) -> Iterator[Mapping[str, dg.MetadataValue[Any]]]:
    """Metadata of the failures of a run's steps."""
    for record in instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records:
        event = record.event_log_entry.dagster_event
        failure = event.step_failure_data.user_failure_data if event is not None else None
        if failure is not None:
            yield failure.metadata
