"""A corrected rate covers the truth as often as it says, and is refused where it must be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_pipeline.judging.correction import (
    PredictionPowered,
    accuracy,
    prediction_powered_mean,
    rogan_gladen,
    trust_problem,
)
from feedback_pipeline.stats.estimates import Estimate, clustered_proportion
from feedback_pipeline.stats.no_result import NoResult

SENSITIVITY, SPECIFICITY = 0.7, 0.95
"""A strict judge, as GPT-4 is on XSTest: truth 0.515 there, judged 0.384."""


def judge(truth: np.ndarray, random: np.random.Generator) -> np.ndarray:
    chance = np.where(truth, SENSITIVITY, 1 - SPECIFICITY)
    return random.random(len(truth)) < chance


def simulated(random: np.random.Generator, total: int, labelled: int, rate: float) -> tuple[np.ndarray, np.ndarray]:
    truth = random.random(total) < rate
    judged = judge(truth, random)
    human = np.full(total, np.nan)
    human[:labelled] = truth[:labelled]
    return judged.astype(np.float64), human


def test_intervals_cover_the_truth_and_ppi_is_never_much_wider_than_the_labels_alone() -> None:
    random = np.random.default_rng(7)
    covered = {"ppi": 0, "rogan_gladen": 0, "naive": 0}
    widths: dict[str, list[float]] = {"ppi": [], "labels": []}
    runs = 300
    for _ in range(runs):
        judged, human = simulated(random, 2000, 200, 0.515)
        powered = prediction_powered_mean(judged, human)
        assert isinstance(powered, PredictionPowered)
        result = powered.estimate()
        assert isinstance(result, Estimate)
        known = np.isfinite(human)
        codes = np.arange(2000)
        rate = clustered_proportion(judged, codes)
        inverted = rogan_gladen(rate, accuracy(judged[known] == 1, human[known] == 1))
        assert isinstance(inverted, Estimate)
        labels = clustered_proportion(human[known], codes[known])
        assert isinstance(labels, Estimate)
        assert isinstance(rate, Estimate)
        covered["ppi"] += result.low <= 0.515 <= result.high
        covered["rogan_gladen"] += inverted.low <= 0.515 <= inverted.high
        covered["naive"] += rate.low <= 0.515 <= rate.high
        widths["ppi"].append(result.high - result.low)
        widths["labels"].append(labels.high - labels.low)
    # Nominal 95 %; four binomial standard deviations of 300 runs are 5 points.
    assert covered["ppi"] / runs >= 0.90
    assert covered["rogan_gladen"] / runs >= 0.90
    assert covered["naive"] == 0
    # Published on XSTest: 0.107 against 0.139 with labels alone.
    assert np.mean(widths["ppi"]) < 0.85 * np.mean(widths["labels"])


def test_clustered_intervals_cover_where_conversations_share_their_fate() -> None:
    random = np.random.default_rng(8)
    covered = {"clustered": 0, "independent": 0}
    for _ in range(200):
        # 200 conversations of five answers; a conversation is good or bad as a whole with 0.6.
        truth = np.repeat(random.random(200) < 0.6, 5)
        conversations = np.repeat(np.arange(200), 5)
        judged = judge(truth, random).astype(np.float64)
        human = np.where(conversations < 60, truth, np.nan).astype(np.float64)
        for name, codes in (("clustered", conversations), ("independent", np.arange(1000))):
            powered = prediction_powered_mean(judged, human, codes=codes)
            assert isinstance(powered, PredictionPowered)
            result = powered.estimate()
            assert isinstance(result, Estimate)
            covered[name] += result.low <= 0.6 <= result.high
    assert covered["clustered"] >= 180
    assert covered["independent"] < 160


def test_weights_undo_unequal_sampling() -> None:
    random = np.random.default_rng(9)
    # Half the population answers well (0.9), half badly (0.3); the bad half is sampled ten times as often.
    good = random.random(6000) < np.where(np.arange(6000) < 600, 0.9, 0.3)
    weights = np.where(np.arange(6000) < 600, 10.0, 1.0) * 1.0
    judged = judge(good, random).astype(np.float64)
    human = np.where(random.random(6000) < 0.3, good, np.nan)
    powered = prediction_powered_mean(judged, human, weights=weights)
    assert isinstance(powered, PredictionPowered)
    # 600·10·0.9 + 5400·0.3 over 11400
    truth = (6000 * 0.9 + 5400 * 0.3) / 11400
    assert powered.mean.value == pytest.approx(truth, abs=4 * powered.mean.standard_error)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(40, 200))
def test_power_tuning_is_the_papers_formula_for_independent_items(seed: int, labels: int) -> None:
    random = np.random.default_rng(seed)
    total = 1000
    truth = random.random(total)
    judged = 0.5 * truth + 0.5 * random.random(total)
    human = np.where(np.arange(total) < labels, truth, np.nan)
    powered = prediction_powered_mean(judged, human, judged_is_sample_of_all=False)
    assert isinstance(powered, PredictionPowered)
    first, rest = judged[:labels], judged[labels:]
    # Angelopoulos et al. 2023, section 6, with each part's own variance.
    covariance = np.mean((truth[:labels] - truth[:labels].mean()) * (first - first.mean()))
    power = covariance / labels / (rest.var() / len(rest) + first.var() / labels)
    power = min(1.0, max(0.0, power))
    assert powered.power == pytest.approx(power)
    expected = power * rest.mean() + np.mean(truth[:labels] - power * first)
    assert powered.mean.value == pytest.approx(expected)


def test_a_useless_judge_leaves_the_labels_alone() -> None:
    human = np.where(np.arange(500) < 100, np.arange(500) % 3 == 0, np.nan)
    powered = prediction_powered_mean(np.full(500, 0.5), human)
    assert isinstance(powered, PredictionPowered)
    result = powered.estimate()
    assert isinstance(result, Estimate)
    assert (powered.power, result.method) == (0.0, "labels_only")
    assert result.value == pytest.approx(np.nanmean(human))


def test_a_perfect_judge_is_left_as_it_is() -> None:
    random = np.random.default_rng(10)
    truth = random.random(3000) < 0.4
    known = accuracy(truth[:1000], truth[:1000])
    result = rogan_gladen(clustered_proportion(truth.astype(np.float64), np.arange(3000)), known)
    assert isinstance(result, Estimate)
    assert result.value == pytest.approx(truth.mean())


def test_no_labels_and_too_few_labels_are_refused() -> None:
    judged = np.ones(100)
    nobody = np.full(100, np.nan)
    assert prediction_powered_mean(judged, nobody) == NoResult("not_enough_labels", 0, 0)
    few = np.where(np.arange(100) < 10, np.arange(100) % 2, np.nan)
    refused = prediction_powered_mean(judged, few)
    assert isinstance(refused, NoResult)
    assert refused.reason == "not_enough_labels"
    nothing = accuracy(np.zeros(0, dtype=bool), np.zeros(0, dtype=bool))
    assert trust_problem(nothing) == "not_enough_labels"


@pytest.mark.parametrize("labels", [20, 50, 100])
@pytest.mark.parametrize("rate", [0.95, 0.9])
def test_intervals_of_few_labels_near_one_hold(rate: float, labels: int) -> None:  # A.11
    random, covered = np.random.default_rng(labels), 0
    for _ in range(300):
        human = (random.random(600) < rate).astype(np.float64)
        judged = np.where(human == 1, random.random(600) < 0.9, random.random(600) < 0.3).astype(np.float64)
        labelled = np.full(600, np.nan)
        asked = random.choice(600, labels, replace=False)
        labelled[asked] = human[asked]
        found = prediction_powered_mean(judged, labelled)
        assert isinstance(found, PredictionPowered)
        interval = found.estimate((0.0, 1.0))
        assert isinstance(interval, Estimate)
        covered += interval.low <= rate <= interval.high
    # 95 % of 300 less three binomial standard errors; the t interval covered 0.87 to 0.92
    assert covered / 300 >= 0.913


def test_labels_of_one_class_stand_alone_and_correct_no_judge() -> None:
    human = np.where(np.arange(100) < 60, 1.0, np.nan)
    alone = prediction_powered_mean(np.linspace(0, 1, 100), human)
    assert isinstance(alone, PredictionPowered)
    assert alone.power == 0.0
    interval = alone.estimate((0.0, 1.0))
    assert isinstance(interval, Estimate)
    # Wilson's lower end of 60 of 60, by the t quantile of 59 degrees: 1 / (1 + 2.0010² / 60)
    assert (interval.value, interval.low, interval.high) == pytest.approx((1.0, 0.9374, 1.0), abs=2e-4)
    measured = accuracy(np.arange(60) % 2 == 0, np.ones(60, dtype=bool))
    assert trust_problem(measured) == "labels_of_one_class_only"
    result = rogan_gladen(clustered_proportion(np.ones(60), np.arange(60)), measured)
    assert isinstance(result, NoResult)


@pytest.mark.parametrize("skill", [0.5, 0.3])
def test_a_judge_at_or_below_chance_corrects_nothing(skill: float) -> None:
    random = np.random.default_rng(11)
    truth = random.random(400) < 0.5
    judged = np.where(random.random(400) < skill, truth, ~truth)
    measured = accuracy(judged, truth)
    assert trust_problem(measured) == "judge_no_better_than_chance"
    result = rogan_gladen(clustered_proportion(judged.astype(np.float64), np.arange(400)), measured)
    assert isinstance(result, NoResult)
    assert result.reason == "judge_no_better_than_chance"


def test_labels_in_one_conversation_are_not_many_labels() -> None:
    human = np.where(np.arange(200) < 100, np.arange(200) % 2, np.nan)
    codes = np.where(np.arange(200) < 100, 0, np.arange(200))
    refused = prediction_powered_mean(np.linspace(0, 1, 200), human, codes=codes)
    assert isinstance(refused, NoResult)
