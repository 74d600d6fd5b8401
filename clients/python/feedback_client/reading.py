"""What a model was asked and what it said, read off the wire formats of providers; run in the background."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Any

_BINARY_FIELDS = ("data", "file_data", "image_data")
_MIN_BINARY = 512
PIECES = ("delta", "token", "chunk")
"""Fields of a stream's objects that may hold its next piece."""
_MAX_DEPTH = 12


def plain(value: Any) -> Any:
    """A pydantic object as a dictionary; everything else as it is."""
    dump = getattr(value, "model_dump", None)
    if not callable(dump):
        return value
    return dump(mode="json", exclude_none=True, warnings=False)


def without_binaries(value: Any, depth: int = 0) -> Any:
    """A value as JSON in which images and files are there by their hash, not by value."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _hashed(bytes(value))
    if isinstance(value, str):
        return _hashed_url(value) if value.startswith("data:") and ";base64," in value[:200] else value
    if depth > _MAX_DEPTH:
        return str(type(value).__name__)
    value, below = plain(value), depth + 1
    if isinstance(value, dict):
        return {
            str(name): _hashed_text(item) if name in _BINARY_FIELDS and _binary(item) else without_binaries(item, below)
            for name, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [without_binaries(item, below) for item in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return str(type(value).__name__)


def _hashed(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()} ({len(data)} bytes)"


def _hashed_url(url: str) -> str:
    head, _, text = url.partition(",")
    return f"{head},{_hashed_text(text)}"


def _hashed_text(text: str) -> str:
    try:
        return _hashed(base64.b64decode(text, validate=False))
    except (binascii.Error, ValueError):
        return _hashed(text.encode())


def _binary(value: Any) -> bool:
    return isinstance(value, str) and len(value) >= _MIN_BINARY and " " not in value[:_MIN_BINARY]


def read_call(call: dict[str, Any]) -> dict[str, Any]:
    """The messages (or the prompt), model and tools of a call's arguments or request body."""
    found: dict[str, Any] = {}
    messages = call.get("messages") if isinstance(call.get("messages"), list) else _input_messages(call.get("input"))
    system = call.get("instructions", call.get("system"))
    if messages is not None:
        if system is not None:
            messages = [{"role": "system", "content": system}, *messages]
        found["messages"] = [without_binaries(message) for message in messages]
    elif isinstance(call.get("prompt"), str):
        found["prompt"] = call["prompt"]
    elif isinstance(call.get("prompt"), list) and all(isinstance(text, str) for text in call["prompt"]):
        found["prompt"] = "\n".join(call["prompt"])
    if isinstance(call.get("model"), str):
        found["model"] = call["model"]
    user = call.get("user", call.get("safety_identifier"))
    if isinstance(user, (str, int)) and str(user):
        found["user_id"] = str(user)
    if call.get("tools"):
        found["metadata"] = {"tools": [without_binaries(tool) for tool in call["tools"]]}
    return found


def _input_messages(given: Any) -> list[Any] | None:
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if not isinstance(given, list):
        return None
    # of the Responses API also tool results and reasoning, which have no role
    return [item if isinstance(item, dict) and "role" in item else {"role": "tool", "content": without_binaries(item)}
            for item in map(plain, given)]  # fmt: skip


def read_result(result: Any) -> dict[str, Any]:
    """Output, model, tokens, tool calls and the reason of the end, of what a model call gave back: a text, a
    completion, a response, an Anthropic message, or the list of a stream's events."""
    if isinstance(result, str):
        return {"output": result}
    if isinstance(result, list):
        return _read_stream([plain(event) for event in result])
    value = plain(result)
    if not isinstance(value, dict):
        return {}
    if isinstance(value.get("choices"), list):
        return _read_completion(value)
    if isinstance(value.get("output"), list):
        return _read_response(value)
    if isinstance(value.get("content"), list) and ("stop_reason" in value or value.get("type") == "message"):
        return _read_anthropic(value)
    return _read_plain(value)


def _read_plain(value: dict[str, Any]) -> dict[str, Any]:
    usage = value.get("usage") if isinstance(value.get("usage"), dict) else {}
    names = ("output", "response", "answer", "text", "result", "content", "reply", "message")
    output = next((value[name] for name in names if isinstance(value.get(name), str)), None)
    message = value.get("message")
    if output is None and isinstance(message, dict) and isinstance(message.get("content"), str):
        output = message["content"]
    return {"output": output, "model": _text(value.get("model")), **_tokens(usage)}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _tokens(usage: Any) -> dict[str, Any]:
    if not isinstance(usage, dict):
        return {}
    return {
        "input_tokens": usage.get("prompt_tokens", usage.get("input_tokens")),
        "output_tokens": usage.get("completion_tokens", usage.get("output_tokens")),
    }


