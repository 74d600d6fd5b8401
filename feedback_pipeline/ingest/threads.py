"""Conversations that are kept as trees: every message names the one before it, and some have several after them."""

from typing import Any

from feedback_pipeline.ingest.conversations import ROLES

MAX_TURNS = 500
_ROLE, _TEXT = ("role", "author", "sender"), ("content", "text", "value", "message")


def thread_of(messages: Any, answer: str | None, parent: str, id_key: str) -> tuple[list[dict[str, str]], str | None]:
    """The messages from the root down to an answer, without it, and the answer's text.

    Args:
        messages: an object by id, or a list of messages with ids.
        answer: the id of the answer.
        parent: the key that names the message before.
        id_key: the key of a message's own id, in a list.

    Returns:
        Messages (role, content) and the text; nothing and None where the answer is not among them.
    """
    if isinstance(messages, list):
        messages = {str(one.get(id_key)): one for one in messages if isinstance(one, dict)}
    if not isinstance(messages, dict) or answer is None or not isinstance(messages.get(answer), dict):
        return [], None
    above: list[dict[str, str]] = []
    here, seen = messages[answer], {answer}
    text = _text(here)
    while (name := here.get(parent)) is not None and len(above) < MAX_TURNS:
        here = messages.get(str(name))
        if not isinstance(here, dict) or str(name) in seen:
            break
        seen.add(str(name))
        if (role := _role(here)) is not None and (said := _text(here)) is not None:
            above.append({"role": role, "content": said})
    return above[::-1], text


def _role(message: dict[str, Any]) -> str | None:
    if isinstance(message.get("isCreatedByUser"), bool):
        return "user" if message["isCreatedByUser"] else "assistant"
    held = next((message[key] for key in _ROLE if isinstance(message.get(key), str)), "")
    return ROLES.get(held.strip().lower())


def _text(message: dict[str, Any]) -> str | None:
    """What a message says; of a list of parts, the texts."""
    for key in _TEXT:
        value = message.get(key)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, list):
            parts = [_part(part) for part in value if isinstance(part, dict)]
            if any(parts):
                return "\n".join(part for part in parts if part)
    return None


def _part(part: dict[str, Any]) -> str | None:
    text = part.get("text")
    if isinstance(text, dict):  # LibreChat, of assistants
        text = text.get("value")
    return text if isinstance(text, str) else None
