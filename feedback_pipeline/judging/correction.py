"""A judge's rate corrected by the people it was compared with, or the reason why it may not be.

Rogan–Gladen inverts the judge's error rates and needs only labels stratified by class; prediction-powered inference
(PPI++) needs labels that are a random part of what was judged and is never wider than the labels alone would be.
"""

import math
from dataclasses import dataclass

import numpy as np

from feedback_pipeline.stats.estimates import (
    Estimate,
    FloatArray,
    IntArray,
    LinearisedMean,
    Result,
    cluster_codes,
    clustered_proportion,
    effective_trials,
    linearised_mean,
    normal_quantile,
    t_quantile,
    wilson_interval,
)
from feedback_pipeline.stats.intervals import RESOLUTION
from feedback_pipeline.stats.no_result import NoResult

BoolArray = np.ndarray[tuple[int], np.dtype[np.bool_]]

MIN_LABELS_PER_CLASS = 10
"""Fewer ups or fewer downs say nothing usable about sensitivity or specificity: half-widths over 0.25."""

MAX_GAIN = 1.5
"""By how much a judge may multiply labels whose rarer side has fewer than ten."""

MIN_LABELS = 20
"""Fewer labelled items and the normal approximation of PPI++ does not hold."""


@dataclass(frozen=True)
class Accuracy:
    """How a judge's "up" relates to people's."""

    sensitivity: Result
    """Share of people's ups the judge calls up."""
    specificity: Result
    """Share of people's downs the judge does not call up."""
    youden: Result
    """Sensitivity + specificity − 1: 0 is chance, 1 perfect."""


def accuracy(judged_up: BoolArray, human_up: BoolArray, clusters: IntArray | None = None) -> Accuracy:
    """Sensitivity, specificity and Youden's J (1950).

    J's interval combines the two Wilson intervals by square-and-add (Newcombe 1998; Zou and Donner 2008).
    """
    codes, count = cluster_codes(np.arange(len(judged_up)) if clusters is None else clusters)
    sensitivity = clustered_proportion(judged_up[human_up].astype(np.float64), codes[human_up], "sensitivity")
    specificity = clustered_proportion((~judged_up[~human_up]).astype(np.float64), codes[~human_up], "specificity")
    items = len(judged_up)
    if items and (human_up.all() or not human_up.any()):
        return Accuracy(sensitivity, specificity, NoResult("labels_of_one_class_only", items, count))
    if isinstance(sensitivity, NoResult) or isinstance(specificity, NoResult):
        return Accuracy(sensitivity, specificity, NoResult("not_enough_labels", items, count))
    value = sensitivity.value + specificity.value - 1
    below = math.hypot(sensitivity.value - sensitivity.low, specificity.value - specificity.low)
    above = math.hypot(sensitivity.high - sensitivity.value, specificity.high - specificity.value)
    error = math.hypot(sensitivity.standard_error, specificity.standard_error)
    youden = Estimate(value, value - below, min(1.0, value + above), error, items, count, "youden")
    return Accuracy(sensitivity, specificity, youden)


def trust_problem(measured: Accuracy, minimum: int = MIN_LABELS_PER_CLASS) -> str | None:
    """Why a judge with this accuracy may not be used to correct anything; None where it may."""
    if isinstance(measured.youden, NoResult):
        return measured.youden.reason if measured.youden.items else "not_enough_labels"
    if isinstance(measured.sensitivity, NoResult) or isinstance(measured.specificity, NoResult):
        return "not_enough_labels"
    if min(measured.sensitivity.items, measured.specificity.items) < minimum:
        return "not_enough_labels"
    if measured.youden.low <= 0:
        return "judge_no_better_than_chance"
    return None


def rogan_gladen(judged_rate: Result, measured: Accuracy, minimum: int = MIN_LABELS_PER_CLASS) -> Result:
    """True rate behind a judged rate (Rogan and Gladen 1978), interval of Lang and Reiczigel (2014).

    Clustering enters through the effective number of trials behind each of the three rates.
    """
    if isinstance(judged_rate, NoResult):
        return judged_rate
    problem = trust_problem(measured, minimum)
    if problem is not None:
        return NoResult(problem, measured.youden.items, measured.youden.clusters)
    sensitivity, specificity = measured.sensitivity, measured.specificity
    if isinstance(sensitivity, NoResult) or isinstance(specificity, NoResult):
        raise TypeError("trust_problem lets no refusal through")
    z = normal_quantile()
    trials = _trials(judged_rate)
    ups, downs = _trials(sensitivity), _trials(specificity)
    rate, trials = (trials * judged_rate.value + z * z / 2) / (trials + z * z), trials + z * z
    q1, ups = (ups * sensitivity.value + 1) / (ups + 2), ups + 2
    q0, downs = (downs * specificity.value + 1) / (downs + 2), downs + 2
    denominator = q0 + q1 - 1
    if denominator <= RESOLUTION:
        return NoResult("judge_no_better_than_chance", judged_rate.items, judged_rate.clusters)
    theta = min(1.0, max(0.0, (rate + q0 - 1) / denominator))
    noise_up = q1 * (1 - q1) / ups
    noise_down = q0 * (1 - q0) / downs
    error = math.sqrt(rate * (1 - rate) / trials + (1 - theta) ** 2 * noise_down + theta**2 * noise_up) / denominator
    shift = 2 * z * z * (theta * noise_up - (1 - theta) * noise_down)
    point = (judged_rate.value + specificity.value - 1) / (sensitivity.value + specificity.value - 1)
    point = min(1.0, max(0.0, point))
    low = max(0.0, min(theta + shift - z * error, point))
    high = min(1.0, max(theta + shift + z * error, point))
    return Estimate(point, low, high, error, judged_rate.items, judged_rate.clusters, "rogan_gladen")


