"""All slices of a table of votes: every combination of one to three dimensions, every cell over a support floor."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import prod
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from feedback_pipeline.patterns.levels import FIRST_LEVEL, Codes, Dimension

Integers = NDArray[np.int64]
Keys = NDArray[np.signedinteger[Any]]
Mask = NDArray[np.bool_]
Scalar = TypeVar("Scalar", bound=np.generic)

DENSE_CELLS = 1 << 20
"""Up to this many possible cells, counts live in an array; beyond, in a sorted list of the cells that occur."""


@dataclass(frozen=True)
class Entries:
    """The votes as one combination of dimensions sees them: a vote with two tags appears twice."""

    rows: Integers | None
    """Vote of each entry; None where entries are the votes themselves."""
    keys: Keys
    """Cell of each entry; −1 where a dimension is unknown or folded."""

    def take(self, values: NDArray[Scalar]) -> NDArray[Scalar]:
        """A per-vote array, per entry."""
        return values if self.rows is None else values[self.rows]


@dataclass(frozen=True)
class Combination:
    """One to three dimensions that are crossed."""

    dimensions: tuple[Dimension, ...]
    first: int = FIRST_LEVEL
    """The least code that counts: votes with a lower one lie in no cell."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dimension.name for dimension in self.dimensions)

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(dimension.size - self.first for dimension in self.dimensions)

    @property
    def cells(self) -> int:
        """How many cells are possible."""
        return prod(max(size, 1) for size in self.sizes)

    def entries(self, votes: int) -> Entries:
        """The combination's entries over a table of `votes` rows."""
        rows, joined = joined_rows([dimension for dimension in self.dimensions if dimension.rows is not None], votes)
        crossed = iter(joined)
        columns = [
            next(crossed) if d.rows is not None else d.codes if rows is None else d.codes[rows] for d in self.dimensions
        ]
        narrow = self.cells < 2**30  # half the memory traffic
        keys: Keys = np.zeros(columns[0].size, dtype=np.int32 if narrow else np.int64)
        for size, column in zip(self.sizes, columns, strict=True):
            keys *= size
            keys += column
        # The offsets of all columns in one step: Σ first · (product of the sizes to the right).
        keys -= self.first * sum(prod(self.sizes[place + 1 :]) for place in range(len(columns)))
        for column in columns:
            if column.size and column.min() < self.first:
                keys[column < self.first] = -1
        return Entries(rows, keys)

    def codes_of(self, key: int) -> tuple[int, ...]:
        """The dimensions' codes of a cell."""
        codes: list[int] = []
        for size in reversed(self.sizes):
            key, code = divmod(key, size)
            codes.append(code + self.first)
        return tuple(reversed(codes))

    def key_of(self, codes: Sequence[int]) -> int:
        """The cell of the dimensions' codes."""
        key = 0
        for size, code in zip(self.sizes, codes, strict=True):
            key = key * size + code - self.first
        return key

    def labels_of(self, key: int) -> tuple[str, ...]:
        """The dimensions' labels of a cell."""
        codes = self.codes_of(key)
        return tuple(str(d.labels[code]) for d, code in zip(self.dimensions, codes, strict=True))

    def rows_in(self, key: int, votes: int) -> Integers:
        """The `votes` rows that lie in a cell, ascending: each as often as `entries` has it there."""
        chosen = list(zip(self.dimensions, self.codes_of(key), strict=True))
        inside = np.ones(votes, dtype=bool)
        for dimension, code in chosen:
            if dimension.rows is None:
                inside &= dimension.codes == code
        times = [
            np.bincount(dimension.rows[dimension.codes == code], minlength=votes)
            for dimension, code in chosen
            if dimension.rows is not None
        ]
        rows = np.flatnonzero(inside)
        return np.repeat(rows, np.prod([each[rows] for each in times], axis=0)) if times else rows

    def votes_in(self, key: int, votes: int) -> Mask:
        """Which of the `votes` rows lie in a cell."""
        inside = np.zeros(votes, dtype=bool)
        inside[self.rows_in(key, votes)] = True
        return inside


def joined_rows(dimensions: Sequence[Dimension], votes: int) -> tuple[Integers | None, list[Codes]]:
    """The entries of multi-valued dimensions crossed: the vote of each entry (None without a dimension), and its
    codes, one array per dimension."""
    rows: Integers | None = None
    columns: list[Codes] = []
    for dimension in dimensions:
        taken, entry = _join(rows, dimension, votes)
        assert dimension.rows is not None
        columns = [*(column[taken] for column in columns), dimension.codes[entry]]
        rows = dimension.rows[entry].astype(np.int64)
    return rows, columns


def _join(rows: Integers | None, dimension: Dimension, votes: int) -> tuple[Integers, Integers]:
    """Positions into the entries so far and into the dimension's entries, for every pair that shares a vote."""
    assert dimension.rows is not None
    if rows is None:
        return dimension.rows.astype(np.int64), np.arange(dimension.rows.size, dtype=np.int64)
    counts = np.bincount(dimension.rows, minlength=votes)
    starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
    repeats = counts[rows]
    taken = np.repeat(np.arange(rows.size, dtype=np.int64), repeats)
    within = np.arange(taken.size, dtype=np.int64) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    return taken, starts[rows[taken]] + within


@dataclass(frozen=True)
class Cells:
    """The cells of one combination that pass the floor, with their counts, in the order of their keys."""

    combination: Combination
    keys: Integers
    votes: Integers
    down: Integers

    @classmethod
    def over_floor(cls, combination: Combination, votes: Integers, down: Integers, min_votes: int) -> "Cells":
        """The cells with at least `min_votes` votes of a table of all possible ones."""
        kept = np.flatnonzero(votes >= min_votes)
        return cls(combination, kept, votes[kept], down[kept])

    def positions(self, keys: Keys) -> Integers:
        """Where each key is in `self.keys`; −1 where it is not."""
        if self.combination.cells <= DENSE_CELLS:
            table = np.full(self.combination.cells + 1, -1, dtype=np.int64)
            table[self.keys] = np.arange(self.keys.size)
            return np.asarray(table[keys])  # key −1 reads the spare last element
        if not self.keys.size:
            return np.full(keys.size, -1, dtype=np.int64)
        nearest = np.minimum(np.searchsorted(self.keys, keys), self.keys.size - 1)
        return np.asarray(np.where(self.keys[nearest] == keys, nearest, -1))


def combine(dimensions: Sequence[Dimension], depth: int) -> Iterator[Combination]:
    """Every combination of 1 to `depth` of the dimensions, in order of size and then of the dimensions given."""
    for size in range(1, depth + 1):
        for chosen in combinations(dimensions, size):
            yield Combination(chosen)


def count_cells(combination: Combination, down: Mask, *, min_votes: int) -> Cells:
    """The combination's cells with at least `min_votes` votes, where most of the possible ones do not occur."""
    entries = combination.entries(down.size)
    keys, marked = entries.keys, entries.take(down)
    known = keys >= 0
    present, index = np.unique(keys[known], return_inverse=True)
    votes = np.bincount(index, minlength=present.size)
    downs = np.bincount(index[marked[known]], minlength=present.size)
    passed = votes >= min_votes
    return Cells(combination, present[passed].astype(np.int64), votes[passed], downs[passed])
