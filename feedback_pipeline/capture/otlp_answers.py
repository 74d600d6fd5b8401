"""Spans of calls to models as answers, and evaluation events as verdicts.

Understood: the GenAI semantic conventions of OpenTelemetry (`gen_ai.*` as attributes, and as events of a span in their
older form), OpenInference (`llm.*`, `input.value`, `output.value`) and OpenLLMetry (`gen_ai.prompt.N.*`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from feedback_pipeline.capture.otlp import Event, Record, Span
from feedback_pipeline.capture.shapes import MAX_NAME
from feedback_pipeline.ingest.words import THUMBS, word

EVALUATION = "gen_ai.evaluation.result"
INFERENCE = "gen_ai.client.inference.operation.details"
ANSWERING = frozenset(("chat", "text_completion", "generate_content", "completion", "message"))
"""`gen_ai.operation.name` of a call that a model answers in words; agents and tools are made of such calls."""
PEOPLE = frozenset(("human", "user", "end_user", "enduser", "person", "annotator"))
"""`gen_ai.evaluation.evaluator.type` of verdicts that are people's; every other is a judge's."""

_INDEXED = re.compile(r"^(llm\.input_messages|llm\.output_messages|gen_ai\.prompt|gen_ai\.completion)\.(\d+)\.(.+)$")
_EVENT_ROLES = {f"gen_ai.{role}.message": role for role in ("system", "user", "assistant", "tool")}
_MAX_TOOLS = 50


def is_answer(span: Span) -> bool:
    """Whether a span is one call to a model that answers in words."""
    attributes = span.attributes
    if (kind := attributes.get("openinference.span.kind")) is not None:
        return bool(kind == "LLM")
    if (operation := attributes.get("gen_ai.operation.name")) is not None:
        return operation in ANSWERING
    if (request := attributes.get("llm.request.type")) is not None:
        return request in ANSWERING
    named = attributes.get("gen_ai.request.model") or attributes.get("gen_ai.response.model")
    return named is not None and "gen_ai.tool.name" not in attributes and "gen_ai.agent.name" not in attributes


def answer_of(span: Span) -> dict[str, Any] | None:
    """A span as the body of `POST /v1/interactions`; None where it carries no text of the answer."""
    attributes = _with_details(span)
    sent, answered, tools, finish = _said(attributes, span.events)
    if answered is None and not tools:
        return None
    usage = _number(attributes, "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")
    written = _number(
        attributes, "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion"
    )
    conversation = _name(
        attributes, "gen_ai.conversation.id", "session.id", "traceloop.association.properties.session_id"
    )
    found = {
        "request_id": _name(attributes, "gen_ai.response.id", "llm.response.id") or span.span_id,
        "message_id": span.span_id or None,
        "conversation_id": conversation,
        "turn_id": span.trace_id or None if conversation else None,
        "user_id": _name(attributes, "user.id", "enduser.id", "traceloop.association.properties.user_id"),
        "session_id": _name(attributes, "session.id"),
        "occurred_at": _moment(span.ended or span.started),
        "project": span.service,
        "model": _name(attributes, "gen_ai.response.model", "gen_ai.request.model", "llm.model_name"),
        "prompt_version": _name(
            attributes, "gen_ai.prompt.version", "gen_ai.prompt.name", "llm.prompt_template.version"
        ),
        "finish_reason": finish or _first(attributes.get("gen_ai.response.finish_reasons")),
        "latency_ms": (span.ended - span.started) / 1e6 if 0 < span.started <= span.ended else None,
        "input_tokens": usage,
        "output_tokens": written,
        "cost_usd": attributes.get("llm.cost.total"),
        "tools_called": tools[:_MAX_TOOLS],
        "tags": [tag for tag in attributes.get("tag.tags") or [] if isinstance(tag, str)],
        "messages": sent or None,
        "prompt": next((_text(message) for message in reversed(sent) if message["role"] == "user"), None),
        "output": answered or "",
        "metadata": {"trace_id": span.trace_id, "span_id": span.span_id} if span.trace_id else None,
    }
    return {name: value for name, value in found.items() if value not in (None, [])}


def span_of(record: Record) -> Span:
    """A log record of a whole call (`gen_ai.client.inference.operation.details`) as the span it is about."""
    held = record.body if isinstance(record.body, dict) else {}
    return Span(
        record.trace_id, record.span_id, INFERENCE, 0, record.time, {**held, **record.attributes}, (), record.service
    )


def evaluation_of(record: Record) -> tuple[str, dict[str, Any]]:
    """An evaluation event: whose it is, `person` or `judge`, and what it says.

    A person's is the body of `POST /v1/feedback` in the store's own terms. A judge's has `judge`, `criterion`, `score`,
    `label` and the answer's name: `request_id` or `message_id`; its words are not taken.

    Raises:
        ValueError: it lacks a name, an answer, or a result; the message says which.
    """
    held = {**(record.body if isinstance(record.body, dict) else {}), **record.attributes}
    criterion = _name(held, "gen_ai.evaluation.name")
    score, label = held.get("gen_ai.evaluation.score.value"), _name(held, "gen_ai.evaluation.score.label")
    response = _name(held, "gen_ai.response.id")
    if criterion is None:
        raise ValueError("gen_ai.evaluation.name is missing")
    if response is None and not record.span_id:
        raise ValueError("gen_ai.response.id or a span is needed, to say which answer was evaluated")
    if isinstance(score, bool) or not isinstance(score, int | float):
        score = None
    if score is None and label is None:
        raise ValueError("gen_ai.evaluation.score.value or .label is needed")
    about: dict[str, Any] = {"request_id": response} if response is not None else {"message_id": record.span_id}
    why = held.get("gen_ai.evaluation.explanation")
    why = why if isinstance(why, str) and why else None
    kind = str(held.get("gen_ai.evaluation.evaluator.type") or "").lower()
    if kind not in PEOPLE:
        judge = _name(held, "gen_ai.evaluation.evaluator.id", "gen_ai.evaluation.evaluator.name") or kind or "unnamed"
        version = _name(held, "gen_ai.evaluation.evaluator.version")
        judge = f"{judge}@{version}" if version else judge
        return "judge", {"judge": judge[:MAX_NAME], "criterion": criterion, "score": score, "label": label, **about}
    vote: dict[str, Any] = {
        "occurred_at": _moment(record.time),
        "user_id": _name(held, "user.id", "enduser.id"),
        **about,
    }
    thumb = THUMBS.get(word(label)) if label else None
    if thumb is None and score in (0, 1, -1):
        thumb = score == 1
    if thumb is not None:
        vote |= {"kind": "explicit", "thumb": thumb, "comment": why[:10_000] if why else None}
    else:
        result = {"evaluation": criterion, "score": score, "label": label}
        vote |= {"kind": "outcome", "value": {name: value for name, value in result.items() if value is not None}}
    return "person", {name: value for name, value in vote.items() if value is not None}


# What was said


def _with_details(span: Span) -> Mapping[str, Any]:
    """The attributes, with those of an event that carries the whole call."""
    details = next((event.attributes for event in span.events if event.name == INFERENCE), None)
    return span.attributes if details is None else {**details, **span.attributes}


def _said(
    attributes: Mapping[str, Any], events: Sequence[Event]
) -> tuple[list[dict[str, Any]], str | None, list[str], str | None]:
    """The messages as sent, the answer's text, the tools it called, and why it ended."""
    system = _parts(attributes.get("gen_ai.system_instructions"))
    sent = _conversation(attributes.get("gen_ai.input.messages"))
    answers = _conversation(attributes.get("gen_ai.output.messages"))
    indexed = _indexed(attributes)
    sent = sent or indexed.get("llm.input_messages") or indexed.get("gen_ai.prompt") or []
    answers = answers or indexed.get("llm.output_messages") or indexed.get("gen_ai.completion") or []
    if not sent and not answers:
        sent, answers = _from_events(events)
    if not sent:
        sent = _from_value(attributes.get("input.value"))
    if not answers and isinstance(output := attributes.get("output.value"), str):
        answers = [{"role": "assistant", "content": output}]
    if system and not any(message["role"] == "system" for message in sent):
        sent = [{"role": "system", "content": system}, *sent]
    answer = answers[0] if answers else None
    if answer is None:
        return sent, None, [], None
    tools = [name for call in answer.get("tool_calls") or [] if (name := (call.get("function") or {}).get("name"))]
    return sent, _text(answer), tools, answer.get("finish_reason")


