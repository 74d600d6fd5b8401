"""The day's votes counted in every cell of one, two and three dimensions: counts that add up over days."""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feedback_pipeline.patterns.cube import DENSE_CELLS, Combination, Integers, combine, joined_rows
from feedback_pipeline.patterns.levels import UNKNOWN, Dimension, dense_people, encode_all
from feedback_pipeline.patterns.tables import SLICE_COUNTS

PLACES = ("first", "second", "third")
MAX_LEVELS = 100
MARKS_A_VOTE = 64
"""Up to this many pairs of a cell and a person for each vote, people are marked in a table of all pairs; beyond, the
pairs that occur are sorted."""
ENTRIES_AT_A_TIME = 1 << 16
"""Votes of several combinations that are counted together: for a day of a thousand votes calling NumPy for each of
hundreds of combinations takes longer than the counting. Bounds the memory."""


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
    vocabulary = _Vocabulary(encoded)
    parts = [part for votes, crossed in _seen(vote_facts, encoded) for part in _count(votes, crossed, vocabulary)]
    # one frame of all combinations at the end: hundreds of small ones would cost more than the counting
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = vocabulary.order(columns)
    columns = {name: values[order] for name, values in columns.items()}
    counted = pl.DataFrame({name: values for name, values in columns.items() if name in SLICE_COUNTS.schema})
    return SLICE_COUNTS.conform(counted.with_columns(pl.lit(day).alias("day"), *vocabulary.labels(columns)))


Columns = dict[str, NDArray[Any]]
"""Columns of a part of the table, as arrays."""


class _Vocabulary:
    """The labels of all dimensions in one list: a level is its place in it; −1 is no dimension."""

    def __init__(self, dimensions: Sequence[Dimension]) -> None:
        self._offsets: dict[str, int] = {}
        names: list[str] = []
        values: list[str | None] = []
        for dimension in dimensions:
            self._offsets[dimension.name] = len(values)
            values += dimension.labels
            names += [dimension.name] * len(dimension.labels)
        # the last entry is the one that −1 means
        self._names = pl.Series([*names, None], dtype=pl.String)
        self._values = pl.Series([*values, None], dtype=pl.String)
        labels = pl.DataFrame({"name": self._names, "value": self._values})
        self._rank = labels.select(pl.struct("name", "value").rank("ordinal")).to_series().to_numpy()

    def levels(self, block: "_Block", present: Integers) -> Columns:
        """The levels of each cell that occurs, by place."""
        # a place without a dimension has one code, 0, which stands for the level −1
        missing = [len(PLACES) - len(one.dimensions) for one in block.combinations]
        padded = zip(block.combinations, missing, strict=True)
        sizes = np.array([[*one.sizes, *[1] * more] for one, more in padded])
        padded = zip(block.combinations, missing, strict=True)
        starts = np.array([[*(self._offsets[name] for name in one.names), *[-1] * more] for one, more in padded])
        of, remaining = block.within(present)
        found = {}
        for place, name in reversed(list(enumerate(PLACES))):
            remaining, codes = np.divmod(remaining, sizes[of, place])
            found[f"{name}_level"] = codes + starts[of, place]
        return found

    def order(self, columns: Columns) -> Integers:
        """The places of rows in the order of their labels: numbers are sorted in a twentieth of the time of labels."""
        key = np.zeros(columns["votes"].size, dtype=np.int64)
        for place in PLACES:
            key *= self._rank.size
            key += self._rank[columns[f"{place}_level"]]  # −1 reads the last one
        return np.argsort(key)

    def labels(self, columns: Columns) -> list[pl.Series]:
        """Dimension and value columns of every place."""
        made: list[pl.Series] = []
        for place in PLACES:
            places = columns[f"{place}_level"] % len(self._names)
            made.append(self._names.gather(places).alias(f"{place}_dimension"))
            made.append(self._values.gather(places).alias(f"{place}_value"))
        return made


