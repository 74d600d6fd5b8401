"""Strengths and their errors against a generalised linear model, and what cannot be ranked."""

import numpy as np
import pytest
import statsmodels.api as sm

from feedback_pipeline.stats.bradley_terry import Strengths, fit_bradley_terry
from feedback_pipeline.stats.no_result import NoResult

PLAYERS = 6


def tournament(seed: int, games: int, tie_share: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    strength = np.linspace(-1, 1, PLAYERS)
    first = random.integers(0, PLAYERS, games)
    second = (first + random.integers(1, PLAYERS, games)) % PLAYERS
    wins = random.random(games) < 1 / (1 + np.exp(strength[second] - strength[first]))
    outcome = np.where(random.random(games) < tie_share, 0.5, wins.astype(np.float64))
    return first, second, outcome, strength


def design(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Player 0 as the reference."""
    matrix = np.zeros((len(first), PLAYERS))
    matrix[np.arange(len(first)), first] = 1
    matrix[np.arange(len(first)), second] -= 1
    return matrix[:, 1:]


def test_strengths_equal_a_logistic_regression() -> None:
    first, second, outcome, _ = tournament(1, 600, tie_share=0.2)
    fitted = fit_bradley_terry(first, second, outcome, PLAYERS)
    assert isinstance(fitted, Strengths)
    oracle = sm.GLM(outcome, design(first, second), family=sm.families.Binomial()).fit()
    assert fitted.values[1:] - fitted.values[0] == pytest.approx(oracle.params, abs=1e-6)
    assert fitted.values.sum() == pytest.approx(0, abs=1e-9)


def test_clustered_errors_equal_statsmodels() -> None:
    first, second, outcome, _ = tournament(2, 600)
    voters = np.arange(600) // 6
    fitted = fit_bradley_terry(first, second, outcome, PLAYERS, clusters=[voters])
    assert isinstance(fitted, Strengths)
    model = sm.GLM(outcome, design(first, second), family=sm.families.Binomial())
    oracle = model.fit(cov_type="cluster", cov_kwds={"groups": voters, "use_correction": False})
    # Same strengths, centred: value_i − mean, so the contrast has to be applied to the oracle's covariance.
    covariance = np.zeros((PLAYERS, PLAYERS))
    covariance[1:, 1:] = oracle.cov_params()
    contrast = np.eye(PLAYERS) - 1 / PLAYERS
    expected = np.sqrt(np.diagonal(contrast @ covariance @ contrast.T) * 100 / 99)
    assert fitted.standard_errors == pytest.approx(expected, rel=1e-4)


def test_davidsons_tie_parameter_is_recovered() -> None:
    random = np.random.default_rng(3)
    first, second, _, strength = tournament(3, 20_000)
    nu = 0.8
    win, lose = np.exp(strength[first]), np.exp(strength[second])
    tie = nu * np.sqrt(win * lose)
    draw = random.random(20_000) * (win + lose + tie)
    outcome = np.where(draw < win, 1.0, np.where(draw < win + tie, 0.5, 0.0))
    fitted = fit_bradley_terry(first, second, outcome, PLAYERS, ties="davidson")
    assert isinstance(fitted, Strengths)
    assert fitted.tie_parameter == pytest.approx(nu, rel=0.05)
    # Four standard errors of a strength from 20,000 games.
    assert fitted.values == pytest.approx(strength, abs=4 * fitted.standard_errors.max())


def test_intervals_cover_the_true_strengths() -> None:
    covered = total = 0
    for seed in range(60):
        first, second, outcome, strength = tournament(100 + seed, 400)
        fitted = fit_bradley_terry(first, second, outcome, PLAYERS)
        assert isinstance(fitted, Strengths)
        covered += int(((fitted.low <= strength) & (strength <= fitted.high)).sum())
        total += PLAYERS
    assert covered / total >= 0.90


def test_a_player_who_never_lost_gets_a_finite_penalised_strength() -> None:
    first = np.array([0, 0, 0, 1, 2] * 10)
    second = np.array([1, 2, 1, 2, 1] * 10)
    outcome = np.ones(50)
    fitted = fit_bradley_terry(first, second, outcome, 3)
    assert isinstance(fitted, Strengths)
    assert fitted.penalised
    assert np.isfinite(fitted.values).all()
    assert fitted.values.argmax() == 0


def test_swapping_the_sides_changes_nothing() -> None:
    first, second, outcome, _ = tournament(4, 300, tie_share=0.1)
    one = fit_bradley_terry(first, second, outcome, PLAYERS)
    other = fit_bradley_terry(second, first, 1 - outcome, PLAYERS)
    assert isinstance(one, Strengths)
    assert isinstance(other, Strengths)
    assert one.values == pytest.approx(other.values, abs=1e-8)
    assert one.standard_errors == pytest.approx(other.standard_errors, abs=1e-8)


def test_one_player_cannot_be_ranked() -> None:
    nobody = np.zeros(0, dtype=np.int64)
    assert isinstance(fit_bradley_terry(nobody, nobody, np.zeros(0), 1), NoResult)


@pytest.mark.parametrize(("won", "lost", "told"), [(1, 0, False), (3, 0, False), (5, 0, False), (2, 1, False),
                                                   (10, 0, True), (19, 1, True)])  # fmt: skip
def test_few_votes_exclude_zero_only_where_an_exact_test_would(won: int, lost: int, told: bool) -> None:
    """Two-sided binomial tests at 5 %: 1 of 1 p = 1, 5 of 5 p = .06, 10 of 10 p = .002, 19 of 20 p < .001."""
    games = won + lost
    outcome = np.array([1.0] * won + [0.0] * lost)
    groups = [np.arange(games), np.arange(games)]
    fitted = fit_bradley_terry(np.zeros(games, int), np.ones(games, int), outcome, 2, clusters=groups)
    assert isinstance(fitted, Strengths)
    assert bool(fitted.low[0] > 0) is told
    assert fitted.low[0] < fitted.values[0] < fitted.high[0]


def test_one_persons_many_votes_do_not_make_a_point_of_the_interval() -> None:
    """With one voter the clustered scores sum to zero: the spread between people is not known, and not zero."""
    outcome = np.array([1.0, 0.0, 1.0] * 4)
    one = [np.zeros(12, int), np.arange(12)]
    fitted = fit_bradley_terry(np.zeros(12, int), np.ones(12, int), outcome, 2, clusters=one)
    assert isinstance(fitted, Strengths)
    assert fitted.low[0] < 0 < fitted.high[0]
