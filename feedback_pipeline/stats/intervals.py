"""Rates and differences with their uncertainty: the shared vocabulary of patterns, reports and judging.

A rate is the share of `up` among `n` votes that are up or down; neutral votes are counted elsewhere.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import ThreadpoolController

Floats = NDArray[np.float64]

RESOLUTION = 1e-9
"""Of a mean of values in 0–1 and of its error: what is less is rounding, not a difference and not a spread."""

NO_VOTES = "no votes"
ONE_PERSON = "all votes are from one person"


@dataclass(frozen=True)
class Rate:
    """A share with its interval, or the reason why there is none.

    `estimate` is None without votes; `low` and `high` are None where no interval can be stated, and `reason` says why.
    """

    n: int
    up: int
    people: int
    estimate: float | None
    low: float | None
    high: float | None
    reason: str | None = None

    @property
    def half_width(self) -> float | None:
        """Half the interval's width."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2

    @property
    def complement(self) -> Self:
        """The rate of what is not up: the negative rate of an approval rate."""
        estimate, low, high = (None if value is None else 1.0 - value for value in (self.estimate, self.high, self.low))
        return type(self)(self.n, self.n - self.up, self.people, estimate, low, high, self.reason)


@dataclass(frozen=True)
class Difference:
    """First rate minus second rate with its interval, or the reason why there is none."""

    estimate: float | None
    low: float | None
    high: float | None
    reason: str | None = None

    @property
    def excludes_zero(self) -> bool:
        """The interval exists and lies on one side of zero."""
        return self.low is not None and self.high is not None and (self.low > 0.0 or self.high < 0.0)


@dataclass(frozen=True)
class BetaPrior:
    """A Beta distribution of rates over the levels of one dimension, fitted to the levels themselves."""

    alpha: float
    beta: float
    method: str
    """`marginal_likelihood`, or `weak` where fewer than three levels had votes."""

    @property
    def mean(self) -> float:
        return self.alpha / (self.alpha + self.beta)

    @property
    def strength(self) -> float:
        """How many votes the prior is worth."""
        return self.alpha + self.beta

    def shrink(self, up: ArrayLike, n: ArrayLike) -> Floats:
        """Posterior mean rate per level."""
        up, n = _floats(up), _floats(n)
        return np.asarray((up + self.alpha) / (n + self.strength))

    def quantile(self, up: ArrayLike, n: ArrayLike, probability: float) -> Floats:
        """Posterior quantile of the rate per level."""
        up, n = _floats(up), _floats(n)
        return np.asarray(scipy.special.betaincinv(up + self.alpha, n - up + self.beta, probability))

    def probability_above(self, up: ArrayLike, n: ArrayLike, threshold: float) -> Floats:
        """Posterior probability that the rate exceeds `threshold`, per level."""
        up, n = _floats(up), _floats(n)
        bounded = min(max(threshold, 0.0), 1.0)
        return np.asarray(1.0 - scipy.special.betainc(up + self.alpha, n - up + self.beta, bounded))


