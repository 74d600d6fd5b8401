"""The day's votes counted in every cell of one, two and three dimensions: counts that add up over days."""

import datetime as dt
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feedback_pipeline.patterns.cube import DENSE_CELLS, Combination, Integers, combine
from feedback_pipeline.patterns.levels import UNKNOWN, Dimension, dense_people, encode_all
from feedback_pipeline.patterns.tables import SLICE_COUNTS

PLACES = ("first", "second", "third")
MAX_LEVELS = 100


def count_slices(
    vote_facts: pl.DataFrame, dimensions: Sequence[str], *, day: dt.date, max_levels: int = MAX_LEVELS
) -> pl.DataFrame:
    """The day's `slice_counts`, sorted by its key.

    Per dimension the `max_levels` most frequent levels of the day are kept apart; the others are folded into `(other)`
    and counted in `folded_levels`. `vote_facts` holds one day's votes; `person`, `verdict`, `strength`, `stars` and the
    dimensions are read. A dimension without any known value is left out.
    """
    if vote_facts.is_empty():
        return SLICE_COUNTS.empty()
    encoded = encode_all(vote_facts, sorted(dict.fromkeys(dimensions)), max_levels=max_levels)
    measures = _Measures(vote_facts)
    frames = [measures.whole()]
    frames += [measures.count(Combination(each.dimensions, UNKNOWN)) for each in combine(encoded, len(PLACES))]
    counted = pl.concat(frames, how="diagonal").with_columns(pl.lit(day).alias("day"))
    missing = [name for name in SLICE_COUNTS.names if name not in counted.columns]
    complete = counted.with_columns(pl.lit(None, dtype=SLICE_COUNTS.schema[name]).alias(name) for name in missing)
    return SLICE_COUNTS.conform(complete).sort(SLICE_COUNTS.key)


class _Measures:
    """The additive columns of a day's votes, and the people."""

    def __init__(self, facts: pl.DataFrame) -> None:
        stars = facts["stars"]
        self.votes = facts.height
        self.verdict = facts["verdict"].to_numpy().astype(np.int64)
        self.strength = facts["strength"].to_numpy().astype(np.float64)
        self.with_stars = np.flatnonzero(stars.is_not_null().to_numpy())
        self.stars = stars.fill_null(0).to_numpy().astype(np.float64)
        self.person: Integers = dense_people(facts)
        self.people = int(self.person.max()) + 1

    def whole(self) -> pl.DataFrame:
        """The row of the whole day."""
        keys = np.zeros(self.votes, dtype=np.int64)
        rows = np.arange(self.votes)
        return self._sums(keys, rows, 1).with_columns(folded_levels=pl.lit(0, dtype=pl.Int64))

    def count(self, combination: Combination) -> pl.DataFrame:
        """One row per cell that occurs."""
        entries = combination.entries(self.votes)
        rows = np.arange(self.votes) if entries.rows is None else entries.rows
        keys = entries.keys.astype(np.int64)
        if combination.cells > DENSE_CELLS:
            present, keys = np.unique(keys, return_inverse=True)
        else:
            occurs = np.bincount(keys, minlength=combination.cells) > 0
            present = np.flatnonzero(occurs)
            keys = (np.cumsum(occurs) - 1)[keys]
        folded = combination.dimensions[0].folded_levels if len(combination.dimensions) == 1 else 0
        sums = self._sums(keys, rows, present.size)
        return sums.with_columns(*_labels(combination, present), folded_levels=pl.lit(folded, dtype=pl.Int64))

    def _sums(self, keys: Integers, rows: Integers, size: int) -> pl.DataFrame:
        verdicts = np.bincount(keys * 3 + self.verdict[rows] + 1, minlength=3 * size).reshape(size, 3)
        starred = np.zeros(self.votes, dtype=bool)
        starred[self.with_stars] = True
        with_stars = np.flatnonzero(starred[rows])
        pairs = np.sort(keys * self.people + self.person[rows])
        distinct = pairs[np.concatenate(([True], pairs[1:] != pairs[:-1]))] if pairs.size else pairs
        stars = np.bincount(keys[with_stars], weights=self.stars[rows[with_stars]], minlength=size)
        return pl.DataFrame(
            {
                "votes": verdicts.sum(axis=1),
                "up": verdicts[:, 2],
                "neutral": verdicts[:, 1],
                "down": verdicts[:, 0],
                "stars_sum": stars.astype(np.int64),
                "stars_votes": np.bincount(keys[with_stars], minlength=size),
                "strength_sum": np.bincount(keys, weights=self.strength[rows], minlength=size),
                "people": np.bincount(distinct // self.people, minlength=size),
            }
        )


def _labels(combination: Combination, present: NDArray[np.int64]) -> list[pl.Series]:
    columns: list[pl.Series] = []
    remaining = present
    reversed_dimensions: list[tuple[str, Dimension]] = list(zip(PLACES, combination.dimensions, strict=False))[::-1]
    for place, dimension in reversed_dimensions:
        remaining, codes = np.divmod(remaining, dimension.size)
        labels = pl.Series(dimension.labels, dtype=pl.String)
        columns.append(labels.gather(codes).alias(f"{place}_value"))
        columns.append(pl.Series(f"{place}_dimension", [dimension.name]).new_from_index(0, present.size))
    return columns
