"""The clients of providers, logged: every call once, whole or as far as it came, and unchanged for the application."""

import asyncio
import gc
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from feedback_client import (
    FeedbackClient,
    FeedbackMiddleware,
    call_context,
    log_anthropic,
    log_llm_request,
    log_openai,
    request_id,
)
from pydantic import BaseModel

from tests.capture.conftest import Running
from tests.support.llm_server import MODEL, provider
from tests.support.serving import serve

anthropic = pytest.importorskip("anthropic")
PNG = "data:image/png;base64," + "iVBORw0KGgo" * 60


class City(BaseModel):
    city: str


@pytest.fixture(scope="module")
def models() -> Iterator[str]:
    url, stop = serve(provider())
    yield url
    stop()


@pytest.fixture
def feedback(service: Running) -> Iterator[FeedbackClient]:
    with FeedbackClient(service.url, service.key, flush_seconds=0.02, redact=False) as client:
        yield client


@pytest.fixture
def ai(models: str, feedback: FeedbackClient) -> openai.OpenAI:
    return log_openai(openai.OpenAI(base_url=f"{models}/v1", api_key="x", max_retries=0), feedback)


def ask(case: str = "please") -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": f"say {case}"}]}


def closed(stream: Any) -> None:
    next(stream)
    next(stream)
    stream.close()


def left(stream: Any) -> None:
    for place, _ in enumerate(stream):
        if place == 1:
            break
    del stream
    gc.collect()


def streamed(ai: openai.OpenAI) -> None:
    with ai.chat.completions.stream(**ask("json"), response_format=City) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == City(city="Bonn")


def responses_streamed(ai: openai.OpenAI) -> None:
    with ai.responses.stream(model="gpt-4o", input="where", text_format=City) as stream:
        assert stream.get_final_response().output_parsed == City(city="Bonn")


def chat(case: str = "please", **options: Any) -> Callable[[openai.OpenAI], Any]:
    return lambda ai: ai.chat.completions.create(**ask(case), **options)


def chat_stream(use: Callable[[Any], Any], case: str = "please") -> Callable[[openai.OpenAI], Any]:
    return lambda ai: use(ai.chat.completions.create(**ask(case), stream=True))


def responses(use: Callable[[Any], Any], **options: Any) -> Callable[[openai.OpenAI], Any]:
    return lambda ai: use(ai.responses.create(model="gpt-4o", input="where", **options))


def entered(stream: Any) -> None:
    with stream as events:
        list(events)


def image(ai: openai.OpenAI) -> None:
    parts: Any = [{"type": "image_url", "image_url": {"url": PNG}}]
    ai.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": parts}])


HI, CITY = "hi there you", '{"city": "Bonn"}'
TOOL = {"name": "look_up", "arguments": '{"q": "x"}'}
HELLO = {"output": "hello"}
CASES: dict[str, tuple[Callable[[openai.OpenAI], Any], dict[str, Any]]] = {
    "create": (chat(), {"output": "hello", "input_tokens": 1000, "finish_reason": "stop"}),
    "with_options": (lambda ai: chat()(ai.with_options(timeout=9)), HELLO),
    "copy of a copy": (lambda ai: chat()(ai.copy().with_options(timeout=9)), HELLO),
    "raw": (lambda ai: ai.chat.completions.with_raw_response.create(**ask()).parse(), HELLO),
    "raw, never parsed": (lambda ai: ai.chat.completions.with_raw_response.create(**ask()), HELLO),
    "raw of the client": (lambda ai: ai.with_raw_response.chat.completions.create(**ask()).parse(), HELLO),
    "parse": (lambda ai: ai.chat.completions.parse(**ask("json"), response_format=City), {"output": CITY}),
    "n": (chat(n=3), {"output": "hello", "metadata.choices": ["hello 1", "hello 2"]}),
    "refusal": (chat("refuse"), {"output": "I cannot help", "metadata.refusal": True}),
    "tool call": (chat("call"), {"output": None, "tools_called": ["look_up"], "finish_reason": "tool_calls"}),
    "stream": (chat_stream(list), {"output": HI, "model": MODEL, "output_tokens": 100}),
    "stream, next": (chat_stream(lambda stream: [next(stream) for _ in range(6)]), {"output": HI}),
    "stream, with": (chat_stream(entered), {"output": HI}),
    "stream, closed": (chat_stream(closed), {"output": "hi "}),
    "stream, left": (chat_stream(left), {"output": "hi "}),
    "streamed tool call": (chat_stream(list, "call"), {"tools_called": ["look_up"], "metadata.tool_calls": [TOOL]}),
    "chat stream helper": (streamed, {"output": CITY}),
    "raw stream": (
        lambda ai: list(ai.chat.completions.with_raw_response.create(**ask(), stream=True).parse()), {"output": HI}),
    "responses": (responses(str, instructions="be brief"), {"output": CITY, "input_tokens": 1000}),
    "responses parse": (
        lambda ai: ai.responses.parse(model="gpt-4o", input="where", text_format=City), {"output": CITY}),
    "responses create stream": (responses(list, stream=True), {"output": CITY, "output_tokens": 100}),
    "responses stream helper": (responses_streamed, {"output": CITY}),
    "responses stream closed": (
        responses(lambda stream: ([next(stream) for _ in range(4)], stream.close()), stream=True),
        {"output": '{"city": '}),
    "completions": (
        lambda ai: ai.completions.create(model="gpt-4o", prompt="say please"), HELLO | {"prompt": "say please"}),
    "image": (image, HELLO),
}  # fmt: skip


