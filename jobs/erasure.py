"""What an erasure computes anew: the days that changed, the weeks and months that were made of them."""

from collections.abc import Sequence
from datetime import date

import dagster as dg

from feedback_pipeline.erasure.context import Recomputed
from feedback_pipeline.pipeline import Pipeline
from jobs import runs


def recompute(
    pipeline: Pipeline,
    instance: dg.DagsterInstance,
    weeks: Sequence[date],
    months: Sequence[date],
    report: runs.Report = lambda line: None,
) -> Recomputed:
    """Computes every day that is due, then these weeks and these months, in the foreground."""
    first = pipeline.settings.start
    result = runs.compute(
        pipeline, instance, weeks=[week for week in weeks if week >= first], months=months, report=report
    )
    return Recomputed(result.days, result.weeks, result.months, result.failed)
