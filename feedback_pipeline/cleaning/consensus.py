"""How far voters agree with the others who judged the same answers or pairs.

The consensus on an item is what the other voters say of it, each as far as trusted: P(more say up than down) under a
Beta(1 + up, 1 + down) posterior. A comparison counts by how decided it is, |2P − 1|: one other vote says half as much
as certainty, and an even split says nothing. A tie or a neutral verdict agrees with nobody and contradicts nobody. An
audited verdict decides an item alone.

What agreement may be expected depends on what is said: where most answers are good, down votes are seconded more rarely
than up votes, however honest. So a voter is measured against the agreement of the *other* voters who said the same.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from feedback_pipeline.cleaning.current_votes import Ballots, Floats, Ints
from feedback_pipeline.stats.majority import approval_probability

USUAL_AGREEMENT = 0.8
"""Agreement assumed of a tenant's voters before there is a comparison."""
PRIOR_COMPARISONS = 20.0
"""Comparisons that assumptions about a tenant, or about one thing said in it, count for."""
MAX_COMPARISONS = 20.0
"""Comparisons of one voter that count in what is expected of the others."""
MIN_SECONDED = 0.5
"""The rarest view is seconded half as often as the average one, if honest: where there are at least as many bad answers
as slips of the hand, half of the down votes are on bad answers."""

_DOWN, _UP, _SIDE, _AUDITED = range(4)
_OPTIONS = 4
"""What can be said, as agreement is expected by it: down or up of an answer, a side of a pair, of an audited answer."""

_GRAINS = 1000
"""Weights are added in thousandths, as whole numbers: the sum does not depend on the order."""


@dataclass(frozen=True)
class Agreement:
    """Each voter's comparisons with the others: shape (voters,).

    Attributes:
        compared: ballots on items that others judged too and are not evenly split on, or that were audited.
        evidence: how much these comparisons say, in comparisons with a certain consensus.
        agreed: the part of the evidence in which the voter agrees.
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
    option = np.where(ballots.is_pair, _SIDE, np.where(ballots.score > 0, _UP, _DOWN))
    if audited is not None and audited.height:
        labels = _labels(ballots, audited)
        consensus = np.where(np.isnan(labels), consensus, labels)
        option = np.where(np.isnan(labels), option, _AUDITED)
    evidence = np.abs(consensus * ballots.score)
    agreed = np.where(ballots.score * consensus > 0, evidence, 0.0)
    by_option, agreed_by_option = _by_option(ballots, option, evidence), _by_option(ballots, option, agreed)
    expected = _expected(ballots, by_option, agreed_by_option, trusted)
    blind = expected / 2.0
    blind[:, _SIDE] = 0.5
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


def decided_by_audit(labels: pl.DataFrame) -> pl.DataFrame:
    """The answers that auditors call up or down: `interaction_id`, `verdict`.

    Where auditors contradict each other the majority of them holds, and where as many say up as down, nothing does. Who
    is neutral or cannot say decides nothing.

    Args:
        labels: one row for each auditor and answer, with `interaction_id` and `verdict`.
    """
    side = (pl.col("verdict") == "up").cast(pl.Int32) - (pl.col("verdict") == "down").cast(pl.Int32)
    sides = labels.group_by("interaction_id").agg(side=side.sum()).filter(pl.col("side") != 0)
    verdict = pl.when(pl.col("side") > 0).then(pl.lit("up")).otherwise(pl.lit("down"))
    return sides.select("interaction_id", verdict=verdict).sort("interaction_id")


def _by_option(ballots: Ballots, option: Ints, amounts: Floats) -> Floats:
    """Sums of the ballots' amounts by voter and option, shape (voters, _OPTIONS)."""
    sums = np.bincount(ballots.voter * _OPTIONS + option, weights=amounts, minlength=ballots.people * _OPTIONS)
    return np.asarray(sums, dtype=np.float64).reshape(-1, _OPTIONS)


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
    chance[shared] = approval_probability(up, down)
    return chance


def _labels(ballots: Ballots, audited: pl.DataFrame) -> Floats:
    """1 or −1 where a ballot's item was audited, else NaN."""
    label = pl.when(pl.col("verdict") == "up").then(1.0).otherwise(-1.0)
    labels = audited.sort("interaction_id", "verdict").unique("interaction_id", keep="first", maintain_order=True)
    return (
        ballots.rows.join(
            labels.select(pl.col("interaction_id").alias("item_key"), label=label),
            on="item_key",
            how="left",
            maintain_order="left",
        )["label"]
        .cast(pl.Float64)
        .to_numpy()
    )


def _expected(ballots: Ballots, evidence: Floats, agreed: Floats, trusted: Floats) -> Floats:
    """The agreement of a tenant's other voters by what they say, shape (voters, _OPTIONS).

    Nobody counts for more than MAX_COMPARISONS, so that a few who contradict everybody do not set what is expected of
    each other.
    """
    tenants = int(ballots.tenant.max()) + 1
    total = np.maximum(evidence.sum(axis=1), 1e-12)
    share = (trusted * np.minimum(1.0, MAX_COMPARISONS / total))[:, None]
    said, seconded = np.zeros((tenants, _OPTIONS)), np.zeros((tenants, _OPTIONS))
    np.add.at(said, ballots.tenant, evidence * share)
    np.add.at(seconded, ballots.tenant, agreed * share)
    expected = np.full(evidence.shape, USUAL_AGREEMENT)
    # Answers and pairs are different questions: each has an average of its own. An audit is no matter of opinion.
    for options in ([_DOWN, _UP], [_SIDE]):
        usual = (
            (seconded[:, options].sum(axis=1) + PRIOR_COMPARISONS * USUAL_AGREEMENT)
            / (said[:, options].sum(axis=1) + PRIOR_COMPARISONS)
        )[ballots.tenant][:, None]
        others_said = said[ballots.tenant][:, options] - (evidence * share)[:, options]
        others_seconded = seconded[ballots.tenant][:, options] - (agreed * share)[:, options]
        pooled = (others_seconded + PRIOR_COMPARISONS * usual) / (others_said + PRIOR_COMPARISONS)
        expected[:, options] = np.maximum(pooled, MIN_SECONDED * usual)
    return expected
