"""Rates of groups of people, as sums by person: what comparisons of arms are made of.

A measure is a ratio of two sums over people (ups over votes, dollars over answers). Each person's part in it is the
linearised value (delta method), so that votes of one person count as what they are: of one person.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class People:
    """Sums of one arm, one element a person.

    Attributes:
        top: numerator: votes up, dollars, refused answers.
        bottom: denominator: votes, answers.
        weight: one over the probability of the arm the person got; equal ones where nothing was adapted.
        covariate: what was known of the person before the experiment, 0 where nothing was.
    """

    top: Floats
    bottom: Floats
    weight: Floats
    covariate: Floats

    @classmethod
    def of(
        cls, top: npt.ArrayLike, bottom: npt.ArrayLike, weight: npt.ArrayLike = 1.0, covariate: npt.ArrayLike = 0.0
    ) -> "People":
        """Arrays broadcast to one element a person; whoever has nothing below the line is left out."""
        arrays = np.broadcast_arrays(*(np.asarray(one, dtype=np.float64) for one in (top, bottom, weight, covariate)))
        kept = arrays[1] > 0
        return cls(*(array[kept] for array in arrays))

    @property
    def count(self) -> int:
        return int(self.top.size)

    @property
    def rate(self) -> float:
        """The ratio of the weighted sums (Hájek 1971 where weights differ)."""
        return float((self.weight * self.top).sum() / (self.weight * self.bottom).sum())

    def parts(self) -> Floats:
        """Linearised value of each person: their mean is 0, their spread that of the rate times √people."""
        scale = (self.weight * self.bottom).mean()
        return np.asarray(self.weight * (self.top - self.rate * self.bottom) / scale)


@dataclass(frozen=True)
class Gap:
    """A difference of two arms' rates.

    Attributes:
        value: arm minus control.
        standard_error: clustered by person.
        people: of both arms.
        arm: rate of the arm.
        control: rate of the control.
        explained: share of the variance that the covariate took away; 0 without one.
    """

    value: float
    standard_error: float
    people: int
    arm: float
    control: float
    explained: float = 0.0


def gap(arm: People, control: People, *, adjust: bool = True) -> Gap:
    """Arm minus control; with a covariate, adjusted by it (CUPED: Deng, Xu, Kohavi & Walker 2013, WSDM).

    Both arms need two people.
    """
    sides = [arm.parts(), control.parts()]
    plain = math.hypot(*(_error(parts) for parts in sides))
    value, error = arm.rate - control.rate, plain
    known = [arm.covariate, control.covariate]
    if adjust and all(np.ptp(covariate) > 0 for covariate in known):
        centred = [covariate - covariate.mean() for covariate in known]
        spread = sum(float((covariate**2).sum()) for covariate in centred)
        slope = sum(float((parts * covariate).sum()) for parts, covariate in zip(sides, centred, strict=True)) / spread
        value -= slope * (known[0].mean() - known[1].mean())
        error = math.hypot(
            *(_error(parts - slope * covariate) for parts, covariate in zip(sides, centred, strict=True))
        )
    explained = 1 - (error / plain) ** 2 if plain > 0 else 0.0
    return Gap(value, error, arm.count + control.count, arm.rate, control.rate, max(0.0, explained))


def _error(parts: Floats) -> float:
    return float(parts.std(ddof=1) / np.sqrt(parts.size))
