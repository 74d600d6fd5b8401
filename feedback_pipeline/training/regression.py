"""The regression suite: failures that people confirmed, kept as tests for as long as the votes behind them are.

A suite that is drawn anew every week would lose failures to caps and splits, which are there for training. So each week
starts from the suite of the week before; a case leaves it only when a vote behind it is gone (withdrawn, erased, no
longer allowed, or out of the rolling window) or when people have come to approve of the answer.
"""

import polars as pl

from feedback_pipeline.calendar import monday_of
from feedback_pipeline.training.curation import Curated
from feedback_pipeline.training.tables import REGRESSION_CASES

MAX_SAID = 600
"""Characters of what people said of one answer."""


def is_case() -> pl.Expr:
    """Whether an example (TRAINING_EXAMPLES) is a failure or a correction."""
    return ~pl.col("label") | (pl.col("kind") == "correction")


def new_cases(curated: Curated, votes: pl.DataFrame | None = None) -> pl.DataFrame:
    """The failures and corrections among the examples of a window (REGRESSION_CASES).

    Args:
        curated: the examples.
        votes: as in `regression_cases`; without them it stays open what people said.
    """
    failed = curated.examples.filter(is_case())
    return REGRESSION_CASES.conform(
        failed.with_columns(since=pl.lit(monday_of(curated.window_end)), said=_said(failed, votes))
    )


def what_was_said() -> pl.Expr:
    """Reasons and comment of a vote as one text; null where there are none."""
    reasons = pl.col("reasons").list.join(", ").replace("", None)
    return (
        pl.concat_str(reasons, pl.col("comment"), separator=": ", ignore_nulls=True)
        .replace("", None)
        .str.head(MAX_SAID)
    )


def _said(cases: pl.DataFrame, votes: pl.DataFrame | None) -> pl.Series:
    if votes is None or cases.is_empty():
        return pl.Series("said", [None] * cases.height, dtype=pl.String)
    texts = votes.select("feedback_id", said=what_was_said()).drop_nulls()
    by_vote = cases.select("example_id", feedback_id="feedback_ids").explode("feedback_id")
    joined = (
        by_vote.join(texts, on="feedback_id")
        .group_by("example_id", maintain_order=True)
        .agg(pl.col("said").unique(maintain_order=True).str.join("; "))
    )
    found = cases.select("example_id").join(joined, on="example_id", how="left", maintain_order="left")
    return found["said"].str.head(MAX_SAID)


def regression_cases(curated: Curated, previous: pl.DataFrame, votes: pl.DataFrame) -> pl.DataFrame:
    """The suite of the window of `curated` (REGRESSION_CASES, sorted by example_id).

    Args:
        curated: the examples.
        previous: the suite of the week before; no rows where there is none.
        votes: CLEAN_FEEDBACK of the window: feedback_id, use_for_training, reasons and comment.
    """
    fresh = new_cases(curated, votes)
    allowed = votes.filter("use_for_training")["feedback_id"]
    approved = curated.examples.filter(pl.col("label") & (pl.col("kind") == "answer"))["example_id"]
    standing = previous.filter(
        pl.col("feedback_ids").list.eval(pl.element().is_in(allowed.implode())).list.all()
        & ~pl.col("example_id").is_in(approved.implode())
    )
    since = fresh.select("example_id").join(
        standing.select("example_id", "since"), on="example_id", how="left", maintain_order="left"
    )["since"]
    known = pl.col("example_id").is_in(fresh["example_id"].implode())
    both = [fresh.with_columns(since=since.fill_null(monday_of(curated.window_end))), standing.filter(~known)]
    return REGRESSION_CASES.conform(pl.concat(both)).sort("example_id")
