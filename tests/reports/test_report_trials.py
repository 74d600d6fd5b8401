"""Experiments and approval of all answers in the report."""

from dataclasses import replace

import polars as pl

from feedback_pipeline.experiments.tables import APPROVAL_OF_ALL, EXPERIMENT_READOUT
from feedback_pipeline.reports.page import render_html
from feedback_pipeline.reports.parts import NoResultPart
from feedback_pipeline.reports.sections import trials
from feedback_pipeline.reports.sources import Sources
from tests.support.report_samples import full_report

READ = {
    "tenant": "default", "experiment": "tone", "version": 1, "arm": "v2", "control": "v1", "measure": "approval",
    "role": "primary", "assigned": 900, "assigned_control": 910, "people": 400, "people_control": 410, "value": 0.8,
    "value_control": 0.7, "difference": 0.1, "low": 0.04, "high": 0.16, "sequence_low": 0.01, "sequence_high": 0.19,
    "expected": 0.05, "verdict": "better", "advice": "stop: better, and looking early did not make it so",
}  # fmt: skip


def readout(*rows: dict) -> pl.DataFrame:
    names = EXPERIMENT_READOUT.names
    return EXPERIMENT_READOUT.conform(
        pl.DataFrame([{name: row.get(name) for name in names} for row in rows], schema=EXPERIMENT_READOUT.schema)
    )


def sources(**frames: pl.DataFrame) -> Sources:
    return Sources(vote_facts=pl.DataFrame(), daily_counts=pl.DataFrame(), **frames)


def test_the_last_day_of_each_arm_is_shown_with_its_verdict() -> None:
    monday = {**READ, "day": pl.Series(["2026-11-16"]).str.to_date()[0], "verdict": "too_early", "difference": 0.3}
    sunday = {**READ, "day": pl.Series(["2026-11-22"]).str.to_date()[0]}
    found = trials.trials(
        sources(experiments=readout(monday, sunday, {**sunday, "measure": "cost_usd", "role": "guardrail"}))
    )
    [one] = found.arms
    assert (one.verdict, one.people, one.difference.value) == ("better", 810, 0.1)
    page = render_html(replace(full_report(), experiments=found))
    assert "tone: v2 against v1" in page
    assert "+1.0 to +19.0" in page
    assert "stop: better" in page


def test_a_broken_assignment_shows_no_number() -> None:
    day = pl.Series(["2026-11-22"]).str.to_date()[0]
    nothing = dict.fromkeys(("difference", "low", "high", "sequence_low", "sequence_high", "expected", "value"))
    row = {**READ, **nothing, "day": day, "verdict": "broken_assignment", "advice": "stop", "reason": "shares"}
    [one] = trials.trials(sources(experiments=readout(row))).arms
    assert one.difference == NoResultPart("shares")
    assert "broken assignment" in render_html(
        replace(full_report(), experiments=trials.trials(sources(experiments=readout(row))))
    )


def test_approval_of_all_answers_beside_the_voters() -> None:
    week = pl.Series(["2026-11-16"]).str.to_date()[0]
    row = {
        "tenant": "default", "week": week, "answers": 12_000, "asked": 600, "answered": 230, "voted": 330,
        "estimate": 0.81, "low": 0.76, "high": 0.85, "plain": 0.6, "plain_low": 0.55, "plain_high": 0.65,
        "judged": None, "if_worse": 0.75, "reason": None,
    }  # fmt: skip
    frame = pl.DataFrame([row], schema=APPROVAL_OF_ALL.schema)
    page = render_html(replace(full_report(), all_answers=trials.all_answers(sources(all_answers=frame))))
    assert "81.0%" in page
    assert "60.0% do" in page
    refused = frame.with_columns(estimate=pl.lit(None, pl.Float64), reason=pl.lit("nobody was asked"))
    assert trials.all_answers(sources(all_answers=refused)) == NoResultPart("nobody was asked")
    assert isinstance(trials.all_answers(sources()), NoResultPart)
