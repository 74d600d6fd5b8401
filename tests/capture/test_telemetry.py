"""OpenTelemetry and LiteLLM: answers and verdicts out of what an application sends anyway."""

import gzip
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from feedback_pipeline.capture import otlp, otlp_answers
from feedback_pipeline.capture.routes_telemetry import MAX_SPANS
from tests.capture.conftest import Running
from tests.support import llm_server
from tests.support import otlp_wire as wire
from tests.support.serving import serve

TRACE = "5b8aa5a2d2c872e8321cf37308d69df2"
PROTOBUF = {"Content-Type": "application/x-protobuf"}
CALL: dict[str, Any] = {
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "north-7b",
    "gen_ai.response.model": "north-7b-0611", "gen_ai.usage.input_tokens": 31, "gen_ai.usage.output_tokens": 7,
    "gen_ai.conversation.id": "conv-1", "user.id": "anna",
    "gen_ai.system_instructions": '[{"type": "text", "content": "Be brief."}]',
    "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [
        {"type": "text", "content": "Write to anna@example.org: when do you open?"}]}]),
    "gen_ai.output.messages": json.dumps([{"role": "assistant", "finish_reason": "stop", "parts": [
        {"type": "text", "content": "At nine."}]}]),
}  # fmt: skip


def now() -> int:
    return time.time_ns() - 60_000_000_000


def request_of(*spans: dict[str, Any]) -> dict[str, Any]:
    """A trace request as JSON; each span is its attributes."""
    made = [
        {"traceId": TRACE, "spanId": f"{number:016x}", "name": "chat", "startTimeUnixNano": str(now() - 800_000_000),
         "endTimeUnixNano": str(now()), **{key: held[key] for key in held if key.endswith("UnixNano")},
         "attributes": [{"key": key, "value": json_value(value)} for key, value in held.items()
                        if not key.endswith("UnixNano")]}
        for number, held in enumerate(spans, 1)
    ]  # fmt: skip
    return {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"spans": made}]}]}


def json_value(value: Any) -> dict[str, Any]:
    kinds = {str: "stringValue", bool: "boolValue", float: "doubleValue"}
    return {"intValue": str(value)} if type(value) is int else {kinds[type(value)]: value}


def logs(
    *records: dict[str, Any], span: str = "0000000000000001", event: str = otlp_answers.EVALUATION
) -> dict[str, Any]:
    made = [
        {"timeUnixNano": str(now()), "eventName": event, "traceId": TRACE, "spanId": f"{1:016x}",
         "attributes": [{"key": key, "value": json_value(value)} for key, value in held.items()]}
        for held in records
    ]  # fmt: skip
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": made}]}]}


def test_a_span_becomes_an_answer_that_a_vote_finds_by_its_ids(service: Running) -> None:
    response_id = f"chatcmpl-{service.tenant}"
    with service.client() as client:
        done = client.post(
            "/v1/traces", json=request_of({**CALL, "gen_ai.response.id": response_id}, {"http.route": "/"})
        )
        assert (done.status_code, done.json()) == (200, {})
        vote = {"kind": "explicit", "thumb": True, "request_id": response_id}
        assert client.post("/v1/feedback", json=vote).status_code == 201
    ((prompt, output, messages, user, *rest),) = service.rows("""
        SELECT prompt, output, messages::json, user_key, model, input_tokens, output_tokens, round(latency_ms),
            provenance, context, finish_reason, conversation_id
        FROM interaction WHERE tenant = %s""")  # fmt: skip
    assert prompt == "Write to [EMAIL_1]: when do you open?"
    assert output == "At nine."
    assert [message["role"] for message in messages] == ["system", "user"]
    assert "anna" not in user
    assert rest == ["north-7b-0611", 31, 7, 800, "logged", "full", "stop", "conv-1"]
    assert service.rows("SELECT count(*) FROM feedback WHERE tenant = %s AND interaction_id IS NOT NULL") == [(1,)]


