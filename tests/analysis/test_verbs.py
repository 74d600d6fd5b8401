"""The public verbs: any table in, the same kind out, and a clear word where there is too little."""

import json
from datetime import date, timedelta

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import feedback_pipeline
from feedback_pipeline import (
    FeedbackFrameError,
    InsufficientFeedbackError,
    analyze_patterns,
    calculate_task_success_rate,
    compare_prompt_versions,
    generate_report,
    suggest_improvements,
)
from feedback_pipeline.analysis.content_cache import ContentCache, digest
from feedback_pipeline.analysis.vote_frames import UNDATED, read_votes
from feedback_pipeline.cleaning.tables import VOTE_FACTS
from feedback_pipeline.patterns.tables import SAFETY_COUNTS, SLICE_FINDINGS
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings

NOWHERE = Settings.from_environment({})


def kinds(frame: pd.DataFrame) -> dict:
    return {"pandas": frame, "polars": pl.from_pandas(frame), "pyarrow": pa.Table.from_pandas(frame)}


def test_every_verb_is_exported_and_importing_loads_none():
    for name in feedback_pipeline.__all__:
        assert callable(getattr(feedback_pipeline, name))


def test_the_planted_cause_is_found_and_advised_on(feedback):  # C2
    found = analyze_patterns(feedback, days=21)
    assert found.total_feedback == found.positive_count + found.negative_count == len(feedback)
    assert found.success_rate == pytest.approx(feedback["thumbs_up"].mean())
    assert found.approval_low < found.success_rate < found.approval_high
    assert found.people == feedback["user_id"].nunique()
    assert any("react" in line or "v2" in line or "slow" in line for line in found.common_negative_patterns)
    assert any("compile" in line for line in found.common_negative_patterns)
    assert any("thanks" in line for line in found.common_positive_patterns)
    assert found.tag_performance["slow"]["success_rate"] < 0.5 < found.tag_performance["fast"]["success_rate"]
    assert set(found.framework_performance) == {"react", "plain"}
    assert found.recommendations


@pytest.mark.parametrize(
    ("kind", "given_back"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame), ("pyarrow", pa.Table)]
)
def test_the_same_numbers_and_the_same_kind_of_table_come_back(feedback, kind, given_back):
    found = analyze_patterns(kinds(feedback)[kind], days=21)
    expected = analyze_patterns(feedback, days=21)
    assert isinstance(found.findings, given_back)
    assert found.tag_performance == expected.tag_performance
    assert found.common_negative_patterns == expected.common_negative_patterns


def test_too_little_feedback_says_how_much_there_is(feedback):  # C2
    with pytest.raises(InsufficientFeedbackError, match=r"insufficient feedback: 3 found .* at least 5 needed"):
        analyze_patterns(feedback.head(3).assign(timestamp=feedback["timestamp"][0]))
    with pytest.raises(InsufficientFeedbackError, match="0 found from"):
        analyze_patterns(feedback, until=date(2020, 1, 1))


def test_days_count_back_from_the_newest_vote(feedback):
    found = analyze_patterns(feedback, days=7)
    newest = feedback["timestamp"].max().date()
    assert found.total_feedback == (feedback["timestamp"].dt.date > newest - timedelta(days=7)).sum()


def test_results_are_kept_by_content_and_are_ones_own(feedback):
    first = analyze_patterns(feedback, days=21)
    first.recommendations.clear()
    assert analyze_patterns(feedback, days=21).recommendations
    changed = feedback.assign(thumbs_up=~feedback["thumbs_up"])
    assert analyze_patterns(changed, days=21).positive_count == first.negative_count


def test_the_cache_asks_once_keeps_what_it_may_and_forgets_the_oldest():
    cache, asked = ContentCache(most=2), []

    def compute(name):
        return lambda: asked.append(name) or [name]

    for name in ("a", "a", "b", "c", "a"):
        assert cache.get(name, compute(name)) == [name]
    assert asked == ["a", "b", "c", "a"]
    cache.get("d", compute("d"), keep=lambda _: False)
    cache.get("d", compute("d"))
    assert asked[-2:] == ["d", "d"]


def test_a_digest_tells_contents_apart_and_not_the_order_categories_were_met():
    frame = pl.DataFrame({"a": ["x", "y"]})
    pl.Series(["y", "z"], dtype=pl.Categorical)
    assert digest((frame,), 1) != digest((frame,), 2) != digest((frame.reverse(),), 2)
    assert digest((frame.cast(pl.Categorical),)) == digest((frame.cast(pl.Categorical),))


# Reports


def test_a_weekly_report_has_the_contracts_fields_and_a_page(feedback, tmp_path):  # C3
    made = generate_report(feedback, "weekly", tmp_path / "report.html", settings=NOWHERE)
    assert made.period == "2026-W47"
    assert (made.start_date, made.end_date) == (date(2026, 11, 16), date(2026, 11, 22))
    week = feedback[feedback["timestamp"] >= "2026-11-16"]
    assert made.total_prompts == len(week)
    assert made.avg_rating == pytest.approx(week["rating"].mean())
    assert made.success_rate == pytest.approx(week["thumbs_up"].mean())
    assert made.improvement_vs_previous is not None
    assert made.problem_areas
    assert made.action_items
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")


