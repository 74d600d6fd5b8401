"""Daily counts add up, whatever the dimensions."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_pipeline.patterns import slice_counts
from feedback_pipeline.patterns.slice_counts import count_slices
from feedback_pipeline.patterns.tables import SLICE_COUNTS

DAY = dt.date(2026, 11, 9)
ADDITIVE = ["votes", "up", "neutral", "down", "stars_sum", "stars_votes", "strength_sum"]
SCHEMA = {
    "person": pl.UInt64,
    "verdict": pl.Int8,
    "strength": pl.Float32,
    "stars": pl.Int8,
    "model": pl.Categorical,
    "language": pl.Categorical,
    "intent": pl.Categorical,
    "tags": pl.List(pl.String),
}
DIMENSIONS = ["model", "language", "intent", "tags"]

vote = st.fixed_dictionaries(
    {
        "person": st.integers(0, 6),
        "verdict": st.sampled_from([-1, 0, 1]),
        "strength": st.sampled_from([0.25, 0.5, 1.0]),
        "stars": st.none() | st.integers(1, 5),
        "model": st.none() | st.sampled_from(["a", "b", "(other)"]),
        "language": st.none() | st.sampled_from(["de", "en"]),
        "intent": st.none() | st.sampled_from(["x", "y", "z"]),
        "tags": st.none() | st.lists(st.sampled_from(["t", "u"]), unique=True).map(sorted),
    }
)
days = st.lists(vote, min_size=1, max_size=40).map(lambda rows: pl.DataFrame(rows, schema=SCHEMA))


def cell(counts, **chosen):
    pairs = [*sorted(chosen.items()), *[(None, None)] * (3 - len(chosen))]
    condition = pl.lit(True)
    for place, (dimension, value) in zip(("first", "second", "third"), pairs, strict=True):
        condition &= pl.col(f"{place}_dimension").eq_missing(dimension)
        condition &= pl.col(f"{place}_value").eq_missing(value)
    return counts.filter(condition)


@given(days)
@settings(max_examples=40, deadline=None)
def test_every_cell_is_what_a_group_by_says(facts):
    counts = count_slices(facts, DIMENSIONS, day=DAY)
    assert SLICE_COUNTS.problems(counts) == []
    sums = (
        pl.len().alias("votes"),
        (pl.col("verdict") == -1).sum().alias("down"),
        pl.col("stars").cast(pl.Int64).sum().alias("stars_sum"),
        pl.col("stars").count().alias("stars_votes"),
        pl.col("strength").cast(pl.Float64).sum().alias("strength_sum"),
        pl.col("person").n_unique().alias("people"),
    )
    exploded = facts.filter(pl.col("tags").list.len() > 0).explode("tags")
    for names in (["model"], ["language", "model"], ["intent", "language", "model"], ["language", "model", "tags"]):
        source = exploded if "tags" in names else facts
        grouped = source.group_by(pl.col(names).cast(pl.String)).agg(*sums)
        for row in grouped.iter_rows(named=True):
            if all(facts[name].null_count() == facts.height for name in names):
                continue
            ours = cell(counts, **{name: row[name] for name in names})
            if any(facts[name].null_count() == facts.height for name in names):
                assert ours.is_empty()
                continue
            for column in ("votes", "down", "stars_sum", "stars_votes", "strength_sum", "people"):
                assert ours[column].to_list() == [row[column]]


@given(days)
@settings(max_examples=40, deadline=None)
def test_people_are_the_same_number_whether_marked_or_sorted(facts):
    marked = count_slices(facts, DIMENSIONS, day=DAY)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(slice_counts, "MARKS_A_VOTE", 0)
        assert count_slices(facts, DIMENSIONS, day=DAY).equals(marked)


@given(days, days)
@settings(max_examples=25, deadline=None)
def test_counts_of_two_days_add_to_those_of_both(first, second):
    keys = [name for name in SLICE_COUNTS.key if name != "day"]
    for frame in (first, second):
        if any(frame[name].drop_nulls().is_empty() for name in DIMENSIONS[:3]):
            return  # a dimension without any value is left out for the day
    apart = pl.concat(count_slices(frame, DIMENSIONS[:3], day=DAY) for frame in (first, second))
    together = count_slices(pl.concat([first, second]), DIMENSIONS[:3], day=DAY)
    summed = apart.group_by(keys).agg(pl.col(ADDITIVE).sum()).sort(keys)
    assert summed.select(*keys, *ADDITIVE).equals(together.select(*keys, *ADDITIVE).sort(keys))


def test_the_whole_day_is_the_row_without_dimensions(make_facts):
    facts = make_facts(500)
    whole = cell(count_slices(facts, ["model"], day=DAY))
    assert whole["votes"].to_list() == [500]
    assert whole["people"].to_list() == [facts["person"].n_unique()]


def test_no_votes_give_the_empty_table(make_facts):
    counts = count_slices(make_facts(0), ["model"], day=DAY)
    assert counts.is_empty()
    assert counts.schema == SLICE_COUNTS.schema


def test_a_hundred_thousand_levels_are_folded_and_counted(make_facts):
    n = 100_000
    facts = make_facts(n).with_columns(
        pl.Series("variant", np.where(np.arange(n) % 2, "main", [f"order_{i}" for i in range(n)]))
    )
    counts = count_slices(facts, ["model", "language", "variant"], day=DAY, max_levels=10)
    single = counts.filter((pl.col("first_dimension") == "variant") & pl.col("second_dimension").is_null())
    assert single.height == 11  # main, nine of the singletons, (other)
    assert single["folded_levels"].unique().to_list() == [n // 2 - 9]
    assert single["votes"].sum() == n
    assert cell(counts, variant="(other)")["votes"].to_list() == [n // 2 - 9]
    assert counts.height < 1_000


def test_a_level_called_other_joins_the_folded_ones(make_facts):
    facts = make_facts(100).with_columns(pl.lit("(other)").alias("model"))
    counts = count_slices(facts, ["model"], day=DAY)
    assert SLICE_COUNTS.problems(counts) == []
    assert cell(counts, model="(other)")["votes"].to_list() == [100]


@pytest.mark.parametrize("dimensions", [[], ["variant"]])
def test_without_a_known_dimension_only_the_whole_is_counted(make_facts, dimensions):
    facts = make_facts(10).with_columns(pl.lit(None, dtype=pl.Categorical).alias("variant"))
    assert count_slices(facts, dimensions, day=DAY).height == 1
