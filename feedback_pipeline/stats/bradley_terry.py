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
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from feedback_pipeline.stats.estimates import FloatArray, IntArray, Refusal, cluster_codes, normal_quantile

Ties = Literal["half", "davidson"]

CONVERGED = 1e-9
MAXIMUM_STEPS = 100


@dataclass(frozen=True)
class Strengths:
    """Log-odds strengths that sum to zero: players i and j meet, i wins with odds exp(value_i − value_j)."""

    values: FloatArray
    lower: FloatArray
    upper: FloatArray
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
) -> Strengths | Refusal:
    """Maximum-likelihood strengths with intervals for the difference from the average player.

    Args:
        first, second: the players of each comparison, 0 … players−1.
        outcome: 1 where the first won, 0 where the second did, 0.5 for a tie.
        clusters: none (every comparison on its own), one or two groupings of the comparisons.
        prior_deviation: standard deviation, in log-odds, of the prior used only where no finite maximum exists.
    """
    if players < 2 or len(first) == 0:
        return Refusal("fewer_than_two_players", len(first))
    penalised = not _strongly_connected(first, second, outcome, players)
    ridge = prior_deviation**-2 if penalised else 0.0
    tied = (outcome == 0.5).astype(np.float64)
    davidson = ties == "davidson" and bool(tied.any())
    fitted = _newton(first, second, outcome, tied, players, ridge, davidson)
    if fitted is None:
        return Refusal("no_convergence", len(first))
    theta, information = fitted
    moments = _moments(theta, first, second, players, davidson)
    scores = (outcome - moments.share, tied - moments.tie)
    covariance, groups = _sandwich(information, scores, first, second, players, davidson, clusters)
    errors = np.sqrt(np.clip(np.diagonal(covariance)[:players], 0, None))
    half = normal_quantile() * errors
    values = theta[:players]
    met = np.bincount(first, minlength=players) + np.bincount(second, minlength=players)
    tie_parameter = math.exp(theta[players]) if davidson else None
    return Strengths(
        values, values - half, values + half, errors, met.astype(np.int64), tie_parameter, penalised, groups
    )


def _strongly_connected(first: IntArray, second: IntArray, outcome: FloatArray, players: int) -> bool:
    """Ford's (1957) condition for a finite maximum: everybody beat everybody along some path of wins or ties."""
    wins = outcome > 0
    losses = outcome < 1
    winners = np.concatenate([first[wins], second[losses]])
    losers = np.concatenate([second[wins], first[losses]])
    graph = coo_array((np.ones(len(winners)), (winners, losers)), shape=(players, players))
    parts, _ = connected_components(graph.tocsr(), directed=True, connection="strong")
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
    for _ in range(MAXIMUM_STEPS):
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
    return coo_array((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=shape).tocsr()
