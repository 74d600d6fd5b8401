"""The audit log: who read, exported, forgot, made or revoked keys, changed consent; and proof that nobody changed it.

Rows are only ever added. The database numbers them without gaps and puts into each the hash of the one before
(`chain_audit_log`), so a row that was changed or taken out breaks the chain. A seal is an HMAC-SHA256 (RFC 2104) over
the newest hash, under a key derived from a pseudonym key, which the database does not have: whoever rewrites the whole
chain cannot make the seals. What was cut off after the last seal is not noticed; seals are made by every command that
writes here and by the nightly retention.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from getpass import getuser
from typing import Any

import orjson
import sqlalchemy as sa

from feedback_pipeline.privacy.pseudonyms import Pseudonymiser
from feedback_pipeline.store.database import Database
from feedback_pipeline.store.statements import query

_PURPOSE = b"feedback-pipeline audit log"


@dataclass(frozen=True)
class Entry:
    """One row.

    Attributes:
        id: its number, from 1 without gaps.
        at: when (UTC).
        actor: who: an account of this machine, or an API key by its id.
        action: what, such as `person.forgotten`.
        tenant: whose data; None for everybody's.
        detail: codes, numbers, ids and keyed hashes.
    """

    id: int
    at: datetime
    actor: str
    action: str
    tenant: str | None
    detail: Mapping[str, Any]


@dataclass(frozen=True)
class Checked:
    """Whether the log is whole.

    Attributes:
        rows: how many there are.
        sealed: number of the newest row under a seal; 0 where there is none.
        problems: what is wrong, in words; empty when the log is whole.
    """

    rows: int
    sealed: int
    problems: tuple[str, ...]


def account() -> str:
    """The actor behind a command: the account it runs under."""
    return f"account {getuser()}"


def append(
    database: Database,
    pseudonymiser: Pseudonymiser,
    action: str,
    *,
    actor: str,
    tenant: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Adds a row and seals the log.

    Args:
        database: the store.
        pseudonymiser: the keys.
        action: what was done: `subject.verb`, in small letters.
        actor: who did it.
        tenant: whose data.
        detail: codes, numbers, ids and keyed hashes; no words and nobody's name.
    """
    with database.engine.begin() as connection:
        connection.execute(
            sa.text("INSERT INTO audit_log (actor, action, tenant, detail)"
                    " VALUES (:actor, :action, :tenant, CAST(:detail AS jsonb))"),
            {"actor": actor, "action": action, "tenant": tenant, "detail": orjson.dumps(detail or {}).decode()},
        )  # fmt: skip
    seal(database, pseudonymiser)


def seal(database: Database, pseudonymiser: Pseudonymiser) -> bool:
    """Signs the newest hash; False where there is nothing new to sign."""
    with database.engine.begin() as connection:
        newest = connection.execute(sa.text(query("read_unsealed_audit_log"))).one_or_none()
        if newest is None:
            return False
        connection.execute(
            sa.text("INSERT INTO audit_seal (log_id, digest, key_version, signature)"
                    " VALUES (:id, :digest, :version, :signature) ON CONFLICT DO NOTHING"),
            {"id": newest.id, "digest": bytes(newest.digest), "version": pseudonymiser.current,
             "signature": _signature(pseudonymiser.keys[pseudonymiser.current], newest.id, bytes(newest.digest))},
        )  # fmt: skip
    return True


def check(database: Database, pseudonymiser: Pseudonymiser) -> Checked:
    """Computes the chain and the seals anew and compares."""
    with database.engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT count(*) FROM audit_log")).scalar_one()
        broken = connection.execute(sa.text(query("find_audit_breaks"))).all()
        seals = connection.execute(sa.text(query("read_audit_seals"))).all()
    problems = [f"row {row.id}: {row.problem}" for row in broken]
    for seal in seals:
        key = pseudonymiser.keys.get(seal.key_version)
        genuine = key is not None and hmac.compare_digest(
            _signature(key, seal.log_id, bytes(seal.digest)), seal.signature
        )
        if not genuine:
            problems.append(f"the seal over row {seal.log_id} was not made with a key of this installation")
        elif seal.now is None:
            problems.append(f"row {seal.log_id} is under a seal and missing")
        elif bytes(seal.now) != bytes(seal.digest):
            problems.append(f"row {seal.log_id} is not the one that was sealed")
    return Checked(rows, max((seal.log_id for seal in seals), default=0), tuple(problems))


def listed(database: Database, limit: int, action: str | None = None) -> Sequence[Entry]:
    """The newest rows, the newest first; of one action, or of all that begin with it."""
    with database.engine.connect() as connection:
        rows = connection.execute(sa.text(query("read_audit_log")), {"limit": limit, "action": action}).all()
    return [Entry(row.id, row.at, row.actor, row.action, row.tenant, row.detail) for row in rows]


def _signature(key: bytes, row: int, digest: bytes) -> str:
    derived = hmac.digest(key, _PURPOSE, "sha256")
    return hmac.digest(derived, row.to_bytes(8, "big") + digest, "sha256").hex()
