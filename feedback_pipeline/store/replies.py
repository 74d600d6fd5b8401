"""What judging models replied and what it cost, kept in the store: a second run is free, a killed one goes on."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID, uuid4

import orjson
import sqlalchemy as sa

from feedback_pipeline.store.database import Database

_GET = sa.text("SELECT key, reply FROM judge_reply WHERE key = ANY(:keys)")
_PUT = sa.text(
    """
    INSERT INTO judge_reply (key, reply, content_hash, cost_usd, run_id)
    VALUES (:key, :reply, :content_hash, :cost_usd, :run_id)
    ON CONFLICT (key) DO NOTHING
    """
)
_SPENT = sa.text(
    """
    SELECT coalesce(sum(coalesce(run.spent_usd, unsettled.cost_usd)), 0)
    FROM judge_run run
    LEFT JOIN LATERAL (SELECT sum(cost_usd) AS cost_usd FROM judge_reply WHERE run_id = run.id) unsettled ON true
    WHERE run.week = :week
    """
)


@dataclass(frozen=True)
class PostgresReplyCache:
    """The `ReplyCache` of the pipeline: replies are JSON objects, each committed before `put` returns.

    Attributes:
        database: the store.
        run: the run that new replies are paid by, from `start_run`; None where nobody counts.
    """

    database: Database
    run: UUID | None = None

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The replies known, by key."""
        with self.database.engine.connect() as connection:
            return {row.key: bytes(row.reply) for row in connection.execute(_GET, {"keys": list(keys)})}

    async def keep(self, key: str, reply: bytes) -> None:
        """Keeps a reply as `put` does, while the calls in flight go on."""
        await asyncio.to_thread(self.put, key, reply)

    def put(self, key: str, reply: bytes) -> None:
        """Keeps a reply durably; a key that exists keeps its first reply."""
        fields = orjson.loads(reply)
        values = {
            "key": key,
            "reply": reply,
            "content_hash": fields.get("content_hash"),
            "cost_usd": fields.get("cost_usd", 0.0),
            "run_id": self.run,
        }
        # one statement: committed as it ends
        with self.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(_PUT, values)


def start_run(database: Database, week: date) -> UUID:
    """Opens the account of one run over a week."""
    run = uuid4()
    with database.engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO judge_run (id, week) VALUES (:id, :week)"), {"id": run, "week": week})
    return run


def settle_run(database: Database, run: UUID, spent_usd: float, attempts: int) -> None:
    """Closes the account of a run with what it cost, calls that came to nothing included."""
    statement = sa.text(
        "UPDATE judge_run SET settled_at = now(), spent_usd = :spent, attempts = :attempts WHERE id = :id"
    )
    with database.engine.begin() as connection:
        connection.execute(statement, {"id": run, "spent": spent_usd, "attempts": attempts})


def spent_usd(database: Database, week: date) -> float:
    """US dollars that every run over a week has cost. Of a killed run, what its kept replies cost."""
    with database.engine.connect() as connection:
        return float(connection.execute(_SPENT, {"week": week}).scalar_one())
