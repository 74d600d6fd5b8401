"""Answers as a client logs them, redacted before they leave the client's process."""

import json
from collections.abc import Sequence
from typing import Any

import polars as pl

from feedback_pipeline.privacy.json_text import as_unicode
from feedback_pipeline.privacy.redaction import redact_frame

_TEXTS = ("prompt", "output", "comment", "correction")
_JSON = ("messages", "metadata", "content_snapshot")


def redacted_answers(answers: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Answers without structured identifiers in their texts, messages and metadata, in their order.

    They are redacted as columns, which costs little more than one of them does. One person is one placeholder in all of
    an answer, and each answer has numbers of its own: the result is that of each answer alone. Lone surrogates become
    U+FFFD.

    Raises:
        TypeError, ValueError: messages or metadata of one of them are no JSON.
    """
    texts = {name: [_text(answer.get(name)) for answer in answers] for name in _TEXTS}
    values = {name: [_json(answer.get(name)) for answer in answers] for name in _JSON}
    held = {name: column for name, column in {**texts, **values}.items() if any(text is not None for text in column)}
    if not held:
        return list(answers)
    frame = pl.DataFrame(held, schema=dict.fromkeys(held, pl.String))
    cleaned = redact_frame(frame, [name for name in _TEXTS if name in held], [name for name in _JSON if name in held])
    return [
        answer | {name: json.loads(text) if name in _JSON else text for name, text in row.items() if text is not None}
        for answer, row in zip(answers, cleaned.frame.iter_rows(named=True), strict=True)
    ]


def _text(value: Any) -> str | None:
    return as_unicode(value) if isinstance(value, str) else None


def _json(value: Any) -> str | None:
    return None if value is None else as_unicode(json.dumps(value, ensure_ascii=False))