class _Votes:
    """What is summed up, for each entry of some multi-valued dimensions (a vote with two tags appears twice), and the
    code of each dimension there."""

    def __init__(self, facts: pl.DataFrame, dimensions: Sequence[Dimension], several: Sequence[Dimension]) -> None:
        rows, joined = joined_rows(several, facts.height)
        codes = {one.name: one.codes if rows is None else one.codes[rows] for one in dimensions if one.rows is None}
        self.codes = codes | dict(zip((one.name for one in several), joined, strict=True))
        taken = facts if rows is None else facts.select("verdict", "strength", "stars")[rows]
        self.entries = taken.height
        self.verdict = taken["verdict"].to_numpy().astype(np.int64) + 1
        self.strength = taken["strength"].to_numpy().astype(np.float64)
        self.with_stars = np.flatnonzero(taken["stars"].is_not_null().to_numpy())
        self.stars = taken["stars"].fill_null(0).to_numpy().astype(np.float64)[self.with_stars]
        person = dense_people(facts)
        self.people = int(person.max()) + 1
        self.person: Integers = person if rows is None else person[rows]

    def keys(self, block: "_Block") -> Integers:
        """The cell of each entry in each combination, numbered through the block; shape (combinations, entries)."""
        keys = np.empty((len(block.combinations), self.entries), dtype=np.int64)
        for cell, offset, combination in zip(keys, block.offsets, block.combinations, strict=False):
            cell[:] = 0
            for size, name in zip(combination.sizes, combination.names, strict=True):
                cell *= size
                cell += self.codes[name]
            cell += offset
        return keys

    def sums(self, keys: Integers, size: int) -> Columns:
        """The additive columns of cells that are numbered through, and their people."""
        combinations = len(keys)
        counts = np.bincount((keys * 3 + self.verdict).ravel(), minlength=3 * size).reshape(size, 3)
        starred = keys[:, self.with_stars].ravel()
        stars, strength = np.tile(self.stars, combinations), np.tile(self.strength, combinations)
        return {
            "votes": counts.sum(axis=1),
            "up": counts[:, 2],
            "neutral": counts[:, 1],
            "down": counts[:, 0],
            "stars_sum": np.bincount(starred, weights=stars, minlength=size).astype(np.int64),
            "stars_votes": np.bincount(starred, minlength=size),
            "strength_sum": np.bincount(keys.ravel(), weights=strength, minlength=size),
            "people": self._people_in(keys, size),
        }

    def _people_in(self, keys: Integers, size: int) -> Integers:
        """How many people have a vote in each cell."""
        wide = -(-self.people // 8) * 8
        if size * wide > MARKS_A_VOTE * keys.size:
            pairs = np.sort((keys * self.people + self.person).ravel())
            distinct = pairs[np.concatenate(([True], pairs[1:] != pairs[:-1]))] if pairs.size else pairs
            return np.bincount(distinct // self.people, minlength=size)
        marks = np.zeros(size * wide, dtype=np.bool_)
        marks[keys * wide + self.person] = True
        eights = np.bitwise_count(marks.view(np.uint64)).reshape(size, wide // 8)
        return np.asarray(eights.sum(axis=1, dtype=np.int64))


class _Block:
    """Combinations that are counted together, their cells numbered through."""

    def __init__(self, combinations: Sequence[Combination]) -> None:
        self.combinations = combinations
        self.offsets = np.cumsum([0, *(one.cells for one in combinations)])

    @property
    def cells(self) -> int:
        return int(self.offsets[-1])

    def within(self, cells: Integers) -> tuple[Integers, Integers]:
        """Which combination each cell is of, and its number there."""
        of = np.searchsorted(self.offsets, cells, side="right") - 1
        return of, cells - self.offsets[of]


def _seen(facts: pl.DataFrame, dimensions: Sequence[Dimension]) -> Iterator[tuple[_Votes, list[Combination]]]:
    """The votes as combinations see them that have the same multi-valued dimensions, and those combinations; the whole
    day is a combination of none."""
    crossed: dict[tuple[str, ...], list[Combination]] = {(): [Combination((), UNKNOWN)]}
    for one in combine(dimensions, len(PLACES)):
        several = tuple(dimension.name for dimension in one.dimensions if dimension.rows is not None)
        crossed.setdefault(several, []).append(Combination(one.dimensions, UNKNOWN))
    for names, combinations in crossed.items():
        yield _Votes(facts, dimensions, [one for one in dimensions if one.name in names]), combinations


def _blocks(combinations: Sequence[Combination], entries: int) -> Iterator[_Block]:
    """Combinations in blocks of up to ENTRIES_AT_A_TIME votes and DENSE_CELLS cells, or of one."""
    block: list[Combination] = []
    cells = 0
    for one in combinations:
        if block and ((len(block) + 1) * entries > ENTRIES_AT_A_TIME or cells + one.cells > DENSE_CELLS):
            yield _Block(block)
            block, cells = [], 0
        block.append(one)
        cells += one.cells
    yield _Block(block)


def _count(votes: _Votes, combinations: Sequence[Combination], vocabulary: _Vocabulary) -> Iterator[Columns]:
    """One row per cell that occurs."""
    for block in _blocks(combinations, votes.entries):
        keys = votes.keys(block)
        if block.cells > DENSE_CELLS:
            present, keys = np.unique(keys, return_inverse=True)
            keys = keys.reshape(1, -1)
        else:
            occurs = np.bincount(keys.ravel(), minlength=block.cells) > 0
            present = np.flatnonzero(occurs)
            keys = (np.cumsum(occurs) - 1)[keys]
        folded = np.array([sum(one.folded_levels for one in each.dimensions if len(each.dimensions) == 1)
                           for each in block.combinations])  # fmt: skip
        of, _ = block.within(present)
        yield {**votes.sums(keys, present.size), **vocabulary.levels(block, present), "folded_levels": folded[of]}
