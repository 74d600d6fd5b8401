"""Votes that lead nowhere as they are: on answers that have not come, and with times that have not come."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from feedback_pipeline.store.database import Database
from feedback_pipeline.store.statements import Queries

_queries = Queries(__file__)
USUAL_SECONDS = 3600
"""So long a vote may be ahead of its answer without anybody having to look."""


@dataclass(frozen=True)
class Waiting:
    """Some votes of one source.

    Attributes:
        problem: `answer`, the answer is not known; `future`, the vote's time is more than an hour ahead.
        source: where they came from: a source of `sources.yaml`, or `api`.
        named: the kind of name by which they wait: request, message, content, interaction, or answer_id.
        votes: how many.
        since: when the first of them came in; of `future`, their earliest time.
    """

    problem: Literal["answer", "future"]
    source: str
    named: str
    votes: int
    since: datetime

    def advice(self, now: datetime | None = None) -> str | None:
        """What to do about it, in a sentence; None while it may well come right by itself."""
        now = now or datetime.now(UTC)
        if self.problem == "future":
            return (
                f"{self.votes:,} votes of {self.source} have times that lie ahead (from {self.since:%Y-%m-%d %H:%M}); "
                "they count on the day they came in: look at the source's timezone and time_format, or at the clock of "
                "whoever sends"
            )
        if (now - self.since).total_seconds() < USUAL_SECONDS:
            return None
        days = (now - self.since).days
        what = {
            "answer_id": "import the source that `answers` names, with the same ids",
            "interaction": "log the answers under the interaction_id that the votes name",
        }.get(self.named, f"log the answers under the {self.named}_id that the votes name")
        return (
            f"{self.votes:,} votes of {self.source} wait for answers by {self.named}, the oldest for {days} days; they "
            f"count in totals and are in no training file: {what}"
        )


def waiting(database: Database) -> list[Waiting]:
    """What waits, the most votes first; reads no text and names no id."""
    with database.engine.connect() as connection:
        return [Waiting(*row) for row in connection.execute(_queries.statement("read_waiting"))]
