"""The ledger of training runs in the store: `providers.ledger` over `fine_tune_job` and `fine_tune_event`."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from feedback_pipeline.store.database import Database
from feedback_pipeline.store.locks import Space, held_name
from feedback_pipeline.store.statements import statement
from feedback_pipeline.tables.parquet import location
from feedback_pipeline.tuning.providers.ledger import OVER, Entry, State
from feedback_pipeline.tuning.providers.protocol import LossPoint, TrainingFile, TrainingRequest

OPEN: tuple[State, ...] = ("planned", "uploading", "uploaded", "creating", "following")
PLANNING = "planning"
"""Name of the lock under which budgets are looked at and spent."""

LOOK_EVERY = dt.timedelta(minutes=5)
"""A job lasts from minutes to hours; one that its provider's webhook spoke of is looked at at once."""


@dataclass(frozen=True)
class Run:
    """A training run as the store holds it.

    Attributes:
        entry: how far it is.
        provider: where it is trained.
        week: of its dataset.
        request: what was asked for.
        examples: different examples in its training file.
        highest_usd: upper end of its cost estimate.
        charged_usd: what the billed tokens cost, once known.
        losses: as reported so far.
        created_at: when it was planned.
        announced: the provider's webhook spoke of its job since the last look.
        looked_at: when the provider was last asked about it.
    """

    entry: Entry
    provider: str
    week: dt.date
    request: TrainingRequest
    examples: int
    highest_usd: float
    charged_usd: float | None
    losses: tuple[LossPoint, ...]
    created_at: dt.datetime
    announced: bool = False
    looked_at: dt.datetime | None = None

    @property
    def over(self) -> bool:
        return self.entry.state in OVER

    def due(self, now: dt.datetime) -> bool:
        """Whether to take the next step now; a look that lies ahead of us was taken by a clock that was wrong."""
        waits = self.entry.state == "following" or self.entry.reason is not None
        if not waits or self.announced or self.looked_at is None:
            return True
        return not dt.timedelta(0) <= now - self.looked_at < LOOK_EVERY


