"""The register of actions: what was recommended, who does it until when, and whether it helped."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl
import sqlalchemy as sa

from feedback_pipeline.store.database import Database
from feedback_pipeline.store.statements import Queries

Status = Literal["proposed", "accepted", "done", "dropped"]
Outcome = Literal["helped", "no measurable change", "hurt", "cannot say"]

MAX_NOTE = 500
_query = Queries(__file__).statement


class UnknownActionError(LookupError):
    """There is no such action, or several begin so."""


@dataclass(frozen=True)
class Action:
    """One recommendation and what was decided about it."""

    recommendation_id: str
    kind: str
    statement: str
    """What to do and why, as of the newest week that recommended it."""
    expected_gain: float | None
    """Approval gained overall, as a share."""
    first_week: dt.date
    last_week: dt.date
    status: Status
    owner: str | None
    due: dt.date | None
    done_on: dt.date | None
    outcome: Outcome | None
    """What the newest report said of it once it was done."""
    outcome_week: dt.date | None


@dataclass(frozen=True)
class Event:
    """One decision."""

    status: Status
    owner: str | None
    due: dt.date | None
    decided_by: str | None
    """None: the pipeline."""
    note: str | None
    decided_at: dt.datetime


def propose(database: Database, recommendations: pl.DataFrame, *, now: dt.datetime) -> int:
    """Files the recommendations of a week (`recommendations`) as actions; returns how many changed the register.

    Weeks may come in any order and more than once.
    """
    changed = 0
    with database.engine.begin() as connection:
        for row in recommendations.sort("recommendation_id").iter_rows(named=True):
            values = {
                "recommendation_id": row["recommendation_id"],
                "kind": row["kind"],
                "statement": row["text"],
                "expected_gain": row["approval_gain"],
                "week": row["week"],
            }
            if connection.execute(_query("propose"), values).first() is None:
                continue
            changed += 1
            connection.execute(_query("log_event"), values | {"person": None, "note": None, "now": now})
    return changed


def decide(
    database: Database,
    recommendation_id: str,
    *,
    person: str,
    now: dt.datetime,
    today: dt.date,
    status: Status | None = None,
    owner: str | None = None,
    due: dt.date | None = None,
    note: str | None = None,
) -> Action:
    """Records a decision about an action; what is None stays as it was.

    Args:
        database: the store.
        recommendation_id: its id, or a beginning that no other has.
        person: who decides.
        now: when.
        today: the day that counts as done.
        status: accepted, done, dropped, or proposed again.
        owner: who does it.
        due: until when.
        note: why.

    Raises:
        UnknownActionError: there is none, or more than one begins so.
        ValueError: the note is too long.
    """
    if note is not None and len(note) > MAX_NOTE:
        raise ValueError(f"a note has at most {MAX_NOTE} characters, not {len(note)}")
    with database.engine.begin() as connection:
        identity = _resolved(connection, recommendation_id)
        values = {"recommendation_id": identity, "status": status, "owner": owner, "due": due}
        connection.execute(_query("decide"), values | {"today": today, "now": now})
        connection.execute(_query("log_event"), values | {"person": person, "note": note, "now": now})
    return next(action for action in actions(database) if action.recommendation_id == identity)


def _resolved(connection: sa.Connection, start: str) -> str:
    found = list(connection.execute(_query("find_actions"), {"start": start}).scalars()) if start else []
    if start in found:
        return start
    if len(found) != 1:
        said = "several actions begin with" if found else "there is no action"
        raise UnknownActionError(f"{said} {start}: see feedback actions list")
    return str(found[0])


def actions(database: Database, status: Status | None = None) -> list[Action]:
    """The actions: accepted ones first, then proposed, done and dropped ones; by due day, newest week and gain."""
    with database.engine.connect() as connection:
        return [Action(**row) for row in connection.execute(_query("list_actions"), {"status": status}).mappings()]


def history(database: Database, recommendation_id: str) -> list[Event]:
    """Every decision about an action, oldest first.

    Raises:
        UnknownActionError: there is none.
    """
    with database.engine.connect() as connection:
        values = {"recommendation_id": _resolved(connection, recommendation_id)}
        return [Event(**row) for row in connection.execute(_query("list_events"), values).mappings()]


def decisions(database: Database) -> pl.DataFrame:
    """What people decided, as reports read it: `recommendation_id`, `status`, `owner`, `due`."""
    schema = {"recommendation_id": pl.String, "status": pl.String, "owner": pl.String, "due": pl.Date}
    rows: list[dict[str, Any]] = [
        {name: getattr(action, name) for name in schema}
        for action in sorted(actions(database), key=lambda one: one.recommendation_id)
    ]
    return pl.DataFrame(rows, schema=schema)


def record_outcomes(database: Database, week: dt.date, outcomes: Mapping[str, Outcome]) -> None:
    """Files what the report of a week said of earlier actions, by their id."""
    with database.engine.begin() as connection:
        for identity, outcome in sorted(outcomes.items()):
            values = {"recommendation_id": identity, "outcome": outcome, "week": week}
            connection.execute(_query("record_outcome"), values)
