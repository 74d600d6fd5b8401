"""Reports to render in tests: a full bad week, and the smallest one, with invented numbers."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from feedback_pipeline.reports.content import ReportContent
from feedback_pipeline.reports.findings import (
    Cause,
    Causes,
    Change,
    DimensionSplit,
    Improvement,
    Improvements,
    LevelChange,
    RepeatedFailure,
    RepeatedFailures,
    Standing,
    Standings,
    Term,
    Terms,
    Topic,
    Topics,
)
from feedback_pipeline.reports.operations import (
    Alert,
    Alerts,
    CurationStep,
    DataQuality,
    DayVotes,
    Engagement,
    JudgedCriterion,
    JudgedQuality,
    Method,
    PastAction,
    PastActions,
    Recommendation,
    Recommendations,
    Training,
    TrainingFile,
    Version,
    VersionComparison,
    Versions,
)
from feedback_pipeline.reports.parts import Condition, Count, Difference, NoResultPart, Rate, examples_of
from feedback_pipeline.reports.subjects import Subjects, SubjectVotes
from feedback_pipeline.reports.summary import Coverage, Period, Release, Trend, TrendPoint, Verdict

WEEK = Period("weekly", "2026-W47", date(2026, 11, 16), date(2026, 11, 22), "Europe/Berlin")
GATHERED = datetime(2026, 11, 23, 6, 5, tzinfo=UTC)


def rate(value: float, half: float, votes: int, people: int | None = 200) -> Rate:
    return Rate(value, max(value - half, 0.0), min(value + half, 1.0), votes, people)


def trend(values: list[float | None]) -> Trend:
    points = []
    for index, value in enumerate(values):
        start = WEEK.start - timedelta(weeks=len(values) - 1 - index)
        approval = NoResultPart("no votes") if value is None else rate(value, 0.014 + 0.002 * (index % 4), 5200)
        label = f"{start.isocalendar().year}-W{start.isocalendar().week:02d}"
        votes = 0 if value is None else 4100 + 310 * index
        points.append(TrendPoint(label, start, start + timedelta(days=6), votes, approval))
    releases = (
        Release(date(2026, 9, 23), "model", "gpt-5.2-mini"),
        Release(date(2026, 10, 20), "prompt_version", "v11"),
        Release(date(2026, 11, 17), "prompt_version", "v12"),
        Release(date(2026, 11, 19), "model", "claude-haiku-5"),
    )
    return Trend(tuple(points), releases, 0.8)


def cause(number: int, conditions: tuple[Condition, ...], value: float, votes: int, **changes: Any) -> Cause:
    made = Cause(
        finding_id=f"f{number:07x}",
        conditions=conditions,
        negative=rate(value, 0.04, votes, 88 + number),
        elsewhere=0.182,
        set_aside=0,
        excess=votes * (value - 0.182),
        share_of_negatives=votes * value / 1880,
        q_value=0.00002 * 10**number,
        adjusted=Difference(value - 0.21, value - 0.25, value - 0.17),
        reverses=False,
        status="new",
        first_seen=WEEK.start,
        periods_seen=1,
        interaction_ids=("0190a5c2-77aa-7c11-9d3e-5a1d0c2b7e01", "0190a5c2-77aa-7c11-9d3e-5a1d0c2b7e02"),
        examples=examples_of(
            [
                ("0190a5c2-77aa-7c11-9d3e-5a1d0c2b7e01", "It keeps inventing functions that do not exist in our SDK."),
                ("0190a5c2-77aa-7c11-9d3e-5a1d0c2b7e02", "Code does not even compile, third time today"),
            ],
            88,
        ),
    )
    return replace(made, **changes)


CAUSES = Causes(
    (
        cause(1, (Condition("prompt_version", "v12"), Condition("intent", "code")), 0.47, 605),
        cause(2, (Condition("model", "gpt-5.2-mini"), Condition("language", "de")), 0.44, 347, status="ongoing",
              periods_seen=3, first_seen=date(2026, 11, 2)),
        cause(3, (Condition("tools", "calendar"),), 0.29, 810, status="confirmed", periods_seen=2,
              first_seen=date(2026, 11, 9), examples=()),
    ),
    tested=4846,
)  # fmt: skip

CHANGE = Change(
    "prompt_version",
    before=0.793,
    now=0.741,
    mix=-0.0065,
    rate=-0.0455,
    levels=(
        LevelChange("v12", 0.0, 0.31, None, 0.668, -0.021, 0.0, None),
        LevelChange("v11", 0.71, 0.44, 0.801, 0.762, 0.006, -0.0305, 0.0004),
        LevelChange("v10", 0.22, 0.18, 0.786, 0.735, 0.0055, -0.0102, 0.021),
        LevelChange("v9", 0.05, 0.05, 0.74, 0.69, 0.002, -0.0031, 0.4),
        LevelChange(None, 0.02, 0.02, 0.71, 0.68, 0.001, -0.0017, None),
    ),
    splits=(DimensionSplit("model", -0.002, -0.05), DimensionSplit("intent", -0.011, -0.041)),
)

RECOMMENDATIONS = Recommendations(
    (
        Recommendation("r1a90", "Roll prompt version v12 back for intent code", "47.0% of 605 votes are negative, "
                       "against 18.2% elsewhere; seen since 16 Nov.", CAUSES.findings[0].conditions, "f0000001", 0.024,
                       "adjusted", "Prompt team", date(2026, 11, 25)),
        Recommendation("r1a91", "Send German questions to the larger model", "44.0% of 347 votes are negative; third "
                       "week in a row.", CAUSES.findings[1].conditions, "f0000002", 0.012, "associational", None,
                       date(2026, 11, 27)),
        Recommendation("r1a92", "Review the calendar tool's error messages", "29.0% of 810 votes are negative.",
                       CAUSES.findings[2].conditions, "f0000003", 0.012, "associational", "Tools team", None),
    ),
    source="rules",
)  # fmt: skip


def full_report() -> ReportContent:
    return ReportContent(
        project="Atlas Assistant",
        period=WEEK,
        generated_at=GATHERED,
        verdict=Verdict(
            rate(0.741, 0.015, 7510, 1204),
            rate(0.793, 0.014, 7120, 1187),
            Difference(-0.052, -0.071, -0.033),
            0.8,
            rate(0.752, 0.014, 7510, 1204),
            3.91,
        ),
        coverage=Coverage(7510, 1204, 7308, 243_600, 0.03, 0.029, date(2026, 11, 22), (), None),
        trend=trend([0.788, 0.781, 0.79, 0.802, 0.796, None, 0.811, 0.807, 0.8, 0.797, 0.793, 0.741]),
        change=CHANGE,
        causes=CAUSES,
        recommendations=RECOMMENDATIONS,
        past_actions=PastActions(
            (
                PastAction("a0c11", "Shorten answers for mobile summaries", "Summaries team", "done", "f0000011",
                           rate(0.702, 0.03, 1190), rate(0.763, 0.02, 1320), Difference(0.061, 0.022, 0.1)),
                PastAction("a0c12", "Add examples for date arithmetic", "Prompt team", "done", "f0000012",
                           rate(0.77, 0.03, 700), rate(0.774, 0.03, 720), Difference(0.004, -0.031, 0.039)),
                PastAction("a0c13", "Ask for the language before translating", None, "accepted", None, None, None,
                           NoResultPart("it is about no single group of answers")),
            )
        ),
        improvements=Improvements(
            (
                Improvement((Condition("action_type", "summarise"),), 0.702, rate(0.763, 0.02, 1320), 0.003, False),
                Improvement((Condition("model", "gpt-5.2"), Condition("intent", "table")), 0.61, rate(0.79, 0.05, 210),
                            None, True),
            )
        ),
        alerts=Alerts(
            (
                Alert("i2f", "approval_fell", "error", "open", date(2026, 11, 18),
                      "Approval has been below 80% since 17 Nov with more evidence than a year of chance would give.",
                      None),
                Alert("i30", "new_action_type", "warning", "acknowledged", date(2026, 11, 20),
                      "Action type book_room is new and 38% of its 61 votes are negative.", True),
            ),
            judged=9,
            real=7,
        ),
        judged_quality=JudgedQuality(
            (
                JudgedCriterion("correct", "gpt-5.2", 0.81, rate(0.772, 0.031, 1800), 0.71, 240, 12),
                JudgedCriterion("clear", "gpt-5.2", 0.93, rate(0.901, 0.022, 1800), 0.58, 240, 9),
                JudgedCriterion("harmless", "gpt-5.2", 0.998,
                                NoResultPart("18 human labels, at least 50 are needed"), None, 18, 0),
            )
        ),
        versions=Versions(
            (
                Version("prompt_version", "v12", rate(0.668, 0.024, 2328), 75_500, 0.031, rate(0.68, 0.02, 2328),
                        0.0021, 1840, 5210, (("refusals", 0.011), ("personal_data", 0.0004)), date(2026, 11, 17)),
                Version("prompt_version", "v11", rate(0.762, 0.019, 3304), 107_900, 0.0306, None, 0.0019, 1710, 4800),
                Version("model", "gpt-5.2-mini", rate(0.738, 0.013, 5800), 190_000, 0.0305, None, 0.0011, 940, 2700),
                Version("model", "claude-haiku-5", NoResultPart("4 people, at least 5 are needed"), 2100, None),
            ),
            (
                VersionComparison("v11", "v12", "correct", "corrected_up_rate", Difference(-0.08, -0.13, -0.03), 0.01,
                                  True),
            ),
        ),
        standings=Standings(
            (
                Standing("action_type", "summarise", rate(0.763, 0.02, 1320), 0.762, "better"),
                Standing("action_type", "book_room", rate(0.62, 0.12, 61), 0.69, "no difference"),
                Standing("action_type", "write_code", rate(0.59, 0.03, 1105), 0.6, "worse"),
                Standing("intent", "chat", rate(0.83, 0.02, 1900), 0.828, "better"),
            )
        ),
        terms=Terms(
            (
                Term("does not compile", "comment", "down", rate(0.91, 0.05, 88, 41), 6.2, 0.00001),
                Term("=HYPERLINK(1)", "comment", "down", rate(0.7, 0.1, 44, 19), 4.4, 0.004),
                Term("exactly what", "prompt", "up", rate(0.03, 0.02, 120, 77), -5.9, 0.0002),
            ),
            tested=2635,
        ),
        topics=Topics(
            "2026-09-r2",
            (
                Topic("3", "invented functions / sdk / import", rate(0.24, 0.03, 212, 96), 0.11,
                      examples_of([("0190a5c2-77aa-7c11-9d3e-5a1d0c2b7e01", "import fails: no such module")], 96)),
                Topic("1", "too long / rambling / repeats", rate(0.16, 0.03, 140, 88), 0.19),
                Topic("6", "slow / waiting", NoResultPart("fewer than five people"), None),
            ),
            other_share=0.21,
        ),
        repeated_failures=RepeatedFailures(
            (
                RepeatedFailure("c71", "write_code", 14, 15, 11, True,
                                examples_of([("0190a5c2", "How do I page through results?")], 11)),
                RepeatedFailure("c09", None, 4, 4, 3, False),
            )
        ),
        subjects=Subjects(
            (
                SubjectVotes("session", 61, 48, rate(0.81, 0.11, 66, 48), 4.2, 9),
                SubjectVotes("tool_call", 3, 2, NoResultPart("fewer than five people"), None, 0),
            )
        ),
        engagement=Engagement(
            tuple(
                DayVotes(WEEK.end - timedelta(days=29 - day), 620 + 40 * (day % 7), 22, 190 + 60 * (day > 24))
                for day in range(30)
            ),
            comments=911,
            corrections=133,
            survey_responses=None,
            exports=4,
        ),
        training=Training(
            (
                CurationStep("consent", "vote", 7510, 108, "The tenant or the person does not allow training."),
                CurationStep("one label an answer", "vote", 7402, 2192, "Votes on the same answer become one example."),
                CurationStep("no conflict", "example", 5210, 0, "Votes that cancel out teach nothing."),
                CurationStep("cap per person", "example", 5210, 1105, "No person gives more than 1% of the file."),
            ),
            (TrainingFile("sft", 2610, 290), TrainingFile("dpo", 133, 14), TrainingFile("kto", 1362, 151)),
            "2,610 positive examples: enough for a first fine-tune (500 to 1,000 are needed).",
        ),
        data_quality=DataQuality(
            7981,
            (Count("current", 7510), Count("superseded", 214), Count("withdrawn", 31), Count("duplicate", 160),
             Count("opted_out", 12), Count("pending", 40), Count("quarantined", 14)),
            (Count("stars_out_of_range", 9), Count("no_answer_id", 5)),
            (Count("EMAIL", 31), Count("PHONE", 12)),
        ),
        method=Method(4846, 2635, 0.05, 30, 5, 312, ("Votes of one person are one cluster.",),
                      (("redaction rules", "3"), ("taxonomy", "2026-09-r2"))),
    )  # fmt: skip


def silent_report(reason: str = "nobody voted this week") -> ReportContent:
    """A week without a single vote."""
    nothing = NoResultPart(reason)
    return ReportContent(
        project="Atlas Assistant",
        period=WEEK,
        generated_at=GATHERED,
        verdict=nothing,
        coverage=Coverage(
            0, 0, 0, 1200, 0.0, 0.03, None, tuple(WEEK.start + timedelta(days=d) for d in range(7)), None
        ),
        trend=Trend((TrendPoint("2026-W47", WEEK.start, WEEK.end, 0, nothing),), (), 0.8),
        change=nothing,
        causes=nothing,
        recommendations=nothing,
    )
