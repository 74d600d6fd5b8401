"""People's verdicts as the labels a judge is measured by."""

import polars as pl

from feedback_pipeline.judging.tables import OVERALL

VERDICT_VALUES = {"down": 0.0, "neutral": 0.5, "up": 1.0}
VERDICT_CODES = {"down": 0, "neutral": 1, "up": 2}


def human_labels(verdicts: pl.DataFrame) -> pl.DataFrame:
    """One label per answer and criterion.

    Args:
        verdicts: one row per person and answer: `interaction_id`, `verdict` (others than up, neutral and down are
            ignored), optionally `criterion` (satisfaction where missing) and `voter` (one row each is used).

    Returns:
        `interaction_id`, `criterion`, `human_value` (mean, 0–1, neutral counting half), `human_verdict` (what most
        said; neutral where no verdict was said more often than each other), `voters`; sorted.
    """
    rows = person_verdicts(verdicts)
    value = pl.col("verdict").replace_strict(VERDICT_VALUES, return_dtype=pl.Float64)
    return (
        rows.group_by("interaction_id", "criterion")
        .agg(
            value.mean().alias("human_value"),
            pl.len().alias("voters"),
            *((pl.col("verdict") == verdict).sum().alias(verdict) for verdict in VERDICT_VALUES),
        )
        .with_columns(
            pl.when(pl.col("up") > pl.max_horizontal("neutral", "down"))
            .then(pl.lit("up"))
            .when(pl.col("down") > pl.max_horizontal("neutral", "up"))
            .then(pl.lit("down"))
            .otherwise(pl.lit("neutral"))
            .alias("human_verdict")
        )
        .drop(*VERDICT_VALUES)
        .sort("interaction_id", "criterion")
    )


def person_verdicts(verdicts: pl.DataFrame) -> pl.DataFrame:
    """`interaction_id`, `criterion`, `voter`, `verdict`: one row per person, answer and criterion, sorted."""
    missing = []
    if "criterion" not in verdicts.columns:
        missing.append(pl.lit(OVERALL).alias("criterion"))
    if "voter" not in verdicts.columns:
        missing.append(pl.int_range(pl.len()).cast(pl.String).alias("voter"))
    keys = ["interaction_id", "criterion", "voter"]
    return (
        verdicts.with_columns(missing)
        .filter(pl.col("verdict").is_in(list(VERDICT_VALUES)))
        .select(*keys, pl.col("verdict").cast(pl.String))
        .sort(*keys, "verdict")
        .unique(keys, keep="first", maintain_order=True)
    )
