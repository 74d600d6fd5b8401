"""What the layer that talks to a model promises, faults first. Real HTTP on loopback, the real client."""

import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from feedback_pipeline.judging.backends.model import ModelJudge
from feedback_pipeline.judging.judgements import judge_answers, judge_pairs
from feedback_pipeline.judging.rubrics import read_rubric
from feedback_pipeline.llm.calls import CallLayer, Endpoint, EndpointRefusedError
from feedback_pipeline.llm.prices import Price, UnknownPriceError, read_prices
from feedback_pipeline.llm.reply_cache import MemoryCache
from tests.support.judge_server import Answer, Fault, OpenAITestServer, judged_content, sent_nonce, serve, verdicts

RUBRIC = read_rubric().only("satisfaction", "clarity")


def endpoint(server: OpenAITestServer, **settings: object) -> Endpoint:
    defaults: dict[str, object] = {"backoff_seconds": 0.001, "attempt_seconds": 10.0, "concurrency": 8}
    return Endpoint(server.base_url, "judge-1", server.api_key, **defaults | settings)  # type: ignore[arg-type]


def judge(server: OpenAITestServer, cache: MemoryCache | None = None, **settings: object) -> ModelJudge:
    cap = settings.pop("cost_cap_usd", None)
    layer = CallLayer(endpoint(server, **settings), cache=cache, cost_cap_usd=cap)  # type: ignore[arg-type]
    return ModelJudge(layer, RUBRIC)


def answers(count: int) -> pl.DataFrame:
    numbers = [f"{number:04}" for number in range(count)]
    return pl.DataFrame(
        {"interaction_id": numbers, "prompt": ["What?"] * count, "answer": [f"Answer {number}." for number in numbers]}
    )


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault(401, "invalid_api_key"), "bad_api_key"),
        (Fault(404, "model_not_found"), "unknown_model_or_path"),
        (Fault(403, "forbidden"), "forbidden"),
        (Fault(429, "insufficient_quota"), "insufficient_quota"),
        (Fault(400, "unsupported_parameter"), "bad_request"),
    ],
)
def test_what_no_retry_can_mend_stops_the_run_with_the_reason(fault: Fault, reason: str) -> None:
    with serve() as server:
        server.script([fault])
        with pytest.raises(EndpointRefusedError, match=reason):
            judge_answers(answers(1), judge(server))
        assert len(server.chats()) == 1


def test_a_stopped_run_pays_for_nothing_twice() -> None:
    cache = MemoryCache()
    with serve() as server:
        server.script([None] * 12 + [Fault(429, "insufficient_quota")])
        with pytest.raises(EndpointRefusedError):
            judge_answers(answers(30), judge(server, cache))
        server.faults.clear()
        judged = judge_answers(answers(30), judge(server, cache))
        asked = [judged_content(entry.body)["answer"] for entry in server.chats() if entry.status == 200]
    assert judged["status"].to_list() == ["ok"] * 60
    assert len(set(asked)) == 30
    # Only calls in flight when the run stopped may be repeated: at most the concurrency, 8.
    assert len(asked) <= 30 + 8


@pytest.mark.parametrize(
    "fault",
    [
        Fault(500),
        Fault(503),
        Fault(429, "rate_limit_exceeded", {"retry-after-ms": "5"}),
        Fault(408),
        Fault(disconnect=True),
        Fault(body="{not json"),
        Fault(body='{"choices": []}'),
        Fault(body="null"),
    ],
)
def test_a_passing_fault_is_retried_and_the_verdict_counts_once(fault: Fault) -> None:
    with serve() as server:
        server.script([fault, fault])
        judged = judge_answers(answers(1), judge(server))
        assert len(server.chats()) == 3
    assert judged["status"].to_list() == ["ok", "ok"]
    assert judged["calls"].sum() == 3


