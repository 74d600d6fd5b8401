"""What a model was given and what it answered, as tracing tools keep them: a list of messages, an object around it, one
message, a completion, or plain text."""

from typing import Any

import orjson

from feedback_pipeline.ingest.conversations import messages_of

_ASKED = ("question", "query", "input", "prompt", "text", "content")
_ANSWERED = ("content", "answer", "output", "text", "response", "completion")


def asked_of(text: str | None) -> tuple[str | None, str | None]:
    """The messages of an input (a JSON array of role and content; None where it is no conversation) and what its user
    said last."""
    given = _read(text)
    if isinstance(given, str) or given is None:
        return None, given or None
    listed = given.get("messages") if isinstance(given, dict) else given
    messages = messages_of(listed)
    if messages is not None:
        prompts = [message for message in messages if message["role"] == "user"]
        written = text if messages is given else orjson.dumps(messages).decode()
        return written, _said(prompts[-1]["content"]) if prompts else None
    if isinstance(given, dict):
        for name in _ASKED:
            if isinstance(given.get(name), str) and given[name]:
                return None, given[name]
    return None, text


def answer_of(text: str | None) -> str | None:
    """The text of an output; JSON that is no message stays as it is."""
    given = _read(text)
    if isinstance(given, str) or given is None:
        return given or None
    said = _answer(given)
    return text if said is None else said


def _answer(given: Any) -> str | None:
    if isinstance(given, list):  # the last thing said
        objects = [one for one in given if isinstance(one, dict)]
        answers = [one for one in objects if one.get("role", "assistant") in ("assistant", "ai")]
        return _answer(answers[-1]) if answers else None
    if not isinstance(given, dict):
        return None
    choices = given.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        message = choices[0].get("message")
        return _answer(message if isinstance(message, dict) else choices[0])
    if isinstance(given.get("messages"), list):
        return _answer(given["messages"])
    for name in _ANSWERED:
        if (said := _said(given.get(name))) is not None:
            return said
    return None


def _said(content: Any) -> str | None:
    """A text, or the texts of a list of parts."""
    if isinstance(content, str):
        return content or None
    if isinstance(content, list):
        texts = [part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)]
        return "\n".join(texts) or None
    return None


def _read(text: str | None) -> Any:
    """The object, list or text that a text is."""
    if not text or text[0] not in '[{"':
        return text
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return found if isinstance(found, dict | list | str) else text
