"""The Python client, the logging decorator and the middleware: nothing is lost, nothing raises, nothing waits."""

import asyncio
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from feedback_client import (
    AsyncFeedbackClient,
    DeliveryError,
    FeedbackClient,
    FeedbackMiddleware,
    capture_feedback,
    collect_explicit_feedback,
    edit_distance,
    insert_feedback,
    log_llm_request,
    log_openai,
    request_id,
)

from feedback_pipeline.llm.prices import read_prices
from tests.support.serving import serve

NOWHERE = "http://127.0.0.1:9"  # the discard port: nobody listens


@pytest.fixture
def feedback(service: Any) -> Iterator[FeedbackClient]:
    with FeedbackClient(service.url, service.key, flush_seconds=0.02) as client:
        yield client


def answers(service: Any, columns: str) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = service.rows(
        f"SELECT {columns} FROM interaction WHERE tenant = %s ORDER BY received_at"
    )
    return rows


def test_votes_are_sent_read_changed_and_withdrawn(feedback: FeedbackClient) -> None:
    identity = feedback.send({"query": "q", "response": "r", "rating": 1})
    assert identity is not None
    assert feedback.get(identity)["rating"] == 1
    assert feedback.change(identity, rating=-1)["rating"] == -1
    assert len(feedback.get(identity, history=True)["history"]) == 2
    feedback.withdraw(identity)
    with pytest.raises(DeliveryError) as gone:
        feedback.get(identity)
    assert (gone.value.status, gone.value.detail) == (404, "not_found")


def test_background_votes_arrive(feedback: FeedbackClient, service: Any) -> None:
    for number in range(30):
        assert feedback.submit({"query": f"q {number}", "response": "r", "rating": 1})
    assert feedback.edited("r-1", "sort the list", "sort the whole list", "ada")
    assert feedback.flush()
    assert feedback.metrics == {"delivered": 31, "refused": 0, "dropped": 0}
    assert service.rows("SELECT count(*) FROM feedback WHERE tenant = %s") == [(31,)]


def test_what_cannot_be_delivered_waits_on_disk_and_is_delivered_once(service: Any, tmp_path: Path) -> None:
    down = FeedbackClient(NOWHERE, service.key, spool=tmp_path / "spool", flush_seconds=0.02)
    for number in range(5):
        down.submit({"query": f"q {number}", "response": "r", "rating": 1})
    down.close()
    kept = [json.loads(file.read_bytes()) for file in (tmp_path / "spool").glob("*.json")]
    assert sum(len(request["body"]["items"]) for request in kept) == 5
    for _ in range(2):  # the second time there is nothing left
        with FeedbackClient(service.url, service.key, spool=tmp_path / "spool", flush_seconds=0.02) as up:
            deadline = time.monotonic() + 60
            while list((tmp_path / "spool").glob("*.json")):
                assert time.monotonic() < deadline
                time.sleep(0.02)
            up.flush()
    assert service.rows("SELECT count(*) FROM feedback WHERE tenant = %s") == [(5,)]


