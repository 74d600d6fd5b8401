"""`conflicting_answers`: answers that people contradict each other about, and whether the votes settle it."""

from dataclasses import dataclass

import polars as pl

from feedback_pipeline.cleaning.current_votes import PERSON
from feedback_pipeline.cleaning.tables import CONFLICTING_ANSWERS, RATER_TRUST
from feedback_pipeline.stats.majority import approval_probability

READS = (*PERSON, "interaction_id", "verdict", "strength", "counts")
"""The columns of CLEAN_FEEDBACK that are read."""

_GRAINS = 1_000_000


@dataclass(frozen=True)
class ConflictPolicy:
    """When contradicting votes decide nothing.

    Attributes:
        undecided: an answer is set aside for review while P(more people would say up than down) is between these.
    """

    undecided: tuple[float, float] = (0.2, 0.8)


def conflicting_answers(
    votes: pl.DataFrame, trust: pl.DataFrame | None = None, policy: ConflictPolicy | None = None
) -> pl.DataFrame:
    """The answers of a window of CLEAN_FEEDBACK with at least one up and one down, as CONFLICTING_ANSWERS.

    The probability is that of a rate above one half under a Beta(1 + up, 1 + down) posterior, to which a vote adds its
    strength times the trust in its voter. The numbers of people are counted, never weighted.

    Args:
        votes: rows of CLEAN_FEEDBACK.
        trust: `tenant`, `voter`, `weight` (RATER_TRUST); who is not in it has weight 1.
        policy: when an answer is undecided.
    """
    policy = policy or ConflictPolicy()
    verdicts = votes.filter(pl.col("counts") & pl.col("verdict").is_not_null()).select(
        *PERSON, "interaction_id", "verdict", "strength"
    )
    sides = pl.col("verdict").filter(pl.col("verdict") != "neutral").n_unique().over("tenant", "interaction_id")
    known = RATER_TRUST.empty() if trust is None else trust
    weights = known.select(*PERSON, pl.col("weight").cast(pl.Float64))
    contested = (
        verdicts.filter(sides == 2).join(weights, on=PERSON, how="left").with_columns(pl.col("weight").fill_null(1.0))
    )
    is_up, is_down = pl.col("verdict") == "up", pl.col("verdict") == "down"
    # Whole numbers, so that the sum does not depend on the order of the rows.
    evidence = (pl.col("weight") * pl.col("strength") * _GRAINS).round().cast(pl.Int64)
    tally = (
        contested.group_by("tenant", "interaction_id")
        .agg(
            ups=is_up.sum(),
            downs=is_down.sum(),
            people=pl.len(),
            for_up=evidence.filter(is_up).sum() / _GRAINS,
            for_down=evidence.filter(is_down).sum() / _GRAINS,
        )
        .sort("interaction_id")
    )
    chance = approval_probability(tally["for_up"].to_numpy(), tally["for_down"].to_numpy())
    probability = pl.Series("probability", chance, dtype=pl.Float64)
    undecided = probability.is_between(*policy.undecided)
    return CONFLICTING_ANSWERS.conform(tally.with_columns(probability=probability, decided=~undecided))
