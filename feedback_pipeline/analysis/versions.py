"""`compare_prompt_versions` and `calculate_task_success_rate`: prompt versions side by side."""

from datetime import date, timedelta
from typing import Any

import polars as pl

from feedback_pipeline.analysis.performance import Performance, performance
from feedback_pipeline.analysis.vote_stretches import InsufficientFeedbackError, Stretch, stretch_of
from feedback_pipeline.judging.tables import JUDGED_QUALITY
from feedback_pipeline.judging.versions import averages_of_one_judge
from feedback_pipeline.patterns.safety import flagged_rates
from feedback_pipeline.patterns.tables import SAFETY_COUNTS
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings


def compare_prompt_versions(
    data: Any = None,
    *,
    db: Any = None,
    days: int = 30,
    until: date | None = None,
    settings: Settings | None = None,
) -> dict[str, Performance]:
    """Metrics of each prompt version.

        compare_prompt_versions(get_feedback_data())["v2"]["task_success_rate"]

    Of each: `task_success_rate` where successes are known, `approval_rate` with `approval_low` and `approval_high`
    (95 %, clustered by person), `votes`, `people`, `avg_stars`, and `median_latency_ms` and `avg_cost_usd` where the
    table has them. For the pipeline's own votes also `avg_<criterion>` of the newest judged week in the stretch, by one
    judge, the same for all versions, with its name (`judge`) and scale (`judge_scale`: "1–5" or "0–1"); and of all
    answers, voted on or not, the share with a safety flag: `personal_data_rate`, `refusal_rate`, `profanity_rate`,
    `content_filter_rate`.

    Raises:
        InsufficientFeedbackError: no vote says which prompt version it is about.
    """
    data = data if db is None else db
    stretch = stretch_of(data, days if data is None else None, until, settings)
    known = stretch.facts.filter(pl.col("prompt_version").is_not_null())
    versions = sorted({*known["prompt_version"].cast(pl.String), *stretch.events["prompt_version"].drop_nulls()})
    if not versions:
        raise InsufficientFeedbackError(0, 1, "with a prompt version")
    judged = _judged(stretch, settings) if data is None else {}
    flagged = _flagged(stretch, settings) if data is None else {}
    approval = performance(known, "prompt_version", 0)
    return {
        version: _version(stretch, version, approval) | judged.get(version, {}) | flagged.get(version, {})
        for version in versions
    }


def _version(stretch: Stretch, version: str, approval: dict[str, Performance]) -> Performance:
    facts = stretch.facts.filter(pl.col("prompt_version").cast(pl.String) == version)
    events = stretch.events.filter(pl.col("prompt_version") == version)
    rates = approval.get(version, {})
    renamed = {"success_rate": "approval_rate", "low": "approval_low", "high": "approval_high"}
    found: dict[str, Any] = {"task_success_rate": _task_success(events)}
    found |= {renamed.get(name, name): value for name, value in rates.items() if name not in ("text", "limit")}
    found["avg_stars"] = facts["stars"].cast(pl.Float64).mean()
    if "latency_ms" in events.columns:
        found["median_latency_ms"] = events.unique("interaction_id")["latency_ms"].median()
    if "cost_usd" in events.columns:
        found["avg_cost_usd"] = events.unique("interaction_id")["cost_usd"].mean()
    return {name: float(value) for name, value in found.items() if value is not None}


def _judged(stretch: Stretch, settings: Settings | None) -> dict[str, Performance]:
    frames = Pipeline(settings or Settings.from_environment()).frames
    weeks = [date.fromisoformat(key) for key in frames.partitions(JUDGED_QUALITY)]
    judged = [week for week in weeks if stretch.first <= week <= stretch.last]
    averages = averages_of_one_judge(frames.read(JUDGED_QUALITY, judged[-1:]))
    if averages is None:
        return {}
    by_whom = {"judge": averages.judge, "judge_scale": averages.scale}
    return {version: by_whom | means for version, means in averages.by_version.items()}


def _flagged(stretch: Stretch, settings: Settings | None) -> dict[str | None, dict[str, float]]:
    frames = Pipeline(settings or Settings.from_environment()).frames
    days = [stretch.first + timedelta(days=offset) for offset in range((stretch.last - stretch.first).days + 1)]
    rates = flagged_rates(frames.read(SAFETY_COUNTS, days), "prompt_version")
    return {version: {f"{flag}_rate": rate for flag, rate in flags.items()} for version, flags in rates.items()}


def calculate_task_success_rate(data: Any = None, *, db: Any = None, settings: Settings | None = None) -> float:
    """Share of answers that succeeded, among those of which it is known: by people's thumb, else by four stars or more,
    else by their outcome.

        calculate_task_success_rate(get_feedback_data())

    Raises:
        InsufficientFeedbackError: of no answer it is known.
        FeedbackFrameError: the table is not one of feedback.
    """
    data = data if db is None else db
    rate = _task_success(stretch_of(data, 30 if data is None else None, None, settings).events)
    if rate is None:
        raise InsufficientFeedbackError(0, 1, "that says whether the task succeeded")
    return rate


def _task_success(events: pl.DataFrame) -> float | None:
    """Each person's newest word on an answer, what people say before what the application reports."""
    known = events.filter(pl.col("success").is_not_null()).with_columns(
        explicit=pl.col("kind") == "explicit", voter=pl.coalesce("user", pl.int_range(pl.len()).cast(pl.String))
    )
    newest = known.sort("occurred_at", nulls_last=False, maintain_order=True).unique(
        ["interaction_id", "voter", "explicit"], keep="last", maintain_order=True
    )
    by_answer = newest.group_by("interaction_id").agg(
        pl.coalesce(pl.col("success").filter("explicit").mean(), pl.col("success").mean()).alias("success")
    )
    share: float | None = by_answer.sort("interaction_id")["success"].mean()  # type: ignore[assignment]
    return share