def _message(message: dict[str, Any]) -> tuple[str | None, str | None, list[dict[str, Any]]]:
    """Text, refusal and tool calls of a message of a chat."""
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(part.get("text") or "" for part in content if isinstance(part, dict)) or None
    calls = [{"name": (call.get("function") or call.get("custom") or {}).get("name"),
              "arguments": (call.get("function") or {}).get("arguments", (call.get("custom") or {}).get("input"))}
             for call in message.get("tool_calls") or []]  # fmt: skip
    legacy = message.get("function_call")
    if isinstance(legacy, dict):
        calls.append({"name": legacy.get("name"), "arguments": legacy.get("arguments")})
    return _text(content), _text(message.get("refusal")), calls


def _read_completion(value: dict[str, Any]) -> dict[str, Any]:
    choices = [choice for choice in value["choices"] if isinstance(choice, dict)]
    texts: list[str | None] = []
    first: tuple[str | None, list[dict[str, Any]]] = (None, [])
    for place, choice in enumerate(choices):
        text, refusal, calls = _message(choice.get("message") or {})
        if text is None:
            text = _text(choice.get("text"))  # of the older completions
        texts.append(text if text is not None else refusal)
        if place == 0:
            first = (refusal, calls)
    return _found(
        texts, first[0], first[1], value.get("model"), choices[0].get("finish_reason") if choices else None,
        value.get("usage"),
    )  # fmt: skip


def _found(
    texts: list[str | None], refusal: str | None, calls: list[dict[str, Any]], model: Any, finish: Any, usage: Any
) -> dict[str, Any]:
    """The fields of an answer; further choices, refusal and tool calls stand in its metadata."""
    metadata: dict[str, Any] = {}
    if len(texts) > 1:
        metadata["choices"] = texts[1:]
    if refusal is not None:
        metadata["refusal"] = True
    if calls:
        metadata["tool_calls"] = calls
    return {
        "output": texts[0] if texts else None,
        "model": _text(model),
        "finish_reason": _text(finish),
        "tools_called": [call["name"] for call in calls if call["name"]] or None,
        "metadata": metadata or None,
        **_tokens(usage),
    }


def _read_response(value: dict[str, Any]) -> dict[str, Any]:
    texts: list[str] = []
    refusal: str | None = None
    calls: list[dict[str, Any]] = []
    for item in value["output"]:
        if item.get("type") == "message":
            for part in item.get("content") or []:
                if part.get("type") == "refusal":
                    refusal = part.get("refusal")
                elif isinstance(part.get("text"), str):
                    texts.append(part["text"])
        elif str(item.get("type")).endswith("_call"):
            calls.append({"name": item.get("name") or item.get("type"), "arguments": item.get("arguments")})
    output = "".join(texts) if texts else refusal
    finish = (value.get("incomplete_details") or {}).get("reason") or value.get("status")
    return _found([output], refusal, calls, value.get("model"), finish, value.get("usage"))


def _read_anthropic(value: dict[str, Any]) -> dict[str, Any]:
    blocks = [block for block in value["content"] if isinstance(block, dict)]
    output = "".join(block.get("text") or "" for block in blocks if block.get("type") == "text") or None
    calls = [{"name": block.get("name"), "arguments": json.dumps(block.get("input"))}
             for block in blocks if block.get("type") in ("tool_use", "server_tool_use")]  # fmt: skip
    refusal = output or "" if value.get("stop_reason") == "refusal" else None
    return _found([output], refusal, calls, value.get("model"), value.get("stop_reason"), value.get("usage"))


def _read_stream(events: list[Any]) -> dict[str, Any]:
    values = [event for event in events if isinstance(event, dict)]
    if any(str(value.get("type")).startswith("response.") for value in values):
        return _read_response_stream(values)
    if any(value.get("type") in ("message_start", "content_block_delta") for value in values):
        return _read_anthropic_stream(values)
    if any("choices" in value for value in values):
        return _read_completion_stream(values)
    return _read_loose_stream(events)