def _conversation(value: Any) -> list[dict[str, Any]]:
    """`gen_ai.input.messages`: objects with a role and parts, as a list or as JSON."""
    value = _parsed(value)
    if not isinstance(value, list):
        return []
    return [message for one in value if isinstance(one, dict) and (message := _message(one)) is not None]


def _message(one: Mapping[str, Any]) -> dict[str, Any] | None:
    role = one.get("role")
    if not isinstance(role, str):
        return None
    parts = one.get("parts")
    content = _parts(parts if parts is not None else one.get("content"))
    made: dict[str, Any] = {"role": role, "content": content}
    calls = [_call(part) for part in parts or [] if isinstance(part, dict) and part.get("type") == "tool_call"]
    calls = calls or [call for call in one.get("tool_calls") or [] if isinstance(call, dict)]
    if calls:
        made["tool_calls"] = calls
    answers = [p for p in parts or [] if isinstance(p, dict) and p.get("type") == "tool_call_response"]
    if answers:
        made |= {"role": "tool", "content": _as_text(answers[0].get("result", answers[0].get("response")))}
        if isinstance(identity := answers[0].get("id"), str):
            made["tool_call_id"] = identity
    if isinstance(reason := one.get("finish_reason"), str):
        made["finish_reason"] = reason
    return made


