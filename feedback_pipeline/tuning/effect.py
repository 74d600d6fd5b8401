"""Whether people approve of a promoted model more than of the one before it."""

import datetime as dt

import polars as pl

from feedback_pipeline.stats.intervals import Rate, clustered_rate, difference
from feedback_pipeline.tuning.tables import MODEL_EFFECT

WEEKS_BEFORE = 4
WEEKS_AFTER = 4

MIN_PEOPLE = 20
"""People behind each side, under which nothing is said."""


def model_effect(
    votes: pl.DataFrame, week: dt.date, *, model: str, previous: str, promoted_on: dt.date
) -> pl.DataFrame:
    """Approval after a promotion against before it; people who voted on both sides make the interval conservative.

    Days of the promotion itself count for neither side. Who gets which model is not random here: a rise may have
    other causes, so it is called a difference; an experiment tells more.

    Args:
        votes: `day`, `model`, `voter`, `verdict` (up, neutral, down) of the weeks before and after.
        week: Monday of the week the row is for.
        model: the promoted model, as votes name it.
        previous: the model before it.
        promoted_on: day of the promotion.

    Returns:
        MODEL_EFFECT, one row.
    """
    decided = votes.filter(pl.col("verdict").is_in(["up", "down"]))
    last = week + dt.timedelta(days=6)
    after = decided.filter((pl.col("model") == model) & pl.col("day").is_between(promoted_on, last, closed="right"))
    earliest = promoted_on - dt.timedelta(weeks=WEEKS_BEFORE)
    before = decided.filter(
        (pl.col("model") == previous) & pl.col("day").is_between(earliest, promoted_on, closed="left")
    )
    rates = [_rate(after), _rate(before)]
    changed = difference(*rates)
    few = min(rate.people or 0 for rate in rates) < MIN_PEOPLE
    reason = f"fewer than {MIN_PEOPLE} people on one side" if few else changed.reason
    verdict = "cannot_say"
    if not few and changed.low is not None and changed.high is not None:
        verdict = "better" if changed.low > 0 else "worse" if changed.high < 0 else "no_measurable_change"
    if verdict == "worse":
        reason = "approval fell: consider feedback rollback"
    row = {
        "week": week, "model": model, "previous": previous, "promoted_on": promoted_on, "votes": rates[0].n,
        "people": rates[0].people or 0, "approval": rates[0].estimate, "votes_before": rates[1].n,
        "approval_before": rates[1].estimate, "difference": changed.estimate, "low": changed.low,
        "high": changed.high, "verdict": verdict, "reason": reason,
    }  # fmt: skip
    return MODEL_EFFECT.conform(pl.DataFrame([row], schema=MODEL_EFFECT.schema))


def _rate(votes: pl.DataFrame) -> Rate:
    people = votes.group_by("voter").agg(up=(pl.col("verdict") == "up").sum(), n=pl.len()).sort("voter")
    return clustered_rate(people["up"].to_numpy(), people["n"].to_numpy())
