"""Agreement coefficients against independent implementations, and their intervals against simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import cohens_kappa, fleiss_kappa

from feedback_pipeline.judging.agreement import agreement, alpha_of_raters, cohen_kappa, confusion_parts, gwet_ac1
from feedback_pipeline.stats.estimates import Estimate
from feedback_pipeline.stats.no_result import NoResult

codes = st.integers(0, 3)
pairs = st.lists(st.tuples(codes, codes), min_size=8, max_size=60).filter(
    lambda rows: len({row[0] for row in rows} | {row[1] for row in rows}) > 1
)


def value(result: object) -> float:
    assert isinstance(result, Estimate)
    return result.value


@settings(max_examples=60, deadline=None)
@given(pairs)
def test_kappa_equals_scikit_learn(rows: list[tuple[int, int]]) -> None:
    first, second = (np.array(column) for column in zip(*rows, strict=True))
    table = confusion_parts(first, second, 4, np.zeros(len(rows), dtype=np.int64), 1)[0]
    for weighting, theirs in (("nominal", None), ("linear", "linear"), ("quadratic", "quadratic")):
        oracle = cohen_kappa_score(first, second, labels=[0, 1, 2, 3], weights=theirs)
        assert float(cohen_kappa(table, weighting)) == pytest.approx(oracle, nan_ok=True)


def test_kappa_error_is_close_to_the_asymptotic_one_of_statsmodels() -> None:
    random = np.random.default_rng(1)
    truth = random.integers(0, 3, 2000)
    second = np.where(random.random(2000) < 0.7, truth, random.integers(0, 3, 2000))
    kappa = agreement(truth, second, 3).cohen_kappa
    assert isinstance(kappa, Estimate)
    oracle = cohens_kappa(confusion_parts(truth, second, 3, np.zeros(2000, dtype=np.int64), 1)[0])
    assert kappa.value == pytest.approx(oracle.kappa)
    # A jackknife and a delta-method error agree to a few per cent at n = 2000.
    assert kappa.standard_error == pytest.approx(oracle.std_kappa, rel=0.05)


def test_ac1_stays_high_where_kappa_collapses_under_a_rare_verdict() -> None:
    # Gwet 2008, the "kappa paradox": 118 + 2 agreements, 5 disagreements of 125 items.
    table = np.array([[118.0, 5.0], [0.0, 2.0]])
    # By hand: po = 0.96, mean share of the rare verdict 4.5/125 = 0.036, pe = 2·0.036·0.964 = 0.069408.
    assert float(gwet_ac1(table)) == pytest.approx((0.96 - 0.069408) / (1 - 0.069408))
    assert float(cohen_kappa(table)) < 0.6


def test_alpha_of_complete_votes_follows_from_fleiss_kappa() -> None:
    # With m votes on each of n items, alpha = 1 − (1 − kappa)·(nm − 1)/(nm) (Krippendorff 2004, ch. 11).
    random = np.random.default_rng(2)
    votes = random.integers(0, 3, (40, 4))
    counts = np.stack([(votes == code).sum(axis=1) for code in range(3)], axis=1)
    fleiss = fleiss_kappa(counts)
    units = np.repeat(np.arange(40), 4)
    assert value(alpha_of_raters(units, votes.ravel(), 3)) == pytest.approx(1 - (1 - fleiss) * (160 - 1) / 160)


def test_alpha_of_krippendorffs_own_example() -> None:
    # Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section C: four observers, missing values;
    # nominal 0.743, ordinal 0.815, interval 0.849.
    data = [
        "1 2 3 3 2 1 4 1 2 . . .",
        "1 2 3 3 2 2 4 1 2 5 . 3",
        ". 3 3 3 2 3 4 2 2 5 1 .",
        "1 2 3 3 2 4 4 1 2 5 1 .",
    ]
    votes = [(unit, int(mark) - 1) for row in data for unit, mark in enumerate(row.split()) if mark != "."]
    units, verdicts = (np.array(column) for column in zip(*votes, strict=True))
    assert value(alpha_of_raters(units, verdicts, 5)) == pytest.approx(0.743, abs=5e-4)
    assert value(alpha_of_raters(units, verdicts, 5, level="ordinal")) == pytest.approx(0.815, abs=5e-4)
    assert value(alpha_of_raters(units, verdicts, 5, level="interval")) == pytest.approx(0.849, abs=5e-4)


@settings(max_examples=30, deadline=None)
@given(pairs, st.randoms())
def test_the_order_of_items_and_the_roles_of_raters_do_not_matter(rows: list[tuple[int, int]], random: object) -> None:
    shuffled = rows[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = (np.array(column) for column in zip(*rows, strict=True))
    again_first, again_second = (np.array(column) for column in zip(*shuffled, strict=True))
    one, other = agreement(first, second, 4), agreement(again_second, again_first, 4)
    for name in ("observed", "cohen_kappa", "gwet_ac1", "krippendorff_alpha"):
        left, right = getattr(one, name), getattr(other, name)
        assert type(left) is type(right)
        if isinstance(left, Estimate):
            assert left.value == pytest.approx(right.value)
            assert left.standard_error == pytest.approx(right.standard_error, abs=1e-9)


def test_one_verdict_only_has_no_kappa() -> None:
    ones = np.ones(30, dtype=np.int64)
    assert agreement(ones, ones, 3).cohen_kappa == NoResult("only_one_verdict_in_use", 30, 30)


def test_one_conversation_has_no_interval() -> None:
    random = np.random.default_rng(3)
    verdicts = random.integers(0, 2, 50)
    same = agreement(verdicts, verdicts, 2, np.zeros(50, dtype=np.int64))
    assert isinstance(same.observed, NoResult)
    assert isinstance(same.cohen_kappa, NoResult)


def test_perfect_agreement_is_not_certain() -> None:
    random = np.random.default_rng(4)
    verdicts = random.integers(0, 2, 30)
    measured = agreement(verdicts, verdicts, 2)
    assert isinstance(measured.cohen_kappa, Estimate)
    assert measured.cohen_kappa.value == 1
    # Thirty out of thirty: Wilson's lower bound of the agreement is 0.886.
    assert 0.6 < measured.cohen_kappa.low < 0.9


def test_intervals_widen_when_a_conversation_repeats_itself() -> None:
    random = np.random.default_rng(5)
    truth = random.integers(0, 2, 100)
    judge = np.where(random.random(100) < 0.8, truth, 1 - truth)
    conversation = np.repeat(np.arange(100), 5)
    alone = agreement(np.repeat(truth, 5), np.repeat(judge, 5), 2).cohen_kappa
    clustered = agreement(np.repeat(truth, 5), np.repeat(judge, 5), 2, conversation).cohen_kappa
    assert isinstance(alone, Estimate)
    assert isinstance(clustered, Estimate)
    # Five copies of everything carry the information of one: errors grow by √5.
    assert clustered.standard_error / alone.standard_error == pytest.approx(5**0.5, rel=0.05)


def test_kappa_intervals_cover_the_truth() -> None:
    random = np.random.default_rng(6)
    # Two raters, each right with 0.8 on even odds: agreement 0.68, kappa 0.36.
    covered = 0
    for _ in range(300):
        truth = random.integers(0, 2, 120)
        first, second = (np.where(random.random(120) < 0.8, truth, 1 - truth) for _ in range(2))
        kappa = agreement(first, second, 2).cohen_kappa
        covered += isinstance(kappa, Estimate) and kappa.low <= 0.36 <= kappa.high
    # Nominal 285 of 300; four binomial standard deviations are 15.
    assert covered >= 270
