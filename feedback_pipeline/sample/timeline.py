"""The days of a sample, the votes of each day, and the parts a day is drawn in."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

MAX_PART = 40_000
"""Votes drawn at once: bounds the memory of a batch at about 100 MB."""

_WEEKDAY_TRAFFIC = (1.10, 1.15, 1.12, 1.10, 1.00, 0.60, 0.55)
_WEEKLY_GROWTH = 1.02
_MILLION = 1_000_000


@dataclass(frozen=True)
class Part:
    """A stretch of one day's answers and votes that is drawn at once.

    Attributes:
        day: the day of its answers.
        day_index: that day counted from the first day, from 0.
        number: position within the day, from 0.
        votes: votes on its answers.
        votes_before: votes of all earlier parts.
        days_left: days of the sample after this one.
    """

    day: date
    day_index: int
    number: int
    votes: int
    votes_before: int
    days_left: int

    def quota(self, per_million: int) -> int:
        """How many of `per_million` in a million votes fall into this part; over all parts they add up to the
        rounded-up share, so that even a small sample has one of everything.
        """
        return self._reached(per_million, self.votes_before + self.votes) - self._reached(
            per_million, self.votes_before
        )

    def whole_quota(self, per_million: int, size: int) -> range:
        """The numbers, from 0, of the groups of `size` that are complete with this part."""
        before = self.votes_before * per_million // (_MILLION * size)
        return range(before, (self.votes_before + self.votes) * per_million // (_MILLION * size))

    @staticmethod
    def _reached(per_million: int, votes: int) -> int:
        return -(-votes * per_million // _MILLION)


@dataclass(frozen=True)
class Timeline:
    """Whole weeks, Monday to Sunday, ending on the last Sunday that is not after `end`."""

    votes: int
    weeks: int
    seed: int
    end: date

    def __post_init__(self) -> None:
        if self.votes < 1 or self.weeks < 1 or self.seed < 0:
            raise ValueError(
                f"a sample needs at least one vote and one week and a seed of 0 or more: got votes={self.votes}, "
                f"weeks={self.weeks}, seed={self.seed}"
            )

    @property
    def days(self) -> int:
        return 7 * self.weeks

    @property
    def last_day(self) -> date:
        return self.end - timedelta(days=self.end.isoweekday() % 7)

    @property
    def first_day(self) -> date:
        return self.last_day - timedelta(days=self.days - 1)

    def day(self, index: int) -> date:
        return self.first_day + timedelta(days=index)

    @property
    def settled_days(self) -> int:
        """Days before the last two weeks: all releases fall into them, so that the last two compare like with like."""
        return 7 * max(self.weeks - 2, 0)

    def votes_by_day(self) -> list[int]:
        """Votes of each day, following the week's rhythm and growing; they add up to `votes` (largest remainders)."""
        traffic = np.array(
            [_WEEKDAY_TRAFFIC[day % 7] * _WEEKLY_GROWTH ** (day // 7) for day in range(self.days)], dtype=np.float64
        )
        exact = self.votes * traffic / traffic.sum()
        counts = np.floor(exact).astype(np.int64)
        short = self.votes - int(counts.sum())
        counts[np.argsort(counts - exact, kind="stable")[:short]] += 1
        return [int(count) for count in counts]

    def parts(self) -> list[Part]:
        """The sample in the order it is drawn."""
        parts: list[Part] = []
        before = 0
        for index, votes in enumerate(self.votes_by_day()):
            pieces = max(1, -(-votes // MAX_PART))
            for number in range(pieces):
                share = votes * (number + 1) // pieces - votes * number // pieces
                parts.append(Part(self.day(index), index, number, share, before, self.days - 1 - index))
                before += share
        return parts

    def random(self, stream: str, *position: int) -> np.random.Generator:
        """The random numbers of one purpose and place: drawing more of one never shifts another."""
        purpose = int.from_bytes(stream.encode(), "big")
        return np.random.default_rng(np.random.SeedSequence([self.seed, purpose, *position]))
