"""One sample of a month, generated once."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
import pytest

from feedback_pipeline.sample import SampleBatch, answer_labels, generate, truth

ARGUMENTS = (20_000, 4, 7, date(2026, 11, 21))


@dataclass(frozen=True)
class Month:
    batches: list[SampleBatch]
    interactions: pl.DataFrame
    keys: pl.DataFrame
    deliveries: pl.DataFrame
    events: pl.DataFrame
    """Distinct feedback events with `answer_id` (also where only a key was given) and `up`."""

    bad_rows: pl.DataFrame
    labels: pl.DataFrame
    truth: dict[str, Any]


@pytest.fixture(scope="session")
def month() -> Month:
    batches = list(generate(*ARGUMENTS))
    keys = pl.concat([batch.keys for batch in batches])
    deliveries = pl.concat([batch.feedback for batch in batches])
    requests = keys.filter(pl.col("kind") == "request").select(key_value="value", keyed_id="interaction_id")
    events = (
        deliveries.unique("id", keep="first", maintain_order=True)
        .join(requests, on="key_value", how="left", maintain_order="left")
        .with_columns(
            answer_id=pl.coalesce("interaction_id", "keyed_id"), up=pl.coalesce("thumb", pl.col("stars") >= 4)
        )
    )
    return Month(
        batches,
        pl.concat([batch.interactions for batch in batches]),
        keys,
        deliveries,
        events,
        pl.concat([batch.bad_rows for batch in batches]),
        pl.concat(list(answer_labels(*ARGUMENTS))),
        truth(*ARGUMENTS),
    )
