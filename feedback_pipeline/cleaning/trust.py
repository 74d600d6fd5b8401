"""`rater_trust`: how far a voter's votes may move a training file.

Trust falls for contradicting everybody else, for voting faster than anybody reads, and for pasting one comment over
and over. It does not fall for voting one way: honest negative feedback is not punished. It never changes a count that
people see.
"""

from dataclasses import dataclass

import polars as pl

from feedback_pipeline.cleaning.tables import RATER_TRUST


@dataclass(frozen=True)
class TrustPolicy:
    """When a voter is trusted less.

    Attributes:
        prior_votes: compared votes that the average voter's agreement counts for in everyone's estimate.
        readable_per_minute: verdicts a minute a person can give after reading the answers.
        repeated_comment_share: share of copy-pasted comments from which they count as automated.
        chance_agreement: agreement at which votes carry no information about the consensus.
        floor: the least weight anybody has.
    """

    prior_votes: float = 10.0
    readable_per_minute: int = 12
    repeated_comment_share: float = 0.5
    chance_agreement: float = 0.5
    floor: float = 0.1


def rater_trust(votes: pl.DataFrame, policy: TrustPolicy | None = None) -> pl.DataFrame:
    """The voters of a window of CLEAN_FEEDBACK as RATER_TRUST.

    Agreement is measured against the majority of the other people who judged the same answer and shrunk towards the
    average of all voters (a beta-binomial posterior mean), so that few votes say little.
    """
    policy = policy or TrustPolicy()
    verdicts = votes.filter(pl.col("counts") & pl.col("verdict").is_in(["up", "down"])).with_columns(
        up=(pl.col("verdict") == "up").cast(pl.Int32)
    )
    if verdicts.is_empty():
        return RATER_TRUST.empty()
    answer = ["tenant", "interaction_id"]
    others = verdicts.with_columns(
        others=pl.len().over(answer) - 1,
        others_up=pl.col("up").sum().over(answer) - pl.col("up"),
    ).with_columns(majority=(2 * pl.col("others_up") - pl.col("others")).sign())
    compared = others.filter((pl.col("others") > 0) & (pl.col("majority") != 0)).with_columns(
        agrees=(pl.col("majority") > 0) == (pl.col("up") > 0)
    )
    average = compared["agrees"].mean()
    base = 1.0 if average is None else float(average)  # type: ignore[arg-type]
    person = ["tenant", "voter"]
    voters = (
        verdicts.group_by(person)
        .agg(votes=pl.len())
        .join(compared.group_by(person).agg(compared=pl.len(), agreed=pl.col("agrees").sum()), on=person, how="left")
        .join(_fastest_minute(verdicts), on=person, how="left")
        .join(_repeated_comments(votes), on=person, how="left")
        .with_columns(pl.col("compared", "agreed", "fastest_minute", "comments", "repeated_comments").fill_null(0))
        .with_columns(
            agreement=(pl.col("agreed") + policy.prior_votes * base) / (pl.col("compared") + policy.prior_votes)
        )
    )
    return RATER_TRUST.conform(_weigh(voters, base, policy)).sort(person)


def _weigh(voters: pl.DataFrame, base: float, policy: TrustPolicy) -> pl.DataFrame:
    span = max(base - policy.chance_agreement, 0.05)
    factors = {
        "disagrees_with_consensus": ((pl.col("agreement") - policy.chance_agreement) / span).clip(0.0, 1.0),
        "faster_than_reading": (policy.readable_per_minute / pl.col("fastest_minute").clip(1)).clip(0.0, 1.0),
        "repeated_comments": pl.when(
            (pl.col("comments") >= 5)
            & (pl.col("repeated_comments") >= policy.repeated_comment_share * pl.col("comments"))
        )
        .then(0.3)
        .otherwise(1.0),
    }
    weight = pl.lit(1.0)
    for factor in factors.values():
        weight = weight * factor
    reasons = [pl.when(factor < 0.9).then(pl.lit(name)) for name, factor in factors.items()]
    return voters.with_columns(
        weight=weight.clip(policy.floor, 1.0),
        reasons=pl.concat_list(reasons).list.drop_nulls(),
    )


def _fastest_minute(verdicts: pl.DataFrame) -> pl.DataFrame:
    person = ["tenant", "voter"]
    return (
        verdicts.group_by(*person, pl.col("occurred_at").dt.truncate("1m"))
        .agg(n=pl.len())
        .group_by(person)
        .agg(fastest_minute=pl.col("n").max())
    )


def _repeated_comments(votes: pl.DataFrame) -> pl.DataFrame:
    person = ["tenant", "voter"]
    return (
        votes.filter(pl.col("comment").is_not_null())
        .group_by(person)
        .agg(comments=pl.len(), repeated_comments=pl.len() - pl.col("comment").n_unique())
    )
