"""Votes with a known truth."""

import datetime as dt
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

WEEK = dt.date(2026, 11, 9)
LEVELS = {"model": 6, "prompt_version": 5, "language": 4, "intent": 8}


@pytest.fixture
def week() -> dt.date:
    return WEEK


@pytest.fixture
def make_facts() -> Callable[..., pl.DataFrame]:
    """`vote_facts` of n votes at a base negative rate, with excesses planted in slices given as dicts."""

    def make(
        n: int,
        *,
        seed: int = 0,
        planted: tuple[tuple[dict[str, str], float], ...] = (),
        base: float = 0.2,
        people: int | None = None,
        day: dt.date = WEEK,
        levels: dict[str, int] = LEVELS,
    ) -> pl.DataFrame:
        rng = np.random.default_rng(seed)
        columns = {name: rng.integers(0, size, n) for name, size in levels.items()}
        negative = np.full(n, base)
        for chosen, excess in planted:
            inside = np.ones(n, dtype=bool)
            for name, value in chosen.items():
                inside &= columns[name] == int(value.rsplit("_", 1)[1])
            negative[inside] += excess
        person = rng.integers(0, people or max(n // 5, 1), n)
        down = rng.random(n) < negative
        return pl.DataFrame(
            {
                "feedback_id": pl.Series([f"{seed}-{i:07d}" for i in range(n)], dtype=pl.String),
                "interaction_id": pl.Series([f"a{seed}-{i:07d}" for i in range(n)], dtype=pl.String),
                "day": pl.Series([day] * n, dtype=pl.Date),
                "person": pl.Series(person, dtype=pl.UInt64),
                "verdict": pl.Series(np.where(down, -1, 1), dtype=pl.Int8),
                "strength": pl.Series(np.ones(n), dtype=pl.Float32),
                "stars": pl.Series([None] * n, dtype=pl.Int8),
                **{
                    name: pl.Series([f"{name}_{value}" for value in values], dtype=pl.String).cast(pl.Categorical)
                    for name, values in columns.items()
                },
            }
        )

    return make
