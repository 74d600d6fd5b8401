"""Which answers to judge: a stratified sample that stays put when other answers come and go."""

from collections.abc import Sequence

import polars as pl

from feedback_pipeline.judging.stable_hash import text_hash
from feedback_pipeline.judging.tables import JUDGE_SAMPLE

STRATA = ("model", "prompt_version", "intent")
STRATUM_FLOOR = 5
"""Answers drawn from every stratum that has them, where the size allows: a rare model is not a guess."""

ROUNDING = 1e-9
"""Sums of shares fall short of whole numbers by less than this."""


def draw_sample(
    interactions: pl.DataFrame,
    size: int,
    seed: str,
    *,
    voted_size: int | None = None,
    strata: Sequence[str] = STRATA,
) -> pl.DataFrame:
    """Draws answers without a vote and, separately, answers with one, in each stratum those with the lowest hashes.

    Args:
        interactions: one row per answer: `interaction_id`, `conversation_id`, `has_vote` and the strata columns.
        size: answers to draw in all.
        seed: the same seed, ids and strata give the same sample.
        voted_size: how many of them carry a vote; half of `size` unless given. What one group cannot fill goes to
            the other.

    Returns:
        `judge_sample`, ordered by interaction id.
    """
    if interactions.is_empty() or size <= 0:
        return JUDGE_SAMPLE.empty()
    voted = int(interactions["has_vote"].sum())
    unvoted = interactions.height - voted
    wanted_voted = min(size // 2 if voted_size is None else min(voted_size, size), voted)
    wanted_unvoted = min(size - wanted_voted, unvoted)
    if voted_size is None:
        wanted_voted = min(size - wanted_unvoted, voted)
    keys = ["has_vote", *strata]
    allocation = _allocate(interactions, keys, wanted_voted, wanted_unvoted, seed)
    needed = list(dict.fromkeys([*JUDGE_SAMPLE.names[:-1], *keys]))
    return JUDGE_SAMPLE.conform(
        interactions.select(needed)
        .with_columns(pl.Series("_hash", text_hash(interactions["interaction_id"], seed)))
        .sort("_hash", "interaction_id")
        .with_columns(pl.int_range(pl.len()).over(keys).alias("_place"))
        .join(allocation, on=keys, nulls_equal=True)
        .filter(pl.col("_place") < pl.col("_drawn"))
        .with_columns(pl.col("conversation_id").fill_null(pl.col("interaction_id")))
        .sort("interaction_id")
    )


def _allocate(interactions: pl.DataFrame, keys: Sequence[str], voted: int, unvoted: int, seed: str) -> pl.DataFrame:
    """How many answers each stratum gives (`_drawn`) and with what probability each of its answers is drawn.

    A floor for each stratum and the rest in proportion, rounded by systematic sampling with one random start (Madow
    1949), so that expectations are exact and the total is off by one at most.
    """
    start = int(text_hash(pl.Series([""]), f"{seed}|start")[0]) / 2**64
    wanted = pl.when("has_vote").then(voted).otherwise(unvoted).cast(pl.Float64)
    even = wanted / (2 * pl.len().over("has_vote"))
    floor = pl.min_horizontal(pl.lit(float(STRATUM_FLOOR)), even, pl.col("_size").cast(pl.Float64))
    above = pl.col("_size") - pl.col("_floor")
    rest = wanted - pl.col("_floor").sum().over("has_vote")
    expected = pl.col("_floor") + rest * above / above.sum().over("has_vote")
    reached = (pl.col("_expected").cum_sum().over("has_vote") + start + ROUNDING).floor()
    return (
        interactions.group_by(keys)
        .agg(pl.len().alias("_size"))
        .sort(keys)
        .with_columns(floor.alias("_floor"))
        .with_columns(pl.min_horizontal(expected, pl.col("_size").cast(pl.Float64)).alias("_expected"))
        .with_columns(reached.alias("_reached"))
        .with_columns((pl.col("_reached") - pl.col("_reached").shift(fill_value=0).over("has_vote")).alias("_rounded"))
        .select(
            *keys,
            pl.min_horizontal(pl.col("_rounded").cast(pl.Int64), "_size").alias("_drawn"),
            (pl.col("_expected") / pl.col("_size")).alias("inclusion_probability"),
        )
    )


def draw_pairs(preferences: pl.DataFrame, size: int, seed: str) -> pl.DataFrame:
    """Pairs of answers that people compared, those with the lowest hashes.

    Args:
        preferences: one row per vote: `interaction_id`, `other_interaction_id`.
        size: how many pairs at most.

    Returns:
        `interaction_id` and `other_interaction_id`, each pair once and one way round.
    """
    known = preferences.drop_nulls(["interaction_id", "other_interaction_id"])
    pairs = known.select(
        pl.min_horizontal("interaction_id", "other_interaction_id").alias("interaction_id"),
        pl.max_horizontal("interaction_id", "other_interaction_id").alias("other_interaction_id"),
    ).unique()
    keys = pairs.select(pl.concat_str(pl.all(), separator="|").alias("key"))["key"]
    drawn = pairs.with_columns(pl.Series("_hash", text_hash(keys, seed))).sort("_hash", *pairs.columns)
    return drawn.head(size).select(pairs.columns).sort(pairs.columns)
