"""Judging's intervals by simulation: how often a 95 % interval holds the truth it claims to hold.

`python -m bench.coverage` prints the table that docs quote. Every figure is a simulation with fixed seeds.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from feedback_pipeline.judging.agreement import agreement
from feedback_pipeline.judging.bias import length_bias
from feedback_pipeline.judging.correction import (
    Accuracy,
    PredictionPowered,
    accuracy,
    prediction_powered_mean,
    rogan_gladen,
)
from feedback_pipeline.judging.versions import Comparison, paired_comparison
from feedback_pipeline.stats.always_valid import confidence_sequence
from feedback_pipeline.stats.bradley_terry import Strengths, fit_bradley_terry
from feedback_pipeline.stats.estimates import Estimate, FloatArray, IntArray, Result, clustered_proportion
from feedback_pipeline.stats.no_result import NoResult

RUNS = 1_000
ANSWERS, LABELS, PER_CONVERSATION = 2_000, 200, 3
SENSITIVITY, SPECIFICITY, RATE = 0.65, 0.90, 0.60


@dataclass(frozen=True)
class Line:
    """One interval: what it is of, what was simulated, and what came out."""

    what: str
    setting: str
    covered: float
    width: float
    refused: int
    runs: int

    @property
    def error(self) -> float:
        """Standard error of the coverage."""
        return float(np.sqrt(max(self.covered * (1 - self.covered), 1e-9) / max(1, self.runs - self.refused)))


@dataclass(frozen=True)
class World:
    """Answers with what people and the judge say, in conversations that share their fate."""

    human: FloatArray
    judge: FloatArray
    conversation: IntArray
    labelled: FloatArray
    """What people said where they were asked, not a number elsewhere."""


def world(random: np.random.Generator, *, likeness: float) -> World:
    """`likeness`: correlation of the answers of one conversation, in what people say and in what the judge gets
    wrong."""
    conversation = np.arange(ANSWERS) // PER_CONVERSATION
    human = _alike(random, conversation, RATE, likeness)
    right = _alike(random, conversation, 0.5, likeness, uniform=True)
    judge = np.where(human == 1, right < SENSITIVITY, right > SPECIFICITY).astype(np.float64)
    labelled = np.full(ANSWERS, np.nan)
    asked = random.permutation(ANSWERS)[:LABELS]
    labelled[asked] = human[asked]
    return World(human, judge, conversation, labelled)


def _alike(
    random: np.random.Generator, groups: IntArray, rate: float, likeness: float, *, uniform: bool = False
) -> FloatArray:
    """Outcomes of which a share `likeness` is the group's own."""
    own = random.random(len(groups))
    shared = random.random(int(groups.max()) + 1)[groups]
    drawn = np.where(random.random(int(groups.max()) + 1)[groups] < likeness, shared, own)
    return drawn if uniform else (drawn < rate).astype(np.float64)


Simulated = Callable[[np.random.Generator], tuple[Result, float]]
"""One run: the interval and the truth."""


def simulate(what: str, setting: str, once: Simulated, runs: int) -> Line:
    covered, widths, refused = 0, [], 0
    for seed in range(runs):
        result, truth = once(np.random.default_rng(seed))
        if isinstance(result, NoResult):
            refused += 1
            continue
        covered += result.low <= truth <= result.high
        widths.append(result.high - result.low)
    return Line(what, setting, covered / max(1, runs - refused), float(np.mean(widths)), refused, runs)


def lines(runs: int) -> Iterator[Line]:
    """Every interval of the package, where answers are independent and where conversations share their fate."""
    for likeness in (0.0, 0.5):
        setting = "independent answers" if likeness == 0 else "conversations of three, correlation 0.5"
        for what, once in _corrections(likeness):
            yield simulate(what, setting, once, runs)
        for what, name in (("observed agreement", "observed"), ("Cohen's κ", "cohen_kappa"), ("Gwet's AC1", "gwet_ac1"),
                           ("Krippendorff's α", "krippendorff_alpha")):  # fmt: skip
            yield simulate(what, setting, _agreement(name, likeness), runs)
    yield simulate("difference of two versions, paired", "40 % of prompts differ", _paired, runs)
    yield simulate("length bias", "0.05 per standard deviation", _length, runs)
    yield simulate("Bradley–Terry strength", "5 models, 400 votes, 40 people", _strength, runs)
    yield simulate("confidence sequence, looked at 480 times", "up to 500 answers", _sequence, runs)


