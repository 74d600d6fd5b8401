"""Rows that no import may take: what is wrong with them is known."""

import polars as pl

from feedback_pipeline.sample.people import People
from feedback_pipeline.sample.planted import TENANTS
from feedback_pipeline.sample.timeline import Part, Timeline

BAD_ROWS_PER_MILLION = 100
"""Of each fault."""

FAULTS: dict[str, dict[str, str]] = {
    "rating_of_seven": {"stars": "7", "thumb": ""},
    "date_in_1970": {"occurred_at": "1970-01-01T00:00:00Z"},
    "date_in_2199": {"occurred_at": "2199-12-31T23:59:59Z"},
    "unreadable_date": {"occurred_at": "yesterday"},
    "unknown_kind": {"kind": "applause"},
    "unreadable_thumb": {"thumb": "sideways"},
    "no_answer_named": {"key_kind": "", "key_value": ""},
}
"""The fields that are wrong, by fault; all other fields of the row are right. An empty text is a missing value."""

BAD_ROW_COLUMNS = (
    "source_id", "tenant", "interaction_id", "key_kind", "key_value", "kind", "thumb", "stars", "comment", "user_key",
    "occurred_at", "received_at",
)  # fmt: skip


def fault_counts(part: Part) -> dict[str, int]:
    """How many rows of each fault a part has."""
    return {fault: part.quota(BAD_ROWS_PER_MILLION) for fault in FAULTS}


def bad_rows(timeline: Timeline, part: Part, people: People) -> pl.DataFrame:
    """The bad rows of a part, all columns texts, as a file or form delivers them."""
    random = timeline.random("faults", part.day_index, part.number)
    rows: list[dict[str, str]] = []
    for fault, count in fault_counts(part).items():
        for _ in range(count):
            number = len(rows)
            seconds = int(random.integers(0, 86_400))
            moment = f"{part.day}T{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}Z"
            rows.append(
                {
                    "source_id": f"b-{part.day:%Y%m%d}-{part.number}-{number}",
                    "tenant": TENANTS[0].name,
                    "interaction_id": "",
                    "key_kind": "request",
                    "key_value": f"req-a-{part.day:%Y%m%d}-{part.number}-{number}",
                    "kind": "explicit",
                    "thumb": "down",
                    "stars": "",
                    "comment": "",
                    "user_key": people.ids[int(random.integers(people.ordinary.stop))],
                    "occurred_at": moment,
                    "received_at": moment,
                    **FAULTS[fault],
                }
            )
    return pl.DataFrame(rows, schema=dict.fromkeys(BAD_ROW_COLUMNS, pl.String))
