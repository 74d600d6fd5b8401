"""What people decided: append-only, signed, each signature over the one before it."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.store.statements import statement
from feedback_pipeline.tuning.signing import sign, signing_key, verify

Decision = Literal["approved", "rejected", "revoked"]

DATASET = "dataset"
"""Subject of approvals to upload a dataset; the content hash is the dataset's id."""

MAX_REASON = 500


class ApprovalsTamperedError(RuntimeError):
    """A row of the approvals was not written by this program, or rows are missing between two."""


@dataclass(frozen=True)
class Approval:
    """One decision of one person about one content.

    Attributes:
        id: position in the sequence.
        subject: `dataset`, `model:<name>` or `prompt:<tenant>/<name>@<version>`.
        content_hash: the dataset's id, or the hash of the model's evaluation.
        decision: what was decided.
        approver: who decided.
        reason: in their words.
        signature: over all of it and the signature before.
        decided_at: when.
    """

    id: int
    subject: str
    content_hash: str
    decision: Decision
    approver: str
    reason: str | None
    signature: str
    decided_at: dt.datetime


def model_subject(model: str) -> str:
    """Subject of approvals to promote a candidate; prompts bear their kind in their names."""
    return model if model.startswith("prompt:") else f"model:{model}"


def record(
    pipeline: Pipeline, subject: str, content_hash: str, decision: Decision, *, approver: str, reason: str | None = None
) -> Approval:
    """Signs a decision and appends it.

    Raises:
        ApprovalKeyError: there is no key to sign with.
        ValueError: nobody is named, or the reason is too long.
    """
    if not approver.strip():
        raise ValueError("an approval names the person who decides")
    if reason is not None and len(reason) > MAX_REASON:
        raise ValueError(f"a reason has at most {MAX_REASON} characters, not {len(reason)}")
    key = _key(pipeline)
    with pipeline.database.engine.begin() as connection:
        # one at a time: each signature is over the one before
        connection.execute(sa.text("LOCK TABLE approval IN EXCLUSIVE MODE"))
        before = connection.execute(sa.text("SELECT signature FROM approval ORDER BY id DESC LIMIT 1")).scalar()
        values = {
            "subject": subject, "content_hash": content_hash, "decision": decision, "approver": approver.strip(),
            "reason": reason, "decided_at": pipeline.now(),
        }  # fmt: skip
        signature = sign(key, *_signed(values, before or ""))
        identity = connection.execute(statement("approval_insert"), values | {"signature": signature}).scalar_one()
    return Approval(id=identity, signature=signature, **values)  # type: ignore[arg-type]


def approvals(pipeline: Pipeline) -> list[Approval]:
    """Every decision, oldest first, each signature verified.

    Raises:
        ApprovalsTamperedError: a row was not signed with our key, or does not follow the one before.
    """
    with pipeline.database.engine.connect() as connection:
        rows = [dict(row) for row in connection.execute(statement("approvals")).mappings()]
    if not rows:
        return []
    key, before = _key(pipeline), ""
    for row in rows:
        if not verify(key, row["signature"], *_signed(row, before)):
            raise ApprovalsTamperedError(
                f"approval {row['id']} was not signed with this installation's key after the one before it: "
                "nothing is uploaded or promoted until you know who wrote it (or the right approval.key is back)"
            )
        before = row["signature"]
    return [Approval(**row) for row in rows]


def approved_hash(pipeline: Pipeline, subject: str) -> str | None:
    """The content hash that the newest decision about a subject approved; None where it did not approve."""
    approval = newest(pipeline, subject)
    return approval.content_hash if approval and approval.decision == "approved" else None


def newest(pipeline: Pipeline, subject: str) -> Approval | None:
    """The newest decision about a subject."""
    return next((one for one in reversed(approvals(pipeline)) if one.subject == subject), None)


def _key(pipeline: Pipeline) -> bytes:
    return signing_key(pipeline.settings.home, production=pipeline.settings.environment == "production")


def _signed(values: Mapping[str, object], before: str) -> tuple[str, ...]:
    moment = values["decided_at"]
    assert isinstance(moment, dt.datetime)
    names = ("subject", "content_hash", "decision", "approver", "reason")
    written = moment.astimezone(dt.UTC).isoformat(timespec="microseconds")
    return (*(str(values[name]) if values[name] is not None else "" for name in names), written, before)