def _corrections(likeness: float) -> Iterator[tuple[str, Simulated]]:
    def judged(random: np.random.Generator) -> tuple[Result, float]:
        made = world(random, likeness=likeness)
        return clustered_proportion(made.judge, made.conversation), RATE

    def labels_only(random: np.random.Generator) -> tuple[Result, float]:
        made = world(random, likeness=likeness)
        asked = np.isfinite(made.labelled)
        return clustered_proportion(made.labelled[asked], made.conversation[asked]), RATE

    def powered(random: np.random.Generator) -> tuple[Result, float]:
        made = world(random, likeness=likeness)
        found = prediction_powered_mean(made.judge, made.labelled, codes=made.conversation)
        return found.estimate((0.0, 1.0)) if isinstance(found, PredictionPowered) else found, RATE

    def inverted(random: np.random.Generator) -> tuple[Result, float]:
        made = world(random, likeness=likeness)
        asked = np.isfinite(made.labelled)
        return rogan_gladen(clustered_proportion(made.judge, made.conversation), _accuracy(made, asked)), RATE

    yield "the judge's rate, not corrected", judged
    yield f"labels alone ({LABELS})", labels_only
    yield "PPI++", powered
    yield "Rogan–Gladen", inverted


def _accuracy(made: World, asked: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> Accuracy:
    return accuracy(made.judge[asked] == 1, made.human[asked] == 1, made.conversation[asked])


def _agreement(name: str, likeness: float) -> Simulated:
    truth = _true_agreement(name)

    def once(random: np.random.Generator) -> tuple[Result, float]:
        made = world(random, likeness=likeness)
        asked = np.isfinite(made.labelled)
        first, second = made.human[asked].astype(np.int64), made.judge[asked].astype(np.int64)
        found: Result = getattr(agreement(first, second, 2, made.conversation[asked]), name)
        return found, truth

    return once


def _true_agreement(name: str) -> float:
    """From a table with the world's probabilities instead of counts, large enough for sample corrections to vanish."""
    share = np.array(
        [[(1 - RATE) * SPECIFICITY, (1 - RATE) * (1 - SPECIFICITY)], [RATE * (1 - SENSITIVITY), RATE * SENSITIVITY]]
    )
    count = np.round(share * 100_000).astype(np.int64)
    first, second = np.repeat([0, 0, 1, 1], count.ravel()), np.repeat([0, 1, 0, 1], count.ravel())
    found = getattr(agreement(first, second, 2), name)
    assert isinstance(found, Estimate)
    return found.value


def _paired(random: np.random.Generator) -> tuple[Result, float]:
    conversation = np.arange(600) // PER_CONVERSATION
    before = _alike(random, conversation, RATE, 0.5)
    changed = _alike(random, conversation, 0.4, 0.5)
    after = np.where(changed == 1, (random.random(600) < 0.8).astype(np.float64), before)
    found = paired_comparison(before, after, conversation)
    return found.difference if isinstance(found, Comparison) else found, 0.4 * (0.8 - RATE)


def _length(random: np.random.Generator) -> tuple[Result, float]:
    length = np.exp(random.normal(6, 1, 500))
    standard = (np.log1p(length) - np.log1p(length).mean()) / np.log1p(length).std()
    human = 0.5 + 0.1 * standard + random.normal(0, 0.2, 500)
    judge = human + 0.05 * standard + random.normal(0, 0.2, 500)
    return length_bias(judge, human, length), 0.05


def _strength(random: np.random.Generator) -> tuple[Result, float]:
    strengths = np.array([0.8, 0.4, 0.0, -0.4, -0.8])
    first = random.integers(0, 5, 400)
    second = (first + random.integers(1, 5, 400)) % 5
    won = random.random(400) < 1 / (1 + np.exp(strengths[second] - strengths[first]))
    found = fit_bradley_terry(first, second, won.astype(np.float64), 5, clusters=[np.arange(400) // 10])
    if not isinstance(found, Strengths):
        return found, 0.8
    low, high, error = (float(part[0]) for part in (found.low, found.high, found.standard_errors))
    return Estimate(float(found.values[0]), low, high, error, 400, 40, "bradley_terry"), 0.8


def _sequence(random: np.random.Generator) -> tuple[Result, float]:
    """The narrowest range that all looks leave: it holds the truth only if every look did."""
    bounds = confidence_sequence((random.random(500) < RATE).astype(np.float64))
    if isinstance(bounds, NoResult):
        return bounds, RATE
    return Estimate(RATE, float(bounds[:, 0].max()), float(bounds[:, 1].min()), 0.0, 500, 500, "sequence"), RATE


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.coverage", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help="simulations of each interval")
    table = Table("interval of", "simulated", "nominal", "covered", "± (2 s.e.)", "mean width", "refused")
    chosen = parser.parse_args()
    for line in lines(chosen.runs):
        covered, error = f"{line.covered:.1%}", f"{2 * line.error:.1%}"
        table.add_row(line.what, line.setting, "95 %", covered, error, f"{line.width:.3f}", str(line.refused))
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
