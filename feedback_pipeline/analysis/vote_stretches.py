"""The votes of a stretch of days, from a table that was given or from the pipeline's own."""

import warnings
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import polars as pl

from feedback_pipeline.analysis.content_cache import digest
from feedback_pipeline.analysis.vote_frames import UNDATED, Votes, read_votes
from feedback_pipeline.cleaning.tables import VOTE_FACTS
from feedback_pipeline.patterns.tables import TERM_COUNTS
from feedback_pipeline.patterns.terms import count_terms
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import computed


class LeftOutWarning(UserWarning):
    """Rows of a table of feedback that count nowhere; the message says how many and why."""


class InsufficientFeedbackError(ValueError):
    """Too little feedback to say anything; the message says how much there is."""

    def __init__(self, found: int, needed: int, where: str) -> None:
        super().__init__(f"insufficient feedback: {found} found {where}, at least {needed} needed")
        self.found = found
        self.needed = needed


@dataclass(frozen=True)
class Stretch:
    """The votes of some days, and of as many days before."""

    facts: pl.DataFrame
    before: pl.DataFrame
    events: pl.DataFrame
    terms: pl.DataFrame
    """`term_counts`."""
    first: date
    last: date
    dated: bool
    left_out: dict[str, int] = field(default_factory=dict)
    """Rows of the table that was given that are no vote, by what they are."""

    def require(self, least: int) -> None:
        """Raises InsufficientFeedbackError where there are fewer votes than `least`, or none."""
        found = self.facts.height
        if found < max(least, 1):
            where = f"from {self.first} to {self.last}" if self.dated else "in the table"
            if self.left_out:
                where += f" (beside {', '.join(f'{count:,} {what}' for what, count in self.left_out.items())})"
            raise InsufficientFeedbackError(found, max(least, 1), where)

    @property
    def noun(self) -> str:
        """What sentences call it."""
        return "week" if (self.last - self.first).days == 6 else "period"

    def digest(self, *parameters: object) -> str:
        """A hash of these votes and of what else a result depends on."""
        return digest((self.facts, self.before, self.terms), self.first, self.last, *parameters)


def stretch_of(data: Any, days: int | None, until: date | None, settings: Settings | None) -> Stretch:
    """The last `days` days up to `until`; all days for None.

    Raises:
        GoneError: they are read from the pipeline's own tables, of which a file is not there any more.
    """
    if days is not None and days < 1:
        raise ValueError(f"days is {days}, expected at least 1")
    settings = settings or Settings.from_environment()
    if data is None:
        return _own_stretch(Pipeline(settings), days or 7, until)
    votes = read_votes(data, settings.timezone)
    say_unread(votes)
    newest = votes.facts["day"].max()
    last = until or (newest if isinstance(newest, date) else UNDATED)
    oldest = votes.facts["day"].min()
    length = days if days is not None and votes.dated else None
    first = last - timedelta(days=length - 1) if length else oldest if isinstance(oldest, date) else last
    day = pl.col("day")
    facts = votes.facts.filter(day.is_between(first, last))
    before = votes.facts.filter(day.is_between(first - (last - first) - timedelta(days=1), first, closed="left"))
    terms = _terms(votes, facts, last)
    return Stretch(facts, before, votes.events, terms, first, last, votes.dated, votes.left_out)


def say_unread(votes: Votes) -> None:
    """Warns of rows that were probably meant to be votes and could not be read as such."""
    if votes.unread:
        told = ", ".join(f"{count:,} {what}" for what, count in votes.unread.items())
        warnings.warn(f"left out of the feedback: {told}", LeftOutWarning, stacklevel=2)


def _terms(votes: Votes, facts: pl.DataFrame, day: date) -> pl.DataFrame:
    facts = facts.select("feedback_id", "person", "verdict", pl.col("language").cast(pl.String))
    texts = facts.join(votes.texts, on="feedback_id", maintain_order="left")
    index = ["person", "verdict", "language"]
    said = texts.unpivot(["prompt", "comment"], index=index, variable_name="field", value_name="text")
    return count_terms(said, day=day)


def _last_computed(pipeline: Pipeline) -> date:
    """The last day whose votes are computed; yesterday where none is."""
    yesterday = pipeline.today() - timedelta(days=1)
    computed = (date.fromisoformat(key) for key in pipeline.frames.partitions(VOTE_FACTS))
    return max((day for day in computed if day <= yesterday), default=yesterday)


def _own_stretch(pipeline: Pipeline, days: int, until: date | None) -> Stretch:
    last = until or _last_computed(pipeline)
    named = [last - timedelta(days=back) for back in range(2 * days - 1, -1, -1)]
    computed.require(pipeline.database, pipeline.frames, [VOTE_FACTS.name, TERM_COUNTS.name], named)
    facts, before = (pipeline.frames.read(VOTE_FACTS, part) for part in (named[days:], named[:days]))
    events = facts.select(
        "interaction_id",
        pl.col("prompt_version").cast(pl.String),
        "success",
        user=pl.col("person").cast(pl.String),
        kind=pl.lit("explicit"),
        occurred_at=pl.col("day").cast(pl.Datetime("us", "UTC")),
    )
    terms = pipeline.frames.read(TERM_COUNTS, named[days:])
    return Stretch(facts, before, events, terms, named[days], last, dated=True)
