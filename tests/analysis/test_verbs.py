"""The public verbs: any table in, the same kind out, and a clear word where there is too little."""

import datetime as dt
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import feedback_pipeline
from feedback_pipeline import (
    FeedbackFrameError,
    InsufficientFeedbackError,
    LeftOutWarning,
    analyze_patterns,
    calculate_task_success_rate,
    compare_prompt_versions,
    generate_report,
    get_statistics,
    suggest_improvements,
)
from feedback_pipeline.analysis.content_cache import ContentCache, digest
from feedback_pipeline.analysis.vote_frames import UNDATED, read_votes
from feedback_pipeline.cleaning.tables import VOTE_FACTS
from feedback_pipeline.judging.versions import JudgedAverages, averages_of_one_judge
from feedback_pipeline.patterns.tables import SAFETY_COUNTS, SLICE_FINDINGS
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.reports.document import render_json
from feedback_pipeline.reports.published import FOLDERS
from feedback_pipeline.settings import Settings
from tests.support.report_samples import WEEK, full_report, silent_report

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
    negative, positive = found.common_negative_patterns, found.common_positive_patterns
    group = next(one for one in negative if one["kind"] == "group")
    assert any(word in group["text"] for word in ("react", "v2", "slow"))
    assert 0 < group["low"] < group["difference"] < group["high"]
    assert group["share"] > group["elsewhere"]
    assert any("compile" in one["text"] and one["low"] < one["share"] < one["high"] for one in negative)
    assert any("thanks" in one["text"] for one in positive)
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
    assert about
    assert suggest_improvements("react", 21, 5, db=feedback, settings=NOWHERE) == about
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


def test_task_success_is_peoples_word_before_the_outcomes():  # E3, design 8
    def outcome(answer, version, succeeded):
        value = {"task_succeeded": succeeded}
        return {"request_id": answer, "prompt_version": version, "feedback_type": "outcome", "feedback_value": value}

    rows = [
        outcome("r1", "v1", True),
        outcome("r2", "v1", False),
        {"request_id": "r3", "prompt_version": "v2", "feedback_type": "explicit", "rating": 5},
        # people's word on r1 decides, whatever its outcome
        {"request_id": "r1", "prompt_version": "v1", "feedback_type": "explicit", "rating": 1},
    ]
    assert calculate_task_success_rate(rows, settings=NOWHERE) == pytest.approx(1 / 3)
    assert calculate_task_success_rate(db=rows, settings=NOWHERE) == pytest.approx(1 / 3)
    metrics = compare_prompt_versions(pd.DataFrame(rows), settings=NOWHERE)
    assert metrics["v1"]["task_success_rate"] == 0.0
    assert metrics["v2"]["task_success_rate"] == 1.0
    # forty thumbs up on tasks that failed: 1.0, as in the store
    liked = pd.DataFrame({"request_id": range(40), "thumbs_up": True, "task_succeeded": False})
    assert calculate_task_success_rate(liked, settings=NOWHERE) == 1.0
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


def test_the_newest_report_of_the_pipeline_is_that_of_the_newest_votes(settings):
    folder = Pipeline(settings).frames.root / FOLDERS["weekly"]
    folder.mkdir(parents=True)
    following = replace(WEEK, label="2026-W48", start=date(2026, 11, 23), end=date(2026, 11, 29))
    for content in (full_report(), replace(silent_report(), period=following)):
        (folder / f"{content.period.start}.json").write_bytes(render_json(content))
    assert generate_report(settings=settings).period == "2026-W47"
    assert generate_report(settings=settings, until=date(2026, 11, 25)).period == "2026-W48"


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


def test_a_tag_of_one_person_is_told_with_its_limit(feedback):
    private = feedback.copy()
    private["tags"] = [["mine"] if place < 30 else ["common"] for place in range(len(private))]
    private.loc[:29, "user_id"] = "one-person"
    mine = analyze_patterns(private, days=21).tag_performance["mine"]
    assert (mine["votes"], mine["people"], mine["limit"]) == (30, 1, "all votes are from one person")
    assert "low" not in mine


