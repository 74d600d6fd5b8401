"""Strengths of players from pairwise preferences with ties.

Bradley and Terry (1952), ties either as half a win each or by Davidson's (1970) tie parameter, errors clustered over
up to two groupings (the person who voted, the pair of answers) after Cameron, Gelbach and Miller (2011).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import scipy

from feedback_pipeline.stats.estimates import FloatArray, IntArray, cluster_codes, normal_quantile, t_quantile
from feedback_pipeline.stats.no_result import NoResult

Ties = Literal["half", "davidson"]

MANY_CLUSTERS = 30
"""From so many on, the spread between clusters is trusted even where it is less than independence would give."""

MIN_CLUSTERS = 5
"""Fewer people (or pairs) and the spread between them is not known."""

MAX_PROFILED = 200
"""Comparisons up to which the interval follows the likelihood itself: beyond, its quadratic approximation does."""

FARTHEST = 50.0
"""Log-odds beyond which no bound is sought."""

CONVERGED = 1e-9
MAX_STEPS = 100


@dataclass(frozen=True)
class Strengths:
    """Log-odds strengths that sum to zero: players i and j meet, i wins with odds exp(value_i − value_j)."""

    values: FloatArray
    low: FloatArray
    high: FloatArray
    standard_errors: FloatArray
    comparisons: IntArray
    """Per player."""
    tie_parameter: float | None
    """Davidson's ν; None where ties count half."""
    penalised: bool
    """A weak normal prior was needed because some players never lost to, or never beat, the others."""
    clusters: int


@dataclass(frozen=True)
class _Moments:
    """Expected share of the first player and of ties, with their variances, per row."""

    share: FloatArray
    tie: FloatArray
    share_variance: FloatArray
    share_tie_covariance: FloatArray


def fit_bradley_terry(
    first: IntArray,
    second: IntArray,
    outcome: FloatArray,
    players: int,
    *,
    clusters: Sequence[npt.NDArray[Any]] = (),
    ties: Ties = "half",
    prior_deviation: float = 3.0,
) -> Strengths | NoResult:
    """Maximum-likelihood strengths with intervals for the difference from the average player.

    Args:
        first, second: the players of each comparison, 0 … players−1.
        outcome: 1 where the first won, 0 where the second did, 0.5 for a tie.
        clusters: none (every comparison on its own), one or two groupings of the comparisons.
        prior_deviation: standard deviation, in log-odds, of the prior used only where no finite maximum exists.
    """
    if players < 2 or len(first) == 0:
        return NoResult("fewer_than_two_players", len(first))
    penalised = not _strongly_connected(first, second, outcome, players)
    ridge = prior_deviation**-2 if penalised else 0.0
    tied = (outcome == 0.5).astype(np.float64)
    davidson = ties == "davidson" and bool(tied.any())
    fitted = _newton(first, second, outcome, tied, players, ridge, davidson)
    if fitted is None:
        return NoResult("no_convergence", len(first))
    theta, information = fitted
    moments = _moments(theta, first, second, players, davidson)
    scores = (outcome - moments.share, tied - moments.tie)
    covariance, groups = _sandwich(information, scores, first, second, players, davidson, clusters)
    few = penalised or groups < MANY_CLUSTERS
    errors, inflation = _errors(covariance, information, players, floored=few)
    # fewer clusters say nothing about other people: the interval is then about further votes of these
    quantile = t_quantile(groups - 1) if groups >= MIN_CLUSTERS else normal_quantile()
    values = theta[:players]
    low, high = values - quantile * errors, values + quantile * errors
    if not davidson and len(first) <= MAX_PROFILED:
        profile = _Profile(first, second, outcome, players, ridge, values)
        low, high = profile.bounds(errors, quantile * np.sqrt(inflation))
    met = np.bincount(first, minlength=players) + np.bincount(second, minlength=players)
    tie_parameter = math.exp(theta[players]) if davidson else None
    return Strengths(values, low, high, errors, met.astype(np.int64), tie_parameter, penalised, groups)