def logged(service: Running) -> list[dict[str, Any]]:
    rows = service.rows("SELECT to_jsonb(i) FROM interaction i WHERE tenant = %s ORDER BY received_at")
    return [row[0] for row in rows]


def field(row: dict[str, Any], name: str) -> Any:
    head, _, rest = name.partition(".")
    value = row[head]
    return json.loads(value)[rest] if rest else value


@pytest.mark.parametrize("case", list(CASES))
def test_a_call_is_logged_once_and_whole(
    service: Running, feedback: FeedbackClient, ai: openai.OpenAI, case: str
) -> None:
    call, expected = CASES[case]
    log_openai(ai, feedback)  # wrapped twice
    call(ai)
    gc.collect()  # a stream that was left ends when it is collected
    assert feedback.flush()
    (row,) = logged(service)
    assert {name: field(row, name) for name in expected} == expected
    assert "iVBORw0KGgo" * 20 not in str(row)
    assert row["messages"] or row["prompt"]


def test_an_error_of_the_provider_is_logged_without_its_words(
    service: Running, feedback: FeedbackClient, ai: openai.OpenAI
) -> None:
    with pytest.raises(openai.BadRequestError):
        ai.chat.completions.create(**ask("fail"))
    feedback.flush()
    (row,) = logged(service)
    assert (row["output"], row["finish_reason"]) == (None, "error")
    assert field(row, "metadata.error") == {"type": "BadRequestError", "status": 400}
    assert "secret" not in str(row["metadata"])


def test_nothing_changes_for_the_application(ai: openai.OpenAI) -> None:
    assert isinstance(ai, openai.OpenAI)
    assert isinstance(ai.chat.completions.create(**ask()), openai.types.chat.ChatCompletion)
    assert isinstance(ai.chat.completions.create(**ask(), stream=True), openai.Stream)
    with pytest.raises(TypeError):
        ai.chat.completions.create(nonsense=1)  # type: ignore[call-overload]


def test_asynchronous_calls_and_streams(service: Running, feedback: FeedbackClient, models: str) -> None:
    async def run() -> None:
        async with openai.AsyncOpenAI(base_url=f"{models}/v1", api_key="x", max_retries=0) as plain:
            ai = log_openai(plain, feedback)
            await ai.chat.completions.create(**ask())
            stream = await ai.chat.completions.create(**ask(), stream=True)
            assert isinstance(stream, openai.AsyncStream)
            await stream.__anext__()
            assert [chunk async for chunk in stream]
            cancelled = await ai.chat.completions.create(**ask(), stream=True)
            await cancelled.__anext__()
            await cancelled.__anext__()
            await cancelled.close()
            with pytest.raises(openai.BadRequestError):
                await ai.with_options(timeout=9).chat.completions.create(**ask("fail"))
            async with ai.responses.stream(model="gpt-4o", input="where") as helper:
                await helper.get_final_response()

    asyncio.run(run())
    feedback.flush()
    assert sorted(str(row["output"]) for row in logged(service)) == sorted(["hello", HI, "hi ", "None", CITY])


