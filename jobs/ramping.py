"""The ramp of experiments: once an hour, whatever is due by its schedule takes in more people."""

import dagster as dg

from feedback_pipeline.experiments import registry
from feedback_pipeline.pipeline import Pipeline
from jobs.executors import WITH_THE_RUN

RAMP = "ramp_experiments"
HOURLY = "7 * * * *"


@dg.op
def widen_due_ramps(context: dg.OpExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> None:
    """Ramps every running experiment whose schedule asks for it."""
    for moved in registry.ramp_due(pipeline.database, now=pipeline.now()):
        context.log.info(f"{moved.experiment.name}: {moved.experiment.coverage:.0%} take part")


def ramp_job() -> dg.JobDefinition:
    """The job of one look."""

    @dg.job(
        name=RAMP, executor_def=WITH_THE_RUN,
        description="More people for experiments whose ramp is due; nobody changes arms.",
    )  # fmt: skip
    def ramp() -> None:
        widen_due_ramps()

    return ramp


def ramp_schedule(job: dg.JobDefinition, timezone: str, status: dg.DefaultScheduleStatus) -> dg.ScheduleDefinition:
    """Once an hour."""
    return dg.ScheduleDefinition(
        name=f"{RAMP}_schedule", job=job, cron_schedule=HOURLY, execution_timezone=timezone, default_status=status
    )
