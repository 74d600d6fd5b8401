"""Approval of all answers, not only of those somebody chose to vote on.

A random few are asked about, with a known probability; of those who answer, each stands for the others like it. What a
judge and implicit signals say of every answer makes the estimate narrower, and cannot make it wrong where asking was
random and answering depends on nothing else. Augmented inverse probability weighting: Robins, Rotnitzky & Zhao 1994,
JASA 89; Bang & Robins 2005, Biometrics 61.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import scipy

from feedback_pipeline.stats.intervals import clustered_rate

Floats = npt.NDArray[np.float64]

MIN_ANSWERED = 40
"""People asked who answered, under which nothing is estimated."""

RIDGE = 1.0
MIN_RESPONSE = 0.02
"""Lowest probability of answering that is believed: smaller ones would let one person speak for fifty."""


@dataclass(frozen=True)
class ApprovalOfAll:
    """Approval of all answers of a period beside that of the voters.

    Attributes:
        answers: how many there were.
        asked: how many somebody was asked about.
        answered: how many of them were answered with a verdict.
        voted: answers that people chose to vote on without being asked.
        estimate: share of all answers that people approve of; None with a reason.
        low: lower end of its 95 % interval, clustered by person.
        high: upper end.
        plain: approval among those who chose to vote.
        plain_low: lower end of its interval.
        plain_high: upper end.
        judged: share of the judged answers that the judge calls good.
        if_worse: the estimate if those who did not answer were ten points less satisfied.
        reason: why there is no estimate.
    """

    answers: int
    asked: int
    answered: int
    voted: int
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    plain: float | None = None
    plain_low: float | None = None
    plain_high: float | None = None
    judged: float | None = None
    if_worse: float | None = None
    reason: str | None = None


def approval_of_all(answers: pl.DataFrame) -> ApprovalOfAll:
    """The estimate for a period.

    Args:
        answers: `person`, `asked` (true, false; null where asking was not in place), `probability` of being asked,
            `verdict` (1 up, 0 down, null for none), `judged` (0 to 1, null where not judged) and `signal` (implicit: 1
            good, 0 bad, null for none); one row an answer.
    """
    voted = answers.filter(pl.col("verdict").is_not_null() & ~pl.col("asked").fill_null(value=False))
    by_person = voted.group_by("person").agg(up=pl.col("verdict").sum(), n=pl.len()).sort("person")
    plain = clustered_rate(by_person["up"].to_numpy(), by_person["n"].to_numpy())
    judged = answers["judged"].mean()
    known = answers.filter(pl.col("asked").is_not_null() & (pl.col("probability") > 0))
    asked = known.filter("asked")
    answered = asked.filter(pl.col("verdict").is_not_null()).height
    so_far = ApprovalOfAll(
        answers.height, asked.height, answered, voted.height, plain=plain.estimate, plain_low=plain.low,
        plain_high=plain.high, judged=None if judged is None else float(judged),  # type: ignore[arg-type]
    )  # fmt: skip
    if asked.height == 0:
        return _refused(so_far, "nobody was asked: set FEEDBACK_ASK_SHARE")
    if answered < MIN_ANSWERED:
        return _refused(so_far, f"{answered} of those asked answered, fewer than {MIN_ANSWERED}")
    features = _features(known)
    chosen = known["asked"].to_numpy()
    verdict = known["verdict"].cast(pl.Float64).to_numpy()
    spoke = chosen & ~np.isnan(verdict)
    if len(set(verdict[spoke])) == 1:
        return _refused(so_far, "everybody asked says the same: no spread to judge by")
    response = np.maximum(_logistic(features[chosen], spoke[chosen].astype(float), features), MIN_RESPONSE)
    weight = np.where(spoke, 1 / (known["probability"].to_numpy() * response), 0.0)
    outcome, leverage = _logistic(features[spoke], verdict[spoke], features, weight[spoke]), np.zeros(len(weight))
    leverage[spoke] = _leverage(features[spoke], outcome[spoke], weight[spoke])
    # the weights of those who spoke stand for everybody: scaled to as many as there are (Hájek 1971)
    scale = len(weight) / weight.sum()
    residual = scale * weight * np.where(spoke, np.nan_to_num(verdict) - outcome, 0.0)
    estimate = float((outcome + residual).mean())
    # the outcome model has seen each residual it is corrected by: as if it had not (MacKinnon & White 1985, HC3)
    parts = outcome + residual / (1 - leverage) - estimate
    weighed = weight[spoke].sum() ** 2 / (weight[spoke] ** 2).sum()
    quantile = float(scipy.special.stdtrit(max(1.0, weighed - features.shape[1]), 0.975))
    low, high = _bounds(estimate, quantile * _clustered_error(parts, known["person"]))
    silent = float(1 - spoke.sum() / chosen.sum())
    return ApprovalOfAll(
        so_far.answers, so_far.asked, answered, so_far.voted, _share(estimate), low, high,
        so_far.plain, so_far.plain_low, so_far.plain_high, so_far.judged, _share(estimate - 0.1 * silent),
    )  # fmt: skip


def _refused(found: ApprovalOfAll, reason: str) -> ApprovalOfAll:
    return ApprovalOfAll(
        found.answers, found.asked, found.answered, found.voted, plain=found.plain, plain_low=found.plain_low,
        plain_high=found.plain_high, judged=found.judged, reason=reason,
    )  # fmt: skip


def _features(known: pl.DataFrame) -> Floats:
    """A constant, and of judge and signal: what they say (0 where nothing) and whether they say anything."""
    columns = [np.ones(known.height)]
    for name in ("judged", "signal"):
        values = known[name].cast(pl.Float64).to_numpy()
        missing = np.isnan(values)
        columns += [np.where(missing, 0.0, values - 0.5), missing.astype(float)]
    return np.column_stack(columns)


def _logistic(features: Floats, target: Floats, predict: Floats, weight: Floats | None = None) -> Floats:
    """Predictions of a ridge logistic regression (the constant is not shrunk), by Newton's method."""
    scale = np.ones(len(target)) if weight is None else weight / weight.mean()
    penalty = RIDGE * np.eye(features.shape[1])
    penalty[0, 0] = 1e-9
    slopes = np.zeros(features.shape[1])
    for _ in range(30):
        fitted = scipy.special.expit(features @ slopes)
        gradient = features.T @ (scale * (target - fitted)) - penalty @ slopes
        curvature = (features * (scale * fitted * (1 - fitted))[:, None]).T @ features + penalty
        step = np.linalg.solve(curvature, gradient)
        slopes = slopes + step
        if float(np.abs(step).max()) < 1e-8:
            break
    return np.asarray(scipy.special.expit(predict @ slopes))


