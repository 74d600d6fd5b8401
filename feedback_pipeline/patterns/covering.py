"""Greedy covering: from thousands of overlapping slices to one finding per cause.

The slice with the least p-value among those that survive false-discovery control is taken, its votes are set aside, and
everything is tested again on the votes that are left, until nothing survives.
Source of the idea: weighted covering, Lavrač et al. 2004, "Subgroup discovery with CN2-SD", JMLR 5. Differs in that the
Benjamini–Hochberg procedure is run afresh on the residual at every round.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy
from numpy.typing import NDArray

from feedback_pipeline.patterns.crossing import count_crossed
from feedback_pipeline.patterns.cube import Cells, Combination, Entries, Integers, Mask, combine, count_cells
from feedback_pipeline.patterns.levels import Dimension
from feedback_pipeline.stats.exact import log_upper_tail
from feedback_pipeline.stats.intervals import benjamini_hochberg

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SliceSettings:
    """Floors and levels of the search."""

    min_votes: int = 30
    min_people: int = 5
    min_difference: float = 0.03
    """Least excess of the negative rate over the rest, as a share."""
    false_discovery_rate: float = 0.05
    depth: int = 3
    max_findings: int = 10
    child_level: float = 0.01
    """A slice is preferred to its parent only where it differs from the rest of the parent at this level."""
    max_levels: int = 2000
    """Levels per dimension beyond which the rarest are left out of the search, and counted."""


@dataclass(frozen=True)
class Votes:
    """The votes under test: who cast each one, and whether it was negative."""

    person: Integers
    down: Mask

    @property
    def size(self) -> int:
        return self.down.size


@dataclass(frozen=True)
class Found:
    """A slice the search settled on, in the order of finding."""

    combination: Combination
    key: int
    log_p: float
    """Natural log of the p-value when it was found, on the votes not yet covered."""
    q_value: float
    """Adjusted over every slice above the support floor, in that round."""
    uncovered: Mask
    """The votes it was found among: those of no earlier finding."""


@dataclass(frozen=True)
class Tests:
    """Every slice with its counts on the uncovered votes; parallel arrays over all combinations' cells."""

    combination: Integers
    """Index into the list of cells."""
    position: Integers
    """Place within those cells."""
    votes: Integers
    down: Integers
    total: int
    total_down: int

    def exact_log_p(self, settings: SliceSettings) -> Floats:
        """Log p against the rest; 0 (p = 1) for slices under a floor, which stay among those tested."""
        log_p = np.zeros(self.votes.size)
        rest = self.total - self.votes
        with np.errstate(divide="ignore", invalid="ignore"):
            excess = self.down / self.votes - (self.total_down - self.down) / rest
        worth = (self.votes >= settings.min_votes) & (rest > 0) & (excess >= settings.min_difference)
        log_p[worth] = log_upper_tail(self.down[worth], self.votes[worth], self.total_down, self.total)
        return log_p


def count_all(dimensions: Sequence[Dimension], down: Mask, settings: SliceSettings) -> list[Cells]:
    """The cells over the support floor of every combination of dimensions."""
    counted = {
        each.combination.names: Cells.over_floor(each.combination, each.votes, each.down, settings.min_votes)
        for each in count_crossed(dimensions, down, settings.depth)
    }
    return [
        counted.get(combination.names) or count_cells(combination, down, min_votes=settings.min_votes)
        for combination in combine(dimensions, settings.depth)
    ]


def _gather(cells: Sequence[Cells], total: int, total_down: int) -> Tests:
    sizes = [cell.keys.size for cell in cells]
    return Tests(
        combination=np.repeat(np.arange(len(cells)), sizes),
        position=np.concatenate([np.arange(size) for size in sizes]) if sizes else np.empty(0, dtype=np.int64),
        votes=np.concatenate([cell.votes for cell in cells]) if cells else np.empty(0, dtype=np.int64),
        down=np.concatenate([cell.down for cell in cells]) if cells else np.empty(0, dtype=np.int64),
        total=total,
        total_down=total_down,
    )