def _errors(
    covariance: FloatArray, information: FloatArray, players: int, *, floored: bool
) -> tuple[FloatArray, FloatArray]:
    """Standard errors of the strengths, and by how much clustering inflates their variance.

    With few votes the residuals nearly vanish and the sandwich with them: where `floored` it is never taken to be less
    than what the likelihood and its prior know, the inverse information.
    """
    known = np.linalg.inv(_constrained(information, players))
    # the all-ones direction only holds the sum at zero: its 1/players² is no uncertainty
    model_based = np.maximum(np.diagonal(known)[:players] - 1 / players**2, 1e-12)
    inflation = np.maximum(np.diagonal(covariance)[:players] / model_based, 1.0 if floored else 1e-12)
    return np.sqrt(model_based * inflation), inflation


@dataclass(frozen=True)
class _Profile:
    """The penalised likelihood with one player's strength held (Venzon and Moolgavkar 1988)."""

    first: IntArray
    second: IntArray
    outcome: FloatArray
    players: int
    ridge: float
    best: FloatArray

    def bounds(self, errors: FloatArray, quantiles: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Where each player's likelihood-ratio statistic reaches its quantile squared."""
        sides = [
            [
                self._bound(player, sign, float(errors[player]), float(quantiles[player]))
                for player in range(self.players)
            ]
            for sign in (-1.0, 1.0)
        ]
        return np.array(sides[0]), np.array(sides[1])

    def _bound(self, player: int, sign: float, error: float, quantile: float) -> float:
        peak, centre = self._likelihood(self.best), float(self.best[player])

        def beyond(distance: float) -> float:
            held = self._held(player, centre + sign * distance)
            return 2 * (peak - self._likelihood(held)) - quantile**2

        far = quantile * error
        while beyond(far) < 0 and far < FARTHEST:
            far *= 1.5
        return centre + sign * (float(scipy.optimize.brentq(beyond, 0.0, far, xtol=1e-6)) if far < FARTHEST else far)

    def _likelihood(self, theta: FloatArray) -> float:
        gap = theta[self.first] - theta[self.second]
        log_share = -np.logaddexp(0, -gap)
        log_likelihood = (self.outcome * log_share + (1 - self.outcome) * (log_share - gap)).sum()
        return float(log_likelihood - self.ridge * np.square(theta).sum() / 2)

    def _held(self, player: int, strength: float) -> FloatArray:
        """The best strengths, summing to zero, of which one is given."""
        if self.players == 2:
            return np.array([strength, -strength] if player == 0 else [-strength, strength])
        theta = self.best + (strength - self.best[player]) * np.where(
            np.arange(self.players) == player, 1.0, -1.0 / (self.players - 1)
        )
        free = np.delete(np.arange(self.players), player)
        for _ in range(MAX_STEPS):
            moments = _moments(theta, self.first, self.second, self.players, davidson=False)
            residual = self.outcome - moments.share
            gradient = _gradient(residual, residual, self.first, self.second, self.players, davidson=False)
            gradient = (gradient - self.ridge * theta)[free]
            information = _information(moments, self.first, self.second, self.players, davidson=False)
            information = information[np.ix_(free, free)] + self.ridge * np.eye(free.size)
            sides = np.linalg.solve(information, np.column_stack([gradient, np.ones(free.size)]))
            step = sides[:, 0] - sides[:, 1] * sides[:, 0].sum() / sides[:, 1].sum()
            theta[free] += step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
            if np.abs(step).max() < 1e-7:
                break
        return np.asarray(theta)


def _strongly_connected(first: IntArray, second: IntArray, outcome: FloatArray, players: int) -> bool:
    """Ford's (1957) condition for a finite maximum: everybody beat everybody along some path of wins or ties."""
    wins = outcome > 0
    losses = outcome < 1
    winners = np.concatenate([first[wins], second[losses]])
    losers = np.concatenate([second[wins], first[losses]])
    graph = scipy.sparse.coo_array((np.ones(len(winners)), (winners, losers)), shape=(players, players))
    parts, _ = scipy.sparse.csgraph.connected_components(graph.tocsr(), directed=True, connection="strong")
    return bool(parts == 1)


def _moments(theta: FloatArray, first: IntArray, second: IntArray, players: int, davidson: bool) -> _Moments:
    gap = theta[first] - theta[second]
    half_gap = np.abs(gap) / 2
    scale = np.exp(-2 * half_gap)
    nu = math.exp(theta[players]) if davidson else 0.0
    strong = 1.0
    weak = scale
    tie = nu * np.exp(-half_gap)
    total = strong + weak + tie
    win = np.where(gap >= 0, strong, weak) / total
    tie = tie / total
    share = win + tie / 2
    return _Moments(share, tie, win + tie / 4 - share**2, tie / 2 - share * tie)


def _newton(
    first: IntArray,
    second: IntArray,
    outcome: FloatArray,
    tied: FloatArray,
    players: int,
    ridge: float,
    davidson: bool,
) -> tuple[FloatArray, FloatArray] | None:
    """Strengths (and log ν) and the information matrix, with the constraint that strengths sum to zero."""
    size = players + davidson
    theta = np.zeros(size)
    for _ in range(MAX_STEPS):
        moments = _moments(theta, first, second, players, davidson)
        gradient = _gradient(outcome - moments.share, tied - moments.tie, first, second, players, davidson)
        information = _information(moments, first, second, players, davidson)
        gradient[:players] -= ridge * theta[:players]
        information[np.arange(players), np.arange(players)] += ridge
        step = np.linalg.solve(_constrained(information, players), gradient)
        theta = theta + step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < CONVERGED:
            return theta, information
    return None


def _constrained(information: FloatArray, players: int) -> FloatArray:
    """Adds the all-ones direction, in which the likelihood is flat, so that solutions sum to zero."""
    constrained = information.copy()
    constrained[:players, :players] += 1.0
    return constrained


def _gradient(
    share: FloatArray, tie: FloatArray, first: IntArray, second: IntArray, players: int, davidson: bool
) -> FloatArray:
    gradient = np.zeros(players + davidson)
    gradient[:players] = np.bincount(first, share, players) - np.bincount(second, share, players)
    if davidson:
        gradient[players] = tie.sum()
    return gradient


def _information(moments: _Moments, first: IntArray, second: IntArray, players: int, davidson: bool) -> FloatArray:
    information = np.zeros((players + davidson, players + davidson))
    pairs = np.bincount(first * players + second, moments.share_variance, players * players)
    between = pairs.reshape(players, players)
    between = between + between.T
    information[:players, :players] = np.diag(between.sum(axis=1)) - between
    if davidson:
        covariance = moments.share_tie_covariance
        with_tie = np.bincount(first, covariance, players) - np.bincount(second, covariance, players)
        information[:players, players] = with_tie
        information[players, :players] = with_tie
        information[players, players] = (moments.tie * (1 - moments.tie)).sum()
    return information


def _sandwich(
    information: FloatArray,
    residuals: tuple[FloatArray, FloatArray],
    first: IntArray,
    second: IntArray,
    players: int,
    davidson: bool,
    clusters: Sequence[npt.NDArray[Any]],
) -> tuple[FloatArray, int]:
    """Covariance of the estimates and the smallest number of clusters in a grouping."""
    bread = np.linalg.inv(_constrained(information, players))
    groupings = [cluster_codes(grouping) for grouping in clusters] or [(np.arange(len(first)), len(first))]
    if len(groupings) == 2:
        (one, _), (two, count) = groupings
        both = cluster_codes(one * count + two)
        signed = [(groupings[0], 1.0), (groupings[1], 1.0), (both, -1.0)]
    else:
        signed = [(groupings[0], 1.0)]
    meat = np.zeros_like(information)
    for (codes, count), sign in signed:
        scores = _cluster_scores(residuals, first, second, players, davidson, codes, count)
        correction = count / (count - 1) if count > 1 else 1.0
        meat += sign * correction * (scores.T @ scores).toarray()
    return bread @ meat @ bread, min(count for _, count in groupings)


def _cluster_scores(
    residuals: tuple[FloatArray, FloatArray],
    first: IntArray,
    second: IntArray,
    players: int,
    davidson: bool,
    codes: IntArray,
    count: int,
) -> Any:
    """Sum of the comparisons' scores per cluster, a sparse array of shape (count, players [+ 1])."""
    share, tie = residuals
    rows = [codes, codes]
    columns = [first, second]
    values = [share, -share]
    if davidson:
        rows.append(codes)
        columns.append(np.full(len(codes), players, dtype=np.int64))
        values.append(tie)
    shape = (count, players + davidson)
    return scipy.sparse.coo_array(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=shape
    ).tocsr()
