"""What a line of each kind of file must be: the rules of every trainer that reads a format, together.

Written for one line at a time and for nothing but its JSON, so that they also serve files from elsewhere and measure
the faster way of `row_checks`. What is wrong is named by its field and never quoted.
"""

from collections.abc import Callable, Iterator
from typing import Any

_ROLES = frozenset({"system", "user", "assistant", "tool"})
_TEXT_ROLES = frozenset({"system", "user", "assistant"})
_TEXT_KEYS = {"role", "content"}
_MESSAGE_KEYS = {
    "system": frozenset({"role", "content", "name"}),
    "user": frozenset({"role", "content", "name"}),
    "assistant": frozenset({"role", "content", "name", "tool_calls", "weight"}),
    "tool": frozenset({"role", "content", "tool_call_id"}),
}

Found = Iterator[tuple[str, str]]
"""Field and what is wrong with it."""


def _keys(line: dict[str, Any], expected: frozenset[str]) -> Found:
    if line.keys() != expected:
        for missing in sorted(expected - line.keys()):
            yield missing, "is missing"
        if extra := len(line.keys() - expected):
            yield "line", f"has {extra} unknown keys"


def _plain(messages: object, *, ends_with_assistant: bool) -> bool:
    """The common case, told quickly: text messages of role and content only, with the right end."""
    if type(messages) is not list or not messages:
        return False
    role = None
    for message in messages:
        if type(message) is not dict or len(message) != 2:
            return False
        role, content = message.get("role"), message.get("content")
        if type(role) is not str or role not in _TEXT_ROLES or type(content) is not str or not content:
            return False
    return (role == "assistant") == ends_with_assistant


def _dialogue(messages: object, field: str, *, ends_with_assistant: bool, text_only: bool = False) -> Found:
    """The rules of a list of messages."""
    if _plain(messages, ends_with_assistant=ends_with_assistant):
        return
    if type(messages) is not list or not messages:
        yield field, "is not a list of messages"
        return
    open_calls: set[str] = set()
    role = None
    for place, message in enumerate(messages):
        if type(message) is not dict:
            yield f"{field}[{place}]", "is not an object"
            return
        role = message.get("role")
        if type(role) is not str or role not in _ROLES:
            yield f"{field}[{place}].role", "is not one of system, user, assistant, tool"
            return
        yield from _message(message, f"{field}[{place}]", role, open_calls, text_only)
    if open_calls:
        yield field, "has a tool call without a result"
    if ends_with_assistant and role != "assistant":
        yield field, "does not end with the assistant"
    if not ends_with_assistant and role == "assistant":
        yield field, "ends with the assistant"
    if ends_with_assistant and not any(
        message["role"] == "assistant" and message.get("weight", 1) != 0 for message in messages
    ):
        yield field, "has no assistant message to learn from"


def _message(message: dict[str, Any], field: str, role: str, open_calls: set[str], text_only: bool) -> Found:
    if extra := len(message.keys() - _MESSAGE_KEYS[role]):
        yield field, f"has {extra} unknown keys"
    calls = message.get("tool_calls")
    content = message.get("content")
    if type(content) is not str and not (content is None and calls):
        yield f"{field}.content", "is not text"
    elif not content and not calls and role != "tool":
        yield f"{field}.content", "is empty"
    if "weight" in message and message["weight"] not in (0, 1):
        yield f"{field}.weight", "is not 0 or 1"
    if text_only and (role == "tool" or calls):
        yield field, "has tool calls, which this format cannot hold"
    if role == "tool":
        if message.get("tool_call_id") not in open_calls:
            yield f"{field}.tool_call_id", "answers no open tool call"
        open_calls.discard(message.get("tool_call_id", ""))
    elif open_calls:
        yield field, "comes before the results of the tool calls"
        open_calls.clear()
    if calls is not None:
        yield from _tool_calls(calls, field, open_calls)