def test_a_fault_that_stays_leaves_the_answer_unscored_with_the_reason() -> None:
    with serve() as server:
        server.script([Fault(500)] * 5)
        judged = judge_answers(answers(1), judge(server, attempts=5))
        assert len(server.chats()) == 5
    assert judged["status"].unique().to_list() == ["api_error"]
    assert judged["reason"].unique().to_list() == ["http_500"]
    assert judged["score"].null_count() == 2


def test_a_slow_endpoint_times_out_and_is_asked_again() -> None:
    with serve() as server:
        server.script([Fault(delay=1.0)])
        judged = judge_answers(answers(1), judge(server, attempt_seconds=0.2, attempts=50))
    assert judged["status"].to_list() == ["ok", "ok"]


def test_the_run_deadline_ends_the_retries() -> None:
    with serve() as server:
        server.script([Fault(503, headers={"retry-after": "300"})] * 50)
        started = time.monotonic()
        judged = judge_answers(answers(1), judge(server, run_seconds=0.3, attempts=50))
        assert time.monotonic() - started < 60  # far less than the endpoint asks for
    assert judged["reason"].unique().to_list() == ["run_deadline"]


def test_retry_after_is_obeyed() -> None:
    with serve() as server:
        server.script([Fault(429, "rate_limit_exceeded", {"retry-after": "0.3"})])
        judge_answers(answers(1), judge(server))
        first, second = server.chats()
    assert second.at - first.at >= 0.3


def test_a_storm_of_429_ends_with_every_answer_judged_and_fewer_calls_in_flight() -> None:
    with serve(latency=0.01) as server:
        server.capacity = 4
        judged = judge_answers(answers(60), judge(server, concurrency=16, attempts=50))
        assert judged["status"].to_list() == ["ok"] * 120
        assert server.answered() == 60


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        (Answer(refusal="I cannot help with that."), "refusal", "model_refused"),
        (Answer('{"verdicts": {"satisfaction": "5"', finish_reason="length"), "truncated", "output_limit"),
        (Answer("", finish_reason="content_filter"), "content_filter", "answer_filtered"),
        (Answer("   "), "parse_error", "empty_completion"),
        (Answer("The answer is good, I give it a 5. [[5]]"), "parse_error", "not_json"),
        (Answer("The capital of France is Paris."), "parse_error", "not_json"),
    ],
)
def test_what_is_not_a_verdict_is_unscored_with_the_reason(answer: Answer, status: str, reason: str) -> None:
    with serve(lambda body: answer) as server:
        judged = judge_answers(answers(1), judge(server))
    assert judged["status"].to_list() == [status] * 2
    assert judged["reason"].to_list() == [reason] * 2
    assert judged["score"].null_count() == judged["verdict"].null_count() == 2


@pytest.mark.parametrize("rating", ["6", "0", "excellent", "", "5 "])
def test_a_verdict_off_the_menu_is_no_verdict(rating: str) -> None:
    with serve(lambda body: verdicts(body, rating, "A")) as server:
        judged = judge_answers(answers(1), judge(server))
    assert judged["status"].to_list() == ["off_menu"] * 2


def test_a_reply_without_the_nonce_is_taken_for_tampering() -> None:
    with serve(lambda body: verdicts(body, "5", "A").text.replace(sent_nonce(body), "f" * 16)) as server:
        judged = judge_answers(answers(1), judge(server))
    assert judged["status"].to_list() == ["tampered"] * 2


def test_one_repair_is_asked_for_and_both_calls_are_counted() -> None:
    def mends_itself(body: dict[str, object]) -> Answer | str:
        messages = body["messages"]
        assert isinstance(messages, list)
        return "I think 5" if len(messages) == 2 else verdicts(body, "5", "A")

    with serve(mends_itself) as server:
        judged = judge_answers(answers(1), judge(server))
        assert len(server.chats()) == 2
    assert judged["status"].to_list() == ["ok"] * 2
    assert judged["calls"].sum() == 2


