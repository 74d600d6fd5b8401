"""Sentences and numbers: no minus zero, no claim beyond the interval."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.reports import wording
from feedback_pipeline.reports.findings import Causes
from feedback_pipeline.reports.parts import Condition, Difference
from tests.support.report_samples import CAUSES, CHANGE, WEEK, full_report


@given(st.floats(-1, 1))
def test_signs_are_told_and_zero_has_none(value):
    text = wording.signed_points(value)
    assert "-" not in text
    assert (text == "±0.0") == (abs(round(100 * value, 1)) == 0)


@given(st.floats(0, 1))
def test_percentages_are_never_negative_zero(share):
    assert not wording.percent(share).startswith(("-", "−"))


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 votes"), (1, "1 vote"), (0.6, "1 vote"), (1234567, "1,234,567 votes")]
)
def test_counts_agree_with_their_noun(number, text):
    assert wording.counted(number, "vote") == text


def test_unknown_levels_and_endless_ones_are_named():
    assert wording.group((Condition("prompt_version", None),)) == "prompt version (unknown)"
    assert len(wording.level("x" * 500)) == 40
    assert wording.level("a\nb\u202ec") == "a b c"


def test_mix_that_hides_an_improvement_is_said():
    # every level got better, yet the total fell: the mix alone took it down
    hidden = replace(CHANGE, dimension="intent", mix=-0.07, rate=0.018)
    assert "With last week's traffic, approval would have got better." in wording.change_takeaway(hidden, "week")
    # a rate part of a tenth of a point is no improvement to speak of
    assert "would have got" not in wording.change_takeaway(replace(hidden, mix=-0.053, rate=0.001), "week")


def test_a_release_is_not_called_traffic():
    release = replace(CHANGE, mix=-0.07, rate=0.018)
    assert CHANGE.dimension == "prompt_version"
    assert "which prompt versions served the answers" in wording.change_takeaway(release, "week")
    assert "traffic" not in wording.change_takeaway(release, "week")
    assert "(new: v12)" in wording.story(replace(full_report(), change=release))


def test_the_story_says_traffic_where_traffic_moved_approval():
    content = full_report()
    assert "ratings of the same traffic" in wording.story(content)
    by_mix = replace(content, change=replace(CHANGE, dimension="intent", mix=-0.05, rate=-0.002))
    assert "a different mix of traffic" in wording.story(by_mix)
    calm = replace(content, verdict=replace(content.verdict, difference=Difference(-0.05, -0.11, 0.01)))
    assert "Most of the" not in wording.story(calm)


def test_a_reversed_effect_is_told():
    turned = replace(CAUSES.findings[0], reverses=True, adjusted=Difference(-0.03, -0.05, -0.01))
    assert "the sign turns" in wording.adjusted_effect(turned)
    vague = replace(CAUSES.findings[0], adjusted=Difference(0.03, -0.01, 0.07))
    assert "does not exclude zero" in wording.adjusted_effect(vague)


def test_a_changed_response_rate_is_cautioned():
    coverage = full_report().coverage
    assert "compare approval with care" not in wording.response_rate(coverage)
    assert "compare approval with care" in wording.response_rate(replace(coverage, response_rate=0.02))
    assert "not logged" in wording.response_rate(replace(coverage, response_rate=None))


def test_limits_of_the_period_are_told():
    period = replace(WEEK, provisional=True, revision=2, clock_change_hours=1.0)
    coverage = replace(full_report().coverage, days_without_votes=(WEEK.start,))
    said = " ".join(wording.coverage_gaps(coverage, period))
    for part in ("still open", "Revision 2", "No votes arrived on 16 Nov", "1 hour longer"):
        assert part in said
    assert wording.coverage_gaps(full_report().coverage, WEEK) == []


def test_shares_of_causes_count_each_vote_once_and_are_added():
    shares = tuple(
        replace(one, share_of_negatives=share) for one, share in zip(CAUSES.findings, (0.5, 0.3, 0.1), strict=True)
    )
    assert "hold 90% of all negative votes" in wording.causes_takeaway(Causes(shares, 10))
