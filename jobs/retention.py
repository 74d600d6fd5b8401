"""The scheduled job `retention`: seals days, empties them, lets them expire, as the policies say."""

from typing import Any

import dagster as dg

from feedback_pipeline.erasure import retention, retention_limits
from feedback_pipeline.erasure.retention_limits import Limits
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.privacy import audit_log
from jobs.executors import WITH_THE_RUN

RETENTION = "retention"
HOUR = 3


@dg.op(description="Applies every retention policy once; what has been removed is counted, never quoted.")
def apply_policies(context: dg.OpExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> None:
    """Applies the policies and says in the event log how much was removed."""
    settings = pipeline.settings
    retention_limits.compare_clocks(pipeline.database)
    applied = retention.apply(
        pipeline.database,
        pipeline.frames,
        settings.home,
        retention.policies(settings.raw_text_days),
        pipeline.now(),
        pipeline.today(),
        context.log.info,
        Limits(settings.retention_max_rows, settings.retention_max_share),
    )
    audit_log.append(
        pipeline.database, pipeline.pseudonymiser, "retention.applied", actor="job retention", detail=applied.__dict__
    )
    context.log_event(dg.AssetObservation("raw_feedback", metadata={**applied.__dict__}))


def retention_job() -> dg.JobDefinition:
    """The job; one run, no partitions."""

    @dg.job(
        name=RETENTION, executor_def=WITH_THE_RUN,
        description="Seals days past the retention of raw text and removes what has had its time.",
    )  # fmt: skip
    def job() -> None:
        apply_policies()

    return job


def retention_schedule(job: dg.JobDefinition, timezone: str, status: dg.DefaultScheduleStatus) -> Any:
    """Every night, after the day that ended was computed."""
    return dg.ScheduleDefinition(
        job=job,
        name="every_night",
        cron_schedule=f"15 {HOUR} * * *",
        execution_timezone=timezone,
        default_status=status,
        description="Applies the retention policies.",
    )