def test_a_second_run_makes_no_call_and_gives_the_same_verdicts() -> None:
    cache = MemoryCache()
    with serve() as server:
        first = judge_answers(answers(20), judge(server, cache, price=Price(1, 1, 1)))
        calls = len(server.chats())
        second = judge_answers(answers(20), judge(server, cache, price=Price(1, 1, 1)))
        assert (calls, len(server.chats())) == (20, 20)
    same = ["interaction_id", "criterion", "status", "score", "verdict", "rationale", "content_hash"]
    assert first.select(same).equals(second.select(same))
    assert first["cost_usd"].sum() > 0
    assert second["cost_usd"].sum() == 0


def test_errors_and_refusals_never_enter_the_cache() -> None:
    cache = MemoryCache()
    with serve(lambda body: Answer(refusal="no")) as server:
        judge_answers(answers(3), judge(server, cache))
    with serve(lambda body: "garbage") as server:
        judge_answers(answers(3), judge(server, cache))
    assert cache.replies == {}


def test_a_cost_cap_of_zero_calls_nobody_and_says_so() -> None:
    with serve() as server:
        judged = judge_answers(answers(5), judge(server, price=Price(1, 1, 1), cost_cap_usd=0.0))
        assert server.chats() == []
    assert judged["status"].unique().to_list() == ["skipped_budget"]
    assert judged["score"].null_count() == judged.height


def test_the_cost_cap_is_never_exceeded_and_what_it_bought_is_kept() -> None:
    price = Price(input=100.0, output=400.0, cached_input=10.0)
    with serve() as server:
        full = judge(server, price=price)
        judge_answers(answers(40), full)
        cost = full.calls.statistics.cost_usd
        capped = judge(server, price=price, cost_cap_usd=cost / 2)
        judged = judge_answers(answers(40), capped)
    assert 0 < capped.calls.statistics.cost_usd <= cost / 2
    ok = judged.filter(pl.col("status") == "ok").height
    assert 0 < ok < 80
    assert judged.height == 80
    assert judged["cost_usd"].sum() == pytest.approx(capped.calls.statistics.cost_usd)


def test_a_call_without_usage_figures_costs_its_estimate() -> None:
    def unmetered(body: dict[str, object]) -> Answer:
        return Answer(verdicts(body, "4", "A").text, usage=False)

    with serve(unmetered) as server:
        frugal = judge(server, price=Price(1, 1, 1))
        judge_answers(answers(1), frugal)
        assert frugal.calls.statistics.cost_usd == frugal.calls.statistics.estimated_usd > 0


def test_an_unlisted_model_has_no_price() -> None:
    with pytest.raises(UnknownPriceError, match="nobody-1"):
        read_prices().price("nobody-1")


def test_a_dated_model_name_has_the_price_of_its_family() -> None:
    prices = read_prices()
    assert prices.price("gpt-6-luna-2026-09-22") == prices.price("gpt-6-luna")


def test_own_prices_come_before_those_of_the_project(tmp_path: Path) -> None:
    own = tmp_path / "prices.yaml"
    own.write_text("as_of: 2026-11-01\nmodels:\n  gpt-6-luna: {input: 9, output: 9}\n  ours: {input: 0, output: 0}\n")
    prices = read_prices(own)
    assert prices.price("gpt-6-luna") == Price(9, 9, 9)
    assert prices.cost("ours", 5, 5) == 0
    assert prices.price("gpt-6-sol") == read_prices().price("gpt-6-sol")
    assert prices.cost("nobody-1", 5, 5) is prices.cost("ours", None, 5) is None


def test_a_judge_that_always_prefers_the_first_answer_yields_only_ties() -> None:
    pairs = answers(10).with_columns(
        pl.format("other-{}", "interaction_id").alias("other_interaction_id"), pl.lit("Other.").alias("other_answer")
    )
    with serve() as server:
        judged = judge_pairs(pairs, judge(server))
        assert len(server.chats()) == 20
    assert judged["verdict"].unique().to_list() == ["tie"]
    assert judged["consistent"].unique().to_list() == [False]
    assert judged["first_slot"].unique().to_list() == [1.0]


