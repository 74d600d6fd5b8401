"""What a report's values refuse to hold, and what they promise."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.reports.operations import PastAction
from feedback_pipeline.reports.parts import MAX_EXCERPT, Difference, Example, NoResultPart, Rate, examples_of, excerpt
from tests.support.report_samples import CAUSES, rate


@pytest.mark.parametrize(
    ("low", "value", "high"), [(0.5, 0.4, 0.6), (0.1, 0.7, 0.6), (-0.1, 0.1, 0.2), (0.1, float("nan"), 0.2)]
)
def test_a_rate_outside_its_interval_is_refused(low, value, high):
    with pytest.raises(ValueError, match="low ≤ value ≤ high"):
        Rate(value, low, high, 10)


def test_a_rate_of_no_votes_is_refused():
    with pytest.raises(ValueError, match="at least one vote"):
        Rate(0.5, 0.4, 0.6, 0)


def test_an_infinite_difference_is_refused():
    with pytest.raises(ValueError, match="low ≤ value ≤ high"):
        Difference(0.1, float("-inf"), float("inf"))


def test_groups_under_five_people_have_no_examples():
    texts = [("a1", "something personal")]
    assert examples_of(texts, 4) == ()
    assert examples_of(texts, None) == ()
    assert len(examples_of(texts, 5)) == 1
    with pytest.raises(ValueError, match="at least 5 people"):
        replace(CAUSES.findings[0], negative=rate(0.4, 0.1, 40, 4))


@given(st.text(max_size=400))
def test_an_excerpt_is_one_short_printable_line(text):
    cut = excerpt(text)
    assert len(cut) <= MAX_EXCERPT
    assert cut.isprintable()
    assert excerpt(cut) == cut


def test_excerpts_lose_characters_that_turn_the_text_around():
    assert excerpt("safe\u202e evil\u0000\nnext") == "safe evil next"
    with pytest.raises(ValueError, match="at most 160"):
        Example("a1", "x" * 161)


@pytest.mark.parametrize(
    ("status", "difference", "outcome"),
    [
        ("done", Difference(0.05, 0.01, 0.09), "helped"),
        ("done", Difference(-0.05, -0.09, -0.01), "hurt"),
        ("done", Difference(0.05, -0.01, 0.11), "no measurable change"),
        ("done", NoResultPart("too few votes"), "cannot say"),
        ("accepted", Difference(0.05, 0.01, 0.09), "cannot say"),  # not done yet: the rise is not its merit
    ],
)
def test_an_action_helped_only_if_it_was_done_and_the_interval_says_so(status, difference, outcome):
    assert PastAction("a", "t", None, status, "f", None, None, difference).outcome == outcome
