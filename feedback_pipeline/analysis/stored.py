"""What the store knows, as tables and numbers: the verbs without an opinion."""

from datetime import date, timedelta
from typing import Any

import polars as pl

from feedback_pipeline.analysis.performance import performance
from feedback_pipeline.analysis.vote_stretches import stretch_of
from feedback_pipeline.calendar import days_between
from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK, CLEAN_INTERACTIONS
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.stats.intervals import clustered_rate
from feedback_pipeline.store import computed
from feedback_pipeline.tables.schema import Table


def get_statistics(
    start_date: date | str | None = None,
    end_date: date | str | None = None,
    data: Any = None,
    *,
    db: Any = None,
    settings: Settings | None = None,
) -> dict[str, Any]:
    """Counts and rates between two days, both included; the last thirty days without them.

        get_statistics("2026-11-01", "2026-11-30")["approval_rate"]

    Returns:
        `start_date`, `end_date`, `total_feedback`, `positive_count`, `neutral_count`, `negative_count`, `people`,
        `success_rate`, `approval_rate` with `approval_low` and `approval_high` (95 %, clustered by person),
        `avg_rating` (stars), `by_framework`, `by_tag`, `left_out`; null where nothing is known. No votes are zeros.

    Raises:
        FeedbackFrameError: the table is not one of feedback.
        ValueError: a day cannot be read, or the end comes before the start.
    """
    first, last = (date.fromisoformat(day) if isinstance(day, str) else day for day in (start_date, end_date))
    if first is not None and last is not None and last < first:
        raise ValueError(f"the end {last} comes before the start {first}")
    data = data if db is None else db
    days = None if first is None or last is None else (last - first).days + 1
    if days is None and data is None:
        days = ((last or yesterday(settings)) - first).days + 1 if first is not None else 30
    stretch = stretch_of(data, days, last, settings)
    facts = stretch.facts if first is None else stretch.facts.filter(pl.col("day") >= first)
    sums = facts.filter(pl.col("verdict") != 0).group_by("person").agg(up=(pl.col("verdict") == 1).sum(), n=pl.len())
    approval = clustered_rate(sums["up"].to_numpy(), sums["n"].to_numpy())
    counts = {word: int((facts["verdict"] == value).sum()) for word, value in (("positive", 1), ("neutral", 0),
                                                                               ("negative", -1))}  # fmt: skip
    return {
        "start_date": first or stretch.first,
        "end_date": last or stretch.last,
        "total_feedback": facts.height,
        **{f"{word}_count": count for word, count in counts.items()},
        "people": facts["person"].n_unique(),
        "success_rate": facts["success"].drop_nulls().mean(),
        "approval_rate": approval.estimate,
        "approval_low": approval.low,
        "approval_high": approval.high,
        "avg_rating": facts["stars"].cast(pl.Float64).mean(),
        "by_framework": performance(facts, "framework", 1),
        "by_tag": performance(facts, "tags", 1),
        "left_out": dict(stretch.left_out),
    }


def get_feedback_data(
    start_date: date | str | None = None, end_date: date | str | None = None, *, settings: Settings | None = None
) -> Any:
    """The pipeline's own feedback of some days (the last thirty by default), one row per event, as a pandas frame with
    the names that `compare_prompt_versions` and the other verbs take: `feedback_id`, `request_id`, `user_id`,
    `timestamp`, `feedback_type`, `thumbs_up`, `rating` (stars), `feedback_value`, `comment` (redacted), `model`,
    `prompt_version`, `framework`, `tags`.

    Raises:
        GoneError: a file of these days was computed and is not there any more.
    """
    settings = settings or Settings.from_environment()
    rows = _own(CLEAN_FEEDBACK, start_date, end_date, settings)
    allowed = rows.filter("use_for_analysis")
    value = pl.when(pl.col("kind") == "outcome").then(
        pl.concat_str(pl.lit('{"task_succeeded": '), pl.col("success").cast(pl.String), pl.lit("}"))
    )
    return allowed.select(
        "feedback_id",
        pl.col("interaction_id").alias("request_id"),
        pl.col("user_key").alias("user_id"),
        pl.col("occurred_at").alias("timestamp"),
        pl.col("kind").alias("feedback_type"),
        pl.col("thumb").alias("thumbs_up"),
        pl.col("stars").alias("rating"),
        value.alias("feedback_value"),
        "comment",
        *(pl.col(name).cast(pl.String) for name in ("model", "prompt_version", "framework")),
        "tags",
    ).to_pandas()


def load_logged_interactions(
    start_date: date | str | None = None, end_date: date | str | None = None, *, settings: Settings | None = None
) -> Any:
    """Logged answers of some days (the last thirty by default), redacted, as a pandas frame that
    `evaluate_prompt_version` takes: `request_id`, `conversation_id`, `timestamp`, `input_text`, `output_text`,
    `model`, `prompt_version`. Answers without a kept text are left out.

    Raises:
        GoneError: a file of these days was computed and is not there any more.
    """
    settings = settings or Settings.from_environment()
    rows = _own(CLEAN_INTERACTIONS, start_date, end_date, settings)
    return (
        rows.filter(pl.col("answer").is_not_null())
        .select(
            pl.col("interaction_id").alias("request_id"),
            "conversation_id",
            pl.col("day").alias("timestamp"),
            pl.col("prompt").alias("input_text"),
            pl.col("answer").alias("output_text"),
            *(pl.col(name).cast(pl.String) for name in ("model", "prompt_version")),
        )
        .to_pandas()
    )


def yesterday(settings: Settings | None) -> date:
    """The last whole day."""
    return Pipeline(settings or Settings.from_environment()).today() - timedelta(days=1)


def _own(table: Table, start: date | str | None, end: date | str | None, settings: Settings) -> pl.DataFrame:
    pipeline, days = Pipeline(settings), _days(start, end, settings)
    computed.require(pipeline.database, pipeline.frames, [table.name], days)
    return pipeline.frames.read(table, days)


def _days(start: date | str | None, end: date | str | None, settings: Settings) -> list[date]:
    first, last = (date.fromisoformat(day) if isinstance(day, str) else day for day in (start, end))
    last = last or yesterday(settings)
    first = first or last - timedelta(days=29)
    return days_between(first, last)
