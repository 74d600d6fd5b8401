"""The composition root: the code location that Dagster loads, the tests build and the command line runs."""

import os
import warnings
from collections.abc import Mapping
from typing import Any

import dagster as dg

from assets import alerts, clean, evaluation, experiments, imports, models, patterns, raw, report, training
from assets.automation import guarded_eager
from assets.declaration import Declaration, build
from assets.partitions import Calendar
from feedback_pipeline.io_manager import ParquetIOManager
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from jobs import fine_tuning, loops, retention, schedules, sensors
from jobs.executors import executor_of

# features of Dagster that are called beta or preview and used on purpose: partitioned checks, backfill policies,
# observable source assets
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)

STAGES = (clean, patterns, alerts, experiments, report, evaluation, training, models)


def declarations() -> list[Declaration]:
    """Every asset of the loop, in the order the data flows."""
    return [declaration for stage in STAGES for declaration in stage.declarations()]


def build_definitions(
    settings: Settings,
    resource_overrides: Mapping[str, Any] | None = None,
    loggers: Mapping[str, dg.LoggerDefinition] | None = None,
) -> dg.Definitions:
    """The whole code location for these settings; opens nothing.

    Args:
        settings: partitions, executor and where things live.
        resource_overrides: resources to use in place of our own, by key (`pipeline`, `io_manager`).
        loggers: where runs log to, in place of Dagster's console.
    """
    calendar = Calendar(settings.start, settings.timezone)
    every = declarations()
    executor = executor_of(settings, os.environ)
    loop_jobs = {job.name: job for job in loops.loop_jobs(every, executor)}
    running = settings.automation
    keep = retention.retention_job()
    tuning_jobs = fine_tuning.fine_tuning_jobs(executor)
    scheduled = dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED
    return dg.Definitions(
        assets=[
            imports.imported_feedback,
            *raw.build_raw(calendar),
            *models.build_on_demand(calendar),
            *experiments.build_on_demand(calendar),
            *(build(one, calendar, guarded_eager() if one.by == "week" else None) for one in every),
        ],
        jobs=[*loop_jobs.values(), *tuning_jobs.values(), keep],
        schedules=[
            *schedules.loop_schedules(loop_jobs, scheduled),
            retention.retention_schedule(keep, settings.timezone, scheduled),
        ],
        sensors=[
            *fine_tuning.fine_tuning_sensors(tuning_jobs, starts=settings.tuning_enabled and running, follows=running),
            sensors.changed_days_sensor(
                loop_jobs[loops.DAILY], dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED
            ),
            sensors.automation_sensor(dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED),
        ],
        executor=executor,
        resources={
            "pipeline": Pipeline(settings),
            "io_manager": ParquetIOManager(settings.data_url),
            **(resource_overrides or {}),
        },
        loggers=loggers,
    )


@dg.definitions
def defs() -> dg.Definitions:
    return build_definitions(Settings.from_environment())
