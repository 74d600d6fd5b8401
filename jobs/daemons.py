"""Whether Dagster's daemon is alive: what it writes down of itself, read without loading Dagster."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from feedback_pipeline.store.database import Database
from jobs.storage import beside

NEEDED = {
    "SENSOR": "days and weeks that changed are not computed by themselves",
    "SCHEDULER": "nothing is computed at its time",
    "QUEUED_RUN_COORDINATOR": "runs stay queued",
    "BACKFILL": "backfills do not go on",
    "MONITORING": "runs that died are not noticed",
}
"""Daemons of this instance and what does not happen without them."""
SILENT_SECONDS = 120.0
"""A daemon writes every 30 s while it is alive; after four times that it is called silent."""


@dataclass(frozen=True)
class Daemon:
    """One of the daemons.

    Attributes:
        name: as Dagster calls it.
        seconds: since it last wrote; None where it never did.
        errors: exceptions that it reports.
    """

    name: str
    seconds: float | None
    errors: int

    @property
    def silent(self) -> bool:
        return self.seconds is None or self.seconds > SILENT_SECONDS


def heartbeats(database: Database, now: datetime | None = None) -> list[Daemon]:
    """The daemons of the instance whose storage lies beside the store; none where it lies elsewhere or was never made.

    Args:
        database: the store.
        now: the time, in UTC.
    """
    moment = now or datetime.now(UTC)
    with beside(database) as engine:
        try:
            with engine.connect() as connection:
                rows = connection.execute(sa.text("SELECT daemon_type, body FROM daemon_heartbeats")).all()
        except (sa.exc.OperationalError, sa.exc.ProgrammingError):
            return []
    known = {row.daemon_type: json.loads(row.body) for row in rows}
    return [
        Daemon(
            name,
            moment.timestamp() - known[name]["timestamp"] if name in known else None,
            len(known[name].get("errors") or ()) if name in known else 0,
        )
        for name in NEEDED
    ]  # fmt: skip


def described(daemons: list[Daemon]) -> list[str]:
    """What `feedback status` says of them, the worst first."""
    if not daemons or all(daemon.seconds is None for daemon in daemons):
        return ["daemon: none has run here; without one nothing is computed by itself (feedback dev starts one)"]
    silent = [daemon for daemon in daemons if daemon.silent]
    lines = [
        f"daemon {daemon.name}: {'never seen' if daemon.seconds is None else f'silent for {_span(daemon.seconds)}'}: "
        f"{NEEDED[daemon.name]}"
        for daemon in silent
    ]  # fmt: skip
    lines += [
        f"daemon {daemon.name}: reports {daemon.errors} errors; see Deployment, Daemons in the UI"
        for daemon in daemons if daemon.errors and not daemon.silent
    ]  # fmt: skip
    newest = min(daemon.seconds for daemon in daemons if daemon.seconds is not None)
    return lines or [f"daemon: alive, last heartbeat {newest:.0f} s ago"]


def _span(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{seconds:.0f} s"
