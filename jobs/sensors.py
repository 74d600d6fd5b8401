"""Sensors: days that changed are computed again; weeks whose days changed follow by automation."""

from typing import Any

import dagster as dg
from dagster import DagsterRunStatus

from assets.automation import AUTOMATED
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.store import changes
from jobs.loops import DAYS_PER_RUN

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
RUN_KEY = "feedback/run_key"

_FAILED = {DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED}


def changed_days_sensor(job: Any, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """Notices days of which a vote or answer came late, changed, moved or was withdrawn, and computes exactly those.

    A contiguous stretch is one run. A run that failed is asked for again: the days it names as bad alone, at most
    three times until they change again; the others together. State is in the store (`day_state`), not in a cursor.
    """

    @dg.sensor(job=job, minimum_interval_seconds=30, default_status=status, name="changed_days")
    def changed_days(context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[Pipeline]) -> dg.SensorResult:
        settle_requests(context.instance, pipeline)
        changes.fold(pipeline.database)
        today = pipeline.today()
        ended = [day for day in changes.due(pipeline.database) if pipeline.settings.start <= day.day < today]
        requests = []
        for stretch in changes.stretches(ended, DAYS_PER_RUN):
            # the version makes the key new whenever the contents are; the attempt whenever a run failed
            newest = max(day.version for day in stretch.days)
            run_key = f"{stretch.first}:{stretch.last}:{newest}:{stretch.days[0].attempts}:{context.cursor or 0}"
            changes.mark_requested(pipeline.database, stretch, run_key)
            requests.append(dg.RunRequest(run_key=run_key, tags=stretch_tags(stretch, run_key)))
        cursor = str(int(context.cursor or 0) + len(requests))
        return dg.SensorResult(run_requests=requests, cursor=cursor)

    return changed_days


def stretch_tags(stretch: changes.Stretch, run_key: str) -> dict[str, str]:
    """The tags that make a run of `daily_loop` compute a stretch of days."""
    tags = {RUN_KEY: run_key}
    if stretch.first == stretch.last:
        return {**tags, "dagster/partition": stretch.first.isoformat()}
    return {**tags, RANGE_START: stretch.first.isoformat(), RANGE_END: stretch.last.isoformat()}


def settle_requests(instance: dg.DagsterInstance, pipeline: Pipeline) -> None:
    """Looks at how the runs asked for ended: their days are computed, or due again."""
    for run_key, days in changes.run_of_requests(pipeline.database).items():
        runs = instance.get_runs(dg.RunsFilter(tags={RUN_KEY: run_key}), limit=1)
        if not runs:
            continue  # asked for in this very moment, or by a command that says so itself
        run = runs[0]
        if run.status == DagsterRunStatus.SUCCESS:
            changes.mark_computed(pipeline.database, days)
        elif run.status in _FAILED:
            blamed = bad_partitions(instance, run.run_id)
            changes.mark_failed(
                pipeline.database,
                [day.day for day in days],
                f"run {run.run_id} {run.status.value.lower()}",
                to_blame=[day.day for day in days if day.day.isoformat() in blamed],
            )


def bad_partitions(instance: dg.DagsterInstance, run_id: str) -> set[str]:
    """The partitions a failed run names as bad: those whose step failed on them, or whose blocking check failed."""
    bad: set[str] = set()
    kinds = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.ASSET_CHECK_EVALUATION}
    for record in instance.get_records_for_run(run_id, of_type=kinds).records:
        event = record.event_log_entry.dagster_event
        if event is None:
            continue
        if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            evaluation = event.asset_check_evaluation_data
            if evaluation.blocking and not evaluation.passed and evaluation.partition:
                bad.add(evaluation.partition)
        elif (failure := event.step_failure_data.user_failure_data) is not None:
            named = failure.metadata.get("bad_partitions")
            if named is not None and isinstance(named.value, list):
                bad.update(str(partition) for partition in named.value)
    return bad


def automation_sensor(status: dg.DefaultSensorStatus) -> dg.AutomationConditionSensorDefinition:
    """Computes the weeks whose days changed (`assets.automation`)."""
    return dg.AutomationConditionSensorDefinition(
        "changed_weeks",
        target=dg.AssetSelection.groups(*AUTOMATED),
        default_status=status,
        minimum_interval_seconds=30,
    )
