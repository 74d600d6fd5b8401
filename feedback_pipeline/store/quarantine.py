"""Refused rows: listed, looked at, corrected, and re-admitted or discarded.

A row that is re-admitted goes through the same reading as every delivered row; it becomes the vote it would have been,
under the same id, and its refusal is no longer held. Nothing is lost in between: a kill leaves a row that is filed and
still held, and re-admitting it again only settles the refusal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from feedback_pipeline.store.database import Database
from feedback_pipeline.store.statements import query


class QuarantineError(ValueError):
    """What was asked cannot be done with this row; the message says why and what to do, and quotes nothing."""


@dataclass(frozen=True)
class Refused:
    """One refused row, without what it held.

    Attributes:
        id: its id.
        day: the day it counts for.
        tenant: who sent it.
        source: name of the source.
        place: file and row.
        field: the first field that was wrong.
        reason: why, as a code.
        state: held, readmitted or discarded.
        kept: what it held is still there.
        recorded_at: when it was refused.
    """

    id: UUID
    day: date
    tenant: str
    source: str
    place: str
    field: str | None
    reason: str
    state: str
    kept: bool
    recorded_at: datetime


@dataclass(frozen=True)
class Held:
    """One refused row with what it held (`payload`: JSON, redacted, the person as a pseudonym)."""

    refused: Refused
    payload: str | None


def listed(
    database: Database,
    *,
    state: str | None = "held",
    source: str | None = None,
    reason: str | None = None,
    limit: int = 50,
) -> list[Refused]:
    """Refused rows, newest day first."""
    parameters = {"state": state, "source": source, "reason": reason, "limit": limit}
    with database.engine.connect() as connection:
        return [Refused(**row._mapping) for row in connection.execute(sa.text(query("list_quarantine")), parameters)]


def shown(database: Database, refusal: UUID) -> Held:
    """One refused row.

    Raises:
        QuarantineError: there is none with this id.
    """
    with database.engine.connect() as connection:
        row = connection.execute(sa.text(query("read_quarantined")), {"id": refusal}).one_or_none()
    if row is None:
        raise QuarantineError(f"there is no refused row {refusal}: `feedback quarantine list` shows their ids")
    values = dict(row._mapping)
    payload, category = values.pop("payload"), values.pop("category")
    if category != "quarantined":
        said = {"duplicate": "a repeated delivery", "opted_out": "withheld because the person refused collection"}
        raise QuarantineError(f"{refusal} is {said[category]}: there is nothing to re-admit")
    return Held(Refused(**values, kept=payload is not None), payload)


def require_held(held: Held) -> str:
    """What a row holds, if it can still be re-admitted.

    Raises:
        QuarantineError: it was re-admitted or discarded before, or what it held is not kept.
    """
    if held.refused.state != "held":
        raise QuarantineError(f"{held.refused.id} is {held.refused.state} already")
    if held.payload is None:
        raise QuarantineError(
            f"what {held.refused.id} held is not kept (it could not be taken apart, or has had its time): correct "
            f"{held.refused.place} where it came from and import it again"
        )
    return held.payload


def settle(database: Database, refusals: Sequence[UUID], state: str) -> int:
    """Marks held rows as readmitted or discarded; returns how many were held."""
    statement = sa.text("UPDATE refusal SET state = :state WHERE id = ANY (:ids) AND state = 'held'")
    parameters: Mapping[str, Any] = {"state": state, "ids": list(refusals)}
    with database.engine.begin() as connection:
        return connection.execute(statement, parameters).rowcount
