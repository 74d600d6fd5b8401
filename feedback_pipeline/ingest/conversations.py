"""Messages as they are delivered, as one shape: a JSON array of objects with `role` and `content`.

Understood beside it: ShareGPT's `from`/`value`, and the names that roles have elsewhere (`human`, `gpt`, `bot` …).
"""

from typing import Any

import orjson
import polars as pl

ROLES = {
    **{role: role for role in ("system", "developer", "user", "assistant", "tool", "function")},
    **dict.fromkeys(("human", "prompter", "customer", "person", "client", "visitor", "me"), "user"),
    **dict.fromkeys(
        ("gpt", "bot", "ai", "chatbot", "model", "chatgpt", "llm", "agent", "operator", "admin"), "assistant"
    ),
    "observation": "tool",
}
ROLE_KEYS, TEXT_KEYS = ("role", "from", "author", "speaker", "sender"), ("content", "value", "text", "message", "body")
"""What a message calls who wrote it, and what was written."""


def messages_expression(text: pl.Expr) -> pl.Expr:
    """Each JSON array as messages; null where it is not an array of messages."""

    def read(texts: pl.Series) -> pl.Series:
        return pl.Series([None if one is None else _messages(one) for one in texts], dtype=pl.String)

    return text.map_batches(read, return_dtype=pl.String, is_elementwise=True)


def _messages(text: str) -> str | None:
    try:
        delivered = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if isinstance(delivered, str):  # JSON written into text
        return _messages(delivered)
    messages = messages_of(delivered)
    if messages is None:
        return None
    return text if messages == delivered else orjson.dumps(messages).decode()


def messages_of(delivered: Any) -> list[dict[str, Any]] | None:
    """A delivered list as messages; None where it is none."""
    if not isinstance(delivered, list) or not delivered:
        return None
    if all(type(one) is dict and _is_ours(one) for one in delivered):
        return delivered
    messages = [_message(one) for one in delivered]
    found = [message for message in messages if message is not None]
    return found if len(found) == len(messages) else None


def _is_ours(message: dict[str, Any]) -> bool:
    """Whether a message is one as it was delivered: most are, and a copy of each costs."""
    role, content = message.get("role"), message.get("content")
    return type(role) is str and ROLES.get(role) == role and isinstance(content, str | list)


def _message(delivered: object) -> dict[str, Any] | None:
    """A message under our names; None where it has no role that is known, or says nothing and calls nothing."""
    if not isinstance(delivered, dict):
        return None
    if isinstance(inner := delivered.get("message"), dict) and "role" not in delivered:  # OpenInference
        delivered = inner
    role_key = next((key for key in ROLE_KEYS if isinstance(delivered.get(key), str)), None)
    content_key = next((key for key in TEXT_KEYS if key in delivered), None)
    role = ROLES.get(delivered[role_key].strip().lower()) if role_key else None
    content = delivered.get(content_key) if content_key else None
    calls = any(delivered.get(key) for key in ("tool_calls", "function_call", "refusal"))
    if role is None or not (isinstance(content, str | list) or (content is None and calls)):
        return None
    rest = {key: value for key, value in delivered.items() if key not in (role_key, content_key)}
    return {"role": role, "content": content, **rest}