def test_whose_call_it_is_can_be_said(service: Running, feedback: FeedbackClient, ai: openai.OpenAI) -> None:
    with call_context(user_id="ada", conversation_id="c-1"):
        ai.chat.completions.create(**ask())
    feedback.flush()
    ai.chat.completions.create(**ask(), feedback={"user_id": "grace", "content_type": "qa_answer", "content_id": "7"})  # type: ignore[call-overload]
    feedback.flush()
    ai.chat.completions.create(**ask(), user="ada")
    feedback.flush()
    rows = logged(service)
    assert [row["conversation_id"] for row in rows] == ["c-1", None, None]
    assert rows[0]["user_key"] == rows[2]["user_key"] != rows[1]["user_key"]
    name = service.rows("SELECT value FROM interaction_key WHERE tenant = %s AND kind = 'content'")
    assert name == [("qa_answer/7",)]
    vote = feedback.send(
        {"feedback_type": "explicit", "feedback_value": {"rating": "up"}, "request_id": request_id.get()}
    )
    assert feedback.get(str(vote))["interaction_id"] == rows[2]["id"]


def test_a_function_around_a_logged_call_is_logged_once(
    service: Running, feedback: FeedbackClient, ai: openai.OpenAI
) -> None:
    @log_llm_request(client=feedback)
    def answer(prompt: str) -> str | None:
        return str(ai.chat.completions.create(**ask()).choices[0].message.content)

    @log_llm_request(client=feedback)
    def fail(prompt: str) -> str:
        raise ValueError("the application's own")

    @log_llm_request(client=feedback)
    def pieces(prompt: str) -> Iterator[str]:
        yield from ("a", "b")

    assert answer("hello") == "hello"
    with pytest.raises(ValueError, match="own"):
        fail("broken")
    assert list(pieces("in pieces")) == ["a", "b"]
    feedback.flush()
    found = {(row["prompt"], row["output"], row["finish_reason"]) for row in logged(service)}
    assert found == {("say please", "hello", "stop"), ("broken", None, "error"), ("in pieces", "ab", None)}


def test_anthropic(service: Running, feedback: FeedbackClient, models: str) -> None:
    ai = log_anthropic(anthropic.Anthropic(base_url=models, api_key="x", max_retries=0), feedback)
    asked = {
        "model": "claude-x",
        "max_tokens": 9,
        "system": "be brief",
        "messages": [{"role": "user", "content": "hi"}],
    }
    ai.messages.create(**asked)
    list(ai.messages.create(**asked, stream=True))
    with ai.messages.stream(**asked) as stream:
        stream.get_final_message()
    ai.messages.with_raw_response.create(**asked)
    left(ai.messages.create(**asked, stream=True))
    feedback.flush()
    rows = logged(service)
    assert sorted(str(row["output"]) for row in rows) == ["None", "hello", "hello", "hello", "hello"]
    whole = [row for row in rows if row["output"]]
    assert all(row["tools_called"] == ["look_up"] and row["input_tokens"] == 1000 for row in whole)
    assert all(json.loads(field(row, "metadata.tool_calls")[0]["arguments"]) == {"q": "x"} for row in whole)
    assert all("be brief" in row["messages"] for row in rows)


def application(feedback: FeedbackClient, **options: Any) -> FastAPI:
    app = FastAPI()
    answers: dict[str, Any] = {name: {name: "hello"} for name in ("answer", "result", "content", "reply", "message")}
    answers |= {
        "choices": {"choices": [{"message": {"content": "hello"}}]},
        "nested": {"message": {"role": "assistant", "content": "hello"}},
        "plain": "hello",
        "pointed": {"data": [{"words": "hello"}]},
        "unreadable": {"data": [{"words": "hello"}]},
    }

    @app.post("/json/{name}", status_code=201)
    async def whole(name: str, asked: dict[str, Any]) -> Any:
        return answers[name]

    @app.post("/sse/{name}")
    async def sse(name: str, asked: dict[str, Any]) -> Any:  # who answers without reading what was asked races the log
        choice = '{"choices":[{"index":0,"delta":{"content":"%s"}}]}'
        pieces = {"words": ("hel", "lo"), "json": ('{"delta": "hel"}', '{"delta": "lo"}', "[DONE]"),
                  "openai": (choice % "hel", choice % "lo")}  # fmt: skip
        text = "".join(f"data: {piece}\n\n" for piece in pieces[name])
        return StreamingResponse(iter([text]), media_type="text/event-stream")

    @app.post("/ndjson")
    async def ndjson(asked: dict[str, Any]) -> Any:
        return StreamingResponse(iter(['{"answer": "hel"}\n', '{"answer": "lo"}\n']), media_type="application/x-ndjson")

    app.add_middleware(FeedbackMiddleware, client=feedback, paths=("/",), **options)
    return app


