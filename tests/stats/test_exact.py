"""The exact test agrees with scipy at every size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from feedback_pipeline.stats.exact import log_upper_tail


@st.composite
def draws(draw):
    total = draw(st.integers(1, 3000))
    marked, drawn = draw(st.integers(0, total)), draw(st.integers(0, total))
    return draw(st.integers(0, drawn)), drawn, marked, total


@given(draws())
@settings(max_examples=200, deadline=None)
def test_tail_agrees_with_scipy(case):
    hits, drawn, marked, total = case
    expected = stats.hypergeom.sf(hits - 1, total, marked, drawn)
    assert np.exp(log_upper_tail(*case)) == pytest.approx(expected, rel=1e-8, abs=1e-14)


def test_impossible_counts_have_probability_zero_and_certain_ones_one():
    assert log_upper_tail(5, 10, 4, 100) == -np.inf
    assert log_upper_tail(0, 10, 4, 100) == 0.0
    assert log_upper_tail(3, 4, 9, 10) == 0.0  # at least 3 of 4 drawn must be marked when 9 of 10 are


def test_far_tails_keep_their_logarithm_where_probabilities_underflow():
    log_p = float(log_upper_tail(5_000, 5_000, 100_000, 1_000_000))
    assert -13_000 < log_p < -11_000  # about 5,000 · ln 0.1, less the depletion of the urn


def test_every_slice_size_of_a_large_table_agrees_with_scipy():
    n = np.arange(30, 3030)
    hits = (0.3 * n).astype(int)
    ours = np.exp(log_upper_tail(hits, n, 18_000, 100_000))
    theirs = stats.hypergeom.sf(hits - 1, 100_000, 18_000, n)
    assert ours == pytest.approx(theirs, rel=1e-6)


def test_a_slice_has_the_same_probability_alone_and_among_hundreds():
    n = np.arange(30, 1030)
    hits = (0.2 * n).astype(int)  # 18 % are marked: just above the mean, where the sums are long
    together = log_upper_tail(hits, n, 18_000, 100_000)
    alone = [float(log_upper_tail(k, size, 18_000, 100_000)) for k, size in zip(hits, n, strict=True)]
    assert together.tolist() == alone
