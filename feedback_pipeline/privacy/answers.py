"""One answer as a client logs it, redacted before it leaves the client's process."""

import json
from typing import Any

import polars as pl

from feedback_pipeline.privacy.redaction import redact_frame

_TEXTS = ("prompt", "output", "comment", "correction")
_JSON = ("messages", "metadata", "content_snapshot")


def redacted_answer(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without structured identifiers in its texts, messages and metadata; one person is one placeholder in
    all of them."""
    texts = [name for name in _TEXTS if isinstance(answer.get(name), str)]
    values = [name for name in _JSON if answer.get(name) is not None]
    if not texts and not values:
        return answer
    columns = {name: [answer[name]] for name in texts} | {name: [json.dumps(answer[name])] for name in values}
    row = redact_frame(pl.DataFrame(columns), texts, values).frame.row(0, named=True)
    return {**answer, **{name: row[name] for name in texts}, **{name: json.loads(row[name]) for name in values}}
