"""Alerts: what every rule saw on a day, as asset checks; incidents opened, closed and told of once."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta

import polars as pl

from assets.declaration import Check, Outcome, daily
from assets.small_days import by_day
from feedback_pipeline.alerting import incidents, notifications, rules
from feedback_pipeline.alerting.channels import configured_channels
from feedback_pipeline.alerting.detectors import Reading
from feedback_pipeline.alerting.tables import ALERT_READINGS, DAILY_APPROVAL, KINDS
from feedback_pipeline.cleaning.tables import VOTE_FACTS
from feedback_pipeline.pipeline import Pipeline

GROUP = "patterns"


def _approval_of(pipeline: Pipeline, days: Sequence[date]) -> Mapping[date, pl.DataFrame]:
    return by_day(rules.daily_approval(pipeline.frames.read(VOTE_FACTS, days)), days)


@daily(DAILY_APPROVAL, group=GROUP, after=["vote_facts"], independent=True, small_days=_approval_of)
def daily_approval(pipeline: Pipeline, day: date) -> pl.DataFrame:
    """People's verdicts of the day, each person counted once, in all and by action type: what alert rules look back
    on."""
    return _approval_of(pipeline, [day])[day]


def _readings_of(pipeline: Pipeline, days: Sequence[date]) -> dict[date, Outcome]:
    """The readings of one day after the other, what they look back on read once."""
    trailing = rules.Trailing(
        daily=pipeline.frames.read(DAILY_APPROVAL, _computed(pipeline, _before(days, rules.HISTORY_DAYS))),
        facts=pipeline.frames.scan(VOTE_FACTS, _before(days, rules.FACTS_DAYS))
        .select("interaction_id", "day", "person", "verdict", "action_type")
        .collect(),
    )
    return {day: _readings(pipeline, trailing.upto(day), day) for day in days}


@daily(
    ALERT_READINGS,
    group=GROUP,
    kinds=("polars", "parquet", "postgres"),
    after=["daily_approval", "vote_facts"],
    warning=[*KINDS, "told"],
    small_days=_readings_of,
)
def alert_readings(pipeline: Pipeline, day: date) -> Outcome:
    """What each alert rule saw on the day: an alert, none, or why it could not look. An alert belongs to an incident,
    which is open until it is closed or quiet, and of which people are told once."""
    return _readings_of(pipeline, [day])[day]


def _readings(pipeline: Pipeline, trailing: rules.Trailing, day: date) -> Outcome:
    settings, database = pipeline.settings, pipeline.database
    readings = rules.read_rules(
        trailing,
        day=day,
        target=settings.approval_target,
        drift_since=incidents.drift_since(database, day),
    )
    recorded = incidents.record(database, readings, day=day, now=pipeline.now())
    whole = trailing.daily.filter(trailing.daily["action_type"].is_null())
    incidents.decide(database, whole, day=day, target=settings.approval_target)
    told = notifications.notify(database, configured_channels(settings), today=pipeline.today(), now=pipeline.now())
    return Outcome(
        rules.readings_frame(readings),
        numbers={
            "alerts": sum(reading.alert is not None for reading in readings),
            "incidents_opened": recorded.opened,
            "incidents_closed": recorded.closed,
            "messages": told.sent,
        },
        checks=[
            *(_check(kind, [reading for reading in readings if reading.kind == kind]) for kind in KINDS),
            Check("told", not told.problems, {"messages": told.sent}, "; ".join(told.problems), "warn"),
        ],
    )


def _check(kind: str, readings: Sequence[Reading]) -> Check:
    """One rule as a check; a rule that could not look says why and passes."""
    alerts = [reading.alert for reading in readings if reading.alert is not None]
    said = [alert.explanation for alert in alerts]
    said += [f"could not look: {reading.reason}" for reading in readings if reading.reason is not None]
    numbers = dict(next((alert.numbers for alert in alerts), readings[0].numbers if readings else {}))
    severe = any(alert.severity == "error" for alert in alerts)
    return Check(kind, not alerts, numbers, " ".join(said), "error" if severe else "warn")


def _computed(pipeline: Pipeline, days: Sequence[date]) -> list[date]:
    """Those of the days that `daily_approval` has: one listing is cheaper than asking for each of a year's files."""
    there = set(pipeline.frames.partitions(DAILY_APPROVAL))
    return [day for day in days if day.isoformat() in there]


def _before(days: Sequence[date], count: int) -> list[date]:
    """So many days up to each of these, in their order."""
    return sorted({day - timedelta(days=back) for day in days for back in range(count)})


def declarations() -> Iterator[object]:
    """The assets of this stage, in the order the data flows."""
    yield from (daily_approval, alert_readings)
