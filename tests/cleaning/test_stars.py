"""Stars by the rater's own measure: the strength moves, nothing else does."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_pipeline.cleaning.stars import StarPolicy, with_rater_strengths
from feedback_pipeline.cleaning.verdicts import DEFAULT_POLICY
from tests.support.sampled_votes import clean_votes

NOON = datetime(2026, 11, 11, 12, tzinfo=UTC)


def ratings(voter: str, *given_stars: int, **more: Any) -> list[dict[str, Any]]:
    return [
        {
            "voter": voter, "interaction_id": f"{voter}{number}", "occurred_at": NOON, "stars": stars,
            "verdict": DEFAULT_POLICY.stars[stars][0], "strength": DEFAULT_POLICY.stars[stars][1],
        } | more
        for number, stars in enumerate(given_stars)
    ]  # fmt: skip


def crowd() -> list[dict[str, Any]]:
    """Forty people of ordinary taste: one to five stars as 1 : 1 : 1 : 3 : 4."""
    return [row for person in range(40) for row in ratings(f"p{person}", *[1, 2, 3, *[4] * 3, *[5] * 4])]


def strengths(votes: list[dict[str, Any]], voter: str, policy: StarPolicy | None = None) -> dict[int, float]:
    adjusted = with_rater_strengths(clean_votes(votes), policy).filter(pl.col("voter") == voter)
    return dict(adjusted.select("stars", pl.col("strength").cast(pl.Float64)).unique().iter_rows())


def test_four_stars_say_less_from_who_mostly_gives_five() -> None:
    generous = strengths([*crowd(), *ratings("g", *[5] * 27, *[4] * 3)], "g")
    strict = strengths([*crowd(), *ratings("s", *[2] * 20, *[3] * 7, *[4] * 3)], "s")
    assert generous[4] < 0.5 < 0.6 < 0.7 < strict[4]
    assert strict[2] < 0.6  # two stars are nothing unusual from this rater


def test_the_shift_is_the_difference_of_ridits_shrunk() -> None:
    # of 430 ratings 160 + 27 are fives and 120 + 3 fours; below four are 120
    found = strengths([*crowd(), *ratings("g", *[5] * 27, *[4] * 3)], "g")
    own, usual = 1.5 / 30, (120 + 123 / 2) / 430
    assert found[4] == pytest.approx(0.6 * (1 + (own - usual) * 30 / 40), abs=1e-6)


def test_few_ratings_and_one_number_alone_say_nothing_about_a_measure() -> None:
    votes = [*crowd(), *ratings("new", 4, 4, 5), *ratings("same", *[5] * 50), *ratings("angry", *[1] * 50)]
    assert strengths(votes, "new") == {4: pytest.approx(0.6), 5: 1.0}
    assert strengths(votes, "same") == {5: 1.0}
    assert strengths(votes, "angry") == {1: 1.0}


def test_a_crowd_of_one_taste_stays_as_it_is() -> None:
    votes = clean_votes(crowd())
    assert np.allclose(with_rater_strengths(votes)["strength"], votes["strength"])


def test_thumbs_decide_alone_and_neutral_stays() -> None:
    thumbs = ratings("g", *[5] * 20, *[4] * 10, thumb=True, verdict="up", strength=1.0)
    assert strengths([*crowd(), *thumbs], "g") == {4: 1.0, 5: 1.0}
    neutral = strengths([*crowd(), *ratings("n", *[5] * 20, *[3] * 3)], "n")
    assert neutral[3] == 0.5


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 5)), max_size=60))
def test_nothing_but_the_strength_moves_and_it_stays_a_strength(given_stars: list[tuple[str, int]]) -> None:
    votes = clean_votes([row for voter, stars in given_stars for row in ratings(voter, stars)])
    adjusted = with_rater_strengths(votes, StarPolicy(least_ratings=2))
    assert adjusted.schema == votes.schema
    assert adjusted.drop("strength").equals(votes.drop("strength"))
    assert adjusted["strength"].is_between(0.0, 1.0).all()


def test_more_stars_never_say_less_within_a_rater() -> None:
    draw = np.random.default_rng(1)
    for _ in range(20):
        found = strengths([*crowd(), *ratings("x", *draw.integers(1, 6, 40).tolist())], "x")
        assert found.get(4, 0.0) <= found.get(5, 1.0)
        assert found.get(2, 0.0) <= found.get(1, 1.0)
