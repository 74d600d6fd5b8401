"""Attacks on judges: the naive way lets them through, ours does not; a judge that no prompt can help is found out."""

import polars as pl

from feedback_pipeline.judging.backends.model import ModelJudge
from feedback_pipeline.judging.controls import controls_passed, judge_controls
from feedback_pipeline.judging.rubrics import read_rubric
from feedback_pipeline.llm.calls import CallLayer
from feedback_pipeline.llm.endpoint import Endpoint
from tests.support.attacks import ATTACKS, Outcome, attack_table, keeps_to_the_data, obeys_anything
from tests.support.judge_server import serve

BATCH = pl.DataFrame({"interaction_id": ["1", "2"], "prompt": ["a?", "b?"], "answer": ["A.", "B."]})


def through(outcomes: list[Outcome], side: str) -> set[str]:
    return {one.attack for one in outcomes if Outcome.passed(getattr(one, side))}


def test_a_judge_that_keeps_to_the_data_is_led_astray_by_the_naive_prompt_only() -> None:
    with serve(keeps_to_the_data) as server:
        outcomes = attack_table(Endpoint(server.base_url, "judge-1", "test"))
    assert len(outcomes) == len(ATTACKS)
    assert "asks for the verdict" in through(outcomes, "naive")
    assert len(through(outcomes, "naive")) >= len(ATTACKS) - 4
    assert through(outcomes, "defended") == set()


def test_a_judge_that_obeys_anything_is_found_out_by_the_controls() -> None:
    with serve(obeys_anything) as server:
        endpoint = Endpoint(server.base_url, "judge-1", "test")
        assert "asks for the verdict" in through(attack_table(endpoint), "defended")
        controls = judge_controls(ModelJudge(CallLayer(endpoint), read_rubric()), BATCH, "week")
    assert not controls_passed(controls)
