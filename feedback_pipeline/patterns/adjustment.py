"""Adjusted effects: how much worse a slice is than the same votes would be outside it, other dimensions held.

A ridge logistic regression of the negative verdict on the slice's indicator, the other findings' indicators and the
levels of every dimension the slice does not use, then the g-formula over the slice's own votes: the mean predicted rate
with the indicator on, less the mean with it off (standardised risk difference among the exposed).
Source: Robins 1986, Mathematical Modelling 7; Hernán & Robins 2020, "Causal Inference: What If", ch. 13.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy
from numpy.typing import NDArray

from feedback_pipeline.patterns.levels import Codes, Dimension
from feedback_pipeline.stats.intervals import Difference

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

RIDGE = 1.0
"""Penalty on every coefficient but the intercept: keeps levels without a negative vote finite."""
TOLERANCE = 1e-4
"""Of a coefficient, in log-odds: 0.0025 points of a rate at most."""
STEPS = 30


BLOCK_CELLS = 4096
"""Dimensions are crossed into blocks of up to this many cells, so that a pass over the votes reads few columns."""


@dataclass(frozen=True)
class Block:
    """A few dimensions crossed: one code per vote for all of them."""

    sizes: tuple[int, ...]
    offsets: tuple[int, ...]
    """First coefficient of each dimension."""
    codes: Integers
    levels: tuple[Codes, ...]
    """Each dimension's own codes."""

    @property
    def cells(self) -> int:
        return int(np.prod(self.sizes))

    def table(self, coefficients: Floats) -> Floats:
        """The block's part of the linear predictor, per cell."""
        total = np.zeros(self.sizes)
        for axis, (size, offset) in enumerate(zip(self.sizes, self.offsets, strict=True)):
            shape = [1] * len(self.sizes)
            shape[axis] = size
            total += coefficients[offset : offset + size].reshape(shape)
        return total.ravel()

    def margins(self, values: Floats, rows: Integers | None = None) -> list[Floats]:
        """Sums of a per-vote value (over some rows) per level of each dimension."""
        codes = self.codes if rows is None else self.codes[rows]
        shaped: Floats = np.bincount(codes, weights=values, minlength=self.cells).astype(np.float64).reshape(self.sizes)
        axes = range(len(self.sizes))
        return [np.asarray(shaped.sum(axis=tuple(other for other in axes if other != axis))) for axis in axes]


@dataclass(frozen=True)
class Design:
    """A regression matrix that is never built: an intercept, one-hot dimensions and indicators of slices."""

    blocks: tuple[Block, ...]
    columns: dict[str, slice]
    """Coefficients of each dimension; the intercept is coefficient 0."""
    indicators: tuple[Integers, ...]
    """The votes of each slice; their coefficients come last."""
    votes: int

    @classmethod
    def of(cls, dimensions: Sequence[Dimension], indicators: Sequence[Integers], votes: int) -> Self:
        blocks: list[Block] = []
        columns: dict[str, slice] = {}
        offset = 1
        for dimension in dimensions:
            size = dimension.size
            columns[dimension.name] = slice(offset, offset + size)
            if blocks and blocks[-1].cells * size <= BLOCK_CELLS:
                last = blocks.pop()
                codes = last.codes * size + dimension.codes
                levels = (*last.levels, dimension.codes)
                blocks.append(Block((*last.sizes, size), (*last.offsets, offset), codes, levels))
            else:
                wide = dimension.codes.astype(np.int64)  # NumPy gathers and counts by its own integer fastest
                blocks.append(Block((size,), (offset,), wide, (dimension.codes,)))
            offset += size
        return cls(tuple(blocks), columns, tuple(indicators), votes)

    @property
    def first_indicator(self) -> int:
        return 1 + sum(sum(block.sizes) for block in self.blocks)

    @property
    def size(self) -> int:
        return self.first_indicator + len(self.indicators)

    def predict(self, coefficients: Floats) -> Floats:
        """X·β, per vote."""
        linear = np.full(self.votes, coefficients[0])
        for block in self.blocks:
            linear += block.table(coefficients).take(block.codes)
        for place, rows in enumerate(self.indicators):
            linear[rows] += coefficients[self.first_indicator + place]
        return linear

    def project(self, values: Floats) -> Floats:
        """Xᵀ·v, per coefficient."""
        parts = [np.array([values.sum()])]
        for block in self.blocks:
            parts += block.margins(values)
        parts.append(np.array([values[rows].sum() for rows in self.indicators]))
        return np.concatenate(parts)

    def cross(self, weights: Floats) -> Floats:
        """Xᵀ·diag(w)·X."""
        matrix = np.zeros((self.size, self.size))
        matrix[0, :] = self.project(weights)
        columns = [(block, axis) for block in self.blocks for axis in range(len(block.sizes))]
        for place, (block, axis) in enumerate(columns):
            start, size = block.offsets[axis], block.sizes[axis]
            matrix[start : start + size, start : start + size] = np.diag(matrix[0, start : start + size])
            for other, other_axis in columns[place + 1 :]:
                column, width = other.offsets[other_axis], other.sizes[other_axis]
                pairs = block.levels[axis] * width + other.levels[other_axis]
                counts = np.bincount(pairs, weights=weights, minlength=size * width)
                matrix[start : start + size, column : column + width] = counts.reshape(size, width)
        self._cross_indicators(matrix, weights)
        return np.triu(matrix) + np.triu(matrix, 1).T

    def _cross_indicators(self, matrix: Floats, weights: Floats) -> None:
        inside = np.zeros(self.votes, dtype=bool)
        for place, rows in enumerate(self.indicators):
            column = self.first_indicator + place
            for block in self.blocks:
                for start, margin in zip(block.offsets, block.margins(weights[rows], rows), strict=True):
                    matrix[start : start + margin.size, column] = margin
            inside[rows] = True
            for later in range(place, len(self.indicators)):
                shared = self.indicators[later][inside[self.indicators[later]]]
                matrix[column, self.first_indicator + later] = weights[shared].sum()
            inside[rows] = False


