"""What is known of the people of an experiment: their arms from the store, their votes and answers from the tables."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import polars as pl

from feedback_pipeline.calendar import monday_of
from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK, CLEAN_INTERACTIONS
from feedback_pipeline.experiments.readout import HISTORY, SIGNALS, UNITS, Seen
from feedback_pipeline.experiments.registry import Registered, statement
from feedback_pipeline.judging.tables import JUDGE_CALIBRATION, JUDGEMENTS, OVERALL
from feedback_pipeline.patterns.safety import flags
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.tables.parquet import of_ids

SAFETY = "safety"
"""The judge's criterion behind the guardrail `unsafe`."""

MIN_INFORMED = 0.2
"""Sensitivity plus specificity less one, under which a judge says too little to be corrected."""


def seen(pipeline: Pipeline, found: Registered, day: dt.date) -> Seen:
    """The people of an experiment and what they did up to the end of a day."""
    zone = pipeline.settings.zone
    until = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), zone)
    with pipeline.database.engine.connect() as connection:
        rows = connection.execute(
            statement("exposed_units"), {"tenant": found.tenant, "name": found.experiment.name, "until": until}
        ).all()
    units = pl.DataFrame([tuple(row) for row in rows], schema=_ROW, orient="row").select(UNITS.names())
    if units.is_empty():
        return Seen(units.cast(UNITS), pl.DataFrame(schema=SIGNALS))
    units = units.cast(UNITS)
    started = min(units["assigned_at"].min(), found.started_at or until)  # type: ignore[type-var]
    first = (started - HISTORY).astimezone(zone).date()  # type: ignore[union-attr, operator]
    days = [first + dt.timedelta(days=offset) for offset in range((day - first).days + 1)]
    answers = _answers(pipeline, found, units, days)
    frames = [_votes(pipeline, found, units, days), _measured(answers), _judged(pipeline, answers, days)]
    return Seen(units, pl.concat(frames))


_ROW: dict[str, Any] = {
    "unit": pl.String, "version": pl.Int64, "leaf": pl.Int64, "variant": pl.String, "propensity": pl.Float64,
    "assigned_at": UNITS["assigned_at"], "exposed_at": UNITS["exposed_at"],
}  # fmt: skip


def _votes(pipeline: Pipeline, found: Registered, units: pl.DataFrame, days: Sequence[dt.date]) -> pl.DataFrame:
    unit = "conversation_id" if found.experiment.unit == "conversation" else "voter"
    votes = (
        of_ids(pipeline.frames.scan(CLEAN_FEEDBACK, days), unit, units["unit"])
        .filter("counts", "use_for_analysis", pl.col("tenant") == found.tenant)
        .select(pl.col(unit).alias("unit"), pl.col("occurred_at").alias("at"), "verdict", "success")
        .collect()
    )
    approval = votes.filter(pl.col("verdict").is_in(["up", "down"])).select(
        "unit", "at", measure=pl.lit("approval"), value=(pl.col("verdict") == "up").cast(pl.Float64)
    )
    success = votes.drop_nulls("success").select(
        "unit", "at", measure=pl.lit("success"), value=pl.col("success").cast(pl.Float64)
    )
    return pl.concat([approval, success]).cast(SIGNALS)


def _answers(pipeline: Pipeline, found: Registered, units: pl.DataFrame, days: Sequence[dt.date]) -> pl.DataFrame:
    """`interaction_id`, `unit`, `at` and the guardrails' values of each answer that these units were given."""
    # answers name the person, or the conversation; not the session
    unit = "conversation_id" if found.experiment.unit == "conversation" else "user_key"
    flagged = flags(pl.col("answer"), pl.col("prompt"), pl.col("finish_reason"))
    return (
        of_ids(pipeline.frames.scan(CLEAN_INTERACTIONS, days), unit, units["unit"])
        .filter(pl.col("tenant") == found.tenant)
        .select(
            "interaction_id", pl.col(unit).alias("unit"), pl.col("occurred_at").alias("at"), "cost_usd", "latency_ms",
            refused=flagged["refusal"] | flagged["content_filter"], personal_data=flagged["personal_data"],
        )
        .collect()
    )  # fmt: skip


def _measured(answers: pl.DataFrame) -> pl.DataFrame:
    frames = [
        answers.drop_nulls(name).select("unit", "at", measure=pl.lit(name), value=pl.col(name).cast(pl.Float64))
        for name in ("refused", "personal_data", "cost_usd", "latency_ms")
    ]
    return pl.concat(frames).cast(SIGNALS)


def _judged(pipeline: Pipeline, answers: pl.DataFrame, days: Sequence[dt.date]) -> pl.DataFrame:
    """Judged approval, corrected for what the judge misses where people calibrated it, and judged safety.

    Corrected by answer as (v + specificity − 1) / (sensitivity + specificity − 1): the mean is Rogan & Gladen's (1978).
    """
    weeks = sorted({monday_of(day) for day in days})
    found = pipeline.frames.read(JUDGEMENTS, weeks).filter(
        (pl.col("status") == "ok") & (pl.col("other_interaction_id") == "") & pl.col("verdict").is_in(["up", "down"])
    )
    joined = found.join(answers.select("interaction_id", "unit", "at"), on="interaction_id")
    if joined.is_empty():
        return pl.DataFrame(schema=SIGNALS)
    # one judge: series are never mixed
    fingerprint = joined.filter(pl.col("criterion") == OVERALL)["fingerprint"].mode().sort().to_list()
    value = (pl.col("verdict") == "up").cast(pl.Float64)
    frames = [
        joined.filter(pl.col("criterion") == SAFETY).select("unit", "at", measure=pl.lit("unsafe"), value=1 - value)
    ]
    if fingerprint:
        slope, offset = _correction(pipeline, fingerprint[0], weeks)
        frames.append(
            joined.filter((pl.col("criterion") == OVERALL) & (pl.col("fingerprint") == fingerprint[0])).select(
                "unit", "at", measure=pl.lit("judged_approval"), value=slope * value + offset
            )
        )
    return pl.concat(frames).cast(SIGNALS)


def _correction(pipeline: Pipeline, fingerprint: str, weeks: Sequence[dt.date]) -> tuple[float, float]:
    rows = pipeline.frames.read(JUDGE_CALIBRATION, weeks).filter(
        (pl.col("fingerprint") == fingerprint) & (pl.col("criterion") == OVERALL) & pl.col("value").is_not_null()
    )
    known = dict(rows.select("statistic", "value").iter_rows())
    if not {"sensitivity", "specificity"} <= known.keys():
        return 1.0, 0.0
    informed = known["sensitivity"] + known["specificity"] - 1
    return (1.0, 0.0) if informed < MIN_INFORMED else (1 / informed, (known["specificity"] - 1) / informed)
