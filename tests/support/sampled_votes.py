"""The planted sample as clean votes in memory: what the store makes of the deliveries, without a database."""

from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

import polars as pl

from feedback_pipeline.cleaning import days
from feedback_pipeline.cleaning.signatures import text_signatures
from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK
from feedback_pipeline.sample import generate, truth

END = date(2026, 11, 15)
RANKS = {"explicit": 0, "correction": 1, "outcome": 2, "implicit": 3}


@dataclass(frozen=True)
class SampledVotes:
    """Clean votes (CLEAN_FEEDBACK) with raw user keys, signatures of the answers, and what was planted."""

    votes: pl.DataFrame
    signatures: pl.DataFrame
    truth: dict[str, Any]

    def people(self, plant: str) -> list[str]:
        return list(self.truth["plants"][plant]["people"])

    def last_weeks(self, weeks: int) -> pl.DataFrame:
        last = self.votes["day"].max()
        return self.votes.filter(pl.col("day") > last - pl.duration(weeks=weeks))


@cache
def sampled(votes: int, weeks: int, seed: int) -> SampledVotes:
    batches = list(generate(votes, weeks, seed, END))
    keys = pl.concat([batch.keys for batch in batches]).unique(["tenant", "kind", "value"])
    answers = pl.concat([batch.interactions for batch in batches])
    events = pl.concat([batch.feedback for batch in batches]).unique("id", maintain_order=True)
    read = _states(_about(events, keys), answers)
    signed = answers.rename({"id": "interaction_id", "output": "answer"}).with_columns(
        day=pl.col("occurred_at").dt.date()
    )
    return SampledVotes(days.clean_feedback(read), text_signatures(signed), truth(votes, weeks, seed, END))


def _about(events: pl.DataFrame, keys: pl.DataFrame) -> pl.DataFrame:
    named = keys.rename({"kind": "key_kind", "value": "key_value", "interaction_id": "keyed"})
    return events.join(named, on=["tenant", "key_kind", "key_value"], how="left").with_columns(
        interaction_id=pl.coalesce("interaction_id", "keyed"), voter=pl.coalesce("user_key", "session_key", "id")
    )


def _states(events: pl.DataFrame, answers: pl.DataFrame) -> pl.DataFrame:
    """The events as the store reads them: superseded, withdrawn and pending ones marked, outranked ones flagged."""
    latest = pl.struct("occurred_at", "received_at", "id")
    known = events.join(
        answers.select(
            pl.col("id").alias("interaction_id"), "conversation_id", "provenance", "project", "model", "prompt_version",
            "framework", "intent", "content_type", "action_type", "language", "variant", "tags",
            pl.col("tools_called").alias("tools"), prompt_chars=pl.col("prompt").str.len_chars(),
            answer_chars=pl.col("output").str.len_chars(), interaction_day=pl.col("occurred_at").dt.date(),
        ),
        on="interaction_id", how="left",
    ).with_columns(
        is_latest=latest == latest.max().over("interaction_id", "voter", "kind"),
        rank=pl.col("kind").replace_strict(RANKS, default=9),
    )  # fmt: skip
    state = (
        pl.when(~pl.col("is_latest")).then(pl.lit("superseded"))
        .when("withdrawn").then(pl.lit("withdrawn"))
        .when(pl.col("interaction_day").is_null()).then(pl.lit("pending"))
        .otherwise(pl.lit("current"))
    )  # fmt: skip
    current = known.with_columns(state=state).filter(pl.col("state") == "current")
    return current.with_columns(
        outranked=pl.col("rank") > pl.col("rank").min().over("interaction_id", "voter"),
        day=pl.col("occurred_at").dt.date(),
        admissible=pl.col("provenance") != "browser",
        feedback_id=pl.col("id"),
        other_model=pl.lit(None, pl.String),
        content_id=pl.lit(None, pl.String),
        shown=pl.lit(None, pl.String),
        use_for_training=pl.lit(value=True),
    )


def clean_votes(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows of CLEAN_FEEDBACK from what matters in them."""
    usual = {
        "tenant": "t", "day": END, "interaction_day": END, "kind": "explicit", "strength": 1.0, "counts": True,
        "disagrees": False, "source": "s", "provenance": "logged", "use_for_analysis": True, "use_for_training": True,
        "admissible": True,
    }  # fmt: skip
    given = [{"feedback_id": f"{number:08d}", **usual, **row} for number, row in enumerate(rows)]
    columns = CLEAN_FEEDBACK.names
    return pl.DataFrame([{name: row.get(name) for name in columns} for row in given], schema=CLEAN_FEEDBACK.schema)