@dataclass(frozen=True)
class PersonTotals:
    """Votes and negative votes of each person among the uncovered."""

    votes: Floats
    down: Floats

    @classmethod
    def of(cls, votes: Votes, alive: Mask, people: int) -> "PersonTotals":
        return cls(
            np.bincount(votes.person[alive], minlength=people).astype(np.float64),
            np.bincount(votes.person[alive & votes.down], minlength=people).astype(np.float64),
        )

    @cached_property
    def products(self) -> tuple[float, float, float]:
        """Σ down², Σ down·votes, Σ votes²."""
        down, votes = self.down, self.votes
        return float((down * down).sum()), float((down * votes).sum()), float((votes * votes).sum())

    @cached_property
    def correlation(self) -> float:
        """Of two votes of one person, by moments, at least 0; 0 where nobody votes twice."""
        pairs = self.products[2] - float(self.votes.sum())
        p = float(self.down.sum() / max(self.votes.sum(), 1.0))
        if pairs <= 0.0 or p in (0.0, 1.0):
            return 0.0
        together = float(((self.down - p * self.votes) ** 2).sum())
        alone = float((self.down * (1.0 - 2.0 * p) + self.votes * p * p).sum())
        return min(max((together - alone) / pairs / (p * (1.0 - p)), 0.0), 1.0)


@dataclass(frozen=True)
class Clustered:
    """How a set of slices looks when people, not votes, are the sample; parallel arrays over the slices."""

    people: Integers
    effective_people: Floats
    votes_per_person: Floats
    """Σ n_u²/n: the design effect if each person always voted the same."""
    design_effect: Floats
    """Variance of the difference to the rest over the binomial one, at least 1."""

    @property
    def degrees_of_freedom(self) -> Floats:
        """Satterthwaite: of a variance of which only the part that comes from repeated votes is uncertain.

        Infinite with one vote each; the effective number of people less one where people vote many times.
        """
        uncertain = np.maximum(1.0 - 1.0 / self.votes_per_person, 1e-6)
        return np.asarray(np.maximum(self.effective_people - 1.0, 0.1) / uncertain**2)

    def log_p(self, exact: Floats) -> Floats:
        """Log p of the exact test with its normal quantile divided by the root of the design effect, and read on a t
        distribution.

        Source of the correction: Rao & Scott 1992, "A simple method for the analysis of clustered binary data",
        Biometrics 48.
        """
        t = -scipy.special.ndtri_exp(exact) / np.sqrt(self.design_effect)
        with np.errstate(divide="ignore"):
            return np.asarray(np.maximum(np.log(scipy.special.stdtr(self.degrees_of_freedom, -t)), exact))


def cluster(
    combination: Combination,
    keys: Integers,
    votes: Votes,
    alive: Mask,
    totals: PersonTotals,
) -> Clustered:
    """The design effect of each slice's difference to the rest, over the votes that are alive.

    The larger of two: the slice's own, from the linearised difference of two ratio estimators, people in both included
    (Σ_u d_u², d_u = (s_u − p·n_u)/n − (r_u − p'·m_u)/m for person u with n_u votes inside, m_u outside); and the one
    that the correlation within people over all votes would give a slice of these people, 1 + (Σ n_u²/n − 1)·ρ, which
    holds where a few people agree so much that the slice's own votes cannot show it.
    Source: Cochran 1977, "Sampling Techniques", §9A; effective clusters after Carter, Schnepel & Steigerwald 2017,
    Review of Economics and Statistics 99.
    """
    place, rows = _members(combination, keys, votes.size)
    counted = alive[rows]
    place, rows = place[counted], rows[counted]
    people = totals.votes.size
    packed = np.sort((place * people + votes.person[rows]) * 2 + votes.down[rows])
    group, is_down = packed >> 1, packed & 1
    starts = np.flatnonzero(np.concatenate(([True], group[1:] != group[:-1]))) if group.size else np.empty(0, np.int64)
    n_u = np.diff(np.concatenate((starts, [group.size]))).astype(np.float64)
    s_u = np.add.reduceat(is_down, starts).astype(np.float64) if starts.size else np.empty(0)
    cell, who = np.divmod(group[starts], people)
    return _linearise(cell, n_u, s_u, totals.votes[who], totals.down[who], totals, keys.size)


_LOOKED_UP = 8
"""Cells of one combination whose votes are looked up cell by cell: reading a few codes is less than making all keys."""


def _members(combination: Combination, keys: Integers, votes: int) -> tuple[Integers, Integers]:
    """The votes that lie in some cells, each with the place of its cell among `keys`."""
    if keys.size <= _LOOKED_UP:
        found = [combination.rows_in(int(key), votes) for key in keys]
        sizes = [rows.size for rows in found]
        return np.repeat(np.arange(keys.size), sizes), np.concatenate([np.empty(0, np.int64), *found])
    entries = combination.entries(votes)
    order = np.argsort(keys)
    cells = Cells(combination, keys[order], keys[order], keys[order])
    index = cells.positions(entries.keys)
    inside = np.flatnonzero(index >= 0)
    return order[index[inside]], inside if entries.rows is None else entries.rows[inside]