@pytest.mark.parametrize("path", [
    "/json/answer", "/json/result", "/json/content", "/json/reply", "/json/message", "/json/choices", "/json/nested",
    "/json/plain", "/sse/words", "/sse/json", "/sse/openai", "/ndjson",
])  # fmt: skip
def test_the_middleware_reads_what_applications_answer(service: Running, feedback: FeedbackClient, path: str) -> None:
    url, stop = serve(application(feedback))
    try:
        httpx.post(url + path, json={"question": "hi?", "prompt_version": "x" * 300, "user_id": "mallory"})
    finally:
        stop()
    feedback.flush()
    (row,) = logged(service)
    assert (row["prompt"], row["output"], row["prompt_version"], row["user_key"]) == ("hi?", "hello", None, None)


def test_the_middleware_says_what_it_cannot_read(
    service: Running, feedback: FeedbackClient, caplog: pytest.LogCaptureFixture
) -> None:
    app = application(feedback, answer="/data/0/words")
    url, stop = serve(app)
    middleware: Any = app.middleware_stack
    while not isinstance(middleware, FeedbackMiddleware):
        middleware = middleware.app
    try:
        httpx.post(f"{url}/json/pointed", json={"question": "hi?"})
        for _ in range(3):
            httpx.post(f"{url}/json/answer", json={"question": "hi?"})
    finally:
        stop()
    feedback.flush()
    assert [row["output"] for row in logged(service)] == ["hello"]
    assert dict(middleware.unread) == {"nothing at /data/0/words": 3}
    assert sum("nothing at" in record.getMessage() for record in caplog.records) == 1


def test_a_bad_item_costs_no_other_its_log(service: Running, feedback: FeedbackClient) -> None:
    for version in ("v1", "x" * 300, "v2"):
        feedback.log({"output": "a", "prompt_version": version})
    feedback.log({"output": "a", "latency_ms": -1})
    feedback.log({"output": "a", "inclusion_probability": 0.0})
    feedback.flush()
    assert sorted(row["prompt_version"] or "" for row in logged(service)) == ["", "v1", "v2", "x" * 200]
    assert feedback.metrics == {"delivered": 4, "refused": 1, "dropped": 0}


def test_tokens_are_made_without_the_service(service: Running, feedback: FeedbackClient) -> None:
    down = FeedbackClient("http://127.0.0.1:9", service.key)
    token = down.mint_token("qa_answer", "7", "https://app.example", "ada")
    headers = {"Origin": "https://app.example", "X-Feedback-Session": "browser-session-0001"}
    with service.client(token, **headers) as page:
        identity = page.post(
            "/v1/feedback", json={"content_type": "qa_answer", "content_id": "7", "rating": True}
        ).json()["id"]
        other = page.post("/v1/feedback", json={"content_type": "qa_answer", "content_id": "8", "rating": True})
        assert other.status_code == 403
    known = feedback.send({"query": "q", "response": "r", "rating": 1, "user_id": "ada"})
    assert feedback.get(identity)["user_id"] == feedback.get(str(known))["user_id"]
    head, _, mark = token.partition(".")
    for forged in (f"{head}A.{mark}", f"{head}.{mark[:-2]}", head, "fbl_", "fbl_e30.x", f"{head}.é"):
        with service.client(forged.encode("ascii", "ignore").decode(), **headers) as page:
            assert page.get("/v1/feedback").status_code == 401
    with service.client(down.mint_token("qa_answer", "7", "https://evil.example"), **headers) as page:
        assert page.get("/v1/feedback").status_code == 403
    reader = FeedbackClient(service.url, service.new_key(None, "read"))
    with service.client(reader.mint_token("qa_answer", "7", "https://app.example"), **headers) as page:
        assert page.get("/v1/feedback").status_code == 403
    for client in (down, reader):
        client.close(1)