def test_the_ids_of_a_trace_stay_and_what_only_looks_like_one_does_not(service: Running) -> None:
    trace, span = "4111111111111111aaaaaaaaaaaaaaaa", "4111111111111111"  # the number of a card
    body = wire.traces(wire.span(trace, span, CALL, now() - 5, now()))
    other = request_of({**CALL, "gen_ai.response.id": "second"})
    other["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["spanId"] = "anna@example.org"  # sixteen characters
    with service.client(**PROTOBUF) as client:
        assert client.post("/v1/traces", content=body).status_code == 200
    with service.client() as client:
        assert client.post("/v1/traces", json=other).status_code == 400
    held = json.dumps({"trace_id": trace, "span_id": span}, separators=(",", ":"))
    assert service.rows("SELECT metadata FROM interaction WHERE tenant = %s") == [(held,)]


def test_protobuf_in_gzip_twice_is_one_answer(service: Running) -> None:
    span = wire.span(TRACE, "00f067aa0ba902b7", CALL, now() - 5, now())
    body = gzip.compress(wire.traces(span, span))
    with service.client(**PROTOBUF, **{"Content-Encoding": "gzip"}) as client:
        for _ in range(2):
            done = client.post("/v1/traces", content=body)
            assert (done.status_code, done.content) == (200, b"")
            assert done.headers["content-type"] == "application/x-protobuf"
    assert service.rows("SELECT output, project FROM interaction WHERE tenant = %s") == [("At nine.", "shop")]


def test_what_is_no_request_is_refused_and_nothing_is_kept(service: Running) -> None:
    small = gzip.compress(wire.traces(wire.span(TRACE, "00f067aa0ba902b7", CALL, now(), now())))
    with service.client(**PROTOBUF) as client:
        packed = {"Content-Encoding": "gzip"}

        def status(content: bytes, path: str = "/v1/traces", **headers: str) -> int:
            return client.post(path, content=content, headers=headers).status_code

        assert status(b"\xff\xff\xff no protobuf") == 400
        assert status(gzip.decompress(small)[:-3]) == 400  # cut within a field
        assert status(small[:-9], **packed) == 400
        assert status(b"no gzip", **packed) == 400
        assert status(gzip.compress(bytes(100_000_000)), **packed) == 413  # 97 KB that would be 100 MB
        assert status(b"\0" * (33 << 20)) == 413
        assert status(b"", **{"Content-Encoding": "br"}) == 415
        assert status(b"{}", **{"Content-Type": "text/plain"}) == 415
        assert status(b"[]", **{"Content-Type": "application/json"}) == 400
        assert status(b'{"resourceSpans": 7}', **{"Content-Type": "application/json"}) == 400
        assert status(small, Authorization="Bearer fbk_nobody", **packed) == 401
        deep = b'{"resourceSpans":' + b"[" * 5000 + b"]" * 5000 + b"}"
        assert status(deep, **{"Content-Type": "application/json"}) == 400
    assert service.rows("SELECT count(*) FROM interaction WHERE tenant = %s") == [(0,)]


def test_a_million_spans_in_one_request_are_too_many(service: Running) -> None:
    spans = wire.field(1, wire.field(2, b"\x12\x00" * 1_000_000))  # a million empty spans in 2 MB
    assert MAX_SPANS < 1_000_000
    with service.client(**PROTOBUF) as client:
        assert client.post("/v1/traces", content=spans).status_code == 413


def test_a_fast_clock_costs_a_span_and_says_so(service: Running) -> None:
    ahead = time.time_ns() + 10 * 86_400 * 1_000_000_000
    good, fast = CALL | {"user.id": "bo"}, CALL | {"endTimeUnixNano": str(ahead)}
    with service.client() as client:
        done = client.post("/v1/traces", json=request_of(good, fast))
    assert done.json()["partialSuccess"]["rejectedSpans"] == "1"
    assert "future" in done.json()["partialSuccess"]["errorMessage"]
    assert service.rows("SELECT count(*) FROM interaction WHERE tenant = %s") == [(1,)]


def test_keys_keep_tenants_apart(service: Running) -> None:
    other = service.new_key(f"{service.tenant}-other", "write")
    with service.client(other) as client:
        client.post("/v1/traces", json=request_of({**CALL, "gen_ai.response.id": "shared"}))
    with service.client(service.new_key(None, "read")) as client:
        assert client.post("/v1/traces", json=request_of(CALL)).status_code == 403
    with service.client() as client:
        client.post("/v1/traces", json=request_of({**CALL, "gen_ai.response.id": "shared"}))
        client.post("/v1/feedback", json={"kind": "explicit", "thumb": False, "request_id": "shared"})
    rows = "SELECT count(*) FROM feedback f JOIN interaction i ON i.id = f.interaction_id AND i.tenant = f.tenant"
    assert service.rows(f"{rows} WHERE f.tenant = %s") == [(1,)]


def test_evaluations_are_votes_of_people_and_judgements_of_judges(service: Running) -> None:
    name = {"gen_ai.evaluation.name": "relevance"}
    judge = {"gen_ai.evaluation.evaluator.type": "llm", "gen_ai.evaluation.evaluator.id": f"j-{service.tenant}"}
    judged = {**name, **judge, "gen_ai.evaluation.score.value": 0.8, "gen_ai.evaluation.score.label": "relevant"}
    person = {**name, "gen_ai.evaluation.score.label": "thumbs down", "gen_ai.evaluation.evaluator.type": "human",
              "gen_ai.evaluation.explanation": "It is closed.", "user.id": "bo"}  # fmt: skip
    unnamed = {"gen_ai.evaluation.score.value": 1.0}
    with service.client() as client:
        body = logs(judged, person, unnamed, judged)
        done = client.post("/v1/logs", json=body)  # before the span that they are about
        assert done.json()["partialSuccess"] == {
            "rejectedLogRecords": "1", "errorMessage": "gen_ai.evaluation.name is missing",
        }  # fmt: skip
        client.post("/v1/traces", json=request_of(CALL))
        assert client.post("/v1/logs", json=body).status_code == 200
    assert service.rows("""
        SELECT f.thumb, f.comment, i.output FROM feedback f JOIN interaction i ON i.id = f.interaction_id
        WHERE f.tenant = %s""") == [(False, "It is closed.", "At nine.")]  # fmt: skip
    assert service.rows("""
        SELECT DISTINCT j.criterion, (j.result ->> 'score')::float, j.result ->> 'label', i.output
        FROM judgement j JOIN interaction i ON i.id = j.interaction_id
        WHERE i.tenant = %s AND j.fingerprint = 'recorded:j-' || i.tenant""") == [
        ("relevance", 0.8, "relevant", "At nine."),
    ]  # fmt: skip


def test_a_whole_call_as_a_log_record(service: Running) -> None:
    with service.client() as client:
        assert client.post("/v1/logs", json=logs(CALL, event=otlp_answers.INFERENCE)).json() == {}
    assert service.rows("SELECT output FROM interaction WHERE tenant = %s") == [("At nine.",)]


def test_the_gateway_posts_what_it_answered(service: Running) -> None:
    payload = {
        "id": f"chatcmpl-{service.tenant}", "trace_id": "t1", "call_type": "acompletion", "stream": False,
        "status": "success", "response_cost": 0.0021, "prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15,
        "startTime": time.time() - 2, "endTime": time.time() - 1, "model": "north-7b", "end_user": "anna",
        "messages": [{"role": "user", "content": "Are you open?"}], "request_tags": ["shop"],
        "metadata": {"user_api_key_team_alias": "support", "requester_metadata": {"session_id": "s1"}},
        "response": {"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "Yes."}}]},
    }  # fmt: skip
    failed = {**payload, "id": "f", "status": "failure", "response": {}}
    with service.client() as client:
        for body in (
            json.dumps([payload, failed]),
            f"{json.dumps(payload)}\n{json.dumps(failed)}\n",
            json.dumps(payload),
        ):
            done = client.post("/v1/litellm", content=body)
            assert (done.status_code, done.json()["kept"], done.json()["rejected"]) == (200, 1, 0)
        assert client.post("/v1/litellm", content="{").status_code == 400
        vote = {"kind": "explicit", "stars": 5, "request_id": payload["id"]}
        assert client.post("/v1/feedback", json=vote).status_code == 201
    assert service.rows("SELECT prompt, output, cost_usd, project, tags FROM interaction WHERE tenant = %s") == [
        ("Are you open?", "Yes.", 0.0021, "support", ["shop"]),
    ]  # fmt: skip


# What instrumentations write


def answer(attributes: dict[str, Any], *events: otlp.Event) -> dict[str, Any] | None:
    span = otlp.Span(TRACE, "00f067aa0ba902b7", "chat", now(), now(), attributes, events, None)
    return otlp_answers.answer_of(span) if otlp_answers.is_answer(span) else None


@pytest.mark.parametrize(
    "written",
    [
        {"openinference.span.kind": "LLM", "llm.model_name": "north-7b", "llm.input_messages.0.message.role": "system",
         "llm.input_messages.0.message.content": "Be brief.", "llm.input_messages.1.message.role": "user",
         "llm.input_messages.1.message.contents.0.message_content.type": "text",
         "llm.input_messages.1.message.contents.0.message_content.text": "When?",
         "llm.output_messages.0.message.role": "assistant", "llm.output_messages.0.message.content": "At nine.",
         "llm.token_count.prompt": 31, "llm.token_count.completion": 7},
        {"gen_ai.system": "OpenAI", "llm.request.type": "chat", "gen_ai.request.model": "north-7b",
         "gen_ai.prompt.0.role": "system", "gen_ai.prompt.0.content": "Be brief.", "gen_ai.prompt.1.role": "user",
         "gen_ai.prompt.1.content": '[{"type": "text", "text": "When?"}]', "gen_ai.completion.0.role": "assistant",
         "gen_ai.completion.0.content": "At nine.", "gen_ai.usage.prompt_tokens": 31,
         "gen_ai.usage.completion_tokens": 7},
        {"gen_ai.operation.name": "chat", "gen_ai.request.model": "north-7b", "gen_ai.usage.input_tokens": 31,
         "gen_ai.usage.output_tokens": 7,
         "gen_ai.input.messages": [{"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
                                   {"role": "user", "parts": [{"type": "text", "content": "When?"}]}],
         "gen_ai.output.messages": [{"role": "assistant", "parts": [{"type": "text", "content": "At nine."}]}]},
    ],
)  # fmt: skip
def test_each_convention_says_the_same(written: dict[str, Any]) -> None:
    found = answer(written)
    assert found is not None
    assert [(one["role"], one["content"]) for one in found["messages"]] == [("system", "Be brief."), ("user", "When?")]
    assert (found["prompt"], found["output"], found["model"]) == ("When?", "At nine.", "north-7b")
    assert (found["input_tokens"], found["output_tokens"]) == (31, 7)


def test_the_older_events_of_a_span() -> None:
    found = answer(
        {"gen_ai.system": "openai", "gen_ai.operation.name": "chat", "gen_ai.request.model": "north-7b"},
        otlp.Event("gen_ai.system.message", {"content": "Be brief."}),
        otlp.Event("gen_ai.user.message", {"content": "When?"}),
        otlp.Event("gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": '{"content": "At nine."}'}),
    )
    assert found is not None
    assert (found["prompt"], found["output"], found["finish_reason"]) == ("When?", "At nine.", "stop")


def test_tools_agents_embeddings_and_silent_calls_are_no_answers() -> None:
    for operation in ("execute_tool", "invoke_agent", "embeddings"):
        assert answer({**CALL, "gen_ai.operation.name": operation}) is None
    assert answer({"openinference.span.kind": "CHAIN", "output.value": "x"}) is None
    assert answer({"gen_ai.operation.name": "chat", "gen_ai.request.model": "north-7b"}) is None  # without content


def test_a_call_of_a_tool_is_an_answer_with_its_name() -> None:
    parts = [{"type": "tool_call", "id": "c1", "name": "look_up", "arguments": {"order": 7}}]
    found = answer({**CALL, "gen_ai.output.messages": [{"role": "assistant", "parts": parts}]})
    assert found is not None
    assert (found["tools_called"], found["output"]) == (["look_up"], "")


@pytest.mark.parametrize("streamed", ["streamed", "whole"])
@pytest.mark.parametrize("kind", ["openinference", "openllmetry"])
def test_an_instrumented_application_needs_no_code_of_ours(service: Running, kind: str, streamed: str) -> None:
    models, stop = serve(llm_server.provider())
    program = Path(__file__).with_name("instrumented.py")
    try:
        done = subprocess.run(
            [sys.executable, str(program), kind, streamed, models, service.url, service.key],
            capture_output=True, text=True, timeout=300, check=False,
            env={**os.environ, "TRACELOOP_TRACE_CONTENT": "true"},
        )  # fmt: skip
    finally:
        stop()
    assert done.returncode == 0, done.stderr[-2000:]
    kept = """
        SELECT prompt, output, messages::json -> 0 ->> 'content', project, model IS NOT NULL FROM interaction
        WHERE tenant = %s"""
    assert service.rows(kept) == [("say please", done.stdout.strip(), "Be brief.", "bookshop", True)]


def test_the_real_exporter(service: Running) -> None:
    exporter = OTLPSpanExporter(
        endpoint=f"{service.url}/v1/traces", headers={"x-api-key": service.key}, compression=Compression.Gzip
    )
    provider = TracerProvider(resource=Resource.create({"service.name": "bookshop"}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("tests")
    with tracer.start_as_current_span("request"):
        for number in range(3):
            held = CALL | {"gen_ai.response.id": f"chatcmpl-{service.tenant}-{number}"}
            with tracer.start_as_current_span("chat north-7b", attributes=held):
                pass
    assert provider.force_flush()
    provider.shutdown()
    assert service.rows("SELECT output, project FROM interaction WHERE tenant = %s") == [("At nine.", "bookshop")] * 3