def test_the_designs_signatures_work_as_written(feedback, tmp_path):  # C2, C3, C4
    by_name = analyze_patterns(db=feedback, days=21, min_samples=5)
    assert by_name.total_feedback == analyze_patterns(feedback, 21, 5).total_feedback
    path = tmp_path / "feedback.jsonl"
    path.write_text(feedback.to_json(orient="records", lines=True, date_format="iso"))
    assert analyze_patterns(db=str(path), days=21).total_feedback == by_name.total_feedback
    with closing(sqlite3.connect(tmp_path / "feedback.db")) as connection:
        feedback.assign(tags="[]", timestamp=feedback["timestamp"].astype(str)).to_sql("feedback", connection)
        connection.commit()
        assert analyze_patterns(connection, days=21).total_feedback == by_name.total_feedback
    assert analyze_patterns(db=tmp_path / "feedback.db", days=21).total_feedback == by_name.total_feedback
    made = generate_report("weekly", db=feedback, settings=NOWHERE)
    assert made.top_performers == [] or {"text", "low", "high", "votes"} <= set(made.top_performers[0])
    assert {"text", "negative_rate", "low", "high", "votes", "people"} <= set(made.problem_areas[0])
    statistics = get_statistics("2026-11-16", "2026-11-22", feedback, settings=NOWHERE)
    assert statistics["total_feedback"] == made.total_prompts
    assert statistics["approval_low"] < statistics["approval_rate"] < statistics["approval_high"]
    assert get_statistics("2020-01-01", "2020-01-02", feedback, settings=NOWHERE)["total_feedback"] == 0


def test_one_number_and_one_unit_everywhere(feedback, tmp_path):
    """Approval and its change in points are the report's own."""
    made = generate_report(feedback, "weekly", tmp_path / "r.json", settings=NOWHERE)
    verdict = json.loads((tmp_path / "r.json").read_text())["content"]["verdict"]
    assert made.approval_rate == verdict["approval"]["value"]
    assert made.improvement_vs_previous == pytest.approx(100 * verdict["difference"]["value"])
    assert f"{abs(made.improvement_vs_previous):.1f} point" in made.headline or "No significant" in made.headline


def test_every_kind_of_feedback_is_read_or_said_to_be_left_out():
    """What the HTTP API takes: 100 ratings inside feedback_value among 300 rows, words, stars, corrections."""
    said = {"explicit": {"rating": 5}, "outcome": {"task_succeeded": True}, "implicit": {"signal": "copy"}}
    rows = [
        {"request_id": f"{kind}{place}", "feedback_type": kind, "feedback_value": value}
        for kind, value in said.items()
        for place in range(100)
    ]
    rows[0]["feedback_value"] = {"rating": 1}
    votes = read_votes(rows)
    assert (votes.facts.height, votes.left_out) == (300, {})
    assert votes.facts["stars"].drop_nulls().to_list().count(5) == 99
    odd = [
        {"feedback_type": "explicit", "feedback_value": {"rating": "up"}},
        {"feedback_type": "explicit", "feedback_value": {"thumbs_up": False}},
        {"feedback_type": "implicit", "feedback_value": {"signal": "hover"}},
        {"feedback_type": "outcome", "feedback_value": {"done": "maybe"}},
        {"correction": "Better so."},
        {"comment": "Thank you"},
        {"preference": "this"},
        {"request_id": "nothing"},
    ]
    votes = read_votes(odd)
    assert votes.facts["verdict"].to_list() == [1, -1, -1]
    assert votes.left_out == {
        "comments without a verdict": 1,
        "implicit signals that the verdict policy does not know": 1,
        "outcomes that do not say task_succeeded: true or false": 1,
        "preferences, which rank answers and are no approval": 1,
        "rows without any feedback": 1,
    }
    with pytest.warns(LeftOutWarning, match="1 rows without any feedback"):
        found = analyze_patterns(odd, min_samples=1)
    assert sum(found.left_out.values()) == 5


def test_one_person_and_neutral_votes_say_what_limits_them():
    mine = analyze_patterns(
        [{"user_id": "me", "thumbs_up": place % 4 > 0, "framework": "react"} for place in range(20)]
    )
    assert mine.framework_performance["react"]["success_rate"] == 0.75
    assert any("votes of one person" in limit for limit in mine.limits)
    neutral = analyze_patterns([{"stars": 3} for _ in range(200)])
    assert (neutral.total_feedback, neutral.approval_rate) == (200, None)
    assert any("all 200 votes are neutral" in limit for limit in neutral.limits)
    nameless = analyze_patterns([{"thumbs_up": True} for _ in range(20)])
    assert "no vote names a framework" in nameless.limits


