"""A guessed entry of `sources.yaml`, with what each of its lines rests on."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from feedback_pipeline.ingest.guessing.columns import MAX_WORDS, Column

MAX_LEFT_OVER = 20
"""Characters of a value that is shown of a column that no line names."""


@dataclass
class Guess:
    """An entry and what each of its lines rests on.

    Attributes:
        entry: as in `sources.yaml`.
        why: remarks by dotted place in the entry (`mapping.thumb`, `spread`).
        missing: what a person has to add before it can be used.
        unused: columns that no line names, with the words of those that have few.
    """

    entry: dict[str, Any]
    why: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)

    def map(self, name: str, column: Column, rows: int, path: Any = None) -> None:
        """Fills a field from a column."""
        self.entry.setdefault("mapping", {})[name] = path or column.path
        self.why[f"mapping.{name}"] = column.said(rows, words=name in ("thumb", "stars"))


def named_paths(entry: Any) -> set[str]:
    """Every text in an entry: paths of columns, or what begins with one."""
    if isinstance(entry, dict):
        return {path for value in entry.values() for path in named_paths(value)}
    if isinstance(entry, list):
        return {path for value in entry for path in named_paths(value)}
    return {entry, entry.partition("[")[0]} if isinstance(entry, str) else set()


def left_over(column: Column) -> str:
    if len(column.words) > MAX_WORDS or (column.numbers is None and max(map(len, column.texts)) > MAX_LEFT_OVER):
        return column.path
    return f"{column.path} ({', '.join(f'{one} {count}' for one, count in column.words.most_common())})"


def spread_without_times(made: Guess, now: datetime) -> None:
    """Gives votes a stretch of weeks, where no column holds times."""
    if "occurred_at" not in made.entry.get("mapping", {}):
        monday = (now - timedelta(weeks=8, days=now.weekday())).date()
        made.entry["spread"] = {"start": monday.isoformat(), "weeks": 8}
        made.why["spread"] = "no column holds times: each vote is given one in these weeks; or map occurred_at"
