"""Statistics of experiments against independent computations and simulated truth."""

import numpy as np
import pytest
import scipy
import statsmodels.api as sm

from feedback_pipeline.experiments.off_policy import Log, PolicyValue, value_of
from feedback_pipeline.experiments.ratios import People, gap
from feedback_pipeline.experiments.sample_ratio import MAX_FALSE, mismatch
from feedback_pipeline.experiments.thompson import FLOOR, leaf_weights, pooled_prior
from feedback_pipeline.experiments.verdicts import Guardrail, Reading, conclude, planned_people, read, shrunk
from feedback_pipeline.stats.no_result import NoResult


def people(rng: np.random.Generator, count: int, rate: float, *, history: bool = False) -> People:
    own = np.clip(rng.normal(rate, 0.15, count), 0.02, 0.98)
    votes = 1 + rng.poisson(1.0, count)
    covariate = (rng.binomial(20, own) / 20 - rate) if history else 0.0
    return People.of(rng.binomial(votes, own), votes, 1.0, covariate)


def test_one_vote_a_person_gives_the_two_sample_z_test() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.binomial(1, 0.8, 900).astype(float), rng.binomial(1, 0.7, 700).astype(float)
    found = gap(People.of(a, 1.0), People.of(b, 1.0))
    assert found.value == pytest.approx(a.mean() - b.mean())
    assert found.standard_error == pytest.approx(np.sqrt(a.var(ddof=1) / 900 + b.var(ddof=1) / 700))


def test_errors_are_those_of_a_cluster_robust_regression() -> None:
    rng = np.random.default_rng(2)
    rows = [
        (person, arm, up)
        for person in range(400)
        for arm in (person % 2,)
        for up in rng.binomial(1, 0.5 + 0.2 * rng.random(), 1 + rng.poisson(2))
    ]
    person, arm, up = (np.array(column) for column in zip(*rows, strict=True))
    fitted = sm.OLS(up, sm.add_constant(arm)).fit(cov_type="cluster", cov_kwds={"groups": person})
    sides = [
        People.of(np.bincount(person, up * (arm == side)), np.bincount(person, (arm == side).astype(float)))
        for side in (1, 0)
    ]
    found = gap(*sides)
    assert found.value == pytest.approx(fitted.params[1])
    # statsmodels corrects for all clusters at once, we for each arm's: 1 in 400
    assert found.standard_error == pytest.approx(fitted.bse[1], rel=0.01)


def test_history_narrows_the_interval_and_moves_nothing_by_itself() -> None:
    rng = np.random.default_rng(3)
    values, plain = [], []
    for _ in range(300):
        arm, control = people(rng, 400, 0.75, history=True), people(rng, 400, 0.75, history=True)
        values.append(gap(arm, control))
        plain.append(gap(arm, control, adjust=False))
    spread = np.std([one.value for one in values])
    assert abs(np.mean([one.value for one in values])) < 3 * spread / np.sqrt(300)
    assert spread == pytest.approx(np.mean([one.standard_error for one in values]), rel=0.12)
    assert np.mean([one.standard_error for one in values]) < np.mean([one.standard_error for one in plain])
    assert all(one.explained == 0 for one in plain)


def test_weights_undo_what_adapting_did() -> None:
    # two strata of people: the good ones were sent to the arm with probability 0.9, the others with 0.1
    rng = np.random.default_rng(4)
    good = rng.random(40_000) < 0.5
    probability = np.where(good, 0.9, 0.1)
    in_arm = rng.random(40_000) < probability
    up = rng.binomial(1, np.where(good, 0.9, 0.5)).astype(float)
    served = np.where(in_arm, probability, 1 - probability)
    arm, control = (People.of(up[side], 1.0, 1 / served[side]) for side in (in_arm, ~in_arm))
    naive = gap(People.of(up[in_arm], 1.0), People.of(up[~in_arm], 1.0))
    assert naive.value > 0.25
    found = gap(arm, control)
    assert abs(found.value) < 3 * found.standard_error


def test_sample_ratio_is_pearsons_test() -> None:
    counts = {"v1": 5_210, "v2": 4_790}
    expected = scipy.stats.chisquare([5_210, 4_790], [5_000, 5_000]).pvalue
    assert mismatch([(counts, {"v1": 0.5, "v2": 0.5})]) == pytest.approx(expected)


def test_a_mismatch_of_one_point_at_100_000_people_is_caught() -> None:
    rng = np.random.default_rng(5)
    weights = {"v1": 0.5, "v2": 0.5}
    caught = [
        mismatch([({"v1": int(n), "v2": 100_000 - int(n)}, weights)]) < MAX_FALSE
        for n in rng.binomial(100_000, 0.51, 400)
    ]
    false = [
        mismatch([({"v1": int(n), "v2": 100_000 - int(n)}, weights)]) < MAX_FALSE
        for n in rng.binomial(100_000, 0.5, 4_000)
    ]
    assert np.mean(caught) >= 0.99
    assert np.mean(false) <= 0.001


def test_a_dead_arm_is_a_broken_assignment() -> None:
    p = mismatch([({"v1": 400}, {"v1": 0.5, "v2": 0.5})])
    found = conclude(Reading(reason="nobody"), sample_ratio=p, planned=1_000, smallest=0.02)
    assert found.verdict == "broken_assignment"
    assert mismatch([({"v1": 4}, {"v1": 0.5, "v2": 0.5})]) is None
    assert mismatch([({"v1": 500, "v2": 500, "v3": 3}, {"v1": 0.5, "v2": 0.5, "v3": 0.0})]) < MAX_FALSE


