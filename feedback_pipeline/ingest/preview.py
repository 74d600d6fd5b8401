"""What a person looks at before an import: words that mean nothing, and rows as they would be stored."""

from collections import Counter
from collections.abc import Collection

import polars as pl

from feedback_pipeline.ingest.mapping import references
from feedback_pipeline.ingest.readers.chunks import ROW
from feedback_pipeline.ingest.rows import FIELD, REASON
from feedback_pipeline.ingest.source_entry import Source
from feedback_pipeline.ingest.store_rows import StoreRows

MAX_WORD, MAX_SHOWN = 40, 120
"""Characters shown of a word, and of a value."""
SHOWN = (
    "kind", "thumb", "stars", "value", "preference", "comment", "correction", "reasons", "occurred_at", "prompt",
    "output", "model", "prompt_version", "context", "provenance", "tenant", "user_key",
)  # fmt: skip
"""What is shown of a row, in this order."""


UNKNOWN = ("unknown_value",)
UNFIT = (*UNKNOWN, "not_a_number", "out_of_range", "unreadable_time")
"""Why a value is none of its field's, where a look at it says what to do."""


def unfit_words(
    refused: pl.DataFrame, delivered: pl.DataFrame, source: Source, reasons: Collection[str] = UNFIT
) -> Counter[tuple[str, str]]:
    """How often each word was delivered that is none of its field's for one of the reasons, by field and word."""
    found: Counter[tuple[str, str]] = Counter()
    strange = refused.filter(pl.col(REASON).is_in(list(reasons)))
    for (field,), rows in strange.group_by(FIELD):
        reference = references(source).get(str(field))
        path = reference.paths[0] if reference else str(field)
        if path not in delivered.columns:
            continue
        said = delivered.join(rows.select(ROW).unique(), on=ROW, how="semi")[path].drop_nulls()
        words = said.str.strip_chars().str.slice(0, MAX_WORD).value_counts()
        found.update({(str(field), str(word)): int(count) for word, count in words.iter_rows()})
    return found


def examples(store_rows: StoreRows, most: int) -> list[dict[str, str]]:
    """The first votes of a batch with the answers they bring, as they would be stored: redacted, with pseudonyms."""
    votes = store_rows.feedback.head(max(most, 0))
    if votes.is_empty():
        return []
    answers = store_rows.interactions.drop("tenant", "user_key", "occurred_at", "source", "source_id", "session_key")
    rows = votes.join(answers, left_on="interaction_id", right_on="id", how="left", maintain_order="left")
    return [
        {name: _shown(row[name]) for name in SHOWN if name in row and row[name] not in (None, [])}
        for row in rows.iter_rows(named=True)
    ]


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