def _call(part: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": part.get("name"), "arguments": _as_text(part.get("arguments"))}
    return {"id": part.get("id"), "type": "function", "function": function}


def _parts(value: Any) -> str | None:
    """The words of a text, or of a list of parts."""
    value = _parsed(value) if isinstance(value, str) and value[:1] == "[" else value
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return None
    texts = [part.get("content", part.get("text")) for part in value if isinstance(part, dict)]
    found = [text for text in texts if isinstance(text, str)]
    return "\n".join(found) if found else None


def _indexed(attributes: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Messages that were flattened into attributes with numbers: OpenInference's and OpenLLMetry's."""
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for name, value in attributes.items():
        if (match := _INDEXED.match(name)) is not None:
            found.setdefault(match[1], {}).setdefault(int(match[2]), {})[match[3].removeprefix("message.")] = value
    return {
        kind: [message for _, held in sorted(messages.items()) if (message := _unflat(held)) is not None]
        for kind, messages in found.items()
    }


def _unflat(held: Mapping[str, Any]) -> dict[str, Any] | None:
    role = held.get("role") or ("assistant" if "content" in held or "finish_reason" in held else None)
    if not isinstance(role, str):
        return None
    content = held.get("content")
    if content is None:
        parts = sorted(name for name in held if re.fullmatch(r"contents\.\d+\.message_content\.text", name))
        content = "\n".join(str(held[name]) for name in parts) or None
    made: dict[str, Any] = {"role": role, "content": _parts(content)}
    calls: dict[int, dict[str, Any]] = {}
    for name, value in held.items():
        match = re.fullmatch(r"tool_calls\.(\d+)\.(?:tool_call\.)?(?:function\.)?(id|name|arguments)", name)
        if match is not None and isinstance(value, str):
            calls.setdefault(int(match[1]), {})[match[2]] = value
    if calls:
        made["tool_calls"] = [_call(call) for _, call in sorted(calls.items())]
    for name in ("tool_call_id", "finish_reason"):
        if isinstance(value := held.get(name), str):
            made[name] = value
    return made


def _from_events(events: Iterable[Event]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The older form: an event a message, and `gen_ai.choice` for the answer."""
    sent: list[dict[str, Any]] = []
    answers: list[dict[str, Any]] = []
    for event in events:
        held = event.attributes
        if event.name in _EVENT_ROLES:
            sent.append({"role": _EVENT_ROLES[event.name], "content": _parts(held.get("content"))})
        elif event.name == "gen_ai.choice":
            message = _parsed(held.get("message"))
            content = message.get("content") if isinstance(message, dict) else held.get("content", message)
            made: dict[str, Any] = {"role": "assistant", "content": _parts(content)}
            if isinstance(reason := held.get("finish_reason"), str):
                made["finish_reason"] = reason
            answers.append(made)
        elif event.name == "gen_ai.content.prompt":
            sent += _from_value(held.get("gen_ai.prompt"))
        elif event.name == "gen_ai.content.completion":
            answers += _from_value(held.get("gen_ai.completion"), "assistant")
    return sent, answers


def _from_value(value: Any, role: str = "user") -> list[dict[str, Any]]:
    """Messages of a value of any shape: a conversation, an object that holds one, or a text."""
    parsed = _parsed(value)
    if isinstance(parsed, dict):
        parsed = parsed.get("messages", parsed)
    if isinstance(parsed, list) and (found := _conversation(parsed)):
        return found
    return [{"role": role, "content": value}] if isinstance(value, str) and value else []


def _text(message: Mapping[str, Any]) -> str | None:
    content = message.get("content")
    return content if isinstance(content, str) else None


# Values


def _parsed(value: Any) -> Any:
    if not isinstance(value, str) or value.lstrip()[:1] not in ("[", "{"):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()


def _name(attributes: Mapping[str, Any], *names: str) -> str | None:
    """The first of some attributes that holds a name."""
    for name in names:
        value = attributes.get(name)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return None


def _number(attributes: Mapping[str, Any], *names: str) -> int | None:
    held = next((attributes[name] for name in names if name in attributes), None)
    return int(held) if isinstance(held, int | float) and not isinstance(held, bool) and held >= 0 else None


def _first(value: Any) -> str | None:
    value = _parsed(value)
    found = value[0] if isinstance(value, list) and value else value
    return found if isinstance(found, str) and found else None


def _moment(nanoseconds: int) -> datetime | None:
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC) if nanoseconds else None
