"""The Decisions endpoint as a judge: probabilities per question, over the real client and real HTTP."""

from typing import Any

import openai
import polars as pl
import pytest

from feedback_pipeline.judging.backends.decision_form import read_decision
from feedback_pipeline.judging.backends.model import ModelJudge
from feedback_pipeline.judging.judgements import judge_answers, judge_pairs
from feedback_pipeline.judging.rubrics import read_rubric
from feedback_pipeline.llm.calls import CallLayer
from feedback_pipeline.llm.endpoint import Endpoint
from feedback_pipeline.llm.endpoint_refusal import EndpointRefusedError
from feedback_pipeline.llm.prices import Price
from tests.support.judge_server import Fault, OpenAITestServer, decision, serve

RUBRIC = read_rubric().only("satisfaction", "safety")
ANSWERS = pl.DataFrame({"interaction_id": ["1", "2"], "prompt": ["a?", "b?"], "answer": ["A.", "B."]})
PAIRS = ANSWERS.with_columns(
    pl.format("other-{}", "interaction_id").alias("other_interaction_id"), pl.lit("Other.").alias("other_answer")
)


def judge(server: OpenAITestServer, **options: Any) -> ModelJudge:
    endpoint = Endpoint(server.base_url, "judge-1", server.api_key, Price(1, 1, 1), backoff_seconds=0.001)
    return ModelJudge(CallLayer(endpoint), RUBRIC, mode="decisions", **options)


def test_one_call_answers_every_criterion_and_the_rating_is_the_expected_level() -> None:
    def decide(body: dict[str, Any]) -> list[dict[str, Any]]:
        shares = {"satisfaction": {"4": 0.5, "5": 0.5}, "safety": {"1": 1.0}}
        return [decision(question, shares[question["name"]]) for question in body["questions"]]

    with serve() as server:
        server.decide = decide
        judged = judge_answers(ANSWERS, judge(server))
        assert [entry.path for entry in server.chats()] == ["/v1/decisions"] * 2
        question = server.chats()[0].body["questions"][0]
    ratings = dict(judged.filter(pl.col("interaction_id") == "1").select("criterion", "rating").iter_rows())
    assert ratings == {"satisfaction": 4.5, "safety": 1.0}
    assert judged["calls"].sum() == 2
    assert judged["cost_usd"].sum() > 0
    assert [level["label"] for level in question["levels"]] == ["1", "2", "3", "4", "5"]


def test_the_client_reads_what_the_test_server_says() -> None:
    # the SDK's own types are the description of the wire format that is at hand
    with serve() as server, openai.OpenAI(base_url=server.base_url, api_key=server.api_key) as client:
        asked = [{"type": "choice", "name": "q", "instructions": "?", "choices": [{"value": "A"}, {"value": "B"}]}]
        answered = client.decisions.create(model="judge-1", input=[{"role": "user", "content": "x"}], questions=asked)  # type: ignore[arg-type]
    assert answered.answers[0].type == "choice"
    assert [one.probability for one in answered.answers[0].probabilities] == [0.5, 0.5]


def test_a_refused_question_is_unscored_and_the_others_stand() -> None:
    def decide(body: dict[str, Any]) -> list[dict[str, Any]]:
        first, second = body["questions"]
        return [{"type": "refusal", "name": first["name"]}, decision(second, {"5": 1.0})]

    with serve() as server:
        server.decide = decide
        judged = judge_answers(ANSWERS.head(1), judge(server))
    assert dict(judged.select("criterion", "status").iter_rows()) == {"satisfaction": "refusal", "safety": "ok"}


def test_pairs_are_asked_in_both_orders_and_a_slot_is_no_preference() -> None:
    def first_slot(body: dict[str, Any]) -> list[dict[str, Any]]:
        return [decision(question, {"A": 0.8, "tie": 0.2}) for question in body["questions"]]

    with serve() as server:
        server.decide = first_slot
        judged = judge_pairs(PAIRS, judge(server))
        assert len(server.chats()) == 4
    assert judged["verdict"].unique().to_list() == ["tie"]
    # (0.8 + 0.2 / 2) for whichever answer stands first
    assert judged["first_slot"].to_list() == [pytest.approx(0.9)] * 4


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ('{"answers": [], "model": "judge-1"}', "parse_error", "answers_missing"),
        ('{"choices": []}', "api_error", "not_a_decision"),
        ("[]", "api_error", "not_a_decision"),
    ],
)
def test_what_is_no_decision_is_unscored_with_the_reason(body: str, status: str, reason: str) -> None:
    with serve() as server:
        server.script([Fault(body=body)] * 5)
        judged = judge_answers(ANSWERS.head(1), judge(server))
    assert judged["status"].unique().to_list() == [status]
    assert judged["reason"].unique().to_list() == [reason]


def test_an_endpoint_without_decisions_stops_the_run() -> None:
    with serve() as server:
        server.script([Fault(404, "not_found")])
        with pytest.raises(EndpointRefusedError, match="unknown_model_or_path"):
            judge_answers(ANSWERS, judge(server))


@pytest.mark.parametrize(
    "answer",
    [
        {"type": "score", "name": "safety", "probabilities": [{"label": "5", "value": 4, "probability": 1.0}]},
        {"type": "score", "name": "tone", "probabilities": [{"label": "9", "value": 9, "probability": 1.0}]},
        {"type": "score", "name": "tone"},
        {"type": "score", "name": "tone", "probabilities": [{"label": "5", "probability": "much"}]},
    ],
)
def test_an_answer_to_something_else_is_off_the_menu(answer: dict[str, Any]) -> None:
    assert read_decision(answer, "tone", pairwise=False).status == "off_menu"
