"""Incidents: alerts that are the same trouble on following days, and what people did about them.

The state lives in the table `alert`: open, acknowledged by a person, closed by a person, or closed by itself after
`QUIET_DAYS` days without firing. A day that is computed again changes nothing it has not to.
"""

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID, uuid4

import polars as pl
import sqlalchemy as sa

from feedback_pipeline.alerting.detectors import Alert, Reading, was_real
from feedback_pipeline.store import locks
from feedback_pipeline.store.database import Database
from feedback_pipeline.store.locks import Lock
from feedback_pipeline.store.statements import Queries

State = Literal["open", "acknowledged", "closed"]

QUIET_DAYS = 7
APPROVAL_KINDS = ("approval_under_target", "approval_drift")
"""Rules that claim approval is under its target: the days that follow say whether it was."""
DECIDED_WITHIN_DAYS = 60

_query = Queries(__file__).statement


class UnknownIncidentError(LookupError):
    """There is no such incident in a state that allows it."""


@dataclass(frozen=True)
class Incident:
    """One row of `alert`."""

    id: UUID
    incident: str
    kind: str
    severity: str
    dimensions: tuple[tuple[str, str], ...]
    numbers: dict[str, float]
    explanation: str
    """Of the latest day."""
    first_day: dt.date
    last_day: dt.date
    state: State
    real: bool | None
    """Whether the days after the first bore it out; None while undecided, or where that cannot be told."""
    opened_at: dt.datetime
    acknowledged_by: str | None
    closed_by: str | None
    """None for an incident that closed by itself."""
    closed_on: dt.date | None
    notified_at: dt.datetime | None


@dataclass(frozen=True)
class Recorded:
    """What a day's readings did."""

    opened: int
    continued: int
    closed: int


def record(
    database: Database, readings: Sequence[Reading], *, day: dt.date, now: dt.datetime, quiet_days: int = QUIET_DAYS
) -> Recorded:
    """Files a day's alerts under their incidents, opens new ones, and closes those that have been quiet.

    An incident whose rule could not look stays as it is. Several processes may record at once.
    """
    unable = sorted({reading.kind for reading in readings if reading.reason is not None})
    alerts = [reading.alert for reading in readings if reading.alert is not None]
    opened = continued = 0
    with database.engine.begin() as connection:
        locks.wait_in_transaction(connection, Lock.INCIDENTS)
        quiet = connection.execute(
            _query("close_quiet_incidents").bindparams(sa.bindparam("unable", type_=sa.ARRAY(sa.Text))),
            {"now": now, "quiet_days": quiet_days, "day": day, "unable": unable},
        ).all()
        for alert in alerts:
            values = _values(alert, quiet_days)
            if connection.execute(_query("extend_incident"), values).first() is not None:
                continued += 1
                continue
            state = connection.execute(_query("open_incident"), values | {"id": str(uuid4()), "now": now}).scalar_one()
            opened += state == "open"
    return Recorded(opened, continued, len(quiet))


def _values(alert: Alert, quiet_days: int) -> dict[str, Any]:
    return {
        "incident": alert.incident,
        "kind": alert.kind,
        "severity": alert.severity,
        "dimensions": json.dumps(dict(alert.dimensions)),
        "numbers": json.dumps(dict(alert.numbers)),
        "explanation": alert.explanation,
        "day": alert.day,
        "quiet_days": quiet_days,
    }


def drift_since(database: Database, day: dt.date) -> dt.date | None:
    """The day after the newest drift incident closed before `day`: where the e-detector's evidence begins anew."""
    with database.engine.connect() as connection:
        closed: dt.date | None = connection.execute(
            sa.text("SELECT max(closed_on) FROM alert WHERE kind = 'approval_drift' AND closed_on < :day"),
            {"day": day},
        ).scalar()
    return None if closed is None else closed + dt.timedelta(days=1)


def decide(database: Database, daily: pl.DataFrame, *, day: dt.date, target: float) -> int:
    """Says of approval incidents whose following week has passed whether they were real; returns how many.

    Args:
        database: the store.
        daily: one row a day, as `patterns.alerts.count_days` gives it, up to `day`.
        day: the newest day there is.
        target: approval aimed at, 0–1.
    """
    decided = 0
    with database.engine.begin() as connection:
        waiting = connection.execute(
            _query("decide_incidents").bindparams(sa.bindparam("kinds", type_=sa.ARRAY(sa.Text))),
            {"kinds": list(APPROVAL_KINDS), "day": day, "most_days": DECIDED_WITHIN_DAYS},
        ).all()
        for identity, first_day in waiting:
            real = was_real(first_day, daily, target=target)
            if real is None or (day - first_day).days < QUIET_DAYS:
                continue
            connection.execute(sa.text("UPDATE alert SET real = :real WHERE id = :id"), {"real": real, "id": identity})
            decided += 1
    return decided


def incidents(
    database: Database, *, first: dt.date = dt.date.min, last: dt.date = dt.date.max, closed_too: bool = True
) -> list[Incident]:
    """The incidents that fired between two days, newest first."""
    with database.engine.connect() as connection:
        rows = connection.execute(
            _query("list_incidents"),
            {"first": max(first, dt.date(1, 1, 2)), "last": min(last, dt.date(9999, 12, 30)), "closed_too": closed_too},
        ).mappings()
        return [_incident(dict(row)) for row in rows]


def _incident(row: dict[str, Any]) -> Incident:
    dimensions = tuple(sorted(row.pop("slice").items()))
    kept = {name: row[name] for name in Incident.__dataclass_fields__ if name != "dimensions"}
    return Incident(dimensions=dimensions, **kept)


def states(database: Database, first: dt.date, last: dt.date) -> dict[str, str]:
    """The state of each incident that fired between two days, by its hash; of several of one hash the newest's."""
    found = incidents(database, first=first, last=last)
    return {one.incident: one.state for one in sorted(found, key=lambda one: one.first_day)}


def acknowledge(database: Database, identity: UUID, *, person: str, now: dt.datetime) -> None:
    """Notes that a person knows of an open incident.

    Raises:
        UnknownIncidentError: there is no such open incident.
    """
    _change(database, "acknowledge_incident", "open", identity, {"person": person, "now": now})


def close(database: Database, identity: UUID, *, person: str, now: dt.datetime, today: dt.date) -> None:
    """Closes an incident. If it fires on a later day it is a new one, which is told anew.

    Raises:
        UnknownIncidentError: there is no such incident that is not closed.
    """
    _change(
        database, "close_incident", "open or acknowledged", identity, {"person": person, "now": now, "today": today}
    )


def _change(database: Database, query: str, states_allowed: str, identity: UUID, values: dict[str, Any]) -> None:
    with database.engine.begin() as connection:
        if connection.execute(_query(query), values | {"id": str(identity)}).first() is None:
            raise UnknownIncidentError(f"there is no {states_allowed} incident {identity}: see feedback alerts list")
