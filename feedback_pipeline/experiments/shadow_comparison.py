"""Shadow runs of a day against what was shown: judged in both orders, with length, refusals, cost and time beside."""

import datetime as dt

import orjson
import polars as pl

from feedback_pipeline.calendar import monday_of
from feedback_pipeline.cleaning.tables import CLEAN_INTERACTIONS
from feedback_pipeline.experiments.registry import statement
from feedback_pipeline.experiments.tables import SHADOW_COMPARISON
from feedback_pipeline.judging.backends.protocol import PairJudge
from feedback_pipeline.patterns.safety import flags
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.tables.parquet import of_ids
from feedback_pipeline.tuning.answering import Budget
from feedback_pipeline.tuning.evaluation import compare
from feedback_pipeline.tuning.gate import HELD_OUT

MAX_PAIRS = 200
"""Pairs of a candidate that are judged a day."""

_SCHEMA = dict.fromkeys(("tenant", "candidate", "request_id", "status", "output"), pl.String) | {
    "latency_ms": pl.Float64, "cost_usd": pl.Float64, "interaction_id": pl.String,
}  # fmt: skip


def compare_day(pipeline: Pipeline, day: dt.date, judge: PairJudge | None = None) -> pl.DataFrame:
    """SHADOW_COMPARISON of a day; `judge` is the configured one unless given, and its week's budget is charged."""
    runs = _runs(pipeline, day)
    frames = [
        _candidate(pipeline, day, str(tenant), str(candidate), rows, judge)
        for (tenant, candidate), rows in runs.group_by("tenant", "candidate", maintain_order=True)
    ]
    return pl.concat([SHADOW_COMPARISON.empty(), *frames])


def _runs(pipeline: Pipeline, day: dt.date) -> pl.DataFrame:
    zone = pipeline.settings.zone
    first = dt.datetime.combine(day, dt.time(), zone)
    with pipeline.database.engine.connect() as connection:
        until = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), zone)
        rows = connection.execute(statement("shadow_runs"), {"first": first, "until": until}).all()
    runs = pl.DataFrame([tuple(row) for row in rows], schema=_SCHEMA, orient="row")
    days = [day - dt.timedelta(days=1), day, day + dt.timedelta(days=1)]
    shown = pipeline.frames.scan(CLEAN_INTERACTIONS, days if runs.height else []).select(
        "interaction_id", "messages", "prompt", "finish_reason", shown="answer",
        seconds_shown=pl.col("latency_ms") / 1000, cost_shown="cost_usd",
    )  # fmt: skip
    # what was shown of other answers is not looked at
    shown = of_ids(shown, "interaction_id", runs["interaction_id"])
    refused = flags(pl.col("shown"), pl.col("prompt"), pl.col("finish_reason"))["refusal"]
    answers = shown.with_columns(refused_shown=refused).drop("finish_reason").collect()
    return runs.join(answers, on="interaction_id", how="inner", maintain_order="left")


def _candidate(
    pipeline: Pipeline, day: dt.date, tenant: str, candidate: str, rows: pl.DataFrame, judge: PairJudge | None
) -> pl.DataFrame:
    drawn = rows.head(MAX_PAIRS)
    refused = flags(pl.col("output"), pl.col("prompt"), pl.lit(None, pl.String))["refusal"]
    declined = pl.lit("refusal")
    both = drawn.select(
        prompt_id="request_id", answer="output",
        status=pl.when(refused.fill_null(False)).then(declined).otherwise("status"),
        cost_usd="cost_usd", seconds=pl.col("latency_ms") / 1000, answer_current="shown",
        status_current=pl.when(pl.col("refused_shown").fill_null(False)).then(declined).otherwise(pl.lit("ok")),
        cost_usd_current="cost_shown", seconds_current="seconds_shown",
    )  # fmt: skip
    asked = pl.Series([_asked(text or "") for text in drawn["prompt"]], dtype=pl.String)
    prompts = drawn.select(
        prompt_id="request_id", suite=pl.lit("held_out"), messages=pl.coalesce("messages", asked.alias("asked"))
    )  # fmt: skip
    week = monday_of(day)
    budget = Budget(pipeline.database, week, pipeline.settings.judge_cost_cap_usd)
    found = compare(pipeline.settings, budget, candidate, "shown", both, prompts, None, judge).rows()
    kept = found.filter((pl.col("measure") == HELD_OUT) | pl.col("measure").str.starts_with("answers/"))
    late = int((rows["status"] == "late").sum())
    return SHADOW_COMPARISON.conform(
        kept.select(
            tenant=pl.lit(tenant), candidate=pl.lit(candidate), day=pl.lit(day),
            measure=pl.col("measure").replace(HELD_OUT, "win_rate"), pairs="n", value="candidate",
            value_shown="current_value", difference="difference", low="low", high="high", reason="reason",
            runs=pl.lit(rows.height), late=pl.lit(late), failed=pl.lit(int((rows["status"] == "failed").sum())),
        )
    )  # fmt: skip


def _asked(prompt: str) -> str:
    """Messages of an answer of which only the question is known."""
    return orjson.dumps([{"role": "user", "content": prompt}]).decode()