def _tool_calls(calls: object, field: str, open_calls: set[str]) -> Found:
    if type(calls) is not list or not calls:
        yield f"{field}.tool_calls", "is not a list of calls"
        return
    for place, call in enumerate(calls):
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(call.get("id"), str) or call.get("type") != "function":
            yield f"{field}.tool_calls[{place}]", "is not a function call with an id"
            continue
        if not isinstance(function.get("name"), str) or not isinstance(function.get("arguments"), str):
            yield f"{field}.tool_calls[{place}].function", "lacks a name or arguments as text"
        open_calls.add(call["id"])


def _alternates(messages: list[dict[str, Any]], field: str) -> Found:
    """User and assistant in turn after an optional system message: LLaMA-Factory empties everything else."""
    turns = messages[1:] if messages[0]["role"] == "system" else messages
    if any(message["role"] != ("user", "assistant")[place % 2] for place, message in enumerate(turns)):
        yield field, "user and assistant do not alternate"


def _said(side: object, field: str) -> Found:
    """Exactly one assistant message with text."""
    if type(side) is not list or len(side) != 1:
        yield field, "is not one message"
    else:
        yield from _assistant_message(side[0], field)


def _assistant_message(message: object, field: str) -> Found:
    if type(message) is not dict or message.keys() != _TEXT_KEYS or message["role"] != "assistant":
        yield field, "is not an assistant message of role and content"
    elif type(message["content"]) is not str or not message["content"]:
        yield f"{field}.content", "is empty or not text"


def _differ(chosen: object, rejected: object) -> Found:
    if chosen == rejected:
        yield "rejected", "is the same as the chosen one"


def _messages_line(line: dict[str, Any]) -> Found:
    yield from _keys(line, frozenset({"messages"}))
    yield from _dialogue(line.get("messages"), "messages", ends_with_assistant=True)


def _weight(line: dict[str, Any]) -> Found:
    if type(line.get("weight")) is not float or line["weight"] < 0:
        yield "weight", "is not a number of at least 0 with a decimal point"


def _weighted_line(line: dict[str, Any]) -> Found:
    yield from _keys(line, frozenset({"messages", "weight"}))
    yield from _dialogue(line.get("messages"), "messages", ends_with_assistant=True)
    yield from _weight(line)


def _export_line(line: dict[str, Any]) -> Found:
    yield from _keys(line, frozenset({"messages", "weight", "metadata"}))
    yield from _dialogue(line.get("messages"), "messages", ends_with_assistant=True)
    yield from _weight(line)
    yield from _metadata(line, frozenset({"intent", "project", "model", "timestamp"}))


def _positives_line(line: dict[str, Any]) -> Found:
    yield from _keys(line, frozenset({"messages", "metadata"}))
    yield from _dialogue(line.get("messages"), "messages", ends_with_assistant=True)
    yield from _metadata(line, frozenset({"feedback", "action_type"}))


def _metadata(line: dict[str, Any], expected: frozenset[str]) -> Found:
    if not isinstance(line.get("metadata"), dict) or line["metadata"].keys() != expected:
        yield "metadata", f"does not hold {', '.join(sorted(expected))}"


def _preference_line(line: dict[str, Any]) -> Found:
    yield from _keys(line, frozenset({"input", "preferred_output", "non_preferred_output"}))
    asked = line.get("input")
    if not isinstance(asked, dict) or not asked.keys() <= {"messages", "tools", "parallel_tool_calls"}:
        yield "input", "is not an object with messages"
    else:
        yield from _dialogue(asked.get("messages"), "input.messages", ends_with_assistant=False)
    yield from _said(line.get("preferred_output"), "preferred_output")
    yield from _said(line.get("non_preferred_output"), "non_preferred_output")
    yield from _differ(line.get("preferred_output"), line.get("non_preferred_output"))


def _trl_preference_line(line: dict[str, Any]) -> Found:
    yield from _keys(line, frozenset({"prompt", "chosen", "rejected"}))
    yield from _dialogue(line.get("prompt"), "prompt", ends_with_assistant=False, text_only=True)
    yield from _said(line.get("chosen"), "chosen")
    yield from _said(line.get("rejected"), "rejected")
    yield from _differ(line.get("chosen"), line.get("rejected"))


