"""Sensors: days that changed are computed again, and the weeks and months they belong to follow."""

from typing import Any

import dagster as dg

from assets import raw
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.store import changes, computed
from feedback_pipeline.tables.free_space import space_for_writing
from jobs import foreground
from jobs.requests import (
    WEEK_PATIENCE,
    patience,
    request_days,
    request_periods,
    settle_requests,
    versions_of,
)
from jobs.stages import loops_of_assets

SECONDS = 15
"""Between two looks; a look costs a few small queries."""
LOOKS_FOR_FILES = 40
"""Looks between two searches for files that are gone: listings of a bucket are paid for."""


def changed_days_sensor(job: Any, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """Asks for the days of which a vote or answer came late, changed, moved or was withdrawn."""

    @dg.sensor(
        job=job,
        minimum_interval_seconds=SECONDS,
        default_status=status,
        name="changed_days",
        description="Computes exactly the days of which a vote or answer came late, changed, moved or was withdrawn, "
        "once they are quiet (FEEDBACK_QUIET, FEEDBACK_LONGEST_WAIT). Days near each other are one run. A bad day is "
        "tried alone, at most three times until it changes again. What is due stands in the store (`day_state`).",
    )
    def changed_days(context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[Pipeline]) -> dg.SensorResult:
        looks = int(context.cursor or 0)
        foreground.settle_orphans(context.instance, pipeline.database, "/".join(pipeline.settings.asset_prefix))
        settle_requests(context.instance, pipeline)
        changes.fold(pipeline.database)
        if looks % LOOKS_FOR_FILES == 0:
            _make_lost_files_due(pipeline)
        waiting = patience(pipeline)
        if changes.due(pipeline.database, patience=waiting) and (full := space_for_writing(pipeline.frames.root)):
            return dg.SensorResult(skip_reason=full, cursor=str(looks + 1))
        requests = request_days(pipeline, waiting)
        changed = [(day, version) for request in requests for day, version in versions_of(pipeline, request.tags)]
        observed = raw.observations(pipeline.settings, changed)
        return dg.SensorResult(run_requests=requests, cursor=str(looks + 1), asset_events=observed)

    return changed_days


def changed_weeks_sensor(jobs: list[Any], status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """Asks for the weeks and months of which a day became another."""

    @dg.sensor(
        jobs=jobs,
        minimum_interval_seconds=SECONDS,
        default_status=status,
        name="changed_weeks",
        description="Computes the weeks and months of which a day became another since, once they ended and their days "
        "are settled, and weeks that closed. One that failed or died is tried again, at most three times until it "
        "changes again. What is due stands in the store (`period_state`).",
    )
    def changed_weeks(context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[Pipeline]) -> dg.SensorResult:
        settle_requests(context.instance, pipeline)
        return dg.SensorResult(run_requests=request_periods(pipeline, patience(pipeline, WEEK_PATIENCE)))

    return changed_weeks


def _make_lost_files_due(pipeline: Pipeline) -> None:
    lost = computed.absent(pipeline.database, pipeline.frames)
    if lost:
        computed.heal(pipeline.database, lost, loops_of_assets(), pipeline.settings.start)
