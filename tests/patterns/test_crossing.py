"""Crossing: what is counted in blocks is what counting each combination alone gives."""

from itertools import combinations

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_pipeline.patterns.crossing import count_crossed
from feedback_pipeline.patterns.cube import Combination
from feedback_pipeline.patterns.levels import FIRST_LEVEL, UNKNOWN, encode_all

NAMES = ("a", "b", "c", "d", "e")


@st.composite
def votes(draw):
    """Up to 60 votes on three single-valued and two multi-valued dimensions, unknown and rare levels among them."""
    size = draw(st.integers(1, 60))
    level = st.one_of(st.none(), st.sampled_from("uvwxyz"))
    single = {name: draw(st.lists(level, min_size=size, max_size=size)) for name in NAMES[:3]}
    several = st.lists(st.sampled_from("pqrs"), max_size=3, unique=True)
    multiple = {name: draw(st.lists(several, min_size=size, max_size=size)) for name in NAMES[3:]}
    down = draw(st.lists(st.booleans(), min_size=size, max_size=size))
    schema = {**dict.fromkeys(NAMES[:3], pl.String), **dict.fromkeys(NAMES[3:], pl.List(pl.String))}
    return pl.DataFrame({**single, **multiple}, schema=schema), np.array(down)


def alone(combination, down):
    """Counts of one combination by its own pass over the votes."""
    entries = combination.entries(down.size)
    known = entries.keys >= 0
    keys, marked = entries.keys[known], entries.take(down)[known]
    return (
        np.bincount(keys, minlength=combination.cells)[: combination.cells],
        np.bincount(keys[marked], minlength=combination.cells)[: combination.cells],
    )


@given(votes(), st.integers(1, 3), st.sampled_from([FIRST_LEVEL, UNKNOWN]), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_blocks_count_what_single_passes_count(drawn, depth, first, rare):
    frame, down = drawn
    dimensions = encode_all(frame, NAMES, min_votes=rare)
    counted = {each.combination.names: each for each in count_crossed(dimensions, down, depth, first=first)}
    wanted = [chosen for size in range(1, depth + 1) for chosen in combinations(dimensions, size)]
    assert set(counted) == {tuple(dimension.name for dimension in chosen) for chosen in wanted}
    for chosen in wanted:
        combination = Combination(chosen, first)
        if all(size > 0 for size in combination.sizes):
            found = counted[combination.names]
            expected_votes, expected_down = alone(combination, down)
            assert found.votes.tolist() == expected_votes.tolist()
            assert found.down.tolist() == expected_down.tolist()


def test_few_passes_for_many_combinations(monkeypatch):
    from feedback_pipeline.patterns import crossing

    passes = []
    real = crossing._Entries.count
    monkeypatch.setattr(crossing._Entries, "count", lambda self, block: passes.append(block) or real(self, block))
    rng = np.random.default_rng(1)
    frame = pl.DataFrame({f"d{i:02d}": rng.integers(0, 5, 50_000).astype(str) for i in range(11)})
    counted = list(count_crossed(encode_all(frame, frame.columns), rng.random(50_000) < 0.2, 3))
    assert len(counted) == 11 + 55 + 165
    # a block of five dimensions of five levels covers ten triples: 165 triples need at least 17 blocks
    assert len(passes) <= 50


def test_a_combination_too_large_for_a_table_is_left_to_others():
    levels = [f"l{i}" for i in range(1_500)]
    frame = pl.DataFrame({"a": levels, "b": levels, "c": ["x"] * 1_500})
    counted = {
        each.combination.names for each in count_crossed(encode_all(frame, ["a", "b", "c"]), np.ones(1_500, bool), 2)
    }
    # 1,500 × 1,500 cells are more than 2 ** 20
    assert counted == {("a",), ("b",), ("c",), ("a", "c"), ("b", "c")}


@given(votes(), st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_the_votes_of_a_cell_are_those_that_the_entries_have_there(case, depth):
    frame, down = case
    for chosen in combinations(encode_all(frame, NAMES), depth):
        combination = Combination(chosen)
        entries = combination.entries(down.size)
        for key in range(min(combination.cells, 20)):
            there = np.flatnonzero(entries.keys == key)
            expected = there if entries.rows is None else np.sort(entries.rows[there])
            assert combination.rows_in(key, down.size).tolist() == expected.tolist()
