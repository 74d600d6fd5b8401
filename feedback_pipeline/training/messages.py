"""One canonical form of a conversation: what every trainer's format is written from.

Conversations of text, nearly all there are, are a regular language in this form, so a column of them is told from
everything else by an expression (`text_shapes`); the rest is read one by one (`conversation`).
"""

import functools
from dataclasses import dataclass
from typing import Any

import orjson
import polars as pl

ROLES = frozenset({"system", "user", "assistant", "tool"})
_TEXT_ROLES = frozenset({"system", "user", "assistant"})

_STRING = r'"(?:[^"\\\x00-\x1f]|\\(?:["\\bfnrt]|u00(?:0[0-7be-f]|1[0-9a-f])))+"'
"""A string of JSON that is not empty, with no other escapes than our encoder writes."""

_SYSTEM, _USER, _ASSISTANT = (rf'\{{"role":"{role}","content":{_STRING}\}}' for role in ("system", "user", "assistant"))
_ANY = rf'\{{"role":"(?:system|user|assistant)","content":{_STRING}\}}'
_ALTERNATING = rf"^\[(?:{_SYSTEM},)?{_USER}(?:,{_ASSISTANT},{_USER})*\]$"
_PLAIN = rf"^\[(?:{_ANY},)*{_USER}(?:(?:,{_ANY})*,{_SYSTEM})?\]$"
"""Ends with the user, or with the system somewhere after a user."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """The input of an example.

    Attributes:
        messages: canonical JSON array: known keys in a fixed order, text content, `developer` written as `system`.
        shape: see TRAINING_EXAMPLES; None where there is a problem.
        problem: why it cannot be trained on, as a code; None where it can.
    """

    messages: str
    shape: str | None
    problem: str | None


def text_shapes(messages: pl.Series) -> pl.Series:
    """`alternating` or `plain` where an input is in canonical form already and text only; null everywhere else."""
    alternating = messages.str.contains(_ALTERNATING).fill_null(value=False)
    plain = pl.select(pl.when(~alternating).then(messages)).to_series().str.contains(_PLAIN)
    return pl.select(
        pl.when(alternating).then(pl.lit("alternating")).when(plain).then(pl.lit("plain")).alias("shape")
    ).to_series()


def conversation(messages: str | None, prompt: str | None) -> Conversation:
    """The logged messages (JSON array), or the prompt alone where none were logged, in canonical form."""
    if messages is None:
        if not prompt:
            return _broken("no_input")
        return Conversation(orjson.dumps([{"role": "user", "content": prompt}]).decode(), "alternating", None)
    try:
        parsed = orjson.loads(messages)
    except orjson.JSONDecodeError:
        return _broken("not_json")
    if not isinstance(parsed, list) or not parsed:
        return _broken("not_an_array")
    if all(map(_is_canonical, parsed)):
        order = _text_order(tuple(message["role"] for message in parsed))
        return Conversation(orjson.dumps(parsed).decode(), *order) if order[1] is None else _broken(order[1])
    canonical: list[dict[str, Any]] = []
    for message in parsed:
        kept = _message(message)
        if isinstance(kept, str):
            return _broken(kept)
        canonical.append(kept)
    if problem := _order_problem(canonical):
        return _broken(problem)
    return Conversation(orjson.dumps(canonical).decode(), _shape(canonical), None)


_LATE_SYSTEM = r'\},\{"role":"system"'


def system_first(messages: pl.Series) -> pl.Series:
    """Conversations in canonical form whose system messages are one, at the beginning.

    Many chat templates and some providers refuse one anywhere else; what it says is kept, when it was said is not. One
    that alone stands between the assistant's last words and the answer stays where it is.
    """
    late = messages.str.contains(_LATE_SYSTEM).fill_null(value=False)
    if not late.any():
        return messages
    moved = [_with_system_first(text) for text in messages.filter(late)]
    return messages.scatter(late.arg_true(), pl.Series(moved, dtype=pl.String))


def _with_system_first(text: str) -> str:
    messages = _objects(text)
    orders = [message for message in messages if message.get("role") == "system"]
    others = [message for message in messages if message.get("role") != "system"]
    words = [message["content"] for message in orders if isinstance(message.get("content"), str)]
    if not others or others[-1].get("role") == "assistant" or len(words) < len(orders):
        return text
    return orjson.dumps([{"role": "system", "content": "\n\n".join(words)}, *others]).decode()


def _objects(text: str) -> list[dict[str, Any]]:
    """The messages of a conversation; none where it is not in canonical form."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return []
    return found if isinstance(found, list) and all(isinstance(message, dict) for message in found) else []