@pytest.mark.parametrize(
    ("arm", "control", "count", "verdict"),
    [(0.9, 0.6, 2_000, "better"), (0.6, 0.9, 2_000, "worse"), (0.8, 0.8, 100, "too_early"),
     (0.8, 0.8, 40_000, "no_difference_beyond"), (0.8, 0.8, 10, "too_early")],
)  # fmt: skip
def test_verdicts(arm: float, control: float, count: int, verdict: str) -> None:
    rng = np.random.default_rng(6)
    sides = [People.of(rng.binomial(1, rate, count), 1.0) for rate in (arm, control)]
    found = conclude(read(*sides, planned=20_000), sample_ratio=0.5, planned=20_000, smallest=0.02)
    assert found.verdict == verdict
    if verdict == "better":
        assert 0 < found.expected < read(*sides, planned=20_000).gap.value


def test_a_guardrail_goes_before_a_win() -> None:
    rng = np.random.default_rng(7)
    better = read(*(People.of(rng.binomial(1, p, 5_000), 1.0) for p in (0.9, 0.6)), planned=5_000)
    refused = read(*(People.of(rng.binomial(1, p, 5_000), 1.0) for p in (0.3, 0.05)), planned=5_000)
    rails = [Guardrail("refused answers", refused, 0.02)]
    assert conclude(better, sample_ratio=1.0, planned=5_000, smallest=0.02, guardrails=rails).verdict == "guardrail"


def test_looking_daily_at_nothing_cries_wolf_in_one_of_twenty_at_most() -> None:
    # 200 runs of 28 daily looks; 1,000 of them are in `make calibrate`
    wrong = 0
    for run in range(200):
        rng = np.random.default_rng(1_000 + run)
        up = [rng.binomial(1, 0.8, 28 * 60) for _ in range(2)]
        wrong += any(
            read(*(People.of(side[: 60 * day], 1.0) for side in up), planned=3_000).sequence_low > 0
            or read(*(People.of(side[: 60 * day], 1.0) for side in up), planned=3_000).sequence_high < 0
            for day in range(1, 29)
        )
    assert wrong <= 10


def test_three_points_on_20_000_people_are_found() -> None:
    rng = np.random.default_rng(8)
    found = 0
    for _ in range(200):
        sides = [People.of(rng.binomial(1, rate, 10_000), 1.0) for rate in (0.81, 0.78)]
        found += read(*sides, planned=20_000).sequence_low > 0
    assert found >= 160


def test_plans_are_the_textbooks() -> None:
    # 76 % to 80 %: 1,680 per arm by statistics.md, from the same formula
    assert planned_people(0.76, 0.04) == pytest.approx(2 * 1_680, rel=0.01)
    assert shrunk(0.03, 0.03) == pytest.approx(0.015)


def logged(rng: np.random.Generator, count: int, logging: np.ndarray) -> tuple[Log, np.ndarray]:
    truth = np.array([[0.6, 0.8], [0.7, 0.5]])
    leaf = rng.integers(0, 2, count)
    arm = (rng.random(count) >= logging[leaf, 0]).astype(np.int64)
    reward = rng.binomial(1, truth[leaf, arm]).astype(float)
    return Log(reward, arm, leaf, logging[leaf, arm], np.arange(count)), truth


@pytest.mark.parametrize("method", ["doubly_robust", "self_normalised_ips"])
def test_off_policy_intervals_cover_the_truth(method: str) -> None:
    target = np.array([[0.1, 0.9], [0.9, 0.1]])
    logging = np.array([[0.8, 0.2], [0.3, 0.7]])
    covered = 0
    for run in range(400):
        log, truth = logged(np.random.default_rng(run), 2_000, logging)
        found = value_of(log, target, method=method)
        assert isinstance(found, PolicyValue)
        covered += found.low <= (target * truth).sum(axis=1).mean() <= found.high
    # nominal 95 % with a standard error of 1.1 points over 400 runs
    assert covered / 400 >= 0.93


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"propensity": 0.001}, "below"),
        ({"count": 40}, "effective"),
        ({"count": 0}, "nothing"),
        ({"one": True}, "one person"),
    ],
)
def test_off_policy_refuses_where_the_log_says_too_little(change: dict, reason: str) -> None:
    count = change.get("count", 1_000)
    log, _ = logged(np.random.default_rng(0), count, np.array([[0.5, 0.5], [0.5, 0.5]]))
    propensity = log.propensity * 0 + change.get("propensity", 0.5)
    person = log.person * 0 if change.get("one") else log.person
    found = value_of(Log(log.reward, log.arm, log.leaf, propensity, person), np.array([[0.0, 1.0], [0.0, 1.0]]))
    assert isinstance(found, NoResult)
    assert reason in found.reason


def test_thompson_keeps_the_floor_and_favours_the_better_arm() -> None:
    up, n = np.array([300.0, 380.0, 320.0]), np.array([400.0, 450.0, 400.0])
    found = leaf_weights(up, n, n, pooled_prior(up, n), seed=3)
    assert sum(found.weights) == pytest.approx(1)
    assert found.weights[1] == max(found.weights) > 0.5
    assert min(found.weights) >= FLOOR - 1e-9
    assert leaf_weights(up, n, n, pooled_prior(up, n), seed=3) == found
    off = leaf_weights(up, n, n, pooled_prior(up, n), off={1})
    assert off.weights[1] == 0
    few = leaf_weights(up, n, np.array([400.0, 5.0, 400.0]), pooled_prior(up, n))
    assert few.weights == pytest.approx((1 / 3, 1 / 3, 1 / 3))
