"""What weights do, and what stays put when other rows come and go."""

import itertools

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.training.draws import keyed_hash, row_id, uniform, uniform_of_ids
from feedback_pipeline.training.layouts import spread
from feedback_pipeline.training.weights import (
    KTO_RATIO,
    MAX_COPIES,
    ORIGINAL,
    RECOMMENDED,
    WeightPolicy,
    effective_sample_size,
    kto_weights,
    policy_weight,
    rescaled_epochs,
    with_copies,
)

KEY = "a key for tests"
PINNED_HASH = 4703654927745169761
PINNED_DRAW = 0.19338365972389593


def ids(count: int) -> pl.Series:
    return row_id([pl.Series([f"row {number}" for number in range(count)])], "test")


@pytest.mark.parametrize("weight", [0.3, 0.5, 1.0, 1.3, 2.0])
def test_copies_realise_the_weight_on_average(weight: float) -> None:
    rows = pl.DataFrame({"row_id": ids(20_000)}).with_columns(weight=pl.lit(weight))
    # The standard error of the mean of 20,000 Bernoulli draws is at most 0.0036; four of them.
    assert with_copies(rows, "row_id", KEY).height / 20_000 == pytest.approx(weight, abs=0.0145)


def test_copies_of_a_row_do_not_depend_on_the_others() -> None:
    rows = pl.DataFrame({"row_id": ids(1_000)}).with_columns(weight=pl.lit(1.4))
    whole = with_copies(rows, "row_id", KEY)
    erased = with_copies(rows.filter(pl.int_range(pl.len()) % 3 != 0), "row_id", KEY)
    assert erased.equals(whole.join(erased.select("row_id").unique(), on="row_id", how="semi", maintain_order="left"))


def test_no_row_is_copied_without_end() -> None:
    rows = pl.DataFrame({"row_id": ids(3), "weight": [0.0, 3.9, 1e9]})
    copies = with_copies(rows, "row_id", KEY)
    assert copies["copy"].max() == MAX_COPIES - 1
    assert copies["row_id"].n_unique() == 2


def test_draws_depend_on_the_key_and_the_purpose() -> None:
    rows = ids(100)
    draws = [uniform_of_ids(rows, key, purpose) for key in ("a", "b") for purpose in ("copies", "cap")]
    draws += [uniform(rows, key, "split") for key in ("a", "b")]
    assert len({tuple(draw.to_list()) for draw in draws}) == len(draws)
    for draw in draws:
        assert 0 <= draw.min() < 0.2 < 0.8 < draw.max() < 1  # type: ignore[operator]


def test_draws_are_the_same_in_every_version() -> None:
    """Pinned: a change would move every conversation to another split and every example to another number of copies."""
    assert keyed_hash(pl.Series(["conversation", None]), KEY, "split").to_list() == [PINNED_HASH, None]
    assert uniform_of_ids(ids(1), KEY, "copies").item() == PINNED_DRAW


def test_effective_sample_size() -> None:
    assert effective_sample_size(pl.Series([1.0] * 10)) == pytest.approx(10)
    assert effective_sample_size(pl.Series([1.0] + [0.0] * 9)) == pytest.approx(1)
    assert effective_sample_size(pl.Series([], dtype=pl.Float64)) == 0


@given(st.integers(1, 1_000_000), st.integers(1, 1_000_000))
def test_kto_weights_keep_the_ratio_in_range(desirable: int, undesirable: int) -> None:
    found = kto_weights(desirable, undesirable)
    assert found.desirable is not None
    assert found.undesirable is not None
    ratio = found.desirable * desirable / (found.undesirable * undesirable)
    assert KTO_RATIO[0] * 0.99 <= ratio <= KTO_RATIO[1] * 1.01


def test_kto_of_800_approved_and_200_rejected() -> None:
    found = kto_weights(800, 200)
    assert found.desirable == 1.0
    assert 3.0 <= found.undesirable <= 4.0  # type: ignore[operator]  # 4 / [1, 4/3]


def test_kto_needs_both_labels_and_says_so() -> None:
    assert kto_weights(0, 5).reason == "there are no approved examples"
    assert kto_weights(5, 0).reason == "there are no rejected examples"


def test_the_original_policy_is_two_and_a_half_and_warns() -> None:
    rows = pl.DataFrame({"label": [True, False], "kind": ["answer", "answer"], "importance": [0.3, 1.7]})
    assert rows.select(policy_weight(ORIGINAL)).to_series().to_list() == [2.0, 0.5]
    assert "teach the model to say them" in ORIGINAL.warnings[0]
    assert RECOMMENDED.warnings == []


def test_a_rejected_answer_weighs_nothing_under_the_recommended_policy() -> None:
    rows = pl.DataFrame({"label": [True, False], "kind": ["correction", "answer"], "importance": [0.3, 1.7]})
    assert rows.select(policy_weight(RECOMMENDED)).to_series().to_list() == [0.3, 0.0]


def test_negative_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="no lower bound"):
        WeightPolicy("bad", positive=1.0, negative=-0.5, correction=1.0)


def test_epochs_shrink_as_copies_grow() -> None:
    assert rescaled_epochs(3, 1_000, 2_000) == 2
    assert rescaled_epochs(3, 1_000, 500) == 6
    assert rescaled_epochs(1, 10, 100) == 1
    assert rescaled_epochs(3, 10, 0) == 3


@given(st.lists(st.integers(0, 6), min_size=2, max_size=60))
def test_neighbours_share_a_prompt_group_only_where_they_must(clusters: list[int]) -> None:
    rows = pl.DataFrame({"cluster": pl.Series(clusters, dtype=pl.UInt64)})
    order = spread(rows)["cluster"].to_list()
    sizes = sorted((clusters.count(value) for value in set(clusters)), reverse=True)
    runner_up = sizes[1] if len(sizes) > 1 else 0
    touching = sum(before == after for before, after in itertools.pairwise(order))
    assert touching <= max(0, sizes[0] - runner_up)
    assert sorted(order) == sorted(clusters)
