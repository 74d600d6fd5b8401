"""The feedback events of some days that a report reads beside votes: preferences, comments, corrections."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK, CLEAN_INTERACTIONS
from feedback_pipeline.tables.parquet import ParquetFolder, of_ids

SAID = {
    "feedback_id": pl.String,
    "interaction_id": pl.String,
    "other_interaction_id": pl.String,
    "day": pl.Date,
    "kind": pl.String,
    "verdict": pl.String,
    "voter": pl.String,
    "comment": pl.String,
    "correction": pl.String,
    "answer": pl.String,
    "preference": pl.String,
    "model": pl.String,
    "other_model": pl.String,
    "project": pl.String,
}
"""Columns of `Sources.said`."""


def said_events(frames: ParquetFolder, days: Sequence[date], tenant: str | None = None) -> pl.DataFrame:
    """`Sources.said` of some days: of one tenant, or of all that allow analyses."""
    has_words = pl.any_horizontal(pl.col("comment", "correction", "preference").is_not_null())
    events = frames.scan(CLEAN_FEEDBACK, days).filter(has_words & pl.col("use_for_analysis"))
    if tenant is not None:
        events = events.filter(pl.col("tenant") == tenant)
    found = events.select(
        *(pl.col(name).cast(kind) for name, kind in SAID.items() if name != "answer"), "interaction_day"
    ).collect()
    corrected = found.filter(pl.col("correction").is_not_null())
    answered_on = corrected["interaction_day"].unique().sort().to_list()
    scanned = of_ids(frames.scan(CLEAN_INTERACTIONS, answered_on), "interaction_id", corrected["interaction_id"])
    answers = scanned.select("interaction_id", "answer").collect()
    return found.join(answers, on="interaction_id", how="left").select(list(SAID)).sort("feedback_id")
