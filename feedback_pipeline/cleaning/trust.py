"""`rater_trust`: how far a voter's votes may move a training file.

Trust falls for contradicting everybody else, for voting faster than anybody reads, for pasting comments, and for being
one of many new accounts that say the same of one thing at the same time. It does not fall for voting one way: honest
negative feedback is not punished. It never changes a count that people see.

What a voter does (speed, comments, campaigns) is judged first, so that those who are trusted less for it do not make
the consensus that the others are measured against.
"""

from dataclasses import dataclass, field

import numpy as np
import polars as pl
import scipy

from feedback_pipeline.cleaning import bursts, consensus
from feedback_pipeline.cleaning import current_votes as cast
from feedback_pipeline.cleaning.bursts import Crowding
from feedback_pipeline.cleaning.current_votes import PERSON, Ballots, Flags, Floats, Ints, gather
from feedback_pipeline.cleaning.signatures import normalise
from feedback_pipeline.cleaning.tables import RATER_TRUST, TRUST_REASONS


@dataclass(frozen=True)
class TrustPolicy:
    """When a voter is trusted less.

    Attributes:
        prior_comparisons: comparisons that the expected agreement counts for in everyone's estimate.
        benefit: the doubt voters have the benefit of: agreement is taken at this quantile of its posterior.
        least_span: agreement expected beyond that of blind votes without which agreement tells nobody apart.
        rounds: times the consensus is formed; from the second on by voters weighted by their agreement, too.
        readable_per_minute: votes a minute a person can cast after reading the answers.
        hurried_seconds: time after another vote within which nobody has read an answer.
        least_hurried: hurried votes below which they are slips of the hand.
        least_comments: comments from which repeating oneself is a habit.
        repeated_share: share of comments that repeat each other, or are copies, from which it is one.
        repeated_length: characters below which a comment is too common to count as repeated.
        copied_length: characters below which a comment is too common to count as copied.
        pasting: factor of those who paste comments.
        brigade: factor of those who took part in a campaign.
        new_account: factor of those first seen in the last `crowding.new_days`; asked only where it is known since when
            voters have been seen.
        negligible: factors from here on are 1, so that whoever is trusted less is told why.
        floor: the least weight anybody has.
        crowding: what a campaign is.
    """

    prior_comparisons: float = 10.0
    benefit: float = 0.95
    least_span: float = 0.05
    rounds: int = 2
    readable_per_minute: int = 12
    hurried_seconds: float = 2.0
    least_hurried: int = 5
    least_comments: int = 5
    repeated_share: float = 0.5
    repeated_length: int = 8
    copied_length: int = 20
    pasting: float = 0.4
    brigade: float = 0.1
    new_account: float = 0.9
    negligible: float = 0.95
    floor: float = 0.1
    crowding: Crowding = field(default_factory=Crowding)

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise ValueError(f"rounds: {self.rounds}, at least 1")


READS = (*cast.READS, "comment")
"""The columns of CLEAN_FEEDBACK that are read."""