def test_two_judges_and_two_scales_are_never_one_column():
    quality = pl.DataFrame(
        {
            "judge": ["local", "model", "local", "model"], "fingerprint": ["l", "m", "l", "m"],
            "criterion": "satisfaction", "dimension": "prompt_version", "slice": ["v1", "v1", "v2", "v3"],
            "judged": [10, 400, 10, 300], "mean_rating": [None, 3.92, None, 3.1], "mean_score": [0.8, 0.73, 0.81, 0.5],
        }
    )  # fmt: skip
    assert averages_of_one_judge(quality) == JudgedAverages(
        "model", "1–5", {"v1": {"avg_satisfaction": 3.92}, "v3": {"avg_satisfaction": 3.1}}
    )


def test_not_a_number_is_nothing_and_times_may_be_seconds_since_1970():  # C.20
    odd = pl.DataFrame({"thumbs_up": [True, True, None], "rating": [float("nan")] * 3,
                        "timestamp": [1_762_678_800, 1_762_678_800_000, 1_762_678_800]})  # fmt: skip
    votes = read_votes(odd)
    assert votes.facts["day"].to_list() == [dt.date(2025, 11, 9)] * 2
    assert votes.left_out == {"rows without any feedback": 1}


@pytest.mark.parametrize(
    ("up", "down"),
    [("👍", "👎"), ("Thumbs up", "thumbs-down"), ("good", "bad"), ("Yes", "NO"), ("ja", "nein"), ("liked", "disliked")],
)
@pytest.mark.parametrize("column", ["thumb", "feedback", "rating"])
def test_thumbs_are_the_words_that_an_import_knows(column: str, up: str, down: str) -> None:
    rows = [{column: up if n % 4 else down, "user_id": f"u{n}", "prompt": f"ask {n}"} for n in range(40)]
    found = analyze_patterns(rows, settings=NOWHERE)
    assert (found.positive_count, found.negative_count) == (30, 10)


ODD = {
    "objects": [{"thumb": "up"}] * 20,
    "lists": [["up"]] * 20,
    "lists of objects": [[{"role": "user", "content": "hi"}]] * 20,
    "bytes": [b"\xff\x00up"] * 20,
    "decimals": [Decimal("1.5")] * 20,
    "durations": [timedelta(seconds=3)] * 20,
    "clock times": [time(8, 30)] * 20,
    "days": [date(2026, 11, 20)] * 20,
    "nothing": [None] * 20,
    "truths": [True, False] * 10,
    "large numbers": [2**63] * 20,
    "not a number": [float("nan")] * 20,
}


@pytest.mark.parametrize(
    "column",
    [
        "thumb",
        "rating",
        "stars",
        "feedback_value",
        "prompt",
        "user_id",
        "timestamp",
        "tags",
        "comment",
        "model",
        "latency_ms",
        "context",
        "correction",
        "winner",
    ],
)
@pytest.mark.parametrize("kind", list(ODD))
def test_a_column_of_any_type_is_read_or_refused_in_a_sentence(column: str, kind: str) -> None:
    rows = pl.DataFrame({"thumbs_up": [True, False] * 10, "user_id": [f"u{n}" for n in range(20)],
                         "timestamp": ["2026-11-20T10:00:00Z"] * 20})  # fmt: skip
    dtype = pl.UInt64 if kind == "large numbers" else None
    given = rows.with_columns(pl.Series(column, ODD[kind], dtype=dtype))
    try:
        analyze_patterns(given, settings=NOWHERE)
    except (FeedbackFrameError, InsufficientFeedbackError) as error:
        said = str(error)
    else:
        said = column
    assert column in said or "insufficient" in said


@pytest.mark.parametrize("stars", ["banana", "6", "4.5", "0"])
def test_stars_that_are_none_are_refused_by_their_column(stars: str) -> None:
    rows = [{"stars": "5", "user_id": f"u{n}"} for n in range(20)] + [{"stars": stars, "user_id": "x"}]
    with pytest.raises(FeedbackFrameError, match="column stars has 1 values that are not 1 to 5"):
        analyze_patterns(rows, settings=NOWHERE)


def test_a_table_with_semicolons_is_read(tmp_path: Path) -> None:
    rows = "".join(f"{'up' if n % 4 else 'down'};u{n};ask {n}, please\n" for n in range(40))
    (tmp_path / "votes.csv").write_text(f"\ufeffthumb;user;prompt\n{rows}", encoding="utf-8")
    assert analyze_patterns(tmp_path / "votes.csv", settings=NOWHERE).positive_count == 30
