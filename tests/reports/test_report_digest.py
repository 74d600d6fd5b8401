"""The digest and the metadata outlive an erasure, so no words of people may be in them."""

import math
from dataclasses import replace

import pytest

from feedback_pipeline.reports.digest import render_markdown, summary_metadata
from feedback_pipeline.reports.findings import Causes, RepeatedFailure, RepeatedFailures, Term, Terms, Topic, Topics
from feedback_pipeline.reports.operations import ModelSuggestion
from feedback_pipeline.reports.parts import Condition, examples_of
from tests.support.report_samples import CAUSES, RECOMMENDATIONS, full_report, rate, silent_report

CANARY = "zebra-canary-7431"


def report_with_canaries():
    quoted = examples_of([("a1", f"the {CANARY} said")], 20)
    cause = replace(CAUSES.findings[0], examples=quoted)
    about = (Condition("intent", "code"),)
    suggestion = ModelSuggestion(f"Fix {CANARY}", f"people say {CANARY}", CANARY, about, ("a1",))
    return replace(
        full_report(),
        causes=Causes((cause,), 10),
        recommendations=replace(RECOMMENDATIONS, suggestions=(suggestion,), source="model"),
        terms=Terms((Term(CANARY, "comment", "down", rate(0.6, 0.1, 40, 20), 5.0, 0.001),), 10),
        topics=Topics("t", (Topic("1", CANARY, rate(0.2, 0.1, 40, 20), None, quoted),), 0.1),
        repeated_failures=RepeatedFailures((RepeatedFailure("c", None, 5, 5, 5, True, quoted),)),
    )


def test_no_words_of_people_reach_the_digest_or_the_metadata():
    content = report_with_canaries()
    assert CANARY not in render_markdown(content)
    assert CANARY not in str(summary_metadata(content))


def test_a_models_suggestions_are_counted_not_quoted():
    assert "1 suggestion by a model: see the report." in render_markdown(report_with_canaries())


def test_a_dimension_value_cannot_call_everybody_or_format():
    hostile = replace(CAUSES.findings[0], conditions=(Condition("tags", "<!channel> *x* `y` <http://e.example|z>"),))
    text = render_markdown(replace(full_report(), causes=Causes((hostile,), 1)))
    assert "<" not in text
    assert "*x*" not in text
    assert "|z" not in text


def test_the_digest_is_short_and_carries_the_verdict():
    text = render_markdown(full_report(), link="https://feedback.example/report")
    assert text.startswith("*Approval fell 5.2 points to 74.1%*\n")
    assert text.rstrip().endswith("https://feedback.example/report")
    assert len(text.splitlines()) <= 25
    assert len(text) < 3000  # Slack cuts a text block at 3,000 characters


def test_metadata_are_finite_numbers_to_plot():
    found = summary_metadata(full_report())
    assert (found["approval"], found["approval_low"], found["approval_high"]) == (0.741, 0.726, 0.756)
    assert (found["votes"], found["people"], found["findings"], found["alerts_open"]) == (7510, 1204, 3, 2)
    assert found["events_unaccounted"] == 0
    assert all(math.isfinite(value) for value in found.values() if not isinstance(value, str))


def test_a_number_that_cannot_be_said_is_absent_not_zero():
    found = summary_metadata(silent_report())
    assert "approval" not in found
    assert "findings" not in found
    assert found["verdict"] == "unknown"
    assert found["votes"] == 0


@pytest.mark.parametrize("content", [full_report, silent_report])
def test_the_same_content_gives_the_same_digest(content):
    assert render_markdown(content()) == render_markdown(content())