def test_a_monthly_report_and_the_other_files(feedback, tmp_path):
    made = generate_report(feedback, "monthly", tmp_path / "report.json", settings=NOWHERE)
    assert made.period == "2026-11"
    assert json.loads((tmp_path / "report.json").read_text())["period"] == "2026-11"
    generate_report(feedback, output_file=tmp_path / "report.md", settings=NOWHERE)
    assert (tmp_path / "report.md").read_text()


@pytest.mark.parametrize(
    ("more", "error", "said"),
    [
        ({"period": "daily"}, ValueError, "weekly or monthly"),
        ({"output_file": "report.docx"}, ValueError, "not .docx"),
        ({"until": date(2020, 1, 6)}, InsufficientFeedbackError, "2020-W02"),
    ],
)
def test_a_report_that_cannot_be_made_says_why(feedback, more, error, said):
    with pytest.raises(error, match=said):
        generate_report(feedback, settings=NOWHERE, **more)


def test_a_report_needs_times(feedback):
    with pytest.raises(FeedbackFrameError, match="timestamp"):
        generate_report(feedback.drop(columns="timestamp"), settings=NOWHERE)


# Suggestions, versions, success


def test_suggestions_by_rule_are_dicts_of_strings_and_say_so(feedback):  # C4
    given = suggest_improvements(feedback, days=21, limit=2, settings=NOWHERE)
    assert 1 <= len(given) <= 2
    assert all(isinstance(value, str) for one in given for value in one.values())
    assert {one["source"] for one in given} == {"rules"}


def test_suggestions_for_one_framework_rest_on_its_votes(feedback):
    about = suggest_improvements(feedback, framework="react", days=21, settings=NOWHERE)
    assert "framework" not in " ".join(one["suggestion"] for one in about)
    with pytest.raises(InsufficientFeedbackError):
        suggest_improvements(feedback, framework="unheard of", settings=NOWHERE)


