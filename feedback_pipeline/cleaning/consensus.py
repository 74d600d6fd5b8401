"""How far voters agree with the others who judged the same answers or pairs.

The consensus on an item is what the other voters say of it, each as far as trusted: P(more say up than down) under a
Beta(1 + up, 1 + down) posterior. A comparison counts by how decided it is, |2P − 1|: one other vote says half as much
as certainty, and an even split says nothing. An audited verdict decides an item alone.

What agreement may be expected depends on what is said: where most answers are good, down votes are seconded more rarely
than up votes, however honest. So a voter is measured against the agreement of the *other* voters who said the same.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.special import betainc

from feedback_pipeline.cleaning.ballots import OPTIONS, Ballots, Floats, Ints

USUAL_AGREEMENT = 0.8
"""Agreement assumed of a tenant's voters before there is a comparison."""
PRIOR_COMPARISONS = 20.0
"""Comparisons that assumptions about a tenant, or about one thing said in it, count for."""

_ANSWERS, _PAIRS = slice(0, 3), slice(3, OPTIONS)
"""The options of answers and of pairs (see `ballots.OPTIONS`)."""

_GRAINS = 1000
"""Weights are added in thousandths, as whole numbers: the sum does not depend on the order."""


@dataclass(frozen=True)
class Agreement:
    """Each voter's comparisons with the others: shape (voters,).

    Attributes:
        compared: ballots on items that others judged too and are not evenly split on, or that were audited.
        evidence: how much these comparisons say, in comparisons with a certain consensus.
        agreed: the part of the evidence in which the voter agrees; a tie agrees by half with either side.
        expected: share of agreement among other voters who say the same as often.
        blind: share at which votes say nothing: a half on pairs, whose sides a coin can call; on answers a half of
            what is expected, because where most answers are good who calls them all good is right mostly.
    """

    compared: Ints
    evidence: Floats
    agreed: Floats
    expected: Floats
    blind: Floats


def compare(ballots: Ballots, trusted: Floats, audited: pl.DataFrame | None = None) -> Agreement:
    """Compares each ballot with the consensus of the others.

    Args:
        ballots: the judgements.
        trusted: weight of each voter in the consensus, 0–1.
        audited: `interaction_id` and `verdict` (up or down) of answers that were judged beyond doubt.
    """
    consensus = 2.0 * _others_up(ballots, trusted) - 1.0
    if audited is not None and audited.height:
        consensus = _with_audited(ballots, consensus, audited)
    evidence = np.abs(consensus)
    agreed = evidence * (1.0 + ballots.score * np.sign(consensus)) / 2.0
    by_option, agreed_by_option = _by_option(ballots, evidence), _by_option(ballots, agreed)
    expected = _expected(ballots, by_option, agreed_by_option, trusted)
    blind = expected / 2.0
    blind[:, _PAIRS] = 0.5
    total = by_option.sum(axis=1)
    # Without a comparison every option weighs the same.
    share = np.where(total[:, None] > 0, by_option, 1.0)
    share /= share.sum(axis=1, keepdims=True)
    return Agreement(
        compared=np.bincount(ballots.voter, weights=evidence > 1e-9, minlength=ballots.people).astype(np.int64),
        evidence=total,
        agreed=agreed_by_option.sum(axis=1),
        expected=(share * expected).sum(axis=1),
        blind=(share * blind).sum(axis=1),
    )


def _by_option(ballots: Ballots, amounts: Floats) -> Floats:
    """Sums of the ballots' amounts by voter and option, shape (voters, OPTIONS)."""
    place = ballots.voter * OPTIONS + ballots.option
    sums = np.bincount(place, weights=amounts, minlength=ballots.people * OPTIONS)
    return np.asarray(sums, dtype=np.float64).reshape(-1, OPTIONS)


def _others_up(ballots: Ballots, trusted: Floats) -> Floats:
    """P(more say up than down) of each ballot's item, by the others' ballots alone."""
    chance = np.full(len(ballots.voter), 0.5)
    shared = np.flatnonzero(ballots.item < ballots.shared_items)
    if not len(shared):
        return chance
    weight = np.rint(trusted[ballots.voter[shared]] * _GRAINS)
    ups = weight * (1 + ballots.score[shared]) / 2
    downs = weight - ups
    item = ballots.item[shared]
    up, down = ((np.bincount(item, weights=said)[item] - said) / _GRAINS for said in (ups, downs))
    chance[shared] = 1.0 - betainc(1.0 + up, 1.0 + down, 0.5)
    return chance


def _with_audited(ballots: Ballots, consensus: Floats, audited: pl.DataFrame) -> Floats:
    labels = audited.select("interaction_id", label=pl.when(pl.col("verdict") == "up").then(1.0).otherwise(-1.0))
    known = ballots.rows.join(
        labels.unique("interaction_id", keep="first"), left_on="item_key", right_on="interaction_id", how="left",
        maintain_order="left",
    )["label"].to_numpy()  # fmt: skip
    return np.where(np.isnan(known), consensus, known)


def _expected(ballots: Ballots, evidence: Floats, agreed: Floats, trusted: Floats) -> Floats:
    """The agreement of a tenant's other voters by what they say, shape (voters, OPTIONS)."""
    tenants = int(ballots.tenant.max()) + 1
    said, seconded = np.zeros((tenants, OPTIONS)), np.zeros((tenants, OPTIONS))
    np.add.at(said, ballots.tenant, evidence * trusted[:, None])
    np.add.at(seconded, ballots.tenant, agreed * trusted[:, None])
    # Answers and pairs are different questions: each has an average of its own.
    usual = np.empty((tenants, OPTIONS))
    for options in (_ANSWERS, _PAIRS):
        usual[:, options] = (
            (seconded[:, options].sum(axis=1) + PRIOR_COMPARISONS * USUAL_AGREEMENT)
            / (said[:, options].sum(axis=1) + PRIOR_COMPARISONS)
        )[:, None]
    others_said = said[ballots.tenant] - evidence * trusted[:, None]
    others_seconded = seconded[ballots.tenant] - agreed * trusted[:, None]
    return np.asarray((others_seconded + PRIOR_COMPARISONS * usual[ballots.tenant]) / (others_said + PRIOR_COMPARISONS))
