"""What another policy would have earned on what was logged: only from logged probabilities, and refused where the
log says too little."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

from feedback_pipeline.stats.no_result import NoResult

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

MIN_EFFECTIVE = 100.0
"""Effective sample size below which nothing is claimed."""

MAX_SHARE = 0.05
"""Largest share of the whole weight that one decision may carry."""

MIN_LOGGED = 0.01
"""Smallest logged probability; less likely decisions were never to be served."""


@dataclass(frozen=True)
class PolicyValue:
    """Mean reward under a policy that was not the one logged.

    Attributes:
        value: mean reward.
        low: lower end of its 95 % interval, clustered by person.
        high: upper end.
        effective: effective sample size, (Σw)² / Σw² (Kish 1965).
        method: `self_normalised_ips` or `doubly_robust`.
    """

    value: float
    low: float
    high: float
    effective: float
    method: str


@dataclass(frozen=True)
class Log:
    """Logged decisions with their rewards, one element a decision.

    Attributes:
        reward: what came of it, 0 to 1.
        arm: code of the arm that was served.
        leaf: code of the context.
        propensity: probability with which the arm was served.
        person: code of the person.
    """

    reward: Floats
    arm: Codes
    leaf: Codes
    propensity: Floats
    person: Codes


def value_of(log: Log, policy: Floats, *, method: str = "doubly_robust") -> PolicyValue | NoResult:
    """The value of a policy.

    Doubly robust: an outcome model by leaf and arm, made of other people (two folds), corrected by the weighted
    residuals (Dudík, Langford & Li 2011, ICML). Self-normalised IPS: Swaminathan & Joachims 2015, NeurIPS.

    Args:
        log: what was logged.
        policy: probability of each arm by leaf, shape (leaves, arms).
        method: `doubly_robust` or `self_normalised_ips`.
    """
    if log.reward.size == 0:
        return NoResult("nothing was logged")
    if log.propensity.min() < MIN_LOGGED:
        return NoResult(f"a logged probability is below {MIN_LOGGED}")
    weights = policy[log.leaf, log.arm] / log.propensity
    total = weights.sum()
    if total <= 0:
        return NoResult("the policy serves nothing that was logged")
    effective = float(total**2 / (weights**2).sum())
    if effective < MIN_EFFECTIVE:
        return NoResult(f"an effective sample of {effective:.0f} decisions, fewer than {MIN_EFFECTIVE:.0f}")
    if weights.max() / total > MAX_SHARE:
        return NoResult(f"one decision carries {weights.max() / total:.0%} of the weight")
    if np.unique(log.person).size < 2:
        return NoResult("all decisions are one person's")
    if method == "self_normalised_ips":
        value = float((weights * log.reward).sum() / total)
        parts = weights * (log.reward - value) / weights.mean()
    else:
        served, every = _outcomes(log, policy)
        scores = every + weights * (log.reward - served)
        value = float(scores.mean())
        parts = scores - value
    half = float(scipy.special.ndtri(0.975)) * _clustered_error(parts, log.person)
    return PolicyValue(value, value - half, value + half, effective, method)


def _outcomes(log: Log, policy: Floats) -> tuple[Floats, Floats]:
    """Expected reward of the arm served, and of the policy, from people of the other fold."""
    leaves, arms = policy.shape
    served, every = np.empty_like(log.reward), np.empty_like(log.reward)
    fold = log.person % 2
    for mine in (0, 1):
        other, here = fold != mine, fold == mine
        model = _means(log, other, leaves, arms)
        served[here] = model[log.leaf[here], log.arm[here]]
        every[here] = (model * policy).sum(axis=1)[log.leaf[here]]
    return served, every


def _means(log: Log, used: npt.NDArray[np.bool_], leaves: int, arms: int) -> Floats:
    cells = log.leaf[used] * arms + log.arm[used]
    n = np.bincount(cells, minlength=leaves * arms).reshape(leaves, arms)
    total = np.bincount(cells, log.reward[used], minlength=leaves * arms).reshape(leaves, arms)
    pooled = total.sum() / max(1, n.sum())
    # worth five decisions of the pooled mean, so that an empty cell has one
    return np.asarray((total + 5 * pooled) / (n + 5))


def _clustered_error(parts: Floats, person: Codes) -> float:
    _, codes = np.unique(person, return_inverse=True)
    sums = np.bincount(codes, parts)
    groups = sums.size
    return float(np.sqrt((sums**2).sum() * groups / (groups - 1)) / parts.size)