def test_a_model_that_cannot_be_reached_leaves_it_to_the_rules(feedback):
    settings = Settings.from_environment({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"})
    assert suggest_improvements(feedback.head(900), days=21, settings=settings)[0]["source"] == "rules"


def test_prompt_versions_are_compared(feedback):  # E3
    metrics = compare_prompt_versions(feedback, settings=NOWHERE)
    assert set(metrics) == {"v1", "v2"}
    assert metrics["v2"]["task_success_rate"] < 0.5 < metrics["v1"]["task_success_rate"]
    assert metrics["v1"]["approval_low"] < metrics["v1"]["approval_rate"] < metrics["v1"]["approval_high"]
    assert metrics["v1"]["median_latency_ms"] == pytest.approx(800, abs=10)
    with pytest.raises(InsufficientFeedbackError, match="prompt version"):
        compare_prompt_versions(feedback.drop(columns="prompt_version"), settings=NOWHERE)


def test_task_success_is_the_outcomes_word_before_peoples():  # E3
    rows = [
        {
            "request_id": "r1",
            "prompt_version": "v1",
            "feedback_type": "outcome",
            "feedback_value": {"task_succeeded": True},
        },
        {
            "request_id": "r2",
            "prompt_version": "v1",
            "feedback_type": "outcome",
            "feedback_value": {"task_succeeded": False},
        },
        {"request_id": "r3", "prompt_version": "v2", "feedback_type": "explicit", "rating": 5},
        # the outcome of r1 decides, whatever its thumb
        {"request_id": "r1", "prompt_version": "v1", "feedback_type": "explicit", "rating": 1},
    ]
    assert calculate_task_success_rate(rows, settings=NOWHERE) == pytest.approx(2 / 3)
    metrics = compare_prompt_versions(pd.DataFrame(rows), settings=NOWHERE)
    assert metrics["v1"]["task_success_rate"] == 0.5
    assert metrics["v2"]["task_success_rate"] == 1.0
    with pytest.raises(InsufficientFeedbackError, match="task succeeded"):
        calculate_task_success_rate(
            [{"feedback_type": "implicit", "feedback_value": {"signal": "copy"}}], settings=NOWHERE
        )


# Reading tables


@pytest.mark.parametrize(
    ("column", "values", "verdicts"),
    [
        ("rating", [1, -1, 1], [1, -1, 1]),
        ("rating", [5, 3, 1], [1, 0, -1]),
        ("rating", [True, False, None], [1, -1]),
        ("rating", ["true", "false", "true"], [1, -1, 1]),
        ("feedback", ["up", "down", None], [1, -1]),
        ("thumbs_up", [1, 0, 1], [1, -1, 1]),
        ("stars", [4, None, 2], [1, -1]),
        ("feedback_value", ['{"task_succeeded": true}', '{"task_succeeded": false}', "{}"], [1, -1]),
        ("task_succeeded", [True, False, None], [1, -1]),
    ],
)
def test_every_way_to_say_up_and_down_is_read(column, values, verdicts):
    votes = read_votes(pl.DataFrame({"id": ["a", "b", "c"], column: values}))
    assert votes.facts["verdict"].to_list() == verdicts
    assert votes.unjudged == 3 - len(verdicts)
    assert not votes.dated
    assert set(votes.facts["day"]) == {UNDATED}
    assert not VOTE_FACTS.problems(votes.facts)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"opinion": ["great"]}, "none of the columns judges"),
        ({"rating": [1, 7]}, "rating has 1 values that are not 1 to 5"),
        ({"rating": [4.5]}, "not 1 to 5"),
        ({"rating": [1, 1]}, "one star"),
        ({"thumbs_up": ["maybe"]}, "thumbs_up has 1 values"),
        ({"thumbs_up": [True], "timestamp": ["yesterday"]}, "no time"),
        ({"thumbs_up": [True], "timestamp": [3]}, "expected times"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_with_the_column(columns, said):
    with pytest.raises(FeedbackFrameError, match=said) as caught:
        read_votes(pl.DataFrame(columns))
    assert "maybe" not in str(caught.value)
    assert "yesterday" not in str(caught.value)


def test_what_is_no_table_is_refused():
    with pytest.raises(FeedbackFrameError, match="int"):
        read_votes(3)


def test_a_person_has_one_verdict_on_an_answer_and_the_newest_counts():
    rows = {"user_id": ["u", "u", "w"], "request_id": ["r", "r", "r"], "thumbs_up": [True, False, True]}
    times = ["2026-11-01T10:00:00Z", "2026-11-02T10:00:00Z", "2026-11-01T10:00:00Z"]
    votes = read_votes(pl.DataFrame(rows | {"timestamp": times}))
    assert sorted(votes.facts["verdict"]) == [-1, 1]
    anonymous = read_votes(pl.DataFrame({"request_id": ["r"] * 3, "thumbs_up": [True, True, False]}))
    assert anonymous.facts["person"].n_unique() == 3


def test_names_come_as_lists_json_or_text_and_context_as_object_or_json():
    table = pl.DataFrame(
        {"thumbs_up": [True] * 2, "tags": ['["a", "b"]', "c, d"], "context": ['{"framework": "f"}'] * 2}
    )
    facts = read_votes(table).facts
    assert facts["tags"].to_list() == [["a", "b"], ["c", "d"]]
    assert facts["framework"].to_list() == ["f", "f"]
    nested = [{"thumbs_up": True, "context": {"model": "m", "confidence": 0.5}}]
    assert read_votes(nested).facts["model"].to_list() == ["m"]


@pytest.mark.parametrize("votes", [1, 30])
def test_all_up_one_person_or_one_vote_is_no_error(votes):
    table = pl.DataFrame({"user_id": ["u"] * votes, "thumbs_up": [True] * votes})
    found = analyze_patterns(table, min_samples=1)
    assert (found.success_rate, found.common_negative_patterns) == (1.0, [])
    assert found.approval_low is None


def test_the_pipelines_own_votes_are_read_without_a_table(settings, feedback):
    pipeline = Pipeline(settings)
    facts = read_votes(feedback).facts
    for (day,), part in facts.partition_by("day", as_dict=True).items():
        pipeline.frames.write(VOTE_FACTS, day, part)
    own = analyze_patterns(days=21, until=date(2026, 11, 22), settings=settings)
    assert own.total_feedback == facts.height
    assert isinstance(own.findings, pd.DataFrame)
    assert list(own.findings.columns) == SLICE_FINDINGS.names
    with pytest.raises(InsufficientFeedbackError, match="feedback materialize"):
        generate_report(settings=settings)


def test_own_prompt_versions_carry_safety_rates(settings, feedback):  # E3
    pipeline = Pipeline(settings)
    facts = read_votes(feedback).facts
    versions = sorted(facts["prompt_version"].cast(pl.String).unique().drop_nulls())
    for (day,), part in facts.partition_by("day", as_dict=True).items():
        pipeline.frames.write(VOTE_FACTS, day, part)
    flags = {"personal_data": 1, "refusal": 4, "profanity": 0, "content_filter": 0}
    row = {"day": date(2026, 11, 20), "dimension": "prompt_version", "level": versions[0], "answers": 90, "checked": 80}
    counted = pl.DataFrame([row | flags], schema=SAFETY_COUNTS.schema)
    pipeline.frames.write(SAFETY_COUNTS, date(2026, 11, 20), counted)
    found = compare_prompt_versions(days=21, until=date(2026, 11, 22), settings=settings)
    assert (found[versions[0]]["refusal_rate"], found[versions[0]]["personal_data_rate"]) == (4 / 80, 1 / 80)
    assert "refusal_rate" not in found[versions[1]]


def test_a_tag_of_few_people_is_not_shown(feedback):
    private = feedback.copy()
    private["tags"] = [["secret"] if place < 30 else ["common"] for place in range(len(private))]
    private.loc[:29, "user_id"] = "one-person"
    assert set(analyze_patterns(private, days=21).tag_performance) == {"common"}
