"""Advice follows from findings, cites them, and says what it should bring."""

import datetime as dt

import polars as pl
import pytest

from feedback_pipeline.actions.recommendations import recommend
from feedback_pipeline.patterns.change import approval_change, repeated_failures
from feedback_pipeline.patterns.slices import find_slices
from feedback_pipeline.patterns.tables import FAILURE_TOPICS, RECOMMENDATIONS, REPEATED_FAILURES

DIMENSIONS = ["model", "prompt_version", "language", "intent"]
BAD = ({"model": "model_1"}, 0.2)


@pytest.fixture
def advise(week):
    def advise(now, last, **more):
        findings = find_slices(now, DIMENSIONS, week=week).findings
        change = approval_change(now, last, DIMENSIONS, week=week).table
        return findings, recommend(week=week, slice_findings=findings, approval_change=change, **more)

    return advise


def test_a_finding_becomes_advice_with_its_evidence_and_gain(make_facts, week, advise):
    now = make_facts(5_000, planted=(BAD,))
    findings, advice = advise(now, make_facts(5_000, seed=1, planted=(BAD,)))
    assert RECOMMENDATIONS.problems(advice) == []
    row, finding = advice.to_dicts()[0], findings.to_dicts()[0]
    assert (row["kind"], row["evidence"], row["grade"]) == ("fix_slice", [finding["finding_id"]], "adjusted")
    assert row["negatives_avoided"] == finding["excess_negatives"]
    assert row["approval_gain"] == pytest.approx(finding["excess_negatives"] / 5_000)
    assert "model model_1" in row["text"]


def test_a_bad_release_is_to_be_rolled_back(make_facts, week, advise):
    last = make_facts(5_000, seed=1).filter(pl.col("model").cast(pl.String) != "model_1")
    _, advice = advise(make_facts(5_000, planted=(BAD,)), last)
    assert advice.head(1)["kind"].to_list() == ["roll_back_release"]
    assert advice.filter(pl.col("kind") == "roll_back_release").height == 1  # told once, not again as a release


def test_a_good_release_is_to_be_kept(make_facts, week, advise):
    last = make_facts(5_000, seed=1, base=0.4).filter(pl.col("model").cast(pl.String) != "model_1")
    _, advice = advise(make_facts(5_000, base=0.4, planted=(({"model": "model_1"}, -0.3),)), last)
    kept = advice.filter(pl.col("kind") == "keep_release")
    assert kept["evidence"].to_list() == [["first_seen:model:model_1"]]
    assert kept["negatives_avoided"].to_list() == [None]


def test_a_fall_by_mix_is_not_blamed_on_answers(make_facts, week, advise):
    hard = ({"intent": "intent_1"}, 0.5)
    last = make_facts(4_000, seed=1, planted=(hard,))
    now = pl.concat(
        [make_facts(4_000, seed=2, planted=(hard,)), make_facts(9_000, seed=3, planted=(hard,)).filter(
            pl.col("intent").cast(pl.String) == "intent_1")]
    )  # fmt: skip
    _, advice = advise(now, last)
    mix = advice.filter(pl.col("kind") == "examine_mix").to_dicts()[0]
    assert mix["evidence"][0].startswith("change:")
    assert "intent" in mix["evidence"][0]


def test_topics_and_repeats_are_named_by_number_and_id_never_by_words(make_facts, week, advise):
    topics = pl.DataFrame(
        [{"week": week, "taxonomy": "t-1", "topic": 3, "name": "secret words", "documents": 80, "people": 60,
          "share": 0.3, "share_low": 0.25, "share_high": 0.35, "reason": None, "example_feedback_ids": []}],
        schema=FAILURE_TOPICS.schema,
    )  # fmt: skip
    votes = pl.DataFrame({"feedback_id": list("abc"), "prompt_key": ["p"] * 3, "answer_key": ["a"] * 3,
                          "action_type": ["todo"] * 3, "verdict": [-1] * 3, "person": [1, 2, 3]})  # fmt: skip
    repeated = repeated_failures(votes, week=week)
    _, advice = advise(make_facts(2_000), make_facts(2_000, seed=1), failure_topics=topics, repeated_failures=repeated)
    assert {"examine_topic", "fix_repeated_answer"} <= set(advice["kind"])
    assert not advice["text"].str.contains("secret").any()
    assert ["topic:t-1:3"] in advice["evidence"].to_list()
    assert [repeated["failure_id"][0]] in advice["evidence"].to_list()


@pytest.mark.parametrize("votes", [0, 1, 60])
def test_few_votes_get_the_advice_to_collect_more_and_nothing_else(make_facts, week, advise, votes):
    _, advice = advise(make_facts(votes), make_facts(0))
    assert advice["kind"].to_list() == ["collect_more_votes"]


def test_other_weeks_are_ignored(make_facts, week, advise):
    findings, _ = advise(make_facts(5_000, planted=(BAD,)), make_facts(5_000, seed=1))
    change = approval_change(make_facts(5_000), make_facts(5_000, seed=1), DIMENSIONS, week=week).table
    later = recommend(week=week + dt.timedelta(weeks=1), slice_findings=findings, approval_change=change)
    assert later["kind"].to_list() == ["collect_more_votes"]


def test_advice_keeps_its_id_over_weeks(make_facts, week, advise):
    _, first = advise(make_facts(5_000, planted=(BAD,)), make_facts(5_000, seed=1, planted=(BAD,)))
    _, second = advise(make_facts(5_000, seed=7, planted=(BAD,)), make_facts(5_000, seed=1, planted=(BAD,)))
    assert first["recommendation_id"][0] == second["recommendation_id"][0]


def test_empty_optional_tables_are_fine(make_facts, week, advise):
    _, advice = advise(
        make_facts(2_000), make_facts(2_000, seed=1), failure_topics=FAILURE_TOPICS.empty(),
        repeated_failures=REPEATED_FAILURES.empty(),
    )  # fmt: skip
    assert RECOMMENDATIONS.problems(advice) == []


def test_votes_that_are_all_down_are_the_strongest_finding(make_facts, week):
    """200 of 200 down: nothing to compare with, and the first thing to do."""
    facts = make_facts(200, base=1.0)
    change = approval_change(facts, facts.head(0), (), week=week).table
    findings = find_slices(facts, DIMENSIONS, week=week).findings
    advice = recommend(week=week, slice_findings=findings, approval_change=change)
    assert "200 of 200 votes this week are down" in advice.sort("rank")["text"][0]
