"""One message for each incident and channel.

The incident's row is locked while its message is sent and marked in the same transaction. What a channel did not take
stays pending and is tried again with the next day's readings; the other channels are not told twice. Only a process
that dies between a message and its mark lets one be sent again.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from feedback_pipeline.alerting.channels import Channel, DeliveryError
from feedback_pipeline.alerting.messages import Message, incident_message
from feedback_pipeline.store import locks
from feedback_pipeline.store.database import Database
from feedback_pipeline.store.locks import Space
from feedback_pipeline.store.statements import Queries

FRESH_DAYS = 10
"""Incidents that last fired longer ago are history, which nobody is told of."""

_query = Queries(__file__).statement


@dataclass(frozen=True)
class Delivered:
    """What became of the pending messages."""

    sent: int
    problems: tuple[str, ...]
    """Why a channel did not take one, once for each channel."""


def notify(database: Database, channels: Sequence[Channel], *, today: dt.date, now: dt.datetime) -> Delivered:
    """Tells every channel of each open incident that it was not told of yet."""
    sent, problems = 0, dict[str, str]()
    pending = _query("pending_incidents")
    with database.engine.begin() as connection:
        rows = connection.execute(pending, {"since": today - dt.timedelta(days=FRESH_DAYS)}).all()
        for row in rows:
            message = incident_message(
                row.id, row.kind, row.severity, row.slice, row.explanation, row.first_day, row.last_day
            )
            outcome = _send(connection, channels, message, now)
            sent += outcome.sent
            problems |= {problem: problem for problem in outcome.problems}
            if not outcome.problems:
                connection.execute(
                    sa.text("UPDATE alert SET notified_at = :now WHERE id = :id"), {"now": now, "id": row.id}
                )
    return Delivered(sent, tuple(problems))


def send_once(database: Database, channels: Sequence[Channel], message: Message, *, now: dt.datetime) -> Delivered:
    """Sends a message to every channel that has not got one about its subject yet."""
    with database.engine.begin() as connection:
        locks.wait_for_name_in_transaction(connection, Space.NOTIFICATION, message.subject)
        return _send(connection, channels, message, now)


def _send(connection: sa.Connection, channels: Sequence[Channel], message: Message, now: dt.datetime) -> Delivered:
    told = set(
        connection.execute(
            sa.text("SELECT channel FROM notification WHERE subject = :subject"), {"subject": message.subject}
        ).scalars()
    )
    sent, problems = 0, []
    for channel in channels:
        if channel.name in told:
            continue
        try:
            channel.send(message)
        except DeliveryError as error:
            problems.append(f"{channel.name}: {error}")
            continue
        connection.execute(
            sa.text("INSERT INTO notification (subject, channel, sent_at) VALUES (:subject, :channel, :now)"),
            {"subject": message.subject, "channel": channel.name, "now": now},
        )
        sent += 1
    return Delivered(sent, tuple(problems))
