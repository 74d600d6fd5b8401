"""Approval of all answers against a truth that voters do not show."""  # G2

import numpy as np
import polars as pl
import pytest

from feedback_pipeline.experiments.approval_of_all import ApprovalOfAll, approval_of_all


def week(
    seed: int, *, share: float = 0.05, answers: int = 12_000, judged_share: float = 0.3
) -> tuple[pl.DataFrame, float]:
    """A week of answers: people who are unhappy vote three times as often, happy readers copy more, the judge errs."""
    rng = np.random.default_rng(seed)
    good = rng.random(answers) < 0.82
    judged = np.where(
        rng.random(answers) < judged_share,
        np.where(good, rng.random(answers) < 0.95, rng.random(answers) < 0.6),
        np.nan,
    )
    signal = np.where(rng.random(answers) < np.where(good, 0.25, 0.1), good.astype(float), np.nan)
    asked = rng.random(answers) < share
    # who answers when asked depends on what they did, not on what they think
    answering = rng.random(answers) < np.where(np.isnan(signal), 0.3, 0.6)
    choosing = rng.random(answers) < np.where(good, 0.02, 0.06)
    spoke = np.where(asked, answering, choosing)
    verdict = np.where(spoke, good.astype(float), np.nan)
    frame = pl.DataFrame({
        "person": [f"p{n}" for n in rng.integers(0, answers // 2, answers)], "asked": asked, "probability": share,
        "verdict": verdict, "judged": judged, "signal": signal,
    }, nan_to_null=True)  # fmt: skip
    return frame, float(good.mean())


def covers(found: ApprovalOfAll, truth: float) -> bool:
    return found.low is not None and found.high is not None and found.low <= truth <= found.high


def test_the_interval_covers_the_truth_and_the_voters_do_not() -> None:
    covered, plain, judged = 0, 0, 0
    for seed in range(100):
        frame, truth = week(seed)
        found = approval_of_all(frame)
        covered += covers(found, truth)
        plain += found.plain_low <= truth <= found.plain_high
        judged += abs(found.judged - truth) < 0.02
        assert found.high - found.low < 0.15
    assert covered >= 93
    assert plain == 0
    assert judged == 0


def test_what_is_known_of_every_answer_narrows_it() -> None:
    frame, _ = week(1, judged_share=1.0)
    plain = approval_of_all(frame.with_columns(judged=pl.lit(None, pl.Float64)))
    better = approval_of_all(frame)
    assert better.high - better.low < plain.high - plain.low


def test_a_line_for_those_who_did_not_answer() -> None:
    found = approval_of_all(week(2)[0])
    silent = 1 - found.answered / found.asked
    assert found.estimate - found.if_worse == pytest.approx(0.1 * silent)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"asked": pl.lit(value=False)}, "nobody was asked"),
        ({"asked": pl.lit(None, pl.Boolean)}, "nobody was asked"),
        ({"verdict": pl.lit(None, pl.Float64)}, "0 of those asked answered"),
        ({"verdict": pl.when("asked").then(1.0)}, "says the same"),
    ],
)
def test_it_is_refused_with_a_reason(change: dict, reason: str) -> None:
    found = approval_of_all(week(3)[0].with_columns(**change))
    assert found.estimate is None
    assert reason in found.reason
    assert found.answers == 12_000
