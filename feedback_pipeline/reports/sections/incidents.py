"""The section about alerts: one line per incident, and how often alerts were real."""

from collections.abc import Sequence
from datetime import date
from typing import Literal, cast

import polars as pl

from feedback_pipeline.alerting.detectors import Alert as Fired
from feedback_pipeline.alerting.detectors import Reading, count_days, was_real
from feedback_pipeline.reports import wording
from feedback_pipeline.reports.operations import Alert, Alerts
from feedback_pipeline.reports.parts import NoResultPart
from feedback_pipeline.reports.sections.estimates import NOT_COMPUTED
from feedback_pipeline.reports.sources import Sources

APPROVAL_RULES = ("approval_under_target", "approval_drift")
"""Rules that claim approval is under its target: only these can be checked against the days that follow."""

AlertState = Literal["open", "acknowledged", "closed"]


def alerts(sources: Sources, target: float | None) -> Alerts | NoResultPart:
    """The incidents of the period by first day, and the record of the alerts before."""
    if sources.alert_readings is None:
        return NOT_COMPUTED
    states = sources.alert_states or {}
    daily = _people_by_day(sources)
    items = [_incident(fired, states.get(fired[0].incident, "open"), daily, target) for fired in _incidents(sources)]
    earlier = _earlier(sources, daily, target)
    return Alerts(
        tuple(items),
        judged=earlier[0],
        real=earlier[1],
        unchecked=_unchecked(sources.alert_readings),
    )


def _people_by_day(sources: Sources) -> pl.DataFrame:
    """The days of this period and the one before, each person counted once a day: did alerts come true?"""
    previous = [] if sources.previous_vote_facts is None else [sources.previous_vote_facts]
    return pl.concat([count_days(votes) for votes in (*previous, sources.vote_facts)]).sort("day")


def _incidents(sources: Sources) -> list[list[Fired]]:
    """The alerts of each incident, oldest first."""
    fired = [reading.alert for reading in sources.alert_readings or () if reading.alert is not None]
    by_incident: dict[str, list[Fired]] = {}
    for alert in sorted(fired, key=lambda alert: (alert.day, alert.kind, alert.dimensions)):
        by_incident.setdefault(alert.incident, []).append(alert)
    return list(by_incident.values())


def _incident(fired: Sequence[Fired], state: str, daily: pl.DataFrame, target: float | None) -> Alert:
    first, latest = fired[0], fired[-1]
    return Alert(
        alert_id=first.incident,
        rule=first.kind,
        severity="error" if any(alert.severity == "error" for alert in fired) else "warning",
        status=cast(AlertState, state),
        opened=first.day,
        statement=latest.explanation,
        real=_borne_out(first.kind, first.day, daily, target),
    )


def _borne_out(rule: str, day: date, daily: pl.DataFrame, target: float | None) -> bool | None:
    if target is None or rule not in APPROVAL_RULES:
        return None
    return was_real(day, daily, target=target)


def _earlier(sources: Sources, daily: pl.DataFrame, target: float | None) -> tuple[int, int]:
    """How many alerts of earlier periods could be judged, and how many were real, those of the last report included."""
    if sources.previous is None or isinstance(sources.previous.content.alerts, NoResultPart):
        return 0, 0
    before = sources.previous.content.alerts
    verdicts = [_borne_out(alert.rule, alert.opened, daily, target) for alert in before.items]
    decided = [verdict for verdict in verdicts if verdict is not None]
    return before.judged + len(decided), before.real + sum(decided)


def _unchecked(readings: Sequence[Reading]) -> tuple[str, ...]:
    """Each rule that could not look, with its reason on the latest such day."""
    latest: dict[str, Reading] = {}
    for reading in sorted(readings, key=lambda reading: reading.day):
        if reading.reason is not None:
            latest[reading.kind] = reading
    return tuple(f"{wording.dimension(kind)}: {latest[kind].reason}" for kind in sorted(latest))
