"""What the messages of an answer say without being asked: its prompt, and whether the answer is among them."""

from collections.abc import Sequence
from typing import Any

import orjson
import polars as pl

_LAST_ROLE = r'(?s).*"role"\s*:\s*"([a-z]+)"'
"""The role named last: a quotation mark inside a string of JSON is escaped, so no text can pass for it."""
_ROLE_AT_START = r'\A\s*:\s*"([a-z]+)"'
"""The same, behind the key."""


def last_user_text(messages: Sequence[Any]) -> str | None:
    """What the user said last, in the words of its text parts; None where no message of a user has text."""
    for message in reversed(messages):
        if isinstance(message, dict) and message.get("role") == "user" and (text := _words(message.get("content"))):
            return text
    return None


def with_whole_prompts(answers: pl.DataFrame) -> pl.DataFrame:
    """Answers (`messages`, `prompt`, `answer`) whose prompt is known and whose messages are what was sent.

    The prompt of a row that brings messages alone is what the user said last, as where it is logged live. Messages that
    end with the very answer are those before it: applications often log the conversation after they have added it.
    """
    unnamed = answers["prompt"].is_null() & answers["messages"].is_not_null()
    named = (answers["messages"].str.contains('"assistant"', literal=True) & answers["answer"].is_not_null()).arg_true()
    ended = named.filter(_last_roles(answers["messages"].gather(named)) == "assistant")
    wanted = unnamed.scatter(ended, [True] * len(ended))
    if not wanted.any():
        return answers
    read = [_read(*row) for row in answers.filter(wanted).select("messages", "prompt", "answer").iter_rows()]
    places = wanted.arg_true()
    return answers.with_columns(
        answers[name].scatter(places, pl.Series([row[column] for row in read], dtype=pl.String))
        for column, name in enumerate(("messages", "prompt"))
    )


def _last_roles(messages: pl.Series) -> pl.Series:
    """The role named last in each text; null where none is."""
    roles = messages.str.split('"role"').list.last().str.extract(_ROLE_AT_START)
    # that word may also be a value
    unclear = roles.is_null().arg_true()
    return roles.scatter(unclear, messages.gather(unclear).str.extract(_LAST_ROLE))


def _read(messages: str, prompt: str | None, answer: str | None) -> tuple[str, str | None]:
    """The messages before the answer, and the prompt."""
    try:
        said = orjson.loads(messages)
    except orjson.JSONDecodeError:
        return messages, prompt
    if not isinstance(said, list):
        return messages, prompt
    if answer is not None and len(said) > 1 and _is_answer(said[-1], answer):
        said = said[:-1]
        messages = orjson.dumps(said).decode()
    return messages, last_user_text(said) if prompt is None else prompt


def _is_answer(message: Any, answer: str) -> bool:
    if not isinstance(message, dict) or message.get("role") != "assistant" or message.get("tool_calls"):
        return False
    text = _words(message.get("content"))
    return text is not None and text.split() == answer.split()


def _words(content: Any) -> str | None:
    """Content as text: of a list of parts those that are text; None where there is none."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "\n".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) and content else None