def _linearise(
    cell: Integers, n_u: Floats, s_u: Floats, all_u: Floats, down_u: Floats, totals: PersonTotals, slices: int
) -> Clustered:
    def total_by_slice(values: Floats | None) -> Floats:
        return np.bincount(cell, weights=values, minlength=slices).astype(np.float64)

    n, s = total_by_slice(n_u), total_by_slice(s_u)
    m = np.maximum(totals.votes.sum() - n, 1.0)
    n = np.maximum(n, 1.0)
    p, p_rest = s / n, (totals.down.sum() - s) / m
    inside = s_u * (1.0 / n + 1.0 / m)[cell] - n_u * (p / n + p_rest / m)[cell]
    outside = (down_u - p_rest[cell] * all_u) / m[cell]
    down_down, down_votes, votes_votes = totals.products
    variance = total_by_slice(inside**2 - 2.0 * inside * outside)
    variance += (down_down - 2.0 * p_rest * down_votes + p_rest**2 * votes_votes) / m**2
    binomial = np.maximum(p * (1.0 - p) / n + p_rest * (1.0 - p_rest) / m, 1e-300)
    squares = np.maximum(total_by_slice(n_u**2), n)
    expected = 1.0 + (squares / n - 1.0) * totals.correlation
    return Clustered(
        people=total_by_slice(None).astype(np.int64),
        effective_people=n**2 / squares,
        votes_per_person=squares / n,
        design_effect=np.maximum(np.maximum(variance / binomial, expected), 1.0),
    )


@dataclass(eq=False)
class Round:
    """One round of covering: every slice's test on the votes not yet covered.

    The clustered correction is only made for slices that could matter: the ones with the least exact p-values, and the
    ancestors of the best. It never lowers a p-value, so the best is known as soon as it is
    under the exact p-value of every slice not looked at.
    """

    tests: Tests
    cells: Sequence[Cells]
    votes: Votes
    alive: Mask
    settings: SliceSettings

    def __post_init__(self) -> None:
        self.exact = self.tests.exact_log_p(self.settings)
        passing = benjamini_hochberg(np.exp(self.exact)) <= self.settings.false_discovery_rate
        hopeful = np.flatnonzero(passing)
        self.hopeful: Integers = hopeful[np.argsort(self.exact[hopeful], kind="stable")]
        self.log_p = np.where(passing, np.nan, 0.0)
        people = int(self.votes.person.max()) + 1 if self.votes.size else 0
        self.totals = PersonTotals.of(self.votes, self.alive, people)

    def evaluate(self, slices: Integers) -> None:
        """Fill in the clustered log p; p = 1 for too few people."""
        waiting = slices[np.isnan(self.log_p[slices])]
        for index in np.unique(self.tests.combination[waiting]):
            chosen = waiting[self.tests.combination[waiting] == index]
            keys = self.cells[index].keys[self.tests.position[chosen]]
            clustered = cluster(self.cells[index].combination, keys, self.votes, self.alive, self.totals)
            enough = clustered.people >= self.settings.min_people
            self.log_p[chosen] = np.where(enough, clustered.log_p(self.exact[chosen]), 0.0)

    def passes(self, index: int) -> bool:
        """The slice survives Benjamini–Hochberg over all slices tested."""
        self.evaluate(np.array([index]))
        if self.log_p[index] <= np.log(self.settings.false_discovery_rate / self.log_p.size):
            return True
        self.evaluate(self.hopeful)
        return bool(benjamini_hochberg(np.exp(self.log_p))[index] <= self.settings.false_discovery_rate)

    def q_value(self, index: int) -> float:
        """At most this: adjusted over all slices, ranked among those evaluated."""
        rank = int((self.log_p <= self.log_p[index]).sum())
        return min(1.0, float(np.exp(self.log_p[index])) * self.log_p.size / rank)

    def best(self) -> int | None:
        """The slice to take: the most significant one, or the ancestor it does not differ from; None if none passes."""
        if not self.hopeful.size:
            return None
        stop = 16
        while True:
            self.evaluate(self.hopeful[:stop])
            looked = self.hopeful[:stop]
            index = int(looked[np.lexsort((self.exact[looked], self.log_p[looked]))[0]])
            if stop >= self.hopeful.size or self.log_p[index] <= self.exact[self.hopeful[stop]]:
                break
            stop *= 4
        return self.prefer_parent(index) if self.passes(index) else None

    def prefer_parent(self, index: int) -> int:
        """The slice itself, or its most significant ancestor that passes and that it does not differ from."""
        parents = _parents(index, self.tests, self.cells)
        equal = []
        for parent in parents:
            log_tail = log_upper_tail(
                self.tests.down[index], self.tests.votes[index], self.tests.down[parent], self.tests.votes[parent]
            )
            if log_tail > np.log(self.settings.child_level) and self.passes(parent):
                equal.append(parent)
        if not equal:
            return index
        return self.prefer_parent(min(equal, key=lambda i: (self.log_p[i], i)))


