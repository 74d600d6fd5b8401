"""Telling others of feedback events, one signed request each (Standard Webhooks 1.0), in order and at least once.

The votes themselves are the queue: each webhook remembers the last event that was taken, so that filing a vote costs
nothing more, a crash loses nothing and repeats at most one event (`webhook-id` is the event's). Off until a team adds
an address. Without `with_texts` no word of anybody leaves: an erasure cannot reach what was sent.
"""

import asyncio
import logging
import secrets
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import orjson
import sqlalchemy as sa
from standardwebhooks import Webhook

from feedback_pipeline.capture import views
from feedback_pipeline.capture.connections import CONNECT_SECONDS, UNREACHABLE, Address, current, query
from feedback_pipeline.store.database import Database

LOOK_SECONDS = 2.0
REQUEST_SECONDS = 10.0
WAITS = (5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 50400.0, 72000.0, 86400.0)
"""Seconds before each further attempt at an event; then the webhook ends. The schedule of Standard Webhooks."""
GONE = 410
MAX_ADDRESS = 2000
_TEXTS = ("comment", "correction", "query", "response", "content_snapshot", "shown", "metadata", "value")
_log = logging.getLogger(__name__)


class WebhookError(ValueError):
    """A webhook cannot be made or found; the message says why."""


def add(database: Database, tenant: str, url: str, *, with_texts: bool = False) -> tuple[UUID, str]:
    """Has the events of a team told to an address from now on; its id, and the secret they are signed with.

    Raises:
        WebhookError: no team of this name, or no address.
    """
    if not url.startswith(("http://", "https://")) or len(url) > MAX_ADDRESS or not httpx.URL(url).host:
        raise WebhookError("the address must begin with https:// (or http:// on a network of your own) and name a host")
    secret = "whsec_" + b64encode(secrets.token_bytes(32)).decode()
    given = {"tenant": tenant, "url": url, "secret": secret, "with_texts": with_texts}
    with database.engine.begin() as connection:
        if connection.execute(sa.text("SELECT FROM tenant WHERE name = :tenant"), given).first() is None:
            raise WebhookError(f"there is no team {tenant}")
        made: UUID = connection.execute(
            sa.text(
                "INSERT INTO webhook (tenant, url, secret, with_texts) VALUES (:tenant, :url, :secret, :with_texts)"
                " RETURNING id"
            ),
            given,
        ).scalar_one()
    return made, secret


def listed(database: Database) -> list[dict[str, Any]]:
    """All webhooks, oldest first, without their secrets."""
    statement = (
        "SELECT id, tenant, url, with_texts, made_at, told_at, attempts, next_at, problem, ended_at FROM webhook"
        " ORDER BY made_at, id"
    )
    with database.engine.connect() as connection:
        return [dict(row) for row in connection.execute(sa.text(statement)).mappings()]


def remove(database: Database, identity: UUID) -> None:
    """Ends a webhook.

    Raises:
        WebhookError: there is none of this id.
    """
    with database.engine.begin() as connection:
        if connection.execute(sa.text("DELETE FROM webhook WHERE id = :id"), {"id": identity}).rowcount != 1:
            raise WebhookError(f"there is no webhook {identity}")


async def tell(address: Address) -> None:
    """Runs until cancelled, in every process of the service; a webhook is told by one of them at a time."""
    async with httpx.AsyncClient(timeout=REQUEST_SECONDS, trust_env=False, follow_redirects=False) as client:
        while True:
            try:
                connection = await asyncpg.connect(
                    current(address), timeout=CONNECT_SECONDS, server_settings={"application_name": "feedback-webhooks"}
                )
                try:
                    while True:
                        if not await tell_one(connection, client):
                            await asyncio.sleep(LOOK_SECONDS)
                finally:
                    connection.terminate()
            except UNREACHABLE as error:
                _log.warning("webhooks wait for the database (%s)", type(error).__name__)
            except asyncpg.PostgresError as error:
                _log.error("webhooks failed with SQLSTATE %s and go on", error.sqlstate)
            await asyncio.sleep(LOOK_SECONDS)


async def tell_one(connection: asyncpg.Connection, client: httpx.AsyncClient) -> int:
    """Tells what waits for one webhook, up to a hundred events; returns how many were taken."""
    async with connection.transaction():
        webhook = await connection.fetchrow(query("claim_webhook"))
        if webhook is None:
            return 0
        taken = 0
        for row in await connection.fetch(
            query("read_events_to_tell"), webhook["tenant"], webhook["told_at"], webhook["told_id"]
        ):
            problem = await _post(client, webhook, row)
            if problem is not None:
                attempts = webhook["attempts"] if not taken else 0
                over = problem == f"status {GONE}" or attempts >= len(WAITS)
                wait = None if over else WAITS[attempts]
                await connection.execute(query("note_untold"), webhook["id"], wait, problem)
                _log.warning("webhook %s: %s%s", webhook["id"], problem, ", ended" if over else "")
                return taken
            await connection.execute(query("note_told"), webhook["id"], row["received_at"], row["id"])
            taken += 1
        return taken


async def _post(client: httpx.AsyncClient, webhook: asyncpg.Record, row: asyncpg.Record) -> str | None:
    """One request; None if it was taken, else what went wrong."""
    now = datetime.now(UTC)
    body = orjson.dumps(event(row, with_texts=webhook["with_texts"])).decode()
    identity = f"msg_{row['id']}"
    headers = {
        "content-type": "application/json",
        "user-agent": "feedback-pipeline",
        "webhook-id": identity,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(webhook["secret"]).sign(identity, now, body),
    }
    try:
        async with client.stream("POST", webhook["url"], content=body, headers=headers) as answer:
            return None if answer.is_success else f"status {answer.status_code}"  # what it says is not read
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return type(error).__name__


def event(row: asyncpg.Record, *, with_texts: bool) -> dict[str, Any]:
    """A feedback event as it is told: `feedback.created`, `feedback.changed` or `feedback.withdrawn`, with the vote."""
    vote = views.vote(row)
    if not with_texts:
        vote = {name: value for name, value in vote.items() if name not in _TEXTS}
    kind = "withdrawn" if row["withdrawn"] else "changed" if row["follows"] else "created"
    said = {"has_comment": row["comment"] is not None, "has_correction": row["correction"] is not None}
    return {"type": f"feedback.{kind}", "timestamp": row["received_at"].isoformat(), "data": vote | said}