@dataclass(frozen=True)
class Fit:
    """A fitted regression; coefficients left out of it are 0."""

    coefficients: Floats
    information: Floats
    """Xᵀ·W·X, a step or less from the fit."""
    fitted: Floats
    """Probability per vote, a step or less from the fit."""

    def influence_of(self, column: int, kept: NDArray[np.bool_]) -> Floats:
        """The row of the inverse penalised information that belongs to a coefficient."""
        unit = np.zeros(kept.size)
        unit[column] = 1.0
        return _solve(self.information, unit, kept)


def _penalty(size: int) -> Floats:
    penalty = np.full(size, RIDGE)
    penalty[0] = 1e-9
    return penalty


def _solve(information: Floats, right: Floats, kept: NDArray[np.bool_]) -> Floats:
    solution = np.zeros(kept.size)
    penalised = (information + np.diag(_penalty(kept.size)))[np.ix_(kept, kept)]
    solution[kept] = scipy.linalg.cho_solve(scipy.linalg.cho_factor(penalised), right[kept])
    return solution


def fit(
    design: Design,
    down: Floats,
    *,
    start: Floats,
    kept: NDArray[np.bool_] | None = None,
    information: Floats | None = None,
) -> Fit:
    """Ridge logistic regression by iteratively reweighted least squares, on the `kept` coefficients.

    With `information` (Xᵀ·W·X at a nearby fit) the first steps keep that matrix and only renew the gradient; where they
    do not converge, every step renews it.

    Raises:
        ArithmeticError: no convergence.
    """
    kept = np.ones(design.size, dtype=bool) if kept is None else kept
    penalty = _penalty(design.size)

    def evaluate(coefficients: Floats) -> tuple[Floats, Floats]:
        fitted: Floats = scipy.special.expit(design.predict(coefficients))
        return fitted, np.where(kept, design.project(down - fitted) - penalty * coefficients, 0.0)

    coefficients = np.where(kept, start, 0.0)
    fitted, gradient = evaluate(coefficients)
    for step in range(STEPS):
        if information is None or step >= 8:
            information = design.cross(fitted * (1.0 - fitted))
        direction = _solve(information, gradient, kept)
        longest = float(np.abs(direction).max())
        if longest < TOLERANCE:
            return Fit(coefficients, information, fitted)
        slope = float(gradient @ direction)
        length = min(1.0, 4.0 / longest)
        while True:
            there = coefficients + length * direction
            fitted, gradient = evaluate(there)
            slope_there = float(gradient @ direction)
            if slope_there >= -0.5 * slope:
                break
            # Far beyond the maximum along the direction: back to where the slope should vanish.
            length *= slope / (slope - slope_there)
        coefficients = there
    raise ArithmeticError(f"the adjusted effect did not converge in {STEPS} steps")


def adjusted_differences(
    dimensions: Sequence[Dimension],
    slices: Sequence[tuple[frozenset[str], Integers]],
    down: NDArray[np.bool_],
    person: Integers,
    *,
    confidence: float = 0.95,
) -> list[Difference]:
    """The adjusted difference of the negative rate for each slice, given as its dimensions and its votes.

    Multi-valued dimensions take part through the slices' indicators only. The interval is user-clustered (sandwich) on
    the log-odds of the indicator, carried to the rate difference at its two ends. Where the regression does not
    converge, the differences carry the reason instead.
    """
    if not slices or down.all() or not down.any():
        return [Difference(None, None, None, "every vote is the same") for _ in slices]
    target = down.astype(np.float64)
    single = [dimension for dimension in dimensions if dimension.rows is None]
    design = Design.of(single, [rows for _, rows in slices], down.size)
    start = np.zeros(design.size)
    start[0] = scipy.special.logit(float(np.clip(target.mean(), 1e-6, 1.0 - 1e-6)))
    try:
        joint = fit(design, target, start=start)
        return [
            _adjusted(place, names, design, joint, target, person, confidence)
            for place, (names, _) in enumerate(slices)
        ]
    except ArithmeticError as error:
        return [Difference(None, None, None, str(error)) for _ in slices]


def _adjusted(
    place: int,
    names: frozenset[str],
    design: Design,
    joint: Fit,
    down: Floats,
    person: Integers,
    confidence: float,
) -> Difference:
    kept = np.ones(design.size, dtype=bool)
    for name in names & design.columns.keys():
        kept[design.columns[name]] = False
    result = fit(design, down, start=joint.coefficients, kept=kept, information=joint.information)
    column, rows = design.first_indicator + place, design.indicators[place]
    influence = design.predict(result.influence_of(column, kept)) * (down - result.fitted)
    by_person = np.bincount(person, weights=influence)
    people = np.unique(person[rows]).size
    error = float(np.sqrt((by_person**2).sum() * people / max(people - 1, 1)))
    effect = float(result.coefficients[column])
    outside = scipy.special.logit(result.fitted[rows]) - effect
    z = float(scipy.special.ndtri((1.0 + confidence) / 2.0))

    def risk_difference(log_odds: float) -> float:
        return float((scipy.special.expit(outside + log_odds) - scipy.special.expit(outside)).mean())

    return Difference(risk_difference(effect), risk_difference(effect - z * error), risk_difference(effect + z * error))