def _floats(values: ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _check(up: float, n: float) -> None:
    if not 0 <= up <= n:
        raise ValueError(f"{up} of {n} is not a share")


def wilson_bounds(up: ArrayLike, n: ArrayLike, *, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Wilson score bounds per element; `n` may be an effective sample size. NaN where n is 0.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference", JASA 22.
    """
    up, n = _floats(up), _floats(n)
    z2 = float(scipy.special.ndtri((1.0 + confidence) / 2.0)) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        p = up / n
        centre = (p + z2 / (2.0 * n)) / (1.0 + z2 / n)
        half = np.sqrt(z2) * np.sqrt(p * (1.0 - p) / n + z2 / (4.0 * n * n)) / (1.0 + z2 / n)
    # At 0 and n votes the bound is exactly 0 and 1; floating point would miss it by an ulp.
    low = np.where(up == 0, 0.0, np.clip(centre - half, 0.0, 1.0))
    high = np.where(up == n, 1.0, np.clip(centre + half, 0.0, 1.0))
    return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)


def wilson(up: int, n: int, *, people: int | None = None, confidence: float = 0.95) -> Rate:
    """The rate up/n with its Wilson interval, for votes that are independent (one each).

    `people` defaults to `n`.

    Raises:
        ValueError: not 0 ≤ up ≤ n.
    """
    _check(up, n)
    if n == 0:
        return Rate(0, 0, 0, None, None, None, NO_VOTES)
    low, high = wilson_bounds(up, n, confidence=confidence)
    return Rate(n, up, n if people is None else people, up / n, float(low), float(high))


def clustered_standard_error(up_by_person: ArrayLike, n_by_person: ArrayLike) -> float | None:
    """Standard error of a rate whose votes cluster by person; None for fewer than two people.

    Linearised ratio estimator: sqrt(Σ (up_u − p·n_u)²)/n · sqrt(U/(U−1)).
    Source: Cochran 1977, "Sampling Techniques", §9A.
    """
    up, n = _floats(up_by_person), _floats(n_by_person)
    present = n > 0
    up, n = up[present], n[present]
    if n.size < 2:
        return None
    total = n.sum()
    residual = up - up.sum() / total * n
    return float(np.sqrt((residual**2).sum() * n.size / (n.size - 1)) / total)


def effective_people(n_by_person: ArrayLike) -> float:
    """(Σ n)²/Σ n²: how many equally busy people would weigh as much. Source: Kish 1965, "Survey Sampling", §11.7."""
    n = _floats(n_by_person)
    squares = float((n * n).sum())
    return float(n.sum()) ** 2 / squares if squares > 0 else 0.0


def clustered_rate(up_by_person: ArrayLike, n_by_person: ArrayLike, *, confidence: float = 0.95) -> Rate:
    """A rate over people who vote several times: the Wilson interval at the effective sample size.

    The sample size is divided by the design effect (clustered over binomial variance, at least 1) and by (t/z)², with t
    on the effective number of people less one. Where the variance cannot show the clustering (all up, or all down), the
    people are the sample.
    Source: Korn & Graubard 1998, Survey Methodology 24; Franco et al. 2019, J. Survey Statistics and Methodology 7.
    """
    up, n = _floats(up_by_person), _floats(n_by_person)
    present = n > 0
    up, n = up[present], n[present]
    total, ups, people = int(n.sum()), int(up.sum()), int(n.size)
    if people == 0:
        return Rate(0, 0, 0, None, None, None, NO_VOTES)
    p = ups / total
    if people == 1:
        return Rate(total, ups, 1, p, None, None, ONE_PERSON)
    error = clustered_standard_error(up, n)
    if error is None or ups in (0, total) or error <= RESOLUTION:
        effective = min(effective_people(n), float(total))
    else:
        effective = min(p * (1.0 - p) / error**2, float(total))
        degrees = max(effective_people(n) - 1.0, 1.0)
        tail = (1.0 + confidence) / 2.0
        effective *= float((scipy.special.ndtri(tail) / scipy.special.stdtrit(degrees, tail)) ** 2)
    low, high = wilson_bounds(p * effective, effective, confidence=confidence)
    low_bound = 0.0 if ups == 0 else float(low)
    high_bound = 1.0 if ups == total else float(high)
    return Rate(total, ups, people, p, low_bound, high_bound)


def difference(first: Rate, second: Rate) -> Difference:
    """First minus second, its interval made from the two rates' own intervals (square and add).

    With Wilson intervals this is Newcombe's hybrid score interval; with clustered ones it carries their design effect.
    The two rates are taken as independent: people who voted in both make it conservative.
    Source: Newcombe 1998, Statistics in Medicine 17, method 10; Zou & Donner 2008, Statistics in Medicine 27.
    """
    if first.estimate is None or second.estimate is None:
        return Difference(None, None, None, first.reason or second.reason)
    estimate = first.estimate - second.estimate
    if first.low is None or first.high is None or second.low is None or second.high is None:
        return Difference(estimate, None, None, first.reason or second.reason)
    below = np.hypot(first.estimate - first.low, second.high - second.estimate)
    above = np.hypot(first.high - first.estimate, second.estimate - second.low)
    return Difference(estimate, max(-1.0, estimate - float(below)), min(1.0, estimate + float(above)))


def newcombe(up: int, n: int, other_up: int, other_n: int, *, confidence: float = 0.95) -> Difference:
    """up/n minus other_up/other_n with Newcombe's hybrid score interval, for independent votes."""
    return difference(wilson(up, n, confidence=confidence), wilson(other_up, other_n, confidence=confidence))


def moment_prior(up: ArrayLike, n: ArrayLike) -> tuple[float, float]:
    """Mean and strength of a Beta over levels by moments: M = m(1 − m)/τ² − 1, τ² the variance beyond sampling.

    Source: Kleinman 1973, "Proportions with extraneous variance", JASA 68.
    """
    up, n = _floats(up), _floats(n)
    mean = float(up.sum() / n.sum())
    if mean in (0.0, 1.0) or n.size < 2:
        return min(max(mean, 1e-6), 1.0 - 1e-6), MAX_STRENGTH
    rates = up / n
    spread = float((n * (rates - mean) ** 2).sum())
    sampling = mean * (1.0 - mean)
    scale = float(n.sum() - (n * n).sum() / n.sum())
    between = max((spread - (n.size - 1) * sampling) / scale, sampling / (MAX_STRENGTH + 1.0))
    return mean, float(np.clip(sampling / between - 1.0, MIN_STRENGTH, MAX_STRENGTH))


MIN_STRENGTH = 0.1
MAX_STRENGTH = 1e6
"""A prior worth a million votes: the levels do not differ beyond sampling."""


@cache
def _linear_algebra() -> ThreadpoolController:
    """The libraries of linear algebra that this process has loaded."""
    return ThreadpoolController()


def fit_beta_prior(up: ArrayLike, n: ArrayLike) -> BetaPrior:
    """Empirical-Bayes prior of the levels' rates by beta-binomial marginal likelihood, started at the moments.

    With fewer than three levels that have votes there is nothing to learn a spread from: a weak prior (worth two votes)
    at the pooled rate, or at ½ without votes.
    Source: Casella 1985, "An introduction to empirical Bayes data analysis", American Statistician 39.
    """
    up, n = _floats(up), _floats(n)
    present = n > 0
    up, n = up[present], n[present]
    if n.size < 3:
        mean = float((up.sum() + 0.5) / (n.sum() + 1.0))
        return BetaPrior(2.0 * mean, 2.0 * (1.0 - mean), "weak")
    mean, strength = moment_prior(up, n)

    def negative_log_likelihood(parameters: Floats) -> tuple[float, Floats]:
        m, s = 1.0 / (1.0 + np.exp(-parameters[0])), np.exp(parameters[1])
        a, b = m * s, (1.0 - m) * s
        value = -float((scipy.special.betaln(up + a, n - up + b) - scipy.special.betaln(a, b)).sum())
        common = scipy.special.digamma(n + s) - scipy.special.digamma(s)
        by_a = -float((scipy.special.digamma(up + a) - scipy.special.digamma(a) - common).sum())
        by_b = -float((scipy.special.digamma(n - up + b) - scipy.special.digamma(b) - common).sum())
        return value, np.array([(by_a - by_b) * s * m * (1.0 - m), by_a * a + by_b * b])

    start = np.array([np.log(mean / (1.0 - mean)), np.log(strength)])
    minimize = scipy.optimize.minimize
    # two parameters: waking a thread per processor costs more than the fit
    with _linear_algebra().limit(limits=1, user_api="blas"):
        result: Any = minimize(
            negative_log_likelihood,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=[(-14.0, 14.0), (np.log(MIN_STRENGTH), np.log(MAX_STRENGTH))],
        )
    m, s = 1.0 / (1.0 + np.exp(-float(result.x[0]))), float(np.exp(result.x[1]))
    return BetaPrior(m * s, (1.0 - m) * s, "marginal_likelihood")


def benjamini_hochberg(p_values: ArrayLike, *, tests: int | None = None) -> Floats:
    """Adjusted p-values (q-values) of Benjamini & Hochberg 1995, J. Royal Statistical Society B 57.

    `tests` is how many hypotheses were tested in all, where only some of their p-values are at hand; the absent ones
    count as 1.

    Raises:
        ValueError: fewer tests than p-values.
    """
    p = _floats(p_values)
    m = p.size if tests is None else tests
    if m < p.size:
        raise ValueError(f"{p.size} p-values of only {m} tests")
    order = np.argsort(p, kind="stable")
    ranked = p[order] * m / np.arange(1, p.size + 1)
    adjusted = np.minimum(np.minimum.accumulate(ranked[::-1])[::-1], 1.0)
    result = np.empty_like(p)
    result[order] = adjusted
    return result