def _read_completion_stream(values: list[dict[str, Any]]) -> dict[str, Any]:
    texts: dict[int, str] = {}
    refusal = ""
    calls: dict[int, dict[str, Any]] = {}
    finish = None
    for choice in (choice for value in values for choice in value.get("choices") or []):
        place, delta = choice.get("index") or 0, choice.get("delta") or {}
        text = delta.get("content") or choice.get("text") or ""
        texts[place] = texts.get(place, "") + (text if isinstance(text, str) else "")
        refusal += delta.get("refusal") or ""
        finish = (choice.get("finish_reason") if place == 0 else None) or finish
        for part in delta.get("tool_calls") or []:
            function = part.get("function") or {}
            call = calls.setdefault(part.get("index") or 0, {"name": None, "arguments": ""})
            call["name"] = function.get("name") or call["name"]
            call["arguments"] += function.get("arguments") or ""
    said = [texts[place] or None for place in sorted(texts)]
    if said and said[0] is None:
        said[0] = refusal or None
    usage = next((value["usage"] for value in reversed(values) if value.get("usage")), None)
    model = next((value["model"] for value in values if value.get("model")), None)
    return _found(said, refusal or None, [calls[place] for place in sorted(calls)], model, finish, usage)


def _read_response_stream(values: list[dict[str, Any]]) -> dict[str, Any]:
    ended = [value["response"] for value in values
             if value.get("type") in ("response.completed", "response.incomplete", "response.failed")
             and isinstance(value.get("response"), dict)]  # fmt: skip
    if ended:
        return read_result(ended[-1])
    begun: dict[str, Any] = next((value["response"] for value in values if isinstance(value.get("response"), dict)), {})
    text = "".join(value.get("delta") or "" for value in values if value.get("type") == "response.output_text.delta")
    refusal = "".join(value.get("delta") or "" for value in values if value.get("type") == "response.refusal.delta")
    items = [value.get("item") or {} for value in values if value.get("type") == "response.output_item.done"]
    calls = [{"name": item.get("name"), "arguments": item.get("arguments")} for item in items
             if item.get("type") == "function_call"]  # fmt: skip
    return _found([text or refusal or None], refusal or None, calls, begun.get("model"), None, None)


def _read_anthropic_stream(values: list[dict[str, Any]]) -> dict[str, Any]:
    message: dict[str, Any] = {"content": [], "type": "message"}
    blocks: dict[int, dict[str, Any]] = {}
    arguments: dict[int, str] = {}
    usage: dict[str, Any] = {}
    for value in values:
        place, delta = value.get("index") or 0, value.get("delta") or {}
        if value.get("type") == "message_start":
            message["model"] = (value.get("message") or {}).get("model")
            usage.update((value.get("message") or {}).get("usage") or {})
        elif value.get("type") == "content_block_start":
            blocks[place] = dict(value.get("content_block") or {})
        elif value.get("type") == "content_block_delta":
            block = blocks.setdefault(place, {"type": "text", "text": ""})
            if isinstance(delta.get("text"), str):
                block["text"] = (block.get("text") or "") + delta["text"]
            arguments[place] = arguments.get(place, "") + (delta.get("partial_json") or "")
        elif value.get("type") == "message_delta":
            message["stop_reason"] = delta.get("stop_reason")
            usage.update(value.get("usage") or {})
    message |= {"content": [blocks[place] for place in sorted(blocks)], "usage": usage}
    found = _read_anthropic(message)
    for call, place in zip((found["metadata"] or {}).get("tool_calls") or [],
                           [p for p in sorted(blocks) if "tool_use" in str(blocks[p].get("type"))]):  # fmt: skip
        call["arguments"] = arguments.get(place) or call["arguments"]
    return found


def _read_loose_stream(events: list[Any]) -> dict[str, Any]:
    """The pieces of a stream of one's own: texts, or objects that hold one."""
    texts = []
    found: dict[str, Any] = {}
    for event in events:
        read = {"output": event} if isinstance(event, str) else _read_piece(event)
        texts.append(read.pop("output", None) or "")
        found.update({name: value for name, value in read.items() if value is not None})
    return {**found, "output": "".join(texts) or None}


def _read_piece(event: Any) -> dict[str, Any]:
    if not isinstance(event, dict):
        return {}
    for name in PIECES:
        if isinstance(event.get(name), str):
            return {"output": event[name], "model": _text(event.get("model"))}
    return _read_plain(event)
