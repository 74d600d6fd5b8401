"""Rates carry an interval that means what it says, or the reason why they cannot."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from feedback_pipeline.stats.intervals import (
    NO_VOTES,
    ONE_PERSON,
    BetaPrior,
    benjamini_hochberg,
    clustered_rate,
    clustered_standard_error,
    difference,
    effective_people,
    fit_beta_prior,
    newcombe,
    wilson,
    wilson_bounds,
)

counts = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def test_no_votes_give_no_number_but_a_reason():
    for rate in (wilson(0, 0), clustered_rate([], [])):
        assert (rate.estimate, rate.low, rate.high, rate.reason) == (None, None, None, NO_VOTES)
    assert difference(wilson(0, 0), wilson(3, 4)).reason == NO_VOTES


def test_a_single_person_gives_an_estimate_without_an_interval():
    rate = clustered_rate([9_000], [10_000])
    assert rate.estimate == 0.9
    assert (rate.low, rate.high, rate.people, rate.reason) == (None, None, 1, ONE_PERSON)
    against = difference(rate, wilson(50, 100))
    assert against.estimate == pytest.approx(0.4)
    assert against.low is None
    assert against.reason == ONE_PERSON


def test_an_impossible_share_is_refused():
    with pytest.raises(ValueError, match="not a share"):
        wilson(5, 4)
    with pytest.raises(ValueError, match="not a share"):
        wilson(-1, 4)


@given(counts)
@settings(max_examples=60, deadline=None)
def test_wilson_agrees_with_statsmodels(case):
    up, n = case
    rate = wilson(up, n)
    assert (rate.low, rate.high) == pytest.approx(proportion_confint(up, n, method="wilson"), abs=1e-9)
    assert 0.0 <= rate.low <= rate.estimate <= rate.high <= 1.0


@given(counts, counts)
@settings(max_examples=60, deadline=None)
def test_newcombe_agrees_with_statsmodels_and_changes_sign_with_the_order(a, b):
    ours = newcombe(*a, *b)
    low, high = confint_proportions_2indep(a[0], a[1], b[0], b[1], method="newcomb", compare="diff")
    assert (ours.low, ours.high) == pytest.approx((low, high), abs=1e-9)
    swapped = newcombe(*b, *a)
    assert (swapped.low, swapped.high) == pytest.approx((-ours.high, -ours.low), abs=1e-12)


def test_one_vote_each_makes_the_clustered_interval_nearly_wilson():
    up = np.repeat([1, 0], [160, 40])
    clustered, plain = clustered_rate(up, np.ones(200)), wilson(160, 200)
    assert clustered.low == pytest.approx(plain.low, abs=0.002)  # t at 199 degrees is 1 % wider than z
    assert clustered.high == pytest.approx(plain.high, abs=0.002)


def test_people_who_repeat_themselves_widen_the_interval():
    # 40 people who vote ten times the same way know as much as 40 votes, not 400.
    up = np.repeat([10, 0], [32, 8])
    assert clustered_rate(up, np.full(40, 10)).half_width == pytest.approx(wilson(32, 40).half_width, rel=0.05)


def test_unanimous_votes_are_worth_their_people():
    rate = clustered_rate([100, 100, 100], [100, 100, 100])
    assert (rate.estimate, rate.high) == (1.0, 1.0)
    assert rate.low == pytest.approx(wilson(3, 3).low)


def test_clustered_error_matches_the_replicated_bootstrap():
    rng = np.random.default_rng(7)
    n = rng.integers(1, 20, 300)
    up = rng.binomial(n, rng.beta(4, 2, 300))
    draws = rng.integers(0, 300, (4000, 300))
    bootstrap = (up[draws].sum(1) / n[draws].sum(1)).std()
    assert clustered_standard_error(up, n) == pytest.approx(bootstrap, rel=0.05)  # 4,000 draws: ±1.1 % (1 se)
    assert clustered_standard_error([3], [4]) is None


def test_clustered_coverage_is_near_nominal():
    rng = np.random.default_rng(11)
    hits = 0
    for _ in range(400):
        n = np.minimum(rng.zipf(1.8, 200), 60)
        up = rng.binomial(n, rng.beta(8, 2, 200))
        rate = clustered_rate(up, n)
        hits += rate.low <= 0.8 <= rate.high
    assert hits >= 370  # 92.5 %: nominal 95 % less 2.3 standard errors of 400 runs


def test_effective_people_discounts_a_dominant_voter():
    assert effective_people([1] * 30) == pytest.approx(30)
    assert effective_people([1000] + [1] * 5) < 1.02
    assert effective_people([]) == 0.0


def test_complement_is_the_negative_rate():
    approval = wilson(80, 100)
    negative = approval.complement
    assert negative.up == 20
    assert (negative.low, negative.high) == (1 - approval.high, 1 - approval.low)


@given(st.lists(counts, min_size=3, max_size=30))
@settings(max_examples=50, deadline=None)
def test_shrinkage_stays_between_the_level_and_the_prior(levels):
    up, n = np.array(levels).T
    prior = fit_beta_prior(up, n)
    shrunk = prior.shrink(up, n)
    raw = up / n
    assert np.all(shrunk >= np.minimum(raw, prior.mean) - 1e-9)
    assert np.all(shrunk <= np.maximum(raw, prior.mean) + 1e-9)


def test_prior_recovers_the_distribution_of_levels():
    rng = np.random.default_rng(3)
    n = rng.integers(20, 400, 600)
    prior = fit_beta_prior(rng.binomial(n, rng.beta(16, 4, 600)), n)
    assert prior.mean == pytest.approx(0.8, abs=0.01)  # standard error of the mean of 600 levels: 0.0036
    assert prior.strength == pytest.approx(20, rel=0.2)  # spread of a Beta's fitted strength at 600 levels: about 7 %
    assert prior.method == "marginal_likelihood"


def test_shrinkage_beats_raw_rates_where_levels_are_small():
    rng = np.random.default_rng(5)
    truth = rng.beta(16, 4, 200)
    n = np.minimum(rng.zipf(1.5, 200), 500)
    up = rng.binomial(n, truth)
    shrunk = fit_beta_prior(up, n).shrink(up, n)
    assert ((shrunk - truth) ** 2).mean() < ((up / n - truth) ** 2).mean() / 2


def test_too_few_levels_give_a_weak_prior():
    prior = fit_beta_prior([3], [4])
    assert prior.method == "weak"
    assert prior.strength == pytest.approx(2.0)
    assert fit_beta_prior([], []).mean == 0.5


def test_levels_that_do_not_differ_pool_completely():
    prior = fit_beta_prior([50] * 10, [100] * 10)
    assert prior.shrink([80], [100])[0] == pytest.approx(0.5, abs=0.01)


def test_posterior_quantile_and_probability_agree():
    prior = BetaPrior(2, 8, "weak")
    low = prior.quantile(5, 20, 0.05)
    assert prior.probability_above(5, 20, float(low)) == pytest.approx(0.95)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
@settings(max_examples=60, deadline=None)
def test_benjamini_hochberg_agrees_with_scipy(p):
    assert benjamini_hochberg(p) == pytest.approx(stats.false_discovery_control(p), abs=1e-12)


def test_absent_tests_count():
    assert benjamini_hochberg([0.001], tests=100)[0] == pytest.approx(0.1)
    with pytest.raises(ValueError, match="only 1 tests"):
        benjamini_hochberg([0.1, 0.2], tests=1)


def test_bounds_of_nothing_are_not_a_number():
    low, high = wilson_bounds([0, 1], [0, 2])
    assert np.isnan(low[0])
    assert np.isnan(high[0])
    assert low[1] < 0.5 < high[1]
