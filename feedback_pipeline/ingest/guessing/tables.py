"""The entry that fits a table which no preset knows."""

from datetime import UTC, datetime

from feedback_pipeline.ingest.first_rows import FirstRows
from feedback_pipeline.ingest.guessing.columns import columns_of, listed, time_format
from feedback_pipeline.ingest.guessing.entry import Guess, left_over, named_paths, spread_without_times
from feedback_pipeline.ingest.guessing.pairs import map_pair
from feedback_pipeline.ingest.guessing.votes import list_of_votes, map_vote
from feedback_pipeline.ingest.paths import steps, walk


def guess(first_rows: FirstRows, now: datetime | None = None) -> Guess:
    """The entry that fits the rows best."""
    made = Guess(dict(first_rows.settings), dict(first_rows.remarks))
    columns, rows = columns_of(first_rows.rows), len(first_rows.rows)
    if exploded := list_of_votes(columns):
        rows = sum(len(listed(walk(row, steps(exploded), ()))) for row in first_rows.rows)
        made.entry["explode"] = exploded
        made.why["explode"] = "one row an item of this list"
    columns = [column for column in columns if column.exploded in (None, exploded)]
    if not map_pair(made, columns, rows):
        map_vote(made, columns, rows)
    spread_without_times(made, now or datetime.now(UTC))
    made.unused = [
        left_over(column) for column in columns if column.texts and column.path not in named_paths(made.entry)
    ]
    times = next(
        (column for column in columns if column.path == made.entry.get("mapping", {}).get("occurred_at")), None
    )
    if times is not None and (written := time_format(times.texts)):
        made.entry["time_format"] = written
        made.why["time_format"] = "how the times are written; day and month may be the other way round"
    return made
