"""API keys as an administrator handles them: made, listed, rotated, revoked. Only hashes are stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from feedback_pipeline.capture.access import SCOPES, key_hash, new_key
from feedback_pipeline.capture.identifiers import new_id
from feedback_pipeline.store.database import Database
from feedback_pipeline.store.statements import statement


class KeyStoreError(ValueError):
    """A key cannot be made or found; the message says why."""


@dataclass(frozen=True)
class ApiKey:
    """A key as it is listed; its text was shown once, when it was made."""

    id: UUID
    tenant: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def create(
    database: Database, name: str, scopes: Sequence[str], tenant: str = "default", lifetime: timedelta | None = None
) -> tuple[UUID, str]:
    """Makes a key, and its tenant where that is new; returns its id and its text, which is not kept.

    Raises:
        KeyStoreError: an unknown scope, or none; a tenant or a key without a name.
    """
    if not tenant.strip():
        raise KeyStoreError("a tenant needs a name")
    if not name.strip():
        raise KeyStoreError("a key needs a name, to be told by later")
    if unknown := sorted(set(scopes) - set(SCOPES)):
        raise KeyStoreError(f"unknown scope {unknown[0]}; there are {', '.join(SCOPES)}")
    if not scopes:
        raise KeyStoreError(f"a key needs a scope: {', '.join(SCOPES)}")
    text, mark = new_key()
    identity = new_id()
    with database.engine.begin() as connection:
        connection.execute(
            sa.text("INSERT INTO tenant (name) VALUES (:tenant) ON CONFLICT DO NOTHING"), {"tenant": tenant}
        )
        connection.execute(
            sa.text(
                "INSERT INTO api_key (id, tenant, name, hash, scopes, expires_at)"
                " VALUES (:id, :tenant, :name, :hash, :scopes, now() + :lifetime)"
            ),
            {
                "id": identity,
                "tenant": tenant,
                "name": name,
                "hash": mark,
                "scopes": sorted(set(scopes)),
                "lifetime": lifetime,
            },
        )
    return identity, text


def is_in_use(database: Database, text: str) -> bool:
    """Whether a key, by its text, is known and neither revoked nor expired."""
    statement = (
        "SELECT true FROM api_key WHERE hash = :hash AND COALESCE(revoked_at, 'infinity') > now()"
        " AND COALESCE(expires_at, 'infinity') > now()"
    )
    with database.engine.connect() as connection:
        return connection.execute(sa.text(statement), {"hash": key_hash(text)}).scalar() is True


def listed(database: Database) -> list[ApiKey]:
    """All keys, revoked ones included, oldest first."""
    with database.engine.connect() as connection:
        rows = connection.execute(
            sa.text(
                "SELECT id, tenant, name, scopes, created_at, expires_at, revoked_at FROM api_key"
                " ORDER BY created_at, id"
            )
        )
        return [ApiKey(row[0], row[1], row[2], tuple(row[3]), row[4], row[5], row[6]) for row in rows]


def teams(database: Database) -> list[str]:
    """The teams that have votes or answers, the one with the most votes first."""
    with database.engine.connect() as connection:
        return list(connection.execute(statement("teams_with_feedback")).scalars())


def revoke(database: Database, identity: UUID, grace: timedelta = timedelta(0)) -> None:
    """Ends a key now, or after a grace; services notice within two seconds.

    Raises:
        KeyStoreError: there is no such key in use.
    """
    with database.engine.begin() as connection:
        changed = connection.execute(
            sa.text(
                "UPDATE api_key SET revoked_at = now() + :grace"
                # one that was rotated works until its grace ends, and may be ended before
                " WHERE id = :id AND (revoked_at IS NULL OR revoked_at > now() + :grace)"
            ),
            {"grace": grace, "id": identity},
        )
        if changed.rowcount != 1:
            raise KeyStoreError(f"no key {identity} that is in use")


def end_sessions(database: Database, identity: UUID) -> int:
    """Ends the console's sessions that were opened with a key; returns how many there were."""
    with database.engine.begin() as connection:
        ended = connection.execute(sa.text("DELETE FROM console_session WHERE key_id = :id"), {"id": identity})
        return int(ended.rowcount)


def rotate(database: Database, identity: UUID, grace: timedelta) -> tuple[UUID, str]:
    """Makes a key like another, which goes on working for the grace.

    Raises:
        KeyStoreError: there is no such key in use.
    """
    found = [key for key in listed(database) if key.id == identity and key.revoked_at is None]
    if not found:
        raise KeyStoreError(f"no key {identity} that is in use")
    made = create(database, found[0].name, found[0].scopes, found[0].tenant)
    revoke(database, identity, grace)
    return made