def rater_trust(
    votes: pl.DataFrame,
    policy: TrustPolicy | None = None,
    *,
    clusters: pl.DataFrame | None = None,
    first_seen: pl.DataFrame | None = None,
    audited: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """The voters of a window of CLEAN_FEEDBACK as RATER_TRUST: who gave a verdict that counts or a preference.

    Args:
        votes: rows of CLEAN_FEEDBACK.
        policy: when a voter is trusted less.
        clusters: `interaction_id`, `cluster_id` of the answers' prompts; without it only a campaign on one answer (or
            pair) is seen, not one on the answers to one prompt.
        first_seen: `tenant`, `voter`, `first_seen` (an earlier week's RATER_TRUST will do): who was seen before the
            window is no new account. Without it nobody is called new for that alone.
        audited: `interaction_id`, `verdict` (up or down) of answers judged beyond doubt.
    """
    policy = policy or TrustPolicy()
    ballots = gather(votes)
    if not ballots.people:
        return RATER_TRUST.empty()
    habits = _habits(votes, ballots, first_seen, policy)
    since = habits["first_seen"].dt.epoch("ms").to_numpy()
    factors: dict[str, Floats] = {
        "faster_than_reading": _speed(habits, policy),
        "repeated_comments": _pasting(habits, "repeated_comments", policy.least_comments, policy),
        "copied_comments": _pasting(habits, "copied_comments", 1, policy),
        "brigade": np.where(_campaigns(ballots, clusters, since, policy.crowding), policy.brigade, 1.0),
        "new_account": np.ones(ballots.people) if first_seen is None else _newness(ballots, since, policy),
    }
    behaviour = np.prod(list(factors.values()), axis=0)
    trusted = behaviour
    for _ in range(policy.rounds):
        agreement = consensus.compare(ballots, trusted.clip(policy.floor, 1.0), audited)
        factors["disagrees_with_consensus"] = _agreeing(agreement, policy)
        trusted = behaviour * factors["disagrees_with_consensus"]
    shrunk = policy.prior_comparisons * agreement.expected + agreement.agreed
    described = habits.with_columns(
        compared=pl.Series(agreement.compared),
        evidence=pl.Series(agreement.evidence),
        agreement=pl.Series(shrunk / (policy.prior_comparisons + agreement.evidence)),
        expected_agreement=pl.Series(agreement.expected),
        weight=pl.Series(trusted.clip(policy.floor, 1.0)),
        **{f"_{name}": pl.Series(factors[name]) for name in TRUST_REASONS},
    )
    reasons = [pl.when(pl.col(f"_{name}") < 1.0).then(pl.lit(name)) for name in TRUST_REASONS]
    return RATER_TRUST.conform(described.with_columns(reasons=pl.concat_list(reasons).list.drop_nulls()))


def _habits(
    votes: pl.DataFrame, ballots: Ballots, first_seen: pl.DataFrame | None, policy: TrustPolicy
) -> pl.DataFrame:
    """`ballots.voters` with what each of them does: votes, first_seen, speed, comments."""
    voting_speed = bursts.voting_speed(ballots, policy.hurried_seconds)
    return (
        ballots.voters.with_columns(
            votes=pl.Series(np.bincount(ballots.voter, minlength=ballots.people)),
            first_seen=pl.Series(_first_seen(ballots, first_seen)).cast(pl.Datetime("ms", "UTC")),
            timed=pl.Series(voting_speed.timed),
            fastest_minute=pl.Series(voting_speed.fastest_minute),
            hurried=pl.Series(voting_speed.hurried),
        )
        .join(_comments(votes, policy), on=PERSON, how="left", maintain_order="left")
        .with_columns(pl.col("comments", "repeated_comments", "copied_comments").fill_null(0))
    )


def _first_seen(ballots: Ballots, known: pl.DataFrame | None) -> Ints:
    """The moment of each voter's first vote, milliseconds."""
    first = np.full(ballots.people, np.iinfo(np.int64).max)
    np.minimum.at(first, ballots.voter, ballots.moment)
    if known is None:
        return first
    earlier = known.group_by(PERSON).agg(known=pl.col("first_seen").min().cast(pl.Datetime("ms", "UTC")).dt.epoch("ms"))
    before = ballots.voters.join(earlier, on=PERSON, how="left", maintain_order="left")["known"]
    return np.asarray(np.minimum(first, before.fill_null(np.iinfo(np.int64).max).to_numpy()))


def _campaigns(ballots: Ballots, clusters: pl.DataFrame | None, since: Ints, policy: Crowding) -> Flags:
    """Voters who took part in a campaign on an answer, a pair, or the answers to a prompt."""
    found = bursts.campaigns(ballots, ballots.item, since, policy)
    if clusters is None:
        return found
    known = clusters.select("interaction_id", "cluster_id").unique("interaction_id", keep="any")
    placed = ballots.rows.join(known, on="interaction_id", how="left", maintain_order="left")
    numbers = placed.select(pl.struct("tenant", "cluster_id").rank("dense").cast(pl.Int64)).to_series()
    # Which of two answers comes first means nothing beyond their pair.
    unplaced = placed["cluster_id"].is_null().to_numpy() | ballots.is_pair
    target = np.where(unplaced, -1, numbers.to_numpy())
    return found | bursts.campaigns(ballots, target, since, policy)


def _speed(habits: pl.DataFrame, policy: TrustPolicy) -> Floats:
    """Falls with votes a minute beyond what can be read, and with the share of votes a moment after another."""
    fastest, hurried = habits["fastest_minute"].to_numpy(), habits["hurried"].to_numpy()
    readable = policy.readable_per_minute / np.maximum(fastest, policy.readable_per_minute)
    share = hurried / np.maximum(habits["timed"].to_numpy(), 1)
    attentive = np.where(hurried >= policy.least_hurried, (2.0 * (1.0 - share)).clip(0.0, 1.0), 1.0)
    return _graded(readable * attentive, policy)


def _newness(ballots: Ballots, since: Ints, policy: TrustPolicy) -> Floats:
    last = int(ballots.moment.max())
    return np.where(last - since < policy.crowding.new_days * bursts.DAY, policy.new_account, 1.0)


def _agreeing(agreement: consensus.Agreement, policy: TrustPolicy) -> Floats:
    """1 at the expected agreement and above, falling to 0 at that of blind votes.

    The voter has the benefit of the doubt: the agreement is the upper end of a beta posterior whose prior is the
    expected agreement.
    """
    prior = policy.prior_comparisons
    disagreed = agreement.evidence - agreement.agreed
    upper = np.ones(len(disagreed))
    some = np.flatnonzero(disagreed > 1e-9)
    upper[some] = scipy.special.betaincinv(
        prior * agreement.expected[some] + agreement.agreed[some],
        prior * (1.0 - agreement.expected[some]) + disagreed[some],
        policy.benefit,
    )
    span = agreement.expected - agreement.blind
    factor = (upper - agreement.blind) / np.maximum(span, policy.least_span)
    return _graded(np.where(span < policy.least_span, 1.0, factor.clip(0.0, 1.0)), policy)


def _graded(factor: Floats, policy: TrustPolicy) -> Floats:
    return np.where(factor >= policy.negligible, 1.0, factor)


def _comments(votes: pl.DataFrame, policy: TrustPolicy) -> pl.DataFrame:
    """Of each voter who wrote any: comments, repeated_comments, copied_comments."""
    written = votes.filter(pl.col("comment").is_not_null())
    said = written.select(
        *PERSON, text=normalise(written["comment"]), moment=pl.col("occurred_at").dt.epoch("ms")
    ).filter(pl.col("text").is_not_null())
    countable = pl.col("text").filter(pl.col("text").str.len_chars() >= policy.repeated_length)
    habits = said.group_by(PERSON).agg(comments=pl.len(), repeated_comments=countable.len() - countable.n_unique())
    copied = bursts.copied_by_many(said, policy.crowding, policy.copied_length).rename({"copied": "copied_comments"})
    return habits.join(copied, on=PERSON, how="left")


def _pasting(habits: pl.DataFrame, column: str, least: int, policy: TrustPolicy) -> Floats:
    """The factor for pasting, where it is much of at least `least` comments."""
    pasted, written = habits[column].to_numpy(), habits["comments"].to_numpy()
    habit = (pasted > 0) & (written >= least) & (pasted >= policy.repeated_share * written)
    return np.where(habit, policy.pasting, 1.0)
