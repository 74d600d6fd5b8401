"""A finding's identity and its story over the weeks.

A finding made by searching is a hypothesis; the week after, on fresh votes, it is tested alone and confirmed or not.
"""

import datetime as dt
import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

import polars as pl

HELD = ("new", "confirmed", "ongoing")
MEMORY = dt.timedelta(weeks=4)
"""A finding that could not be tested for longer than this is no longer followed."""

Slice = tuple[tuple[str, str], ...]


def canonical(pairs: Iterable[tuple[str, str]]) -> Slice:
    """The slice as (dimension, value) pairs in the order of the dimensions."""
    return tuple(sorted(pairs))


def slice_json(chosen: Slice) -> str:
    """The canonical text of a slice."""
    return json.dumps([list(pair) for pair in chosen], ensure_ascii=False, separators=(",", ":"))


def parse_slice(text: str) -> Slice:
    """The slice of a canonical text."""
    return canonical((str(dimension), str(value)) for dimension, value in json.loads(text))


def finding_id(chosen: Slice) -> str:
    """16 hexadecimal digits that are the same for the same slice in every week and on every machine."""
    return blake2b(slice_json(chosen).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Past:
    """What earlier weeks said about one slice."""

    chosen: Slice
    first_week: dt.date
    last_held: dt.date
    weeks_held: int
    confirmed: bool
    """It has held in more than one week."""


@dataclass(frozen=True)
class Memory:
    """The findings of earlier weeks that are still followed, and the first week of all that ever were."""

    followed: dict[str, Past]
    known: dict[str, Past]

    def status(self, identity: str) -> str:
        """The status of a slice that holds this week."""
        past = self.followed.get(identity)
        if past is None:
            return "new"
        return "ongoing" if past.confirmed else "confirmed"

    def first_week(self, identity: str, week: dt.date) -> dt.date:
        return self.known[identity].first_week if identity in self.known else week

    def weeks_held(self, identity: str) -> int:
        return self.known[identity].weeks_held if identity in self.known else 0


def recall(history: pl.DataFrame | None, week: dt.date) -> Memory:
    """The memory before `week`, from the `slice_findings` of any earlier weeks; weeks may be missing."""
    if history is None:
        return Memory({}, {})
    earlier = history.filter(pl.col("week") < week).sort("week", "finding_id")
    known: dict[str, Past] = {}
    last_status: dict[str, tuple[dt.date, str]] = {}
    held = earlier.filter(pl.col("status").is_in(HELD))
    for identity, chosen, first, last, weeks in (
        held.group_by("finding_id")
        .agg(
            pl.col("slice").first(),
            pl.col("first_week").min(),
            pl.col("week").max().alias("last"),
            pl.col("week").n_unique().alias("weeks"),
        )
        .sort("finding_id")
        .iter_rows()
    ):
        known[identity] = Past(parse_slice(chosen), first, last, weeks, weeks > 1)
    for identity, when, status in earlier.select("finding_id", "week", "status").iter_rows():
        last_status[identity] = (when, status)
    followed = {
        identity: past
        for identity, past in known.items()
        if week - past.last_held <= MEMORY and last_status[identity][1] != "gone"
    }
    return Memory(followed, known)
