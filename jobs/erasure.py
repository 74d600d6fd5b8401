"""What an erasure computes anew: the days that changed, the weeks and months that were made of them."""

from collections.abc import Sequence
from datetime import date

import dagster as dg

from feedback_pipeline.erasure.erasure import Recomputed
from feedback_pipeline.pipeline import Pipeline
from jobs import runs
from jobs.location import build_definitions
from jobs.loops import MONTHLY


def recompute(
    pipeline: Pipeline,
    instance: dg.DagsterInstance,
    weeks: Sequence[date],
    months: Sequence[date],
    report: runs.Report = lambda line: None,
) -> Recomputed:
    """Computes every day that is due, then these weeks and these months, in the foreground."""
    first = pipeline.settings.start
    result = runs.compute(pipeline, instance, weeks=[week for week in weeks if week >= first], report=report)
    failed = list(result.failed)
    definitions = build_definitions(
        pipeline.settings, {"pipeline": pipeline}, loggers={"console": runs.progress_logger(report)}
    )
    monthly = definitions.resolve_job_def(MONTHLY)
    for month in months:
        report(f"month {month}")
        done = monthly.execute_in_process(
            runs.LOGGING, instance=instance, raise_on_error=False, partition_key=month.isoformat()
        )
        if not done.success:
            failed.append(f"month {month}: run {done.run_id}")
    return Recomputed(result.days, result.weeks, len(months), tuple(failed))
