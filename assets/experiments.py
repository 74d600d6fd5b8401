"""Experiments: how each one stands at the end of a day, with a check that the people came as they were asked."""

from collections.abc import Iterator
from datetime import date

import polars as pl

from assets.declaration import Check, Outcome, daily
from feedback_pipeline.experiments import registry
from feedback_pipeline.experiments.readout import read_experiment
from feedback_pipeline.experiments.signals import seen
from feedback_pipeline.experiments.tables import EXPERIMENT_READOUT
from feedback_pipeline.pipeline import Pipeline

GROUP = "experiments"


@daily(
    EXPERIMENT_READOUT,
    group=GROUP,
    kinds=("polars", "parquet", "postgres"),
    after=["clean_feedback", "clean_interactions"],
    warning=["sample_ratio", "guardrails"],
)
def experiment_readout(pipeline: Pipeline, day: date) -> Outcome:
    """One measure of one arm against its control, over everybody exposed up to the end of the day: people as units, a
    confidence sequence that may be looked at daily beside the planned interval, guardrails, one verdict an arm."""
    found = [one for one in registry.experiments(pipeline.database, None) if _concerned(pipeline, one, day)]
    frames = [
        read_experiment(
            one, registry.versions(pipeline.database, one.experiment.name, one.tenant), seen(pipeline, one, day), day
        )
        for one in found
    ]
    rows = pl.concat([EXPERIMENT_READOUT.empty(), *frames])
    decided = rows.filter(pl.col("role") == "primary")
    numbers = {"experiments": len(found), **dict(decided.group_by("verdict").len().iter_rows())}
    return Outcome(
        rows,
        numbers=numbers,
        checks=[
            _check("sample_ratio", decided, "broken_assignment", "the arms' shares of people are not those asked for"),
            _check("guardrails", decided, "guardrail", "a guardrail got worse than allowed"),
        ],
    )


def _concerned(pipeline: Pipeline, found: registry.Registered, day: date) -> bool:
    """Experiments that ran on the day: drafts and those that ended before have nothing new to say."""
    zone = pipeline.settings.zone
    if found.started_at is None or found.started_at.astimezone(zone).date() > day:
        return False
    return found.ended_at is None or found.ended_at.astimezone(zone).date() >= day


def _check(name: str, rows: pl.DataFrame, verdict: str, said: str) -> Check:
    bad = rows.filter(pl.col("verdict") == verdict)
    named = ", ".join(f"{row['experiment']}/{row['arm']}" for row in bad.iter_rows(named=True))
    return Check(name, bad.is_empty(), {"arms": bad.height}, f"{named}: {said}" if named else "as it should be", "warn")


def declarations() -> Iterator[object]:
    """The assets of this stage that belong to the daily loop."""
    yield experiment_readout