def _bounds(estimate: float, half: float) -> tuple[float, float]:
    """An interval on the scale of log odds: near 1 the estimate is skewed, and a symmetric one would lie too high."""
    inside = min(max(estimate, 1e-4), 1 - 1e-4)
    centre, width = float(scipy.special.logit(inside)), half / (inside * (1 - inside))
    return float(scipy.special.expit(centre - width)), float(scipy.special.expit(centre + width))


def _leverage(features: Floats, fitted: Floats, weight: Floats) -> Floats:
    """How much each answer moved its own fitted value."""
    scale = weight / weight.mean() * fitted * (1 - fitted)
    curvature = (features * scale[:, None]).T @ features + RIDGE * np.eye(features.shape[1])
    spread = np.einsum("ij,ji->i", features, np.linalg.solve(curvature, features.T))
    return np.asarray(np.minimum(scale * spread, 0.5))


def _clustered_error(parts: Floats, person: pl.Series) -> float:
    _, codes = np.unique(person.fill_null("").to_numpy(), return_inverse=True)
    sums = np.bincount(codes, parts)
    groups = max(2, sums.size)
    return float(np.sqrt((sums**2).sum() * groups / (groups - 1)) / parts.size)


def _share(value: float) -> float:
    return min(1.0, max(0.0, value))