def cover(dimensions: Sequence[Dimension], votes: Votes, settings: SliceSettings) -> tuple[list[Found], list[Cells]]:
    """The causes found, in order, and the cells over the floors as they were before anything was covered."""
    cells = count_all(dimensions, votes.down, settings)
    residual = list(cells)
    alive = np.ones(votes.size, dtype=bool)
    found: list[Found] = []
    while len(found) < settings.max_findings:
        tests = _gather(residual, int(np.count_nonzero(alive)), int(np.count_nonzero(alive & votes.down)))
        if not tests.votes.size:
            break
        this_round = Round(tests, residual, votes, alive, settings)
        index = this_round.best()
        if index is None:
            break
        chosen = residual[tests.combination[index]]
        key = int(chosen.keys[tests.position[index]])
        log_p, q_value = float(this_round.log_p[index]), this_round.q_value(index)
        found.append(Found(chosen.combination, key, log_p, q_value, alive.copy()))
        covered = chosen.combination.votes_in(key, votes.size) & alive
        residual = _subtract(residual, dimensions, covered, votes.down)
        alive &= ~covered
    return found, cells


def _subtract(cells: Sequence[Cells], dimensions: Sequence[Dimension], covered: Mask, down: Mask) -> list[Cells]:
    """The cells' counts without the covered votes."""
    rows = np.flatnonzero(covered)
    restricted = {dimension.name: _restrict(dimension, covered, rows) for dimension in dimensions}
    depth = max(len(cell.combination.names) for cell in cells)
    place = {cell.combination.names: number for number, cell in enumerate(cells)}
    left: dict[int, Cells] = {}
    for each in count_crossed(list(restricted.values()), down[rows], depth):
        number = place[each.combination.names]
        cell = cells[number]
        left[number] = replace(cell, votes=cell.votes - each.votes[cell.keys], down=cell.down - each.down[cell.keys])
    for number, cell in enumerate(cells):
        if number not in left:
            combination = Combination(tuple(restricted[name] for name in cell.combination.names))
            left[number] = _subtract_entries(cell, combination.entries(rows.size), down[rows])
    return [left[number] for number in range(len(cells))]


def _subtract_entries(cell: Cells, entries: Entries, down: Mask) -> Cells:
    """The same for one combination of too many cells for a table."""
    position = cell.positions(entries.keys)
    kept = position >= 0
    marked = kept & entries.take(down)
    size = cell.keys.size
    votes = cell.votes - np.bincount(position[kept], minlength=size)
    return replace(cell, votes=votes, down=cell.down - np.bincount(position[marked], minlength=size))


def _restrict(dimension: Dimension, covered: Mask, rows: Integers) -> Dimension:
    """The dimension on the covered votes alone."""
    if dimension.rows is None:
        return replace(dimension, codes=dimension.codes[rows])
    kept = covered[dimension.rows]
    renumbered = np.cumsum(covered) - 1
    return replace(dimension, codes=dimension.codes[kept], rows=renumbered[dimension.rows[kept]])


def _parents(index: int, tests: Tests, cells: Sequence[Cells]) -> list[int]:
    """The slices with one dimension fewer that contain a slice."""
    cell = cells[tests.combination[index]]
    dimensions = cell.combination.dimensions
    codes = cell.combination.codes_of(int(cell.keys[tests.position[index]]))
    offsets = np.concatenate(([0], np.cumsum([c.keys.size for c in cells])))
    by_dimensions = {c.combination.names: i for i, c in enumerate(cells)}
    parents: list[int] = []
    for left_out in range(len(dimensions)):
        names = tuple(d.name for i, d in enumerate(dimensions) if i != left_out)
        if not names:
            continue
        place = by_dimensions[names]
        key = cells[place].combination.key_of([c for i, c in enumerate(codes) if i != left_out])
        position = int(cells[place].positions(np.array([key]))[0])
        if position >= 0:
            parents.append(int(offsets[place]) + position)
    return parents
