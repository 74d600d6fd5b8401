"""The sample represents everything, stays put, and its probabilities are true."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_pipeline.judging.sample import draw_pairs, draw_sample
from feedback_pipeline.judging.stable_hash import text_hash
from feedback_pipeline.judging.tables import JUDGE_SAMPLE


def interactions(count: int, vote_every: int = 5) -> pl.DataFrame:
    number = pl.int_range(count, eager=True)
    return pl.DataFrame({"number": number}).select(
        pl.format("id-{}", "number").alias("interaction_id"),
        pl.when(pl.col("number") % 7 > 0).then(pl.format("c{}", pl.col("number") // 2)).alias("conversation_id"),
        pl.when(pl.col("number") % 100 == 0).then(pl.lit("rare")).otherwise(pl.lit("common")).alias("model"),
        pl.lit(None, pl.String).alias("prompt_version"),
        pl.when(pl.col("number") % 3 == 0).then(pl.lit("code")).otherwise(pl.lit("chat")).alias("intent"),
        (pl.col("number") % vote_every == 0).alias("has_vote"),
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 900), st.integers(0, 1200), st.integers(1, 40), st.text(max_size=4))
def test_weights_add_up_and_the_size_is_kept(count: int, size: int, vote_every: int, seed: str) -> None:
    drawn = draw_sample(interactions(count, vote_every), size, seed)
    assert JUDGE_SAMPLE.problems(drawn) == []
    assert drawn.height <= size + 2
    assert drawn["inclusion_probability"].is_between(0, 1, closed="right").all()
    if size >= count:
        assert drawn.height == count


def test_answers_with_and_without_a_vote_share_the_sample() -> None:
    drawn = draw_sample(interactions(5000), 400, "week")
    assert drawn["has_vote"].sum() == 200
    assert draw_sample(interactions(5000), 400, "week", voted_size=50)["has_vote"].sum() == 50


def test_a_rare_model_is_in_the_sample() -> None:
    drawn = draw_sample(interactions(5000), 200, "week")
    assert drawn.filter(pl.col("model") == "rare").height >= 10


def test_inclusion_probabilities_are_true() -> None:
    # Horvitz–Thompson: over many seeds the weights of a group sum to its size on average.
    frame = interactions(2000)
    estimates = [
        (1 / draw_sample(frame, 100, str(seed)).filter(pl.col("intent") == "code")["inclusion_probability"]).sum()
        for seed in range(60)
    ]
    assert sum(estimates) / 60 == pytest.approx((frame["intent"] == "code").sum(), rel=0.03)


def test_the_sample_hardly_moves_when_answers_come_and_go() -> None:
    frame = interactions(5000)
    before = draw_sample(frame, 300, "week")
    after = draw_sample(frame.filter(pl.col("interaction_id") != before["interaction_id"][0]), 300, "week")
    assert before.join(after, on="interaction_id").height >= 295


def test_order_does_not_matter_and_the_seed_does() -> None:
    frame = interactions(1000)
    assert draw_sample(frame, 100, "a").equals(draw_sample(frame.reverse(), 100, "a"))
    assert not draw_sample(frame, 100, "a").equals(draw_sample(frame, 100, "b"))


@settings(deadline=None)
@given(st.lists(st.text(), max_size=20), st.text(max_size=3))
def test_a_texts_hash_depends_on_itself_only(texts: list[str], seed: str) -> None:
    together = text_hash(pl.Series(texts, dtype=pl.String), seed)
    alone = [int(text_hash(pl.Series([text]), seed)[0]) for text in texts]
    assert together.tolist() == alone


def test_the_hash_never_changes() -> None:
    # Samples of past weeks must stay what they were.
    assert text_hash(pl.Series(["a", "b", "", "é"])).tolist() == PINNED


PINNED = [7921827989361386497, 4677554325991720511, 5323092005331881792, 5702031412164288718]


def test_pairs_are_drawn_once_each_however_they_were_named_and_stay_put() -> None:
    votes = pl.DataFrame(
        {
            "interaction_id": ["a", "b", "c", "e", None],
            "other_interaction_id": ["b", "a", "d", "f", "g"],
        }
    )
    pairs = draw_pairs(votes, 10, "week")
    assert pairs.rows() == [("a", "b"), ("c", "d"), ("e", "f")]
    assert draw_pairs(votes.reverse(), 2, "week").equals(draw_pairs(votes, 2, "week"))
    assert draw_pairs(votes, 0, "week").is_empty()


def test_a_hash_does_not_depend_on_where_blocks_end():
    # one longer than a block, one as long
    texts = ["a" * 100_000, "", "b" * 300_000, "é" * 131_072, "c", "a" * 100_000]
    together = text_hash(pl.Series(texts)).tolist()
    assert together == [int(text_hash(pl.Series([text]))[0]) for text in texts]
    assert together[0] == together[-1]
