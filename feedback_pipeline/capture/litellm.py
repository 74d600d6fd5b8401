"""What LiteLLM's gateway posts to a URL (`callbacks: [generic_api]`): its StandardLoggingPayload, as answers."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import jiter

MAX_PAYLOADS = 10_000
_CALLS = ("completion", "acompletion", "text_completion", "atext_completion", "responses", "aresponses",
          "anthropic_messages")  # fmt: skip
"""`call_type` of calls that a model answers in words."""


def payloads(body: bytes) -> list[dict[str, Any]]:
    """The payloads of a body: one object, an array of them, or one a line.

    Raises:
        ValueError: it is none of these, or holds too many; the message quotes nothing.
    """
    try:
        value = jiter.from_json(body, allow_inf_nan=False)
        found = value if isinstance(value, list) else [value]
    except ValueError:
        try:
            found = [jiter.from_json(line, allow_inf_nan=False) for line in body.split(b"\n") if line.strip()]
        except ValueError:
            raise ValueError("the body is neither JSON nor JSON lines") from None
    if len(found) > MAX_PAYLOADS or not all(isinstance(one, dict) for one in found):
        raise ValueError(f"expected up to {MAX_PAYLOADS:,} objects")
    return found


def answer_of(payload: Mapping[str, Any]) -> dict[str, Any] | None:
    """A payload as the body of `POST /v1/interactions`; None for failures and calls that are not answered in words."""
    if payload.get("status") != "success" or str(payload.get("call_type") or "acompletion") not in _CALLS:
        return None
    message = _message(payload.get("response"))
    if message is None:
        return None
    metadata = payload.get("metadata") if isinstance(payload.get("metadata"), dict) else {}
    assert isinstance(metadata, dict)
    sent = payload.get("messages")
    messages = [one for one in sent if isinstance(one, dict)] if isinstance(sent, list) else None
    requester = metadata.get("requester_metadata") if isinstance(metadata.get("requester_metadata"), dict) else {}
    assert isinstance(requester, dict)
    started, ended = _seconds(payload.get("startTime")), _seconds(payload.get("endTime"))
    conversation = _name(requester.get("session_id")) or _name(requester.get("conversation_id"))
    found = {
        "request_id": _name(payload.get("id")),
        "conversation_id": conversation,
        "turn_id": _name(payload.get("trace_id")) if conversation else None,
        "user_id": _name(payload.get("end_user")) or _name(metadata.get("user_api_key_end_user_id")),
        "session_id": _name(requester.get("session_id")),
        "occurred_at": datetime.fromtimestamp(ended, UTC) if ended else None,
        "project": _name(metadata.get("user_api_key_team_alias")),
        "model": _name(payload.get("model")),
        "prompt_version": _name(requester.get("prompt_version")),
        "latency_ms": (ended - started) * 1000 if started and ended and ended >= started else None,
        "input_tokens": _whole(payload.get("prompt_tokens")),
        "output_tokens": _whole(payload.get("completion_tokens")),
        "cost_usd": payload.get("response_cost"),
        "tags": [tag for tag in payload.get("request_tags") or [] if isinstance(tag, str)],
        "messages": messages or None,
        "prompt": sent if isinstance(sent, str) else _asked(messages or []),
        "output": message.get("content") if isinstance(message.get("content"), str) else "",
        "finish_reason": _name(message.get("finish_reason")),
        "tools_called": _tools(message),
    }
    return {name: value for name, value in found.items() if value not in (None, [])}


def _message(response: Any) -> dict[str, Any] | None:
    """The first choice's message, with why it ended; a text alone is one, too."""
    if isinstance(response, str):
        return {"content": response} if response else None
    choices = response.get("choices") if isinstance(response, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else None
    if choice is None:
        return None
    message = choice.get("message")
    held = message if isinstance(message, dict) else {"content": choice.get("text")}
    return {**held, "finish_reason": choice.get("finish_reason")}


def _asked(messages: list[dict[str, Any]]) -> str | None:
    users = [one.get("content") for one in messages if one.get("role") == "user"]
    content = users[-1] if users else None
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        return "\n".join(text for text in texts if isinstance(text, str)) or None
    return content if isinstance(content, str) else None


def _tools(message: Mapping[str, Any]) -> list[str]:
    calls = message.get("tool_calls")
    named = [call.get("function", {}).get("name") for call in calls or [] if isinstance(call, dict)]
    return [name for name in named if isinstance(name, str)][:50]


def _name(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _whole(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else None


def _seconds(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else None