def vertex_contents(messages: pl.Series) -> pl.Series:
    """Conversations of text in canonical form as the fields of Gemini's `GenerateContentRequest`, without the braces:
    `"systemInstruction":…,"contents":[…]`."""
    return pl.Series(messages.name, [_vertex(text) for text in messages], dtype=pl.String)


def _vertex(text: str) -> str:
    turns = [(message.get("role"), {"text": message.get("content")}) for message in _objects(text)]
    orders = [part for role, part in turns if role == "system"]
    contents = [
        {"role": "model" if role == "assistant" else "user", "parts": [part]}
        for role, part in turns
        if role != "system"
    ]
    fields = {"systemInstruction": {"role": "system", "parts": orders}} if orders else {}
    return orjson.dumps({**fields, "contents": contents})[1:-1].decode()


def _is_canonical(message: object) -> bool:
    """The common case, which needs no rewriting: role and content in this order, and nothing else."""
    if type(message) is not dict or tuple(message) != ("role", "content"):
        return False
    return message["role"] in _TEXT_ROLES and type(message["content"]) is str and message["content"] != ""


@functools.lru_cache(maxsize=4096)
def _text_order(roles: tuple[str, ...]) -> tuple[str | None, str | None]:
    """Shape and problem of a conversation of text by its roles alone."""
    messages = [{"role": role} for role in roles]
    problem = _order_problem(messages)
    return (None, problem) if problem else (_shape(messages), None)


def _broken(problem: str) -> Conversation:
    return Conversation("", None, problem)


def _message(message: object) -> dict[str, Any] | str:
    """The canonical message, or the code of what is wrong with it."""
    if not isinstance(message, dict):
        return "not_an_object"
    role = message.get("role")
    role = "system" if role == "developer" else role
    if not isinstance(role, str) or role not in ROLES:
        return "unknown_role"
    content = _text(message.get("content"))
    kept: dict[str, Any] = {"role": role, "content": content}
    if role == "assistant" and message.get("tool_calls"):
        calls = _tool_calls(message["tool_calls"])
        if calls is None:
            return "malformed_tool_call"
        kept["tool_calls"] = calls
    elif content is None or (not content and role != "tool"):
        return "empty_content"
    if role == "tool":
        if not isinstance(message.get("tool_call_id"), str):
            return "tool_result_without_call"
        kept["tool_call_id"] = message["tool_call_id"]
    return kept


def _text(content: object) -> str | None:
    """Text content as one string; None where it is missing or not text."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = [
            part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None for part in content
        ]
        if texts and all(isinstance(text, str) for text in texts):
            return "\n".join(str(text) for text in texts)
    return None


def _tool_calls(calls: object) -> list[dict[str, Any]] | None:
    if not isinstance(calls, list):
        return None
    kept = []
    for call in calls:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(call.get("id"), str):
            return None
        name, arguments = function.get("name"), function.get("arguments")
        if not isinstance(name, str) or not isinstance(arguments, str):
            return None
        kept.append({"id": call["id"], "type": "function", "function": {"name": name, "arguments": arguments}})
    return kept


def _order_problem(messages: list[dict[str, Any]]) -> str | None:
    if messages[-1]["role"] == "assistant":
        return "ends_with_assistant"
    if not any(message["role"] == "user" for message in messages):
        return "no_user_message"
    open_calls: set[str] = set()
    for message in messages:
        if message["role"] == "tool":
            if message["tool_call_id"] not in open_calls:
                return "tool_result_without_call"
            open_calls.discard(message["tool_call_id"])
        elif open_calls:
            return "tool_call_without_result"
        open_calls.update(call["id"] for call in message.get("tool_calls", ()))
    return "tool_call_without_result" if open_calls else None


def _shape(messages: list[dict[str, Any]]) -> str:
    if any(message["role"] == "tool" or "tool_calls" in message for message in messages):
        return "tools"
    turns = messages[1:] if messages[0]["role"] == "system" else messages
    expected = ("user", "assistant")
    if turns and all(message["role"] == expected[place % 2] for place, message in enumerate(turns)):
        return "alternating"
    return "plain"
