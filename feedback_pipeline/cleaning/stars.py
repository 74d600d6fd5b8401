"""Stars by the rater's own measure: four stars from who mostly gives five say less than from who mostly gives three.

The verdict of a rating and the stars themselves stay as they are; only the strength moves. Days never read other days,
so `clean_feedback` has the strength of the policy alone; what reads several weeks of it (training weights) adjusts.
"""

from dataclasses import dataclass

import polars as pl

from feedback_pipeline.cleaning.current_votes import PERSON


@dataclass(frozen=True)
class StarPolicy:
    """When a rater's own measure is known.

    Attributes:
        least_ratings: ratings with stars a rater must have given in the window.
        prior_ratings: ratings that the tenant's own distribution counts for in every rater's.
    """

    least_ratings: int = 10
    prior_ratings: float = 10.0


def with_rater_strengths(votes: pl.DataFrame, policy: StarPolicy | None = None) -> pl.DataFrame:
    """CLEAN_FEEDBACK with the strength of ratings by stars adjusted to the rater's own distribution.

    A rating's ridit is the share of ratings below it plus half of those equal to it (Bross 1958, Biometrics 14:18). Let
    δ be its ridit among the rater's ratings, less that among all of the tenant's, shrunk by n / (n + prior). For an up
    verdict strength s becomes s + δ(1 − s) where the rater gives this many stars more rarely than others do, and
    s(1 + δ) where more often; for a down verdict with −δ. Neutral verdicts, raters with few ratings, and raters who
    only ever give one number (which says nothing about their measure) stay as they are.

    Args:
        votes: rows of CLEAN_FEEDBACK; those without stars, or where a thumb gave the verdict, pass unchanged.
        policy: when a rater's own measure is known.
    """
    policy = policy or StarPolicy()
    is_rating = pl.col("stars").is_not_null() & pl.col("thumb").is_null() & pl.col("verdict").is_in(["up", "down"])
    rated = votes.filter(pl.col("stars").is_not_null() & pl.col("verdict").is_not_null()).select(*PERSON, "stars")
    shift = _shift(rated, policy)
    toward = pl.when(pl.col("verdict") == "up").then(pl.col("_shift")).otherwise(-pl.col("_shift"))
    strength = pl.col("strength")
    moved = pl.when(toward > 0).then(strength + toward * (1 - strength)).otherwise(strength * (1 + toward))
    # joined apart: joining a whole frame copies it
    keys = votes.select(*PERSON, "stars")
    shifts = keys.join(shift, on=[*PERSON, "stars"], how="left", maintain_order="left")["_shift"]
    return (
        votes.with_columns(shifts)
        .with_columns(
            strength=pl.when(is_rating & pl.col("_shift").is_not_null())
            .then(moved)
            .otherwise(strength)
            .cast(votes.schema["strength"])
        )
        .drop("_shift")
    )


def _shift(rated: pl.DataFrame, policy: StarPolicy) -> pl.DataFrame:
    """δ for each rater whose measure is known and each number of stars they gave: tenant, voter, stars, `_shift`."""
    own = _ridits(rated, list(PERSON)).filter((pl.col("n") >= policy.least_ratings) & (pl.len().over(PERSON) > 1))
    usual = _ridits(rated, ["tenant"]).select("tenant", "stars", usual=pl.col("ridit"))
    return own.join(usual, on=["tenant", "stars"], how="left").select(
        *PERSON,
        "stars",
        _shift=(pl.col("ridit") - pl.col("usual")) * pl.col("n") / (pl.col("n") + policy.prior_ratings),
    )


def _ridits(rated: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """For each group and number of stars: `ridit` and the group's ratings `n`."""
    counted = rated.group_by(*by, "stars").agg(count=pl.len().cast(pl.Int64)).sort(*by, "stars")
    below = pl.col("count").cum_sum().over(by) - pl.col("count")
    total = pl.col("count").sum().over(by)
    return counted.with_columns(n=total, ridit=(below + pl.col("count") / 2) / total)
