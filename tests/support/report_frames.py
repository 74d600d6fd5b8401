"""Frames to assemble reports from: votes over twelve weeks with a planted cause, made from a fixed seed."""

from datetime import date, timedelta

import numpy as np
import polars as pl

from feedback_pipeline.cleaning.tables import VOTE_FACTS
from feedback_pipeline.patterns.slice_counts import count_slices
from feedback_pipeline.patterns.tables import APPROVAL_CHANGE, SLICE_COUNTS

MONDAY = date(2026, 11, 16)


def vote_facts(
    start: date, days: int, votes_a_day: int, *, seed: int = 7, failing: bool = False, people: int = 300
) -> pl.DataFrame:
    """Votes of which 80 % are up; with `failing`, prompt version v12 on intent code gets 45 %."""
    random = np.random.default_rng(seed)
    size = days * votes_a_day
    version = np.where(random.random(size) < 0.3, "v12" if failing else "v11", "v11")
    intent = random.choice(["code", "chat", "table"], size)
    rate = np.where((version == "v12") & (intent == "code"), 0.45, 0.8)
    facts = pl.DataFrame(
        {
            "feedback_id": [f"{start:%y%m%d}-{row:06d}" for row in range(size)],
            "interaction_id": [f"a{start:%y%m%d}-{row:06d}" for row in range(size)],
            "day": [start + timedelta(days=row % days) for row in range(size)],
            "person": random.integers(0, people, size).astype(np.uint64),
            "verdict": np.where(random.random(size) < rate, 1, -1).astype(np.int8),
            "strength": np.ones(size, dtype=np.float32),
            "stars": pl.Series([None] * size, dtype=pl.Int8),
            "success": pl.Series([None] * size, dtype=pl.Boolean),
            "model": random.choice(["m1", "m2"], size),
            "prompt_version": version,
            "intent": intent,
        }
    )
    missing = [
        pl.lit(None, dtype=kind).alias(name) for name, kind in VOTE_FACTS.schema.items() if name not in facts.columns
    ]
    return VOTE_FACTS.conform(facts.with_columns(missing)).sort("feedback_id")


def daily_counts(facts: pl.DataFrame) -> pl.DataFrame:
    """`slice_counts` of every day, single dimensions only."""
    days = [
        count_slices(part, ["model", "prompt_version"], day=day)
        for (day,), part in sorted(facts.partition_by("day", as_dict=True).items())
    ]
    counts = pl.concat(days) if days else SLICE_COUNTS.empty()
    return counts.filter(pl.col("second_dimension").is_null())


def approval_change(rows: list[dict[str, object]]) -> pl.DataFrame:
    """`approval_change` from the columns that matter; the others are null or 0."""
    defaults = dict.fromkeys(APPROVAL_CHANGE.names) | {
        "week": MONDAY, "part": "total", "votes": 0, "up": 0, "people": 0, "previous_votes": 0, "previous_up": 0
    }  # fmt: skip
    return APPROVAL_CHANGE.conform(pl.DataFrame([defaults | row for row in rows], schema=APPROVAL_CHANGE.schema))
