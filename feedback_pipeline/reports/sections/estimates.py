"""From the rates and differences of the analyses to those of the report."""

from typing import Any

import polars as pl

from feedback_pipeline.reports.parts import MIN_PEOPLE, Difference, NoResultPart, Rate
from feedback_pipeline.stats import intervals

Row = dict[str, Any]

NO_VOTES = NoResultPart("there are no votes")
NOT_COMPUTED = NoResultPart("this was not computed")


def too_few(people: int) -> NoResultPart:
    """Why a rate of so few people is withheld."""
    who = "one person" if people == 1 else f"{people} people"
    return NoResultPart(
        f"the votes are from {who}, and what others may read shows rates from {MIN_PEOPLE} people on "
        "(feedback analyze shows your own)"
    )


def few_people(people: int) -> str:
    """What a rate of so few people says, to themselves."""
    who = "one person" if people == 1 else f"{people} people"
    return f"These are votes of {who}: the interval is about further votes of theirs, and says nothing of others."


def own_rate(rate: intervals.Rate) -> Rate | NoResultPart:
    """A rate of any number of people, for whoever holds the votes: Wilson's interval over the votes."""
    if rate.estimate is None:
        return NO_VOTES
    low, high = intervals.wilson_bounds(rate.up, rate.n)
    return bounded_rate(rate.estimate, float(low), float(high), rate.n, rate.people)


def report_rate(rate: intervals.Rate) -> Rate | NoResultPart:
    """A rate with its interval, unless there is none or too few people are behind it."""
    if rate.estimate is None:
        return NO_VOTES
    if rate.people < MIN_PEOPLE:
        return too_few(rate.people)
    if rate.low is None or rate.high is None:
        return NoResultPart(rate.reason or "the rate has no interval")
    return bounded_rate(rate.estimate, rate.low, rate.high, rate.n, rate.people)


def bounded_rate(value: float, low: float, high: float, votes: int, people: int | None) -> Rate:
    """A rate whose interval holds its value, whatever rounding did."""
    return Rate(value, max(min(low, value), 0.0), min(max(high, value), 1.0), votes, people)


def report_difference(
    value: float | None, low: float | None, high: float | None, reason: str | None
) -> Difference | NoResultPart:
    """A difference with its interval, or why there is none."""
    if value is None or low is None or high is None:
        return NoResultPart(reason or "it has no interval")
    return Difference(value, min(low, value), max(high, value))


_SUMS = (
    (pl.col("verdict") == 1).sum().alias("up"),
    (pl.col("verdict") != 0).sum().alias("votes"),
    pl.col("success").sum().alias("successes"),
    pl.col("success").is_not_null().sum().alias("outcomes"),
)


def person_sums(facts: pl.DataFrame) -> pl.DataFrame:
    """`vote_facts` by person: `up` of the `votes` that are up or down, `successes` of the known `outcomes`."""
    return facts.group_by("person").agg(*_SUMS).sort("person")


def level_sums(facts: pl.DataFrame, dimension: str) -> pl.DataFrame:
    """The same by `level` of a dimension and person; unknown levels are left out."""
    known = facts.filter(pl.col(dimension).is_not_null())
    sums = known.group_by(pl.col(dimension).cast(pl.String).alias("level"), "person").agg(*_SUMS)
    return sums.sort("level", "person")


def approval(sums: pl.DataFrame) -> intervals.Rate:
    """Approval of people's votes, with an interval clustered by person."""
    return intervals.clustered_rate(sums["up"].to_numpy(), sums["votes"].to_numpy())


def success(sums: pl.DataFrame) -> intervals.Rate:
    """Success of people's votes, with an interval clustered by person."""
    return intervals.clustered_rate(sums["successes"].to_numpy(), sums["outcomes"].to_numpy())


def standard_error(sums: pl.DataFrame) -> float | None:
    """Standard error of approval, clustered by person; None for fewer than two people."""
    return intervals.clustered_standard_error(sums["up"].to_numpy(), sums["votes"].to_numpy())


def design_effect(sums: pl.DataFrame) -> float:
    """How many times wider than independent votes' the variance is, at least 1; 1 where it cannot be told."""
    error = standard_error(sums)
    if error is None:
        return 1.0
    votes = float(sums["votes"].sum())
    rate = float(sums["up"].sum()) / votes
    binomial = rate * (1 - rate) / votes
    return max(error**2 / binomial, 1.0) if binomial > 0 else 1.0