def test_what_waits_on_disk_goes_with_the_key_it_was_made_for(service: Any, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    theirs = FeedbackClient(NOWHERE, service.new_key("rivals"), spool=spool, flush_seconds=0.02)
    theirs.submit({"query": "theirs", "response": "r", "rating": 1})
    theirs.close()
    with FeedbackClient(service.url, service.key, spool=spool, flush_seconds=0.02) as ours:
        ours.submit({"query": "ours", "response": "r", "rating": 1})
        assert ours.flush()
        assert ours.metrics == {"delivered": 1, "refused": 0, "dropped": 0}
    assert len(list(spool.glob("*.json"))) == 1
    assert service.rows("SELECT count(*) FROM feedback WHERE tenant = %s") == [(1,)]


def test_what_an_earlier_version_kept_is_delivered_and_what_is_no_request_is_set_aside(
    service: Any, tmp_path: Path
) -> None:
    vote = {"idempotency_key": "k-1", "query": "q", "response": "r", "rating": 1}
    kept = {"path": "/v1/feedback/batch", "body": {"items": [vote]}, "key": "b-1"}
    (tmp_path / "1.json").write_text(json.dumps(kept))
    (tmp_path / "2.json").write_text("[1]")
    with FeedbackClient(service.url, service.key, spool=tmp_path, flush_seconds=0.02) as client:
        deadline = time.monotonic() + 60
        while list(tmp_path.glob("*.json")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert client.metrics["delivered"] == 1
    assert [file.name for file in tmp_path.iterdir()] == ["2.broken"]


def test_a_full_spool_and_a_full_queue_drop_and_count(tmp_path: Path) -> None:
    client = FeedbackClient(NOWHERE, "k", flush_seconds=0.01)
    client.submit({"query": "q", "response": "r", "rating": 1})
    client.close()
    assert client.metrics["dropped"] == 1


def test_a_service_that_is_down_is_an_error_of_send_only() -> None:
    client = FeedbackClient(NOWHERE, "k")
    with pytest.raises(DeliveryError, match="unreachable"):
        client.send({"query": "q", "response": "r", "rating": 1})
    assert client.submit({"query": "q", "response": "r", "rating": 1})
    client.close()


def test_the_asynchronous_client(service: Any) -> None:
    async def run() -> str | None:
        async with AsyncFeedbackClient(service.url, service.key) as client:
            first, second = await asyncio.gather(
                client.send({"query": "q", "response": "r", "rating": 1}, "k-1"),
                client.send({"query": "q", "response": "r", "rating": 1}, "k-1"),
            )
            assert first == second
            return first

    assert asyncio.run(run()) is not None


def test_the_names_of_older_designs(feedback: FeedbackClient) -> None:
    identity = capture_feedback(
        "p", "o", rating=4, thumbs_up=True, tags=["Data Quality", "data_quality"], notes="fine",
        context={"framework": "cot", "model": "m-1", "confidence": 0.5, "techniques": ["steps"], "execution_time": 1.5},
        client=feedback,
    )  # fmt: skip
    found = feedback.get(str(identity))
    assert (found["stars"], found["thumb"], found["tags"], found["framework"]) == (4, True, ["data-quality"], "cot")
    explicit = collect_explicit_feedback("r-1", "up", "good", client=feedback)
    assert feedback.get(str(explicit))["comment"] == "good"
    outcome = insert_feedback(
        "c", 1, "r-1", "q", "a", "v1", "m-1", "outcome", {"task_succeeded": True}, client=feedback
    )
    assert feedback.get(str(outcome))["value"] == {"task_succeeded": True}


def test_a_function_is_logged_as_it_was_called(feedback: FeedbackClient, service: Any) -> None:
    @log_llm_request(client=feedback, prompt_version="v7", project="docs")
    def ask(messages: list[dict[str, str]], model: str = "m-1") -> str:
        return "call 020 7946 0018 or write to ada@example.com"

    messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "who is ada@example.com?"}]
    ask(messages)
    messages.append({"role": "assistant", "content": "later"})
    named = request_id.get()
    feedback.flush()
    ((logged, prompt, output, model, version, project, latency, context, provenance),) = answers(
        service, "messages, prompt, output, model, prompt_version, project, latency_ms, context, provenance"
    )
    assert "later" not in logged
    assert "be brief" in logged
    assert "ada@example.com" not in logged + prompt + output
    assert (model, version, project, context, provenance) == ("m-1", "v7", "docs", "full", "logged")
    assert latency >= 0
    vote = feedback.send({"feedback_type": "explicit", "feedback_value": {"rating": "up"}, "request_id": named})
    assert feedback.get(str(vote))["model"] == "m-1"


def test_an_application_never_sees_an_error_of_logging(feedback: FeedbackClient) -> None:
    class Strange:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(name)

    @log_llm_request(client=feedback)
    def ask(anything: Any) -> Any:
        return anything

    strange = Strange()
    assert ask(strange) is strange
    assert ask(float("nan")) != 0
    feedback.flush()

    @log_llm_request(client=feedback)
    def fail() -> None:
        raise KeyError("the application's own")

    with pytest.raises(KeyError, match="own"):
        fail()


def test_logging_takes_less_than_a_millisecond_of_the_caller(feedback: FeedbackClient) -> None:
    @log_llm_request(client=feedback, model="m-1")
    def ask(prompt: str) -> str:
        return prompt

    times = []
    for _ in range(300):
        started = time.thread_time()  # others may work on this machine
        ask("x" * 2000)
        times.append(time.thread_time() - started)
        time.sleep(0.001)
    assert sorted(times)[-4] < 0.001  # p99 of 300


def test_sampled_out_calls_keep_a_row_without_text(feedback: FeedbackClient, service: Any) -> None:
    @log_llm_request(client=feedback, sampling=1e-9, model="m-1")
    def ask(prompt: str) -> str:
        return "secret"

    for _ in range(20):
        ask("secret")
    feedback.flush()
    rows = answers(service, "prompt, output, messages, model, round(inclusion_probability::numeric, 6)::text")
    assert rows == [(None, None, None, "m-1", "0.000001")] * 20  # the least the service takes