def _trials(rate: Estimate) -> float:
    return effective_trials(rate.value, rate.standard_error, rate.items, rate.clusters)


@dataclass(frozen=True)
class PredictionPowered:
    """A PPI++ mean, with the weight the judge was given and its influence per cluster for differences."""

    mean: LinearisedMean
    power: float
    """λ: 0 uses the labels alone, 1 trusts the judge fully."""
    labelled_items: int
    labelled_clusters: int

    rarer: int = 0
    """Labels of the rarer side of one half."""

    def estimate(self, bounds: tuple[float, float] | None = None) -> Result:
        """With bounds (of a share) Wilson's interval at the effective number of trials, else a t interval.

        The spread of few labels near 0 or 1 is mostly too small, and with it a t interval (coverage 0.87 to 0.92 of
        20 to 100 labels at rates of 0.9 and more). Where the rarer side has fewer than ten labels the effective number
        is held near theirs. See docs/calibration.md.
        """
        method = "ppi++" if self.power > 0 else "labels_only"
        plain = self.mean.estimate(method, bounds, self.labelled_clusters - 1)
        if bounds != (0.0, 1.0) or isinstance(plain, NoResult):
            return plain
        value, error = min(1.0, max(0.0, plain.value)), plain.standard_error
        trials = value * (1 - value) / error**2 if error > RESOLUTION else float(self.labelled_clusters)
        if self.rarer < MIN_LABELS_PER_CLASS:
            trials = min(trials, MAX_GAIN * self.labelled_items)
        trials *= (normal_quantile() / t_quantile(self.labelled_clusters - 1)) ** 2
        low, high = wilson_interval(value * trials, trials)
        return Estimate(plain.value, min(low, value), max(high, value), error, plain.items, plain.clusters, method)


def prediction_powered_mean(
    judged: FloatArray,
    human: FloatArray,
    *,
    weights: FloatArray | None = None,
    label_weights: FloatArray | None = None,
    codes: IntArray | None = None,
    clusters: int | None = None,
    judged_is_sample_of_all: bool = True,
    minimum: int = MIN_LABELS,
) -> PredictionPowered | NoResult:
    """PPI++ (Angelopoulos, Duchi and Zrnic 2023) for the mean of human values, with power tuning.

    θ = λ·mean(judged over the unlabelled) + mean(human − λ·judged over the labelled); λ minimises the clustered
    variance of θ, which for independent items is the paper's formula, and is clipped to [0, 1].

    Args:
        judged: the judge's value of every item, shape (n,).
        human: the human value, not a number where the item is unlabelled, shape (n,).
        weights: inverse inclusion probabilities.
        label_weights: the same for being labelled, read where there is a label; `weights` where left out.
        codes: cluster of each item, 0 … clusters−1; every item on its own when left out.
        judged_is_sample_of_all: labelled items belong to the judged population and count in its mean too (they are
            votes inside the sample); False keeps them apart, as where labels come from a separate draw.
    """
    count = len(judged)
    weight = np.ones(count) if weights is None else weights
    label_weight = weight if label_weights is None else label_weights
    code = np.arange(count) if codes is None else codes
    groups = (int(code.max()) + 1 if count else 0) if clusters is None else clusters
    labelled = np.isfinite(human)
    labels = int(labelled.sum())
    labelled_clusters = len(np.unique(code[labelled]))
    if labels < minimum or labelled_clusters < minimum // 2:
        return NoResult("not_enough_labels", labels, labelled_clusters)
    people = linearised_mean(human[labelled], label_weight[labelled], code[labelled], groups)
    rarer = int(min((human[labelled] > 0.5).sum(), (human[labelled] < 0.5).sum()))
    if np.ptp(human[labelled]) <= RESOLUTION:
        # nothing to tune the judge by: the labels alone, and what so many alike may have missed
        return PredictionPowered(people, 0.0, labels, labelled_clusters, rarer)
    judge_there = linearised_mean(judged[labelled], label_weight[labelled], code[labelled], groups)
    pool = np.ones(count, dtype=bool) if judged_is_sample_of_all else ~labelled
    if not pool.any():
        return PredictionPowered(people, 0.0, labels, labelled_clusters, rarer)
    judge_all = linearised_mean(judged[pool], weight[pool], code[pool], groups)
    gap = judge_all - judge_there
    denominator = float(np.square(gap.influence).sum())
    power = 0.0 if denominator <= RESOLUTION**2 else -float((people.influence * gap.influence).sum()) / denominator
    power = min(1.0, max(0.0, power))
    combined = LinearisedMean(
        people.value + power * gap.value,
        people.influence + power * gap.influence,
        people.present if power == 0 else people.present | gap.present,
        labels if power == 0 else count,
    )
    return PredictionPowered(combined, power, labels, labelled_clusters, rarer)