def _label(line: dict[str, Any]) -> Found:
    if type(line.get("label")) is not bool:
        yield "label", "is not true or false"


def _trl_kto_line(line: dict[str, Any]) -> Found:
    yield from _keys(line, frozenset({"prompt", "completion", "label"}))
    yield from _dialogue(line.get("prompt"), "prompt", ends_with_assistant=False, text_only=True)
    yield from _said(line.get("completion"), "completion")
    yield from _label(line)


def _alternating_dialogue(line: dict[str, Any], *, ends_with_assistant: bool) -> Found:
    wrong = list(_dialogue(line.get("messages"), "messages", ends_with_assistant=ends_with_assistant, text_only=True))
    yield from wrong
    if not wrong:
        yield from _alternates(line["messages"], "messages")


def _alternating_line(line: dict[str, Any]) -> Found:
    yield from _keys(line, frozenset({"messages"}))
    yield from _alternating_dialogue(line, ends_with_assistant=True)


def _llama_kto_line(line: dict[str, Any]) -> Found:
    yield from _keys(line, frozenset({"messages", "label"}))
    yield from _alternating_dialogue(line, ends_with_assistant=True)
    yield from _label(line)


def _llama_preference_line(line: dict[str, Any]) -> Found:
    yield from _keys(line, frozenset({"messages", "chosen", "rejected"}))
    yield from _alternating_dialogue(line, ends_with_assistant=False)
    yield from _assistant_message(line.get("chosen"), "chosen")
    yield from _assistant_message(line.get("rejected"), "rejected")
    yield from _differ(line.get("chosen"), line.get("rejected"))


def _vertex_line(line: dict[str, Any]) -> Found:
    """Gemini's supervised tuning: user and model in turn, the last turn the model's; text only here."""
    yield from _keys(line, frozenset({"contents"}) | ({"systemInstruction"} & line.keys()))
    if "systemInstruction" in line:
        yield from _text_parts(line["systemInstruction"], "systemInstruction", "system")
    contents = line.get("contents")
    if type(contents) is not list or not contents:
        yield "contents", "is not a list of turns"
        return
    for place, turn in enumerate(contents):
        role = turn.get("role") if isinstance(turn, dict) else None
        if role not in ("user", "model"):
            yield f"contents[{place}].role", "is not user or model"
            return
        yield from _text_parts(turn, f"contents[{place}]", role)
    if contents[-1]["role"] != "model":
        yield "contents", "does not end with the model"


def _text_parts(turn: object, field: str, role: str) -> Found:
    if not isinstance(turn, dict) or turn.keys() != {"role", "parts"} or turn["role"] != role:
        yield field, "is not an object of role and parts"
        return
    parts = turn["parts"]
    if type(parts) is not list or not parts or any(
        not isinstance(part, dict) or part.keys() != {"text"} or type(part["text"]) is not str or not part["text"]
        for part in parts
    ):  # fmt: skip
        yield f"{field}.parts", "is not a list of texts"


def _promptfoo_line(line: dict[str, Any]) -> Found:
    yield from _keys(line, frozenset({"description", "vars", "assert", "metadata"}))
    variables = line.get("vars")
    if not isinstance(variables, dict) or not all(isinstance(value, str) for value in variables.values()):
        yield "vars", "are not an object of texts"
    checks = line.get("assert")
    if not isinstance(checks, list) or not checks:
        yield "assert", "is not a list of assertions"


RULES: dict[str, Callable[[dict[str, Any]], Found]] = {
    "messages": _messages_line,
    "weighted": _weighted_line,
    "export": _export_line,
    "positives": _positives_line,
    "alternating": _alternating_line,
    "preference": _preference_line,
    "trl_preference": _trl_preference_line,
    "trl_kto": _trl_kto_line,
    "llama_preference": _llama_preference_line,
    "llama_kto": _llama_kto_line,
    "promptfoo": _promptfoo_line,
    "vertex": _vertex_line,
}
"""What a line of each kind of file must be."""
