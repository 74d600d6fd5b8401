"""124 crowd workers compare answers of real models: who is trusted less agrees with nobody else either."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from feedback_pipeline.cleaning.trust import rater_trust
from tests.support.sampled_votes import clean_votes

FIRST = datetime(2026, 9, 7, 0, 0, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def crowd(shared_data: Path) -> pl.DataFrame:
    return pl.read_csv(shared_data / "llmfao" / "crowd-comparisons.csv")


@pytest.fixture(scope="module")
def trust(crowd: pl.DataFrame) -> pl.DataFrame:
    """The votes carry no time: they are spread ten minutes apart, in the order of the file."""
    won = {"left": "this", "right": "other", "tie": "tie"}
    votes = clean_votes(
        [
            {
                "voter": str(row["worker"]), "kind": "preference", "counts": False, "strength": None,
                "interaction_id": f"{row['prompt']}-{row['model_x']}", "preference": won[row["winner"]],
                "other_interaction_id": f"{row['prompt']}-{row['model_y']}",
                "occurred_at": FIRST + timedelta(minutes=10 * number),
            }
            for number, row in enumerate(crowd.iter_rows(named=True))
        ]
    )  # fmt: skip
    return rater_trust(votes)


def test_every_worker_is_weighed_and_few_are_trusted_less(trust: pl.DataFrame) -> None:
    assert trust.height == 124
    assert 3 <= (trust["weight"] < 0.8).sum() <= 8
    assert trust["reasons"].explode().drop_nulls().unique().to_list() == ["disagrees_with_consensus"]


def test_workers_trusted_less_agree_with_gpt_4_no_more_than_a_coin(
    crowd: pl.DataFrame, trust: pl.DataFrame, shared_data: Path
) -> None:
    """GPT-4's verdicts are no part of the consensus: they confirm it from outside."""
    judge = pl.read_csv(shared_data / "llmfao" / "gpt4-crowd-comparisons.csv").select("id", judged=pl.col("winner"))
    weights = trust.select(pl.col("voter").cast(pl.Int64).alias("worker"), "weight")
    sides = crowd.join(judge, on="id").join(weights, on="worker")
    sides = sides.filter((pl.col("winner") != "tie") & (pl.col("judged") != "tie"))
    agrees = pl.col("winner") == pl.col("judged")
    low = sides.filter(pl.col("weight") < 0.8).select(agrees.mean()).item()
    high = sides.filter(pl.col("weight") == 1.0).select(agrees.mean()).item()
    assert low < 0.52
    assert high > 0.68
