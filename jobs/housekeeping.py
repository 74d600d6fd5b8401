"""Runs and events stay bounded: what nobody looks at after a month goes, what the UI shows of every partition stays.

Dagster never removes a run or an event (dagster#33785), and deleting a run deletes the newest materialisation of what
it made. So log lines and step events of old runs go; of materialisations, observations and check results the newest
of each partition stays; a run goes when nothing of it is left.
"""

from typing import Any

import dagster as dg

from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.store.database import Database
from feedback_pipeline.store.statements import statement
from jobs.executors import WITH_THE_RUN
from jobs.storage import beside

JOB = "housekeeping"
DAYS = 30
STEPS = ("drop_old_events", "drop_old_asset_events", "drop_old_checks", "drop_old_runs")


def tidy(database: Database, *, days: int = DAYS) -> dict[str, int]:
    """Removes what is older than some days from Dagster's storage; returns how many rows, by kind."""
    removed = {}
    with beside(database) as engine:
        for name in STEPS:
            with engine.begin() as connection:
                removed[name] = connection.execute(statement(name), {"days": days}).rowcount
    return removed


@dg.op(description=f"Removes events and runs older than {DAYS} days; the newest of every partition stays.")
def tidy_storage(context: dg.OpExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> None:
    """Says in the event log how many rows went."""
    context.log.info(", ".join(f"{name}: {count}" for name, count in tidy(pipeline.database).items()))


def housekeeping_job() -> dg.JobDefinition:
    """The job; one run, no partitions."""

    @dg.job(name=JOB, executor_def=WITH_THE_RUN, description="Keeps Dagster's runs and events bounded.")
    def job() -> None:
        tidy_storage()

    return job


def housekeeping_schedule(job: dg.JobDefinition, timezone: str, status: dg.DefaultScheduleStatus) -> Any:
    """Every night, after the policies of retention."""
    return dg.ScheduleDefinition(
        job=job, name="every_night_tidy", cron_schedule="45 3 * * *", execution_timezone=timezone,
        default_status=status, description=f"Removes runs and events older than {DAYS} days.",
    )  # fmt: skip
