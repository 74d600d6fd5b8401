"""Every alert rule on one day, from the days before it."""

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from feedback_pipeline.alerting import detectors as alerts
from feedback_pipeline.alerting.detectors import NEW_FOR_DAYS, Alert, Reading, count_days
from feedback_pipeline.alerting.tables import ALERT_READINGS, DAILY_APPROVAL
from feedback_pipeline.patterns.change import approval_change

HISTORY_DAYS = 365
"""Days of `daily_approval` that the rules may look back on: the e-detector's run length."""
FACTS_DAYS = NEW_FOR_DAYS
"""Days of `vote_facts` that the rules read: two periods of seven days, and as long as an action type is new."""
PERIOD_DAYS = 7
SETTLING_DAYS = 7
"""Action types seen within so many days of the first day there is cannot be told from old ones."""


@dataclass(frozen=True)
class Trailing:
    """What the rules of one day read."""

    daily: pl.DataFrame
    """`daily_approval` of the days up to this one."""
    facts: pl.DataFrame
    """`vote_facts` of the last `FACTS_DAYS` days, this one included."""

    def upto(self, day: dt.date) -> "Trailing":
        """What the rules of an earlier day read, where these are those of several."""
        return Trailing(
            self.daily.filter(pl.col("day").is_between(day - dt.timedelta(days=HISTORY_DAYS - 1), day)),
            self.facts.filter(pl.col("day").is_between(day - dt.timedelta(days=FACTS_DAYS - 1), day)),
        )


def daily_approval(vote_facts: pl.DataFrame) -> pl.DataFrame:
    """`daily_approval` of these votes."""
    whole = count_days(vote_facts).with_columns(action_type=pl.lit(None, pl.String))
    known = vote_facts.filter(pl.col("action_type").is_not_null()).with_columns(pl.col("action_type").cast(pl.String))
    parts = [
        count_days(part).with_columns(action_type=pl.lit(name, pl.String))
        for (name,), part in sorted(known.partition_by("action_type", as_dict=True).items())
    ]
    return DAILY_APPROVAL.conform(pl.concat([whole, *parts])).sort("day", "action_type", nulls_last=False)


def read_rules(trailing: Trailing, *, day: dt.date, target: float, drift_since: dt.date | None = None) -> list[Reading]:
    """What every rule sees on a day.

    Args:
        trailing: the days before it; later ones are ignored.
        day: the day.
        target: approval aimed at, 0–1.
        drift_since: first day of the e-detector's evidence; the first day there is by default.
    """
    upto = trailing.daily.filter(pl.col("day") <= day)
    daily = upto.filter(pl.col("action_type").is_null())
    facts = trailing.facts.filter(pl.col("day") <= day)
    return [
        alerts.approval_under_target(daily, day=day, target=target, voters=_voters(facts, day)),
        alerts.approval_drift(daily, day=day, target=target, since=drift_since),
        _fall(facts, day),
        alerts.negative_count(daily, day=day),
        alerts.negative_rate(daily, day=day),
        *alerts.new_action_types(facts, _first_days(upto), day=day),
        alerts.votes_missing(daily, day=day),
        alerts.votes_late(daily, today=day),
    ]


def _fall(facts: pl.DataFrame, day: dt.date) -> Reading:
    """The last seven days against the seven before."""
    turn = day - dt.timedelta(days=PERIOD_DAYS)
    now = facts.filter(pl.col("day") > turn)
    before = facts.filter(pl.col("day").is_between(turn - dt.timedelta(days=PERIOD_DAYS - 1), turn))
    change = approval_change(now, before, (), week=turn)
    return alerts.approval_fall(change.change, change.rate, change.previous, day=day, p_value=change.p_value)


def _voters(facts: pl.DataFrame, day: dt.date) -> int:
    """Distinct people who voted up or down in the period."""
    recent = facts.filter(pl.col("day") > day - dt.timedelta(days=PERIOD_DAYS), pl.col("verdict") != 0)
    return recent["person"].n_unique()


def _first_days(daily: pl.DataFrame) -> dict[str, dt.date]:
    """First day of each action type that was not there when the votes began."""
    began = daily["day"].min()
    if not isinstance(began, dt.date):
        return {}
    first = daily.drop_nulls("action_type").group_by("action_type").agg(pl.col("day").min()).sort("action_type")
    return dict(first.filter(pl.col("day") >= began + dt.timedelta(days=SETTLING_DAYS)).iter_rows())


def readings_frame(readings: Sequence[Reading]) -> pl.DataFrame:
    """The readings as `alert_readings`."""
    rows = [_row(reading) for reading in readings]
    return pl.DataFrame(rows, schema=ALERT_READINGS.schema, orient="row").sort("day", "kind", "dimensions")


def _row(reading: Reading) -> dict[str, Any]:
    alert = reading.alert
    return {
        "day": reading.day,
        "kind": reading.kind,
        "dimensions": json.dumps(alert.dimensions if alert else [], ensure_ascii=False),
        "severity": alert and alert.severity,
        "incident": alert and alert.incident,
        "explanation": alert and alert.explanation,
        "numbers": json.dumps(dict(reading.numbers), sort_keys=True),
        "reason": reading.reason,
    }


def readings_of(frame: pl.DataFrame) -> list[Reading]:
    """The readings that `alert_readings` rows hold."""
    return [_reading(row) for row in frame.iter_rows(named=True)]


def _reading(row: dict[str, Any]) -> Reading:
    numbers = json.loads(row["numbers"])
    alert = None
    if row["severity"] is not None:
        dimensions = tuple((name, value) for name, value in json.loads(row["dimensions"]))
        alert = Alert(row["kind"], row["severity"], row["day"], row["explanation"], numbers, dimensions)
    return Reading(row["kind"], row["day"], alert, numbers, row["reason"])