@dataclass(frozen=True)
class Ledger:
    """The ledger of one store."""

    database: Database

    @contextmanager
    def exclusively(self, name: str) -> Iterator[bool]:
        """Whether this process alone holds `name` for the length of the block; never waits.

        The lock belongs to a connection: when the process dies, so does the lock.
        """
        with held_name(self.database.engine, Space.FINE_TUNING, name) as locked:
            yield locked

    def plan(
        self,
        request: TrainingRequest,
        provider: str,
        week: dt.date,
        *,
        examples: int,
        highest_usd: float,
        usd_per_million: float,
        now: dt.datetime,
    ) -> Run:
        """Enters a run as planned; a run that is known stays as it is."""
        key = request.key(provider)
        values = {
            "key": key, "dataset_id": request.dataset_id, "provider": provider, "base_model": request.model,
            "highest_usd": highest_usd, "week": week, "method": request.method, "request": _described(request),
            "examples": examples, "usd_per_million": usd_per_million, "now": now,
        }  # fmt: skip
        with self.database.engine.begin() as connection:
            if connection.execute(statement("tuning_plan"), values).rowcount:
                log = {"key": key, "version": 0, "state": "planned", "reported": None, "reason": None, "now": now}
                connection.execute(statement("tuning_log"), log)
        run = self.run(key)
        assert run is not None
        return run

    def save(self, before: Entry, after: Entry, now: dt.datetime) -> bool:
        """Stores `after` where `before` is still what is stored, with a line of its history."""
        values = {
            name: getattr(after, name)
            for name in ("key", "state", "version", "since", "training_file_id", "validation_file_id", "job_id",
                         "fine_tuned_model", "reported", "trained_tokens", "misses", "reason")
        }  # fmt: skip
        with self.database.engine.begin() as connection:
            changed = connection.execute(
                statement("tuning_save"), values | {"version_before": before.version, "now": now}
            ).rowcount
            if changed:
                connection.execute(statement("tuning_log"), values | {"now": now})
        return bool(changed)

    def look(self, key: str, now: dt.datetime) -> None:
        """Notes that the provider is asked about a run now; what its webhook says from now on makes it due again."""
        with self.database.engine.begin() as connection:
            connection.execute(
                sa.text("UPDATE fine_tune_job SET looked_at = :now, announced = false WHERE id = :key"),
                {"key": key, "now": now},
            )

    def keep_losses(self, key: str, losses: tuple[LossPoint, ...]) -> None:
        """Keeps the loss curve of a run."""
        points = [[point.step, point.train_loss, point.validation_loss] for point in losses]
        with self.database.engine.begin() as connection:
            connection.execute(
                sa.text("UPDATE fine_tune_job SET losses = CAST(:losses AS jsonb) WHERE id = :key"),
                {"key": key, "losses": orjson.dumps(points).decode()},
            )

    def run(self, key: str) -> Run | None:
        """One run, or None."""
        return next(iter(self._runs(key=key)), None)

    def open_runs(self) -> list[Run]:
        """Runs that are not over, oldest first."""
        return self._runs(open_only=True)

    def runs(self) -> list[Run]:
        """Every run, oldest first."""
        return self._runs()

    def _runs(self, key: str | None = None, *, open_only: bool = False) -> list[Run]:
        values = {"key": key, "open": open_only, "open_states": list(OPEN)}
        with self.database.engine.connect() as connection:
            return [_run(dict(row)) for row in connection.execute(statement("tuning_runs"), values).mappings()]

    def history(self, key: str) -> list[dict[str, Any]]:
        """Every state a run went through: `version`, `state`, `reported`, `reason`, `at`."""
        with self.database.engine.connect() as connection:
            rows = connection.execute(
                sa.text("SELECT version, state, reported, reason, at FROM fine_tune_event WHERE job_id = :key"
                        " ORDER BY version"), {"key": key})  # fmt: skip
            return [dict(row) for row in rows.mappings()]

    def spent_usd(self, month: dt.datetime) -> float:
        """What the runs planned since the start of a month cost; unknown bills at their highest estimate."""
        with self.database.engine.connect() as connection:
            return float(connection.execute(statement("tuning_spent"), {"month": month}).scalar_one())

    def last_started(self) -> tuple[dt.datetime, int] | None:
        """When the newest run was planned, and its examples; runs that sent nothing do not count."""
        with self.database.engine.connect() as connection:
            row = connection.execute(statement("tuning_last")).first()
        return (row.created_at, row.examples) if row else None


def _run(row: dict[str, Any]) -> Run:
    entry = Entry(
        **{name: row[name] for name in ("key", "state", "version", "since", "training_file_id", "validation_file_id",
                                        "job_id", "fine_tuned_model", "reported", "trained_tokens", "misses", "reason")}
    )  # fmt: skip
    return Run(
        entry, row["provider"], row["week"], _request(row), row["examples"], row["estimated_usd"], row["charged_usd"],
        tuple(LossPoint(*point) for point in row["losses"]), row["created_at"], row["announced"], row["looked_at"],
    )  # fmt: skip


def _described(request: TrainingRequest) -> str:
    files = {
        name: None if file is None else {"path": str(file.path), "sha256": file.sha256}
        for name, file in (("training", request.training), ("validation", request.validation))
    }
    settings = {"suffix": request.suffix, "epochs": request.epochs, "seed": request.seed}
    return orjson.dumps(files | settings).decode()


def _request(row: dict[str, Any]) -> TrainingRequest:
    given = row["request"]
    training, validation = (_file(given[name]) for name in ("training", "validation"))
    assert training is not None
    return TrainingRequest(
        row["dataset_id"], row["method"], row["base_model"], training, validation, given["suffix"], given["epochs"],
        given["seed"],
    )  # fmt: skip


def _file(given: dict[str, str] | None) -> TrainingFile | None:
    # a bucket's path answers to the same calls as a local one
    if given is None:
        return None
    place: Any = Path(given["path"]) if "://" not in given["path"] else location(given["path"])
    return TrainingFile(place, given["sha256"])
