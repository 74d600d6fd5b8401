"""Tails of distributions are those of scipy.stats, to the last bit."""

import subprocess
import sys

import numpy as np
import pytest
import scipy

from feedback_pipeline.stats import tails

CHANCE = np.random.default_rng(5)
TRIALS = CHANCE.integers(0, 2_000, 20_000)
COUNTS = CHANCE.integers(-1, 60, 20_000)  # none below and all above are among them
PROBABILITIES = np.concatenate([[0.0, 1.0], CHANCE.random(19_998) ** 3])


def test_the_binomial_tail_is_that_of_scipy() -> None:
    expected = scipy.stats.binom.sf(COUNTS, TRIALS, PROBABILITIES)
    np.testing.assert_array_equal(tails.binomial_above(COUNTS, TRIALS, PROBABILITIES), expected)


def test_the_poisson_tail_is_that_of_scipy() -> None:
    means = 50 * PROBABILITIES + 0.5
    np.testing.assert_array_equal(tails.poisson_above(COUNTS, means), scipy.stats.poisson.sf(COUNTS, means))


@pytest.mark.parametrize("degrees", [1, 2, 7, 400])
def test_the_tails_of_t_and_chi_squared_are_those_of_scipy(degrees: int) -> None:
    for value in (0.0, 0.3, 2.0, 11.0, 80.0):
        assert tails.t_above(value, degrees) == scipy.stats.t.sf(value, degrees)
        assert tails.chi_squared_above(value, degrees) == scipy.stats.chi2.sf(value, degrees)


def test_tails_do_not_load_the_distributions() -> None:
    asked = "from feedback_pipeline.stats import tails; tails.binomial_above(3, 9, 0.5); tails.t_above(2.0, 5)"
    found = f"import sys; {asked}; print('scipy.stats' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", found], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
