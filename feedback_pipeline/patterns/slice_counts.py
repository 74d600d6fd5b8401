"""The day's votes counted in every cell of one, two and three dimensions: counts that add up over days."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feedback_pipeline.patterns.cube import DENSE_CELLS, Combination, Entries, Integers, Keys, combine
from feedback_pipeline.patterns.levels import UNKNOWN, Dimension, dense_people, encode_all
from feedback_pipeline.patterns.tables import SLICE_COUNTS

PLACES = ("first", "second", "third")
MAX_LEVELS = 100
MARKS_A_VOTE = 64
"""Up to this many pairs of a cell and a person for each vote, people are marked in a table of all pairs; beyond, the
pairs that occur are sorted."""


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
    vocabulary = _Vocabulary(encoded)
    crossed = combine(encoded, len(PLACES))
    parts = [measures.count(Combination(each.dimensions, UNKNOWN), vocabulary) for each in crossed]
    parts.append(measures.whole(vocabulary))
    # one frame of all combinations at the end: hundreds of small ones would cost more than the counting
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    counted = pl.DataFrame({name: values for name, values in columns.items() if name in SLICE_COUNTS.schema})
    labelled = counted.with_columns(pl.lit(day).alias("day"), *vocabulary.labels(columns))
    return SLICE_COUNTS.conform(labelled).sort(SLICE_COUNTS.key)


Columns = dict[str, NDArray[Any]]
"""Columns of a part of the table, as arrays."""


class _Vocabulary:
    """The labels of all dimensions in one list: a level is its place in it; −1 is no dimension."""

    def __init__(self, dimensions: Sequence[Dimension]) -> None:
        self.offsets: dict[str, int] = {}
        names: list[str] = []
        values: list[str | None] = []
        for dimension in dimensions:
            self.offsets[dimension.name] = len(values)
            values += dimension.labels
            names += [dimension.name] * len(dimension.labels)
        # the last entry is the one that −1 means
        self._names = pl.Series([*names, None], dtype=pl.String)
        self._values = pl.Series([*values, None], dtype=pl.String)

    def codes(self, combination: Combination, present: NDArray[np.int64]) -> Columns:
        """The levels of each cell that occurs, by place."""
        found = {f"{place}_level": np.full(present.size, -1, dtype=np.int64) for place in PLACES}
        remaining = present
        for place, dimension in list(zip(PLACES, combination.dimensions, strict=False))[::-1]:
            remaining, codes = np.divmod(remaining, dimension.size)
            found[f"{place}_level"] = codes + self.offsets[dimension.name]
        return found

    def nothing(self) -> Columns:
        """The levels of the row without dimensions."""
        return {f"{place}_level": np.full(1, -1, dtype=np.int64) for place in PLACES}

    def labels(self, columns: Columns) -> list[pl.Series]:
        """Dimension and value columns of every place."""
        made: list[pl.Series] = []
        for place in PLACES:
            levels = columns[f"{place}_level"]
            places = np.where(levels < 0, len(self._names) - 1, levels)
            made.append(self._names.gather(places).alias(f"{place}_dimension"))
            made.append(self._values.gather(places).alias(f"{place}_value"))
        return made


class _Measures:
    """The additive columns of a day's votes, and the people."""

    def __init__(self, facts: pl.DataFrame) -> None:
        stars = facts["stars"]
        self.votes = facts.height
        self.verdict = facts["verdict"].to_numpy().astype(np.int64) + 1
        self.strength = facts["strength"].to_numpy().astype(np.float64)
        self.starred = stars.is_not_null().to_numpy()
        self.with_stars = np.flatnonzero(self.starred)
        self.stars = stars.fill_null(0).to_numpy().astype(np.float64)
        self.person: Integers = dense_people(facts)
        self.people = int(self.person.max()) + 1

    def whole(self, vocabulary: _Vocabulary) -> Columns:
        """The row of the whole day."""
        sums = self._sums(Entries(None, np.zeros(self.votes, dtype=np.int64)), 1)
        return {**sums, **vocabulary.nothing(), "folded_levels": np.zeros(1, dtype=np.int64)}

    def count(self, combination: Combination, vocabulary: _Vocabulary) -> Columns:
        """One row per cell that occurs."""
        entries = combination.entries(self.votes)
        keys = entries.keys.astype(np.int64)
        if combination.cells > DENSE_CELLS:
            present, keys = np.unique(keys, return_inverse=True)
        else:
            occurs = np.bincount(keys, minlength=combination.cells) > 0
            present = np.flatnonzero(occurs)
            keys = (np.cumsum(occurs) - 1)[keys]
        folded = combination.dimensions[0].folded_levels if len(combination.dimensions) == 1 else 0
        return {
            **self._sums(Entries(entries.rows, keys), present.size),
            **vocabulary.codes(combination, present),
            "folded_levels": np.full(present.size, folded, dtype=np.int64),
        }

    def _sums(self, entries: Entries, size: int) -> Columns:
        keys = entries.keys
        verdicts = np.bincount(keys * 3 + entries.take(self.verdict), minlength=3 * size).reshape(size, 3)
        starred = self.with_stars if entries.rows is None else np.flatnonzero(self.starred[entries.rows])
        keys_starred = keys[starred]
        given = self.stars[starred if entries.rows is None else entries.rows[starred]]
        return {
            "votes": verdicts.sum(axis=1),
            "up": verdicts[:, 2],
            "neutral": verdicts[:, 1],
            "down": verdicts[:, 0],
            "stars_sum": np.bincount(keys_starred, weights=given, minlength=size).astype(np.int64),
            "stars_votes": np.bincount(keys_starred, minlength=size),
            "strength_sum": np.bincount(keys, weights=entries.take(self.strength), minlength=size),
            "people": self._people_in(keys, entries.take(self.person), size),
        }

    def _people_in(self, keys: Keys, person: Integers, size: int) -> Integers:
        """How many people have a vote in each cell."""
        wide = -(-self.people // 8) * 8
        if size * wide > MARKS_A_VOTE * keys.size:
            pairs = np.sort(keys * self.people + person)
            distinct = pairs[np.concatenate(([True], pairs[1:] != pairs[:-1]))] if pairs.size else pairs
            return np.bincount(distinct // self.people, minlength=size)
        marks = np.zeros(size * wide, dtype=np.bool_)
        marks[keys * wide + person] = True
        eights = np.bitwise_count(marks.view(np.uint64)).reshape(size, wide // 8)
        return np.asarray(eights.sum(axis=1, dtype=np.int64))
