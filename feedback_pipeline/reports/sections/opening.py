"""The opening sections: verdict, coverage, trend."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import polars as pl

from feedback_pipeline.calendar import monday_of, week_label
from feedback_pipeline.reports.parts import MIN_PEOPLE, Difference, NoResultPart, Rate
from feedback_pipeline.reports.sections.estimates import (
    NO_VOTES,
    approval,
    bounded_rate,
    design_effect,
    few_people,
    own_rate,
    report_difference,
    report_rate,
    success,
    too_few,
)
from feedback_pipeline.reports.sources import Sources
from feedback_pipeline.reports.summary import Coverage, Period, Release, Trend, TrendPoint, Verdict
from feedback_pipeline.stats import intervals

TREND_WEEKS = 12
RELEASE_DIMENSIONS = ("model", "prompt_version")
RELEASE_VOTES = 20
"""Fewest votes in the trend's days for a first appearance to be marked as a release."""


def overall_change(sources: Sources) -> dict[str, Any] | None:
    """The row of `approval_change` about all votes, if it was computed."""
    change = sources.approval_change
    if change is None:
        return None
    whole = change.filter((pl.col("part") == "total") & pl.col("dimension").is_null())
    return next(whole.iter_rows(named=True), None)


def verdict(sources: Sources, target: float | None) -> Verdict | NoResultPart:
    """Approval now, before, and the difference."""
    measured = approval(sources.people)
    few = measured.people < MIN_PEOPLE and sources.own
    now = own_rate(measured) if few else report_rate(measured)
    if isinstance(now, NoResultPart):
        return now
    stars = sources.vote_facts["stars"].drop_nulls()
    successes = report_rate(success(sources.people))
    return Verdict(
        approval=now,
        previous=_previous(sources),
        difference=_difference(sources),
        target=target,
        success=None if isinstance(successes, NoResultPart) else successes,
        average_stars=float(stars.cast(pl.Float64).mean()) if stars.len() else None,  # type: ignore[arg-type]
        limit=few_people(measured.people) if few else None,
    )


def _previous(sources: Sources) -> Rate | None:
    if sources.previous_people is None:
        return None
    rate = report_rate(approval(sources.previous_people))
    return None if isinstance(rate, NoResultPart) else rate


def _difference(sources: Sources) -> Difference | NoResultPart:
    if sources.previous_people is None:
        return NoResultPart("the period before was not read")
    before = approval(sources.previous_people)
    previous = report_rate(before)
    if isinstance(previous, NoResultPart):
        return NoResultPart(f"of the period before: {previous.cannot_say}")
    row = overall_change(sources)
    if row is not None and row["change_low"] is not None:
        return report_difference(row["change"], row["change_low"], row["change_high"], row["reason"])
    gap = intervals.difference(approval(sources.people), before)
    return report_difference(gap.estimate, gap.low, gap.high, gap.reason)


def coverage(sources: Sources, period: Period) -> Coverage:
    """What the period's numbers rest on."""
    facts = sources.vote_facts
    row = overall_change(sources) or {}
    days = set(facts["day"].unique().to_list())
    expected = [period.start + timedelta(days=offset) for offset in range((period.end - period.start).days + 1)]
    rated = facts["interaction_id"].hash().n_unique() if facts.height else 0
    answers = _answers(sources, row)
    return Coverage(
        votes=facts.height,
        people=sources.people.height,
        rated_answers=rated,
        answers=answers,
        response_rate=_response_rate(row, rated, answers),
        previous_response_rate=row.get("previous_response_rate"),
        newest_vote=max(days, default=None),
        days_without_votes=tuple(day for day in expected if day not in days),
        sensitivity=_sensitivity(row.get("sensitivity"), period.noun),
        neutral=facts.filter(pl.col("verdict") == 0).height,
    )


def _answers(sources: Sources, row: dict[str, Any]) -> int | None:
    if row.get("answers") is not None:
        return int(row["answers"])
    if sources.answers is None:
        return None
    return int(sources.answers.select(pl.len()).collect().item())