def test_a_seed_of_the_application_decides_no_draw_and_is_not_moved_by_one(
    feedback: FeedbackClient, service: Any
) -> None:
    @log_llm_request(client=feedback, sampling=0.5, model="m-1")
    def ask(prompt: str) -> str:
        return "kept"

    following = set()
    for _ in range(60):
        random.seed(7)  # as frameworks do for each request
        ask("kept")
        following.add(random.random())
    feedback.flush()
    random.seed(7)
    assert following == {random.random()}
    assert len({prompt for prompt, _ in answers(service, "prompt, model")}) == 2


@pytest.fixture
def provider() -> Iterator[str]:
    """A stand-in for a model provider, on the wire: the OpenAI format."""
    app = FastAPI()

    @app.post("/v1/chat/completions")
    async def complete(request: Request) -> Any:
        asked = await request.json()
        if asked.get("stream"):
            chunk = ('data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o-2024-08-06",'
                     '"choices":[{"index":0,"delta":{"content":"hi "},"finish_reason":null}]}\n\n')  # fmt: skip
            return StreamingResponse(iter([chunk, chunk, "data: [DONE]\n\n"]), media_type="text/event-stream")
        return JSONResponse({
            "id": "c", "object": "chat.completion", "created": 1, "model": "gpt-4o-2024-08-06",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hello"}}],
            "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
        })  # fmt: skip

    url, stop = serve(app)
    yield url
    stop()


def test_calls_of_an_openai_client_are_logged_with_tokens_and_cost(
    feedback: FeedbackClient, service: Any, provider: str
) -> None:
    asking = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello?"}]}
    model = log_openai(openai.OpenAI(base_url=f"{provider}/v1", api_key="x"), feedback, prompt_version="v1")
    assert model.chat.completions.create(**asking).choices[0].message.content == "hello"
    assert sum(1 for _ in model.chat.completions.create(stream=True, **asking)) == 2

    async def run() -> None:
        async with openai.AsyncOpenAI(base_url=f"{provider}/v1", api_key="x") as plain:
            answer = await log_openai(plain, feedback).chat.completions.create(**asking)
            assert answer.choices[0].message.content == "hello"

    asyncio.run(run())
    feedback.flush()
    rows = answers(service, "output, model, input_tokens, output_tokens, cost_usd, finish_reason")
    # 1000 tokens at $2.50 and 100 at $10 a million
    full = ("hello", "gpt-4o-2024-08-06", 1000, 100, pytest.approx(0.0035), "stop")
    assert sorted(rows, key=str) == [full, full, ("hi hi ", "gpt-4o-2024-08-06", None, None, None, None)]


def test_the_middleware_logs_answers_and_names_them(feedback: FeedbackClient, service: Any) -> None:
    app = FastAPI()

    @app.post("/chat")
    async def chat(request: Request) -> dict[str, Any]:
        return {"response": f"you said {(await request.json())['query']}", "model": "m-9"}

    @app.post("/other")
    async def other() -> str:
        return "x"

    app.add_middleware(
        FeedbackMiddleware, client=feedback, paths=("/chat",), user_of=lambda scope: "ada", project="docs"
    )
    url, stop = serve(app)
    try:
        answer = httpx.post(f"{url}/chat", json={"query": "hello", "prompt_version": "v3"})
        assert httpx.post(f"{url}/other", json={}).json() == "x"
    finally:
        stop()
    assert answer.json() == {"response": "you said hello", "model": "m-9"}
    feedback.flush()
    ((prompt, output, model, version, project, user),) = answers(
        service, "prompt, output, model, prompt_version, project, user_key"
    )
    assert (prompt, output, model, version, project) == (
        "hello",
        "you said hello",
        "m-9",
        None,
        "docs",
    )  # what visitors write is not believed
    assert user.startswith("k1:")
    vote = {
        "feedback_type": "implicit",
        "feedback_value": {"signal": "copy"},
        "request_id": answer.headers["x-request-id"],
    }
    assert feedback.get(str(feedback.send(vote)))["interaction_id"] is not None


def test_the_price_of_a_call() -> None:
    prices = read_prices()
    assert prices.cost("gpt-4o-mini-2024-07-18", 1_000_000, 0) == pytest.approx(0.15)  # not that of gpt-4o
    assert prices.cost("somebody-elses", 1, 1) is None
    assert prices.cost("gpt-4o", None, 1) is None


def test_the_distance_of_an_edit() -> None:
    assert edit_distance("same", "same") == 0.0
    assert edit_distance("abc", "xyz") == 1.0
