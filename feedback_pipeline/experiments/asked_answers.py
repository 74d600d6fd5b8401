"""The answers of a week with what is known of each: asked or not, voted on or not, judged or not."""

import datetime as dt
from dataclasses import asdict
from typing import Any

import polars as pl

from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK, CLEAN_INTERACTIONS
from feedback_pipeline.experiments.approval_of_all import approval_of_all
from feedback_pipeline.experiments.registry import statement
from feedback_pipeline.experiments.tables import APPROVAL_OF_ALL
from feedback_pipeline.judging.tables import JUDGEMENTS, OVERALL
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.tables.parquet import of_ids

_ASKS: dict[str, Any] = {
    "tenant": pl.String,
    "kind": pl.String,
    "value": pl.String,
    "unit": pl.String,
    "voter": pl.String,
    "asked": pl.Boolean,
    "probability": pl.Float64,
    "interaction_id": pl.String,
    "decided_at": pl.Datetime("us", "UTC"),
}


def approvals_of_week(pipeline: Pipeline, week: dt.date) -> pl.DataFrame:
    """APPROVAL_OF_ALL of a week, a row a tenant that had answers."""
    answers = answers_of_week(pipeline, week)
    rows = [
        {"tenant": str(tenant), "week": week} | asdict(approval_of_all(own))
        for (tenant,), own in answers.group_by("tenant", maintain_order=True)
    ]
    return APPROVAL_OF_ALL.conform(pl.DataFrame(rows, schema=APPROVAL_OF_ALL.schema))


def answers_of_week(pipeline: Pipeline, week: dt.date) -> pl.DataFrame:
    """`tenant`, and what `approval_of_all` takes, one row an answer of the week.

    Content that many people see has a row for each of those who might have been asked, with that person's own vote; and
    it has one where nobody voted, so that the store knows only that it was shown.
    """
    days = [week + dt.timedelta(days=offset) for offset in range(7)]
    # a person may answer days later
    voted_days = [*days, *(days[-1] + dt.timedelta(days=offset) for offset in range(1, 8))]
    answers = pipeline.frames.scan(CLEAN_INTERACTIONS, days).select("interaction_id", "tenant", "user_key").collect()
    events = pipeline.frames.scan(CLEAN_FEEDBACK, voted_days).filter("use_for_analysis").select(
        "interaction_id", "kind", "verdict", "counts", "voter"
    )  # fmt: skip
    good = (pl.col("verdict") == "up").cast(pl.Float64)
    told = pl.col("verdict").is_in(["up", "down"])
    cast = events.filter(told & pl.col("counts") & (pl.col("kind") == "explicit"))
    votes = cast.group_by("interaction_id").agg(verdict=good.mean().round(), by=pl.col("voter").min())
    drawn = _asks(pipeline, days)
    # asked for where one answer is shown to many alone
    content = of_ids(cast, "interaction_id", drawn.filter(pl.col("kind") == "content")["interaction_id"])
    own = content.group_by("interaction_id", "voter").agg(own=good.mean().round())
    signals = events.filter(told & (pl.col("kind") == "implicit")).group_by("interaction_id").agg(signal=good.mean())
    judged = (
        pipeline.frames.scan(JUDGEMENTS, [week])
        .filter((pl.col("status") == "ok") & (pl.col("criterion") == OVERALL) & (pl.col("other_interaction_id") == ""))
        .filter(told).group_by("interaction_id").agg(judged=good.mean())
    )  # fmt: skip
    known = answers.lazy().join(drawn.lazy().drop_nulls("interaction_id"), on=["tenant", "interaction_id"], how="left")
    end = dt.datetime.combine(days[-1] + dt.timedelta(days=1), dt.time(), pipeline.settings.zone)
    shown = pl.col("interaction_id").is_null() & (pl.col("decided_at") < end)
    unseen = drawn.lazy().filter(shown).with_columns(
        interaction_id=pl.concat_str(pl.lit("asked"), "kind", "value", separator="/"), user_key=pl.lit(None, pl.String)
    )  # fmt: skip
    joined = pl.concat([known, unseen.select(known.collect_schema().names())])
    for frame in (votes, signals, judged):
        joined = joined.join(frame, on="interaction_id", how="left")
    joined = joined.join(own, on=["interaction_id", "voter"], how="left")
    shared = pl.col("kind") == "content"
    named = joined.with_columns(
        verdict=pl.when(shared).then("own").otherwise("verdict"),
        person=pl.when(shared).then("voter").otherwise(pl.coalesce("user_key", "unit", "by", "interaction_id")),
    )
    # sums of floats depend on their order
    return (
        named.sort("tenant", "interaction_id", "unit")
        .drop("own", "by", "voter", "kind", "value", "decided_at")
        .collect()
    )


def _asks(pipeline: Pipeline, days: list[dt.date]) -> pl.DataFrame:
    zone = pipeline.settings.zone
    first = dt.datetime.combine(days[0], dt.time(), zone)
    until = dt.datetime.combine(days[-1] + dt.timedelta(days=2), dt.time(), zone)
    with pipeline.database.engine.connect() as connection:
        rows = connection.execute(statement("asks"), {"first": first, "until": until}).all()
    return pl.DataFrame([tuple(row) for row in rows], schema=_ASKS, orient="row")
