"""The composition root: the code location that Dagster loads, the tests build and the command line runs."""

import os
import warnings
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import dagster as dg

from assets import experiments, freshness, imports, models, raw
from assets.building import build
from assets.keys import behind_prefix
from assets.partitions import Calendar
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.resources import ParquetTables, pipeline_resource
from feedback_pipeline.settings import Settings
from jobs import failures, fine_tuning, housekeeping, loops, ramping, retention, schedules, sensors
from jobs.executors import executor_of
from jobs.stages import declarations, loops_of_assets

# features of Dagster that are called beta or preview and used on purpose: partitioned checks, backfill policies,
# observable source assets
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)


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
    loop_jobs = {job.name: job for job in loops.loop_jobs(every, executor, settings)}
    loop_of = {loop.period: loop for loop in loops_of_assets()}
    running = settings.automation
    watching = dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED
    keep, tidy = retention.retention_job(), housekeeping.housekeeping_job()
    ramp = ramping.ramp_job()
    importing, looking = loops.import_job(settings), loops.freshness_job(executor, settings)
    tuning_jobs = fine_tuning.fine_tuning_jobs(executor, settings)
    scheduled = dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED
    return dg.Definitions(
        assets=behind_prefix(
            settings,
            [
                imports.imported_feedback,
                *raw.build_raw(calendar),
                *models.build_on_demand(calendar),
                *experiments.build_on_demand(calendar),
                *(build(one, calendar, loop_of[one.by]) for one in every),
            ],
        ),
        asset_checks=behind_prefix(settings, freshness.build_freshness()),
        jobs=[*loop_jobs.values(), *tuning_jobs.values(), importing, looking, keep, tidy, ramp],
        schedules=[
            *schedules.loop_schedules(loop_jobs, settings.timezone, scheduled),
            schedules.import_schedule(importing, settings.timezone, scheduled),
            schedules.freshness_schedule(looking, settings.timezone, scheduled),
            retention.retention_schedule(keep, settings.timezone, scheduled),
            ramping.ramp_schedule(ramp, settings.timezone, scheduled),
            housekeeping.housekeeping_schedule(tidy, settings.timezone, scheduled),
        ],
        sensors=[
            *fine_tuning.fine_tuning_sensors(tuning_jobs, starts=settings.tuning_enabled and running, follows=running),
            sensors.changed_days_sensor(loop_jobs[loops.DAILY], watching),
            failures.failure_sensor(watching),
            failures.watch_sensor([*loop_jobs.values()], watching),
            sensors.changed_weeks_sensor([loop_jobs[loops.WEEKLY], loop_jobs[loops.MONTHLY]], watching),
        ],
        executor=executor,
        resources={
            "pipeline": pipeline_resource(Pipeline(settings)),
            "io_manager": ParquetTables(data_url=settings.data_url, prefix=list(settings.asset_prefix)),
            **(resource_overrides or {}),
        },
        loggers=loggers,
    )


@dg.definitions
def defs() -> dg.Definitions:
    return _built(Settings.from_environment())


@lru_cache(maxsize=1)
def _built(settings: Settings) -> dg.Definitions:
    """Dagster asks twice for what it loads."""
    return build_definitions(settings)
