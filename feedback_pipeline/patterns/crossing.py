"""Counts of every combination of dimensions, in few passes over the votes.

A pass counts a block: as many dimensions crossed as a cache holds. The combinations within it are margins of that
table, so that the cost grows with the number of blocks and not with that of the combinations.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from feedback_pipeline.patterns.cube import DENSE_CELLS, Combination, Integers, Mask, joined_rows
from feedback_pipeline.patterns.levels import FIRST_LEVEL, Codes, Dimension

STRETCH = 1 << 15
"""Votes whose keys are made at a time: they stay in the cache while the dimensions are crossed."""
MIN_CELLS, MAX_CELLS = 1 << 10, 1 << 15
VOTES_PER_CELL = 16
"""A block has at most so many cells that reading its margins costs less than the pass it saves."""


@dataclass(frozen=True)
class Counted:
    """The votes of one combination of dimensions in every possible cell, by key."""

    combination: Combination
    votes: Integers
    down: Integers


def count_crossed(
    dimensions: Sequence[Dimension], down: Mask, depth: int, *, first: int = FIRST_LEVEL
) -> Iterator[Counted]:
    """Every combination of one to `depth` dimensions that has at most DENSE_CELLS cells, in the order of the counting.

    Votes with a code under `first` in one of a combination's dimensions are not in its counts: by default those that
    are unknown or folded. Within a combination the dimensions keep the order given.
    """
    place = {dimension.name: number for number, dimension in enumerate(dimensions)}
    single = [dimension for dimension in dimensions if dimension.rows is None]
    multiple = [dimension for dimension in dimensions if dimension.rows is not None]
    for size in range(min(depth, len(multiple)) + 1):
        for crossed in combinations(multiple, size):
            entries = _Entries.of(crossed, single, down, first)
            for block, parts in _blocks(entries, depth - size):
                table = entries.count(block)
                for part in parts:
                    yield _margin(table, block, (*range(size), *(size + axis for axis in part)), place)


@dataclass(frozen=True)
class _Column:
    """One dimension as the entries of a table see it."""

    dimension: Dimension
    codes: Codes
    low: int
    """The least code that the table has a place for."""
    first: int
    """The least code that counts."""

    @property
    def size(self) -> int:
        return self.dimension.size - self.low

    @property
    def kept(self) -> int:
        """How many codes count."""
        return self.dimension.size - self.first

    @classmethod
    def of(cls, dimension: Dimension, codes: Codes, first: int) -> "_Column":
        return cls(dimension, codes, min(int(codes.min(initial=first)), first), first)


@dataclass(frozen=True)
class _Entries:
    """The votes as some multi-valued dimensions see them, once per pair of their values."""

    crossed: tuple[_Column, ...]
    """The multi-valued dimensions: in every block."""
    single: tuple[_Column, ...]
    down: Mask

    @classmethod
    def of(cls, crossed: Sequence[Dimension], single: Sequence[Dimension], down: Mask, first: int) -> "_Entries":
        rows, codes = joined_rows(crossed, down.size)
        columns = tuple(_Column.of(dimension, each, first) for dimension, each in zip(crossed, codes, strict=True))
        if rows is None:
            return cls(columns, tuple(_Column.of(each, each.codes, first) for each in single), down)
        return cls(columns, tuple(_Column.of(each, each.codes[rows], first) for each in single), down[rows])

    def count(self, block: Sequence[_Column]) -> NDArray[np.int64]:
        """Votes by cell of the block and verdict: one axis per dimension, the last one not down and down."""
        sizes = [column.size for column in block]
        keys = np.empty(self.down.size, dtype=np.int64)
        for start in range(0, keys.size, STRETCH):
            part = slice(start, start + STRETCH)
            key = keys[part]
            key[:] = block[0].codes[part]
            for column in block[1:]:
                key *= column.size
                key += column.codes[part]
            key *= 2
            key += self.down[part]
        # The least codes of all columns in one step: Σ low · (product of the sizes to the right) · 2.
        weights = np.cumprod([2, *sizes[:0:-1]])[::-1]
        keys -= int(sum(column.low * weight for column, weight in zip(block, weights.tolist(), strict=True)))
        return np.bincount(keys, minlength=2 * math.prod(sizes)).reshape(*sizes, 2)


def _blocks(entries: _Entries, depth: int) -> Iterator[tuple[list[_Column], list[tuple[int, ...]]]]:
    """Blocks of dimensions, and the combinations to read from them, as places among their single-valued ones.

    Every combination of up to `depth` single-valued dimensions is read once; one that is too large on its own is left
    out. Greedy: a block starts with a combination not yet read and takes in what adds most.
    """
    single = entries.single
    limit = min(max(entries.down.size // VOTES_PER_CELL, MIN_CELLS), MAX_CELLS)
    waiting = {
        chosen
        for chosen in _parts(range(len(single)), depth)
        if (entries.crossed or chosen)
        and math.prod(column.kept for column in (*entries.crossed, *(single[i] for i in chosen))) <= DENSE_CELLS
    }
    while waiting:
        largest = min(waiting, key=lambda chosen: (-len(chosen), chosen))
        block = list(largest)
        cells = math.prod(column.size for column in (*entries.crossed, *(single[i] for i in block)))
        while True:
            gains = {
                other: sum(tuple(sorted((*part, other))) in waiting for part in _parts(block, depth - 1))
                for other in range(len(single))
                if other not in block and cells * single[other].size <= limit
            }
            best = max(gains, key=lambda other: (gains[other], -single[other].size, -other), default=None)
            if best is None or not gains[best]:
                break
            block = sorted((*block, best))
            cells *= single[best].size
        read = [part for part in _parts(block, depth) if part in waiting]
        waiting.difference_update(read)
        yield [*entries.crossed, *(single[i] for i in block)], [tuple(block.index(i) for i in part) for part in read]


def _parts(block: Sequence[int], depth: int) -> Iterator[tuple[int, ...]]:
    """Up to `depth` of a block's dimensions."""
    for size in range(min(depth, len(block)) + 1):
        yield from combinations(block, size)


def _margin(
    table: NDArray[np.int64], block: Sequence[_Column], chosen: Sequence[int], place: dict[str, int]
) -> Counted:
    """The counts of some of a block's dimensions."""
    summed = table.sum(axis=tuple(axis for axis in range(len(block)) if axis not in chosen))
    known = summed[tuple(slice(block[axis].first - block[axis].low, None) for axis in chosen)]
    order = sorted(range(len(chosen)), key=lambda axis: place[block[chosen[axis]].dimension.name])
    counts = known.transpose(*order, len(chosen)).reshape(-1, 2)
    combination = Combination(tuple(block[chosen[axis]].dimension for axis in order), block[0].first)
    return Counted(combination, counts.sum(axis=1), counts[:, 1])