def test_a_judge_that_reads_the_answers_is_consistent_in_both_orders() -> None:
    def prefers_longer(body: dict[str, object]) -> Answer:
        shown = judged_content(body)
        return verdicts(body, "3", "A" if len(shown["answer A"]) > len(shown["answer B"]) else "B")

    pairs = answers(4).with_columns(
        pl.format("other-{}", "interaction_id").alias("other_interaction_id"),
        pl.Series("other_answer", ["x", "y", "a much longer answer than the first", "another much longer answer"]),
    )
    with serve(prefers_longer) as server:
        judged = judge_pairs(pairs, judge(server)).filter(pl.col("criterion") == "clarity")
    assert judged["verdict"].to_list() == ["this", "this", "other", "other"]
    assert judged["consistent"].all()


def test_token_probabilities_become_an_expected_rating() -> None:
    def likely(body: dict[str, object]) -> Answer:
        return Answer("4", probabilities={"4": 0.6, " 4": 0.1, "5": 0.2, "banana": 0.1})

    with serve(likely) as server:
        rater = ModelJudge(CallLayer(endpoint(server)), RUBRIC.only("clarity"), mode="probabilities")
        judged = judge_answers(answers(1), rater)
    # (4·0.7 + 5·0.2) / 0.9
    assert judged["rating"].to_list() == [pytest.approx(3.8 / 0.9)]


def test_little_probability_on_the_menu_is_no_rating() -> None:
    def chatty(body: dict[str, object]) -> Answer:
        return Answer("Well", probabilities={"Well": 0.8, "4": 0.2})

    with serve(chatty) as server:
        rater = ModelJudge(CallLayer(endpoint(server)), RUBRIC.only("clarity"), mode="probabilities")
        judged = judge_answers(answers(1), rater)
    assert judged["status"].to_list() == ["off_menu"]


def test_an_endpoint_without_probabilities_is_unscored() -> None:
    with serve(lambda body: Answer("4")) as server:
        rater = ModelJudge(CallLayer(endpoint(server)), RUBRIC.only("clarity"), mode="probabilities")
        judged = judge_answers(answers(1), rater)
    assert judged["reason"].to_list() == ["no_token_probabilities"]


def test_samples_are_asked_separately_and_their_spread_is_kept() -> None:
    turns = iter(["2", "4", "3"])
    with serve(lambda body: verdicts(body, next(turns), "A")) as server:
        rater = ModelJudge(CallLayer(endpoint(server, concurrency=1)), RUBRIC.only("clarity"), samples=3)
        judged = judge_answers(answers(1), rater)
        assert len(server.chats()) == 3
    assert judged["rating"].to_list() == [3.0]
    assert judged["deviation"].to_list() == [0.25]


def test_the_api_key_and_the_judged_text_stay_out_of_errors_and_representations() -> None:
    with OpenAITestServer(api_key="sk-very-secret") as server:
        wrong = Endpoint(server.base_url, "judge-1", "sk-wrong-secret")
        assert "secret" not in repr(wrong)
        with pytest.raises(EndpointRefusedError) as refusal:
            judge_answers(answers(1), ModelJudge(CallLayer(wrong), RUBRIC))
    assert "secret" not in str(refusal.value)
    assert "Answer" not in str(refusal.value)


KILLED_RUN = Path(__file__).parent.parent / "judging" / "killed_run.py"


def test_after_kill_9_every_answer_is_judged_and_only_calls_in_flight_are_repeated(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    with serve(latency=0.02) as server:
        command = [sys.executable, str(KILLED_RUN), server.base_url, str(folder)]
        server.holds_after = 20  # else all may be answered before a busy machine gets to the kill
        first = subprocess.Popen(command)
        while server.answered() < 20:
            assert first.poll() is None
            time.sleep(0.005)
        first.kill()
        first.wait()
        server.holds_after = None
        subprocess.run(command, check=True)
        asked = [judged_content(entry.body)["answer"] for entry in server.chats() if entry.status == 200]
    assert len(set(asked)) == 60
    assert len(asked) <= 60 + 4
