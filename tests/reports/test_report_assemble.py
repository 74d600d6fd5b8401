"""Reports gathered from real analyses: what was planted is told, and what cannot be said is not."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from feedback_pipeline.actions.evidence import gather
from feedback_pipeline.actions.recommendations import recommend
from feedback_pipeline.actions.suggest import Suggestion, Suggestions
from feedback_pipeline.alerting.detectors import Reading, approval_under_target, count_days
from feedback_pipeline.cleaning.days import Conservation
from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK, CLEAN_INTERACTIONS, VOTE_FACTS
from feedback_pipeline.judging.tables import JUDGE_CALIBRATION, JUDGED_QUALITY, VERSION_COMPARISON
from feedback_pipeline.patterns.change import approval_change
from feedback_pipeline.patterns.slices import SearchRecord, find_slices
from feedback_pipeline.patterns.tables import (
    APPROVAL_CHANGE,
    FAILURE_TOPICS,
    RECOMMENDATION_KINDS,
    RECOMMENDATIONS,
    REPEATED_FAILURES,
    SAFETY_COUNTS,
    SLICE_COUNTS,
    SLICE_FINDINGS,
    TERM_FINDINGS,
)
from feedback_pipeline.reports.assemble import assemble
from feedback_pipeline.reports.digest import render_markdown, summary_metadata
from feedback_pipeline.reports.document import read_json, render_json, report_document
from feedback_pipeline.reports.operations import TrainingFile
from feedback_pipeline.reports.page import render_html
from feedback_pipeline.reports.parts import Condition, Difference, NoResultPart, Rate
from feedback_pipeline.reports.periods import month_of, week_of
from feedback_pipeline.reports.sections.loop import TITLES
from feedback_pipeline.reports.sources import Sources, example_ids
from feedback_pipeline.training.tables import FUNNEL
from tests.support.report_frames import MONDAY, daily_counts, vote_facts

DIMENSIONS = ("model", "prompt_version", "intent")
GATHERED = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
WEEK = week_of(MONDAY, "Europe/Berlin")


def report(sources, period=WEEK, target=0.8):
    """The content, after every rendering of it has been tried."""
    content = assemble(period, sources, project="Test", generated_at=GATHERED, target=target)
    assert read_json(render_json(content)).content == content
    assert render_html(content).startswith("<!doctype html>")
    assert render_markdown(content)
    assert summary_metadata(content)
    return content


def analysed(now: pl.DataFrame, before: pl.DataFrame, older: pl.DataFrame | None = None, **more) -> Sources:
    """Sources with the real analyses of two weeks."""
    search = find_slices(now, DIMENSIONS, week=MONDAY)
    change = approval_change(now, before, DIMENSIONS, week=MONDAY).table
    days = pl.concat([frame for frame in (older, before, now) if frame is not None])
    return Sources(
        vote_facts=now,
        previous_vote_facts=before,
        daily_counts=daily_counts(days),
        approval_change=change,
        slice_findings=search.findings,
        search=SearchRecord.of(search),
        recommendations=recommend(week=MONDAY, slice_findings=search.findings, approval_change=change),
        **more,
    )


@pytest.fixture(scope="module")
def before() -> pl.DataFrame:
    return vote_facts(MONDAY - timedelta(days=7), 7, 400, seed=8)


@pytest.fixture(scope="module")
def failing(before) -> Sources:
    """A week in which prompt version v12 fails on intent code, quoted for every finding."""
    now = vote_facts(MONDAY, 7, 400, failing=True)
    sources = analysed(now, before)
    ids = example_ids(sources.slice_findings, None, None)
    examples = now.filter(pl.col("feedback_id").is_in(ids)).select(
        "feedback_id", "interaction_id", text=pl.lit("it does not compile")
    )
    return replace(sources, examples=examples)


def test_the_planted_cause_is_the_first_finding_with_evidence(failing):
    content = report(failing)
    first = content.causes.findings[0]
    assert {(c.dimension, c.value) for c in first.conditions} == {("prompt_version", "v12"), ("intent", "code")}
    assert first.negative.low < 0.55 < first.negative.high  # planted: 45 % approval
    assert first.status == "new"
    assert first.examples[0].text == "it does not compile"
    assert content.causes.tested == failing.search.tests
    assert content.verdict.difference.high < 0
    assert content.recommendations.items[0].finding_id == first.finding_id
    assert "v12" in content.recommendations.items[0].title
    assert content.change.dimension == "prompt_version"  # a release moved approval, not the mix of intents
    assert content.change.mix + content.change.rate == pytest.approx(content.change.now - content.change.before)
    assert ("prompt_version", "v12") in {(r.dimension, r.value) for r in content.trend.releases}


def test_the_week_after_says_whether_it_helped(failing, before):
    last = report_document(report(failing))
    finding = last.content.causes.findings[0]
    action = last.content.recommendations.items[0]
    assert action.finding_id == finding.finding_id
    fixed = failing.slice_findings.with_columns(
        status=pl.lit("gone"), negative_rate=pl.lit(0.2), low=pl.lit(0.16), high=pl.lit(0.24), votes=pl.lit(400)
    )
    decided = pl.DataFrame({"recommendation_id": [action.recommendation_id], "status": ["done"], "owner": ["Prompts"]})
    content = report(replace(failing, slice_findings=fixed, previous=last, actions=decided))
    followed = next(a for a in content.past_actions.items if a.action_id == action.recommendation_id)
    assert (followed.outcome, followed.owner) == ("helped", "Prompts")
    # from about 45 % to 80 % approval
    assert followed.difference.low > 0.2
    resolved = [item for item in content.improvements.items if item.resolved]
    assert resolved[0].before == pytest.approx(1 - finding.negative.value)
    assert content.causes.findings == ()


def test_an_accepted_action_is_followed_beyond_the_next_report(failing):
    first = report_document(report(failing))
    action = first.content.recommendations.items[0]
    decided = pl.DataFrame({"recommendation_id": [action.recommendation_id], "status": ["accepted"], "owner": [None]})
    none = RECOMMENDATIONS.empty()
    second = report_document(report(replace(failing, previous=first, actions=decided, recommendations=none)))
    third = report(replace(failing, previous=second, recommendations=none))
    assert action.recommendation_id in {item.action_id for item in third.past_actions.items}


def test_a_quiet_week_has_no_finding_and_says_no_significant_change(before):
    content = report(analysed(vote_facts(MONDAY, 7, 400, seed=5), before))
    assert content.causes.findings == ()
    assert content.causes.tested > 0
    assert render_markdown(content).startswith("*No significant change")


def test_a_dimension_of_100000_levels_is_no_page_of_levels(before):
    now = vote_facts(MONDAY, 7, 400, failing=True)
    # every second vote has a model of its own; the others share one
    names = pl.Series([f"m{place}" if place % 2 else "shared" for place in range(200_000)])
    now = pl.concat([now] * (200_000 // now.height + 1)).head(200_000)
    now = now.with_columns(
        names.alias("model").cast(pl.Categorical), feedback_id=pl.int_range(pl.len()).cast(pl.String)
    )
    content = report(analysed(now, before))
    assert len([row for row in content.versions.rows if row.dimension == "model"]) <= 12
    assert len(render_html(content)) < 300_000
    assert "shared" in {row.version for row in content.versions.rows}


def test_a_models_suggestions_stand_beside_the_rules_and_say_who_wrote_them(failing):  # C4
    finding = failing.slice_findings["finding_id"][0]
    said = Suggestion("<b>Quote</b>", "Show code", "it fails", (finding,))
    given = Suggestions((said,), "model", "suggestions of the model that the findings do not bear out were dropped: 2")
    evidence = gather(failing.slice_findings)
    content = report(replace(failing, suggestions=given, evidence=evidence))
    assert content.recommendations.source == "model"
    assert content.recommendations.items
    assert Condition("prompt_version", "v12") in content.recommendations.suggestions[0].conditions
    page = render_html(content)
    assert "Suggested by a model" in page
    assert "dropped: 2" in page
    assert "<b>Quote" not in page


def test_where_the_rules_answer_alone_the_report_says_why(failing):  # C4
    given = Suggestions((), "rules", "the model gave no usable answer: timeout")
    content = report(replace(failing, suggestions=given))
    assert (content.recommendations.source, content.recommendations.suggestions) == ("rules", ())
    assert "Written by rules alone: the model gave no usable answer: timeout." in render_html(content)


def test_no_votes():
    content = report(Sources(vote_facts=VOTE_FACTS.empty(), daily_counts=SLICE_COUNTS.empty()))
    assert content.verdict == NoResultPart("nobody voted this week")
    assert content.trend == NoResultPart("there are no votes")
    assert content.coverage.votes == 0


def empty_sources(facts: pl.DataFrame) -> Sources:
    return Sources(
        vote_facts=facts,
        daily_counts=daily_counts(facts) if facts.height else SLICE_COUNTS.empty(),
        previous_vote_facts=VOTE_FACTS.empty(),
        approval_change=APPROVAL_CHANGE.empty(),
        slice_findings=SLICE_FINDINGS.empty(),
        term_findings=TERM_FINDINGS.empty(),
        failure_topics=FAILURE_TOPICS.empty(),
        repeated_failures=REPEATED_FAILURES.empty(),
        recommendations=RECOMMENDATIONS.empty(),
        judged_quality=JUDGED_QUALITY.empty(),
        judge_calibration=JUDGE_CALIBRATION.empty(),
        version_comparison=VERSION_COMPARISON.empty(),
        answers=CLEAN_INTERACTIONS.empty().lazy(),
        feedback=CLEAN_FEEDBACK.empty().lazy(),
        conservation=[],
        redactions={},
        funnel=FUNNEL.empty(),
        examples=pl.DataFrame(schema={"feedback_id": pl.String, "interaction_id": pl.String, "text": pl.String}),
    )


@pytest.mark.parametrize("votes", [0, 1, 40])
def test_empty_frames_are_no_error(votes):
    content = report(empty_sources(vote_facts(MONDAY, 1, votes) if votes else VOTE_FACTS.empty()))
    assert content.data_quality.unaccounted == 0
    assert content.recommendations.items == ()


def test_one_vote_gives_no_rate(before):
    content = report(analysed(vote_facts(MONDAY, 1, 1), before))
    assert content.verdict == NoResultPart(
        "the votes are from one person, and what others may read shows rates from 5 people on "
        "(feedback analyze shows your own)"
    )
    assert content.coverage.votes == 1
    assert isinstance(content.trend.points[-1].approval, NoResultPart)


def test_one_person_voting_ten_thousand_times_is_one_person(before):
    content = report(analysed(vote_facts(MONDAY, 1, 10_000, people=1), before))
    assert content.verdict == NoResultPart(
        "the votes are from one person, and what others may read shows rates from 5 people on "
        "(feedback analyze shows your own)"
    )
    assert content.causes == NoResultPart("all votes are from one person")
    assert isinstance(content.standings, NoResultPart)


def test_all_up():
    up = vote_facts(MONDAY, 7, 60).with_columns(verdict=pl.lit(1, dtype=pl.Int8))
    earlier = up.with_columns(day=pl.col("day") - pl.duration(days=7), feedback_id="x" + pl.col("feedback_id"))
    content = report(analysed(up, earlier))
    assert (content.verdict.approval.value, content.verdict.approval.high) == (1.0, 1.0)
    assert content.verdict.approval.low < 1
    assert content.causes == NoResultPart("no vote is down")


def test_a_first_week_has_nothing_to_compare_with():
    content = report(analysed(vote_facts(MONDAY, 7, 100), VOTE_FACTS.empty()))
    assert isinstance(content.verdict.difference, NoResultPart)
    assert isinstance(content.change, NoResultPart)
    assert isinstance(content.past_actions, NoResultPart)
    assert len(content.trend.points) == 1


def test_a_week_missing_in_the_middle_is_a_gap_not_a_zero(before):
    older = vote_facts(MONDAY - timedelta(weeks=3), 7, 100, seed=3)
    content = report(analysed(vote_facts(MONDAY, 7, 100), before, older))
    labels = [point.label for point in content.trend.points]
    assert labels == ["2026-W44", "2026-W45", "2026-W46", "2026-W47"]
    assert content.trend.points[1].approval == NoResultPart("there are no votes")
    assert content.trend.points[1].votes == 0


def test_a_week_of_few_people_shows_no_rate(before):
    few = vote_facts(MONDAY - timedelta(weeks=2), 7, 3, seed=3, people=4)
    content = report(analysed(vote_facts(MONDAY, 7, 100), before, few))
    assert isinstance(content.trend.points[0].approval, NoResultPart)


def test_silent_days_and_a_clock_change_are_told():
    sunday = date(2026, 10, 25)  # clocks go back in Berlin
    facts = vote_facts(sunday, 1, 200)
    content = report(
        Sources(vote_facts=facts, daily_counts=daily_counts(facts)), week_of(date(2026, 10, 19), "Europe/Berlin")
    )
    assert len(content.coverage.days_without_votes) == 6
    assert "1 hour longer" in render_markdown(content)


def test_busy_voters_widen_every_interval_of_the_trend(before):
    busy = vote_facts(MONDAY, 7, 400, people=12)
    # one person decides all their votes the same way: 12 people are the sample, not 4,200 votes
    stubborn = busy.with_columns(verdict=pl.when(pl.col("person") % 3 == 0).then(-1).otherwise(1).cast(pl.Int8))
    wide = report(analysed(stubborn, before)).trend.points
    narrow = report(analysed(vote_facts(MONDAY, 7, 400), before)).trend.points
    for few, many in zip(wide, narrow, strict=True):
        assert few.approval.high - few.approval.low > 3 * (many.approval.high - many.approval.low)


def test_a_month_has_its_weeks_as_points():
    facts = vote_facts(date(2026, 11, 1), 30, 60)
    period = month_of(date(2026, 11, 1), "UTC")
    content = report(Sources(vote_facts=facts, daily_counts=daily_counts(facts)), period)
    # 1 November 2026 is a Sunday: its week began in October
    assert [point.label for point in content.trend.points] == [f"2026-W{week}" for week in range(44, 50)]
    assert content.coverage.days_without_votes == ()


def test_versions_carry_quality_cost_and_latency(before):  # E3
    now = vote_facts(MONDAY, 7, 300, failing=True)
    answers = pl.DataFrame(
        {
            "model": ["m1", "m2"] * 5000,
            "prompt_version": ["v11"] * 9000 + ["v12"] * 1000,
            "cost_usd": [0.01] * 9000 + [0.03] * 1000,
            "latency_ms": pl.Series(np.arange(10_000) % 1000, dtype=pl.Float32),
        }
    )
    flags = {"personal_data": 0, "refusal": 20, "profanity": 0, "content_filter": 100}
    safety = pl.DataFrame(
        [{"day": MONDAY, "dimension": "prompt_version", "level": "v12", "answers": 1000, "checked": 1000, **flags}],
        schema=SAFETY_COUNTS.schema,
    )
    content = report(replace(analysed(now, before), answers=answers.lazy(), safety_counts=safety))
    rows = {(row.dimension, row.version): row for row in content.versions.rows}
    fresh = rows["prompt_version", "v12"]
    assert (fresh.answers, fresh.cost_per_answer) == (1000, pytest.approx(0.03))
    assert fresh.latency_median == pytest.approx(499.5)
    assert fresh.safety == (("personal_data", 0.0), ("refusal", 0.02), ("profanity", 0.0), ("content_filter", 0.1))
    assert "Content filter" in render_html(content)
    assert fresh.first_seen >= MONDAY
    assert fresh.approval.value < rows["prompt_version", "v11"].approval.value
    assert fresh.response_rate == pytest.approx(now.filter(pl.col("prompt_version") == "v12").height / 1000)
    assert content.coverage.answers == 10_000


def test_standings_name_the_worse_intent(failing):
    found = {level.level: level.against_rest for level in report(failing).standings.levels}
    assert found["code"] == "worse"


def conformed(table, rows):
    defaults = dict.fromkeys(table.names)
    return table.conform(pl.DataFrame([defaults | row for row in rows], schema=table.schema))


def test_judges_are_corrected_or_say_why_not(failing):
    series = {"judge": "j", "fingerprint": "f", "criterion": "satisfaction", "dimension": "all", "slice": "all"}
    counts = {"judged": 900, "unscored": 4, "labelled": 120, "labels_from": "audit", "raw_rate": 0.9}
    frame = conformed(
        JUDGED_QUALITY,
        [
            series | counts | {"corrected_rate": 0.8, "low": 0.75, "high": 0.85},
            series | counts | {"criterion": "tone", "labelled": 3, "reason": "not_enough_labels"},
        ],
    )
    kappa = conformed(
        JUDGE_CALIBRATION,
        [{"judge": "j", "fingerprint": "f", "criterion": "satisfaction", "statistic": "cohen_kappa", "value": 0.7,
          "items": 120, "conversations": 100}],
    )  # fmt: skip
    content = report(replace(failing, judged_quality=frame, judge_calibration=kappa))
    satisfied, tone = content.judged_quality.criteria
    assert isinstance(satisfied.corrected, Rate)
    assert (satisfied.raw, satisfied.corrected.value, satisfied.agreement) == (0.9, 0.8, 0.7)
    assert tone.corrected == NoResultPart("too few judged answers have a human label")


def test_terms_and_topics_of_few_people_are_left_out(failing):
    term = {"week": MONDAY, "field": "comment", "words": 1, "side": "down", "down_documents": 40, "up_documents": 2,
            "negative_rate": 0.95, "base_negative_rate": 0.3, "log_odds": 2.0, "z": 6.0, "p_value": 1e-8,
            "q_value": 1e-6, "tests": 500, "rank": 1}  # fmt: skip
    terms = conformed(TERM_FINDINGS, [term | {"term": "shown", "people": 9}, term | {"term": "hidden", "people": 4}])
    topic = {"week": MONDAY, "taxonomy": "t1", "example_feedback_ids": []}
    topics = conformed(
        FAILURE_TOPICS,
        [
            topic | {"topic": 0, "name": "imports", "documents": 60, "people": 40, "share": 0.6, "share_low": 0.5,
                     "share_high": 0.7},
            topic | {"topic": 1, "name": "tone", "reason": "fewer than five people"},
            topic | {"topic": -1, "name": "other", "documents": 40, "people": 30, "share": 0.4, "share_low": 0.3,
                     "share_high": 0.5},
        ],
    )  # fmt: skip
    content = report(replace(failing, term_findings=terms, failure_topics=topics))
    assert [found.term for found in content.terms.terms] == ["shown"]
    assert [found.name for found in content.topics.topics] == ["imports", "tone"]
    assert content.topics.topics[1].share == NoResultPart("fewer than five people")
    assert content.topics.other_share == 0.4
    # the week after compares with it only under the same taxonomy
    last = report_document(content)
    again = report(replace(failing, failure_topics=topics, previous=last))
    assert again.topics.topics[0].previous_share == 0.6
    refitted = topics.with_columns(taxonomy=pl.lit("t2"))
    assert report(replace(failing, failure_topics=refitted, previous=last)).topics.topics[0].previous_share is None


def test_repeated_failures_are_new_once(failing):
    frame = conformed(
        REPEATED_FAILURES,
        [{"week": MONDAY, "failure_id": "f1", "down": 4, "votes": 5, "people": 3, "example_feedback_ids": []}],
    )
    first = report(replace(failing, repeated_failures=frame))
    assert first.repeated_failures.failures[0].is_new
    second = report(replace(failing, repeated_failures=frame, previous=report_document(first)))
    assert not second.repeated_failures.failures[0].is_new


def test_days_of_accounts_add_up(failing):
    days = [
        Conservation(10, {"current": 8, "quarantined": 2}, {"bad_stars": 2}),
        Conservation(5, {"current": 5, "quarantined": 0}, {}),
    ]
    funnel = conformed(
        FUNNEL,
        [{"position": 1, "stage": "examples", "step": "consent", "unit": "vote", "rows_in": 13, "rows_dropped": 3,
          "reason": "no consent"}],
    )  # fmt: skip
    feedback = CLEAN_FEEDBACK.empty().select("comment", "correction").clear(3).with_columns(comment=pl.lit("hi")).lazy()
    content = report(
        replace(
            failing,
            conservation=days,
            redactions={"PHONE": 0, "EMAIL": 2},
            funnel=funnel,
            training_files=[TrainingFile("sft", 9, 1)],
            feedback=feedback,
        )
    )
    assert (content.data_quality.events, content.data_quality.unaccounted) == (15, 0)
    assert [(count.name, count.count) for count in content.data_quality.redactions] == [("EMAIL", 2)]
    assert content.training.steps[0].left == 10
    assert (content.engagement.comments, content.engagement.corrections) == (3, 0)
    assert len(content.engagement.days) == 30
    assert sum(day.votes for day in content.engagement.days) == 2 * 7 * 400


def test_the_method_tells_floors_and_what_was_looked_at(failing):
    content = report(replace(failing, versions={"taxonomy": "t1"}))
    assert (content.method.groups_tested, content.method.min_votes) == (failing.search.tests, 30)
    html = render_html(content)
    for told in ("false discovery rate", "taxonomy", "at least 3 points above"):
        assert told in html


def test_every_kind_of_recommendation_has_a_title():
    assert TITLES.keys() == set(RECOMMENDATION_KINDS)


def test_the_order_of_rows_changes_no_byte(failing):
    shuffled = replace(
        failing,
        **{
            name: getattr(failing, name).sample(fraction=1, shuffle=True, seed=3)
            for name in ("vote_facts", "previous_vote_facts", "daily_counts", "approval_change", "slice_findings")
        },
    )
    assert render_json(report(shuffled)) == render_json(report(failing))


def test_differences_carry_the_clustered_test_of_the_analysis(failing):
    whole = failing.approval_change.filter((pl.col("part") == "total") & pl.col("dimension").is_null()).row(
        0, named=True
    )
    assert report(failing).verdict.difference == Difference(whole["change"], whole["change_low"], whole["change_high"])


def test_alerts_are_one_line_an_incident_and_are_scored_by_the_days_that_follow(failing):  # D5, C6
    days = [MONDAY + timedelta(days=offset) for offset in range(3)]
    daily = count_days(failing.vote_facts)
    readings = [approval_under_target(daily, day=day, target=0.85, window=1, certainty=0.95) for day in days]
    readings.append(Reading("votes_missing", MONDAY, reason="only 1 week of history"))
    assert all(reading.alert for reading in readings[:3])  # 80 % votes up at most, and the target is 85 %
    incident = readings[0].alert.incident
    states = {incident: "acknowledged"}
    content = report(replace(failing, alert_readings=readings, alert_states=states), target=0.85)
    (alert,) = content.alerts.items
    assert (alert.opened, alert.status, alert.real) == (MONDAY, "acknowledged", True)
    assert content.alerts.unchecked == ("votes missing: only 1 week of history",)
    # the next report judges this one's alerts, each once
    second = report(replace(failing, alert_readings=[], previous=report_document(content)), target=0.85)
    assert (second.alerts.judged, second.alerts.real, second.alerts.items) == (1, 1, ())
    third = report(replace(failing, alert_readings=[], previous=report_document(second)), target=0.85)
    assert (third.alerts.judged, third.alerts.real) == (1, 1)


def test_a_false_alarm_is_called_one(failing):
    daily = count_days(failing.vote_facts)
    reading = approval_under_target(daily, day=MONDAY, target=0.85, window=1, certainty=0.95)
    content = report(replace(failing, alert_readings=[reading]), target=0.5)  # approval then stays far above 50 %
    assert content.alerts.items[0].real is False


def test_only_what_somebody_took_is_asked_whether_it_worked(failing):
    last = report_document(report(failing))
    proposed = len(last.content.recommendations.items)
    content = report(replace(failing, previous=last))
    assert (content.past_actions.items, content.past_actions.not_taken) == ((), proposed)


def test_a_recommendation_leads_to_votes_that_one_can_open(failing):
    content = report(failing)
    first = content.recommendations.items[0]
    assert 1 <= len(first.votes) <= 3
    assert f'<a href="/console/feedback/{first.votes[0]}">vote 1</a>' in render_html(content)