def _response_rate(row: dict[str, Any], rated: int, answers: int | None) -> float | None:
    if row.get("response_rate") is not None:
        return float(row["response_rate"])
    # Votes can be about answers of earlier periods, so a quotient above 1 says nothing.
    return rated / answers if answers and rated <= answers else None


def _sensitivity(factor: float | None, noun: str) -> str | None:
    if factor is None:
        return None
    return (
        f"The change of approval would vanish if unhappy people had become {factor:.2f} times as ready to vote as last "
        f"{noun}, relative to happy ones."
    )


def trend(sources: Sources, period: Period, target: float | None) -> Trend | NoResultPart:
    """Approval by week: the last twelve of a weekly report, those of the month of a monthly one.

    Earlier weeks are sums of days, which carry no persons: their intervals are widened by this period's design effect.
    """
    totals = sources.daily_counts.filter(pl.col("first_dimension").is_null())
    daily = {row["day"]: row for row in totals.iter_rows(named=True)}
    mondays = _mondays(period)
    while mondays and not any(_days_of(mondays[0], daily)):
        mondays = mondays[1:]
    if not mondays:
        return NO_VOTES
    effect = design_effect(sources.people)
    points = [_point(monday, list(_days_of(monday, daily)), effect) for monday in mondays]
    if period.kind == "weekly" and points[-1].start == period.start:
        points[-1] = TrendPoint(
            points[-1].label, period.start, period.end, points[-1].votes, report_rate(approval(sources.people))
        )
    return Trend(tuple(points), _releases(sources.daily_counts), target)


def _mondays(period: Period) -> list[date]:
    last = monday_of(period.end)
    first = last - timedelta(weeks=TREND_WEEKS - 1) if period.kind == "weekly" else monday_of(period.start)
    return [first + timedelta(weeks=week) for week in range((last - first).days // 7 + 1)]


def _days_of(monday: date, daily: dict[date, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for offset in range(7):
        row = daily.get(monday + timedelta(days=offset))
        if row is not None and row["votes"]:
            yield row


def _point(monday: date, days: list[dict[str, Any]], effect: float) -> TrendPoint:
    up, down = (sum(day[verdict] for day in days) for verdict in ("up", "down"))
    votes = sum(day["votes"] for day in days)
    most, all_days = max((day["people"] for day in days), default=0), sum(day["people"] for day in days)
    rate: Rate | NoResultPart
    if up + down == 0:
        rate = NO_VOTES
    elif all_days < MIN_PEOPLE:
        rate = too_few(all_days)
    elif most < MIN_PEOPLE:
        rate = NoResultPart(f"no day had votes from {MIN_PEOPLE} people, from which rates are shown")
    else:
        low, high = intervals.wilson_bounds(up / effect, (up + down) / effect)
        rate = bounded_rate(up / (up + down), float(low), float(high), up + down, None)
    return TrendPoint(week_label(monday), monday, monday + timedelta(days=6), votes, rate)


def _releases(daily_counts: pl.DataFrame) -> tuple[Release, ...]:
    """Levels that first had votes after the first day of the counts, with enough votes to matter."""
    if daily_counts.is_empty():
        return ()
    start = daily_counts["day"].min()
    single = daily_counts.filter(
        pl.col("first_dimension").is_in(RELEASE_DIMENSIONS)
        & pl.col("second_dimension").is_null()
        & pl.col("first_value").is_not_null()
        & (pl.col("first_value") != "(other)")
    )
    first_days = (
        single.group_by("first_dimension", "first_value")
        .agg(pl.col("day").min(), pl.col("votes").sum())
        .filter((pl.col("day") > start) & (pl.col("votes") >= RELEASE_VOTES))
        .sort("day", "first_dimension", "first_value")
    )
    return tuple(
        Release(row["day"], row["first_dimension"], row["first_value"]) for row in first_days.iter_rows(named=True)
    )
