"""Forgetting: everything of a person, an answer or a tenant is removed, wherever the pipeline put it, and looked for.

An erasure is a row of the store and a list of `steps`. A run that was killed is taken up at the step it was in, by the
same command. What has to be found again after the rows are gone is on disk before they go (`subjects.Evidence`).
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC
from typing import Any
from uuid import uuid4

import orjson
import sqlalchemy as sa

from feedback_pipeline.erasure import receipts, replay, traces
from feedback_pipeline.erasure.context import EARLIER, Erasure, ErasureContext, ErasureError
from feedback_pipeline.erasure.steps import REPEATED, STEPS
from feedback_pipeline.erasure.subjects import Evidence, Subject, find
from feedback_pipeline.store.database import Database
from feedback_pipeline.store.locks import Lock, held

LOCK_SECONDS = 5.0
"""How long another erasure is waited for."""


def forget(
    context: ErasureContext, subject: Subject, report: Callable[[str], None] = lambda line: None
) -> dict[str, Any]:
    """Erases a subject, or takes an interrupted erasure up where it stopped; returns the signed receipt.

    Args:
        context: where to erase.
        subject: whom.
        report: takes a line of progress: names of steps and counts.

    Raises:
        ErasureError: nothing is known of the subject; another erasure is under way; a provider could not be reached;
            the days or weeks could not be computed anew; or something of the subject was found afterwards.
    """
    with _alone(context.database):
        erasure = _opened(context, subject)
        erasure.report = report
        for name, step in STEPS.items():
            if name in erasure.settled:
                continue
            report(name.replace("_", " "))
            step(erasure)
        # a backup that was made before knows nothing of it; noted first, as a finished erasure is not taken up again
        replay.note(context.home, subject)
        return _finished(erasure)


@contextmanager
def _alone(database: Database) -> Iterator[None]:
    # the session of one that was killed a moment ago holds the lock until the server notices
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        with held(database.engine, Lock.ERASURE) as alone:
            if alone:
                yield
                return
        if time.monotonic() > deadline:
            raise ErasureError("another erasure is under way: wait for it")
        time.sleep(0.2)


def _opened(context: ErasureContext, subject: Subject) -> Erasure:
    """The subject's open erasure, or a new one; what belongs to the subject is on disk before anything goes."""
    found = find(context.database, context.frames, subject)
    with context.database.engine.connect() as connection:
        earlier = connection.execute(EARLIER, {"mark": subject.mark}).all()
    open_ones = [row for row in earlier if row.finished_at is None]
    for row in earlier:
        if row.finished_at is not None:
            # the last act of a finished erasure, which a kill may have kept from happening
            Evidence(context.home, row.id).remove()
    if not open_ones and not found.rows:
        finished = max((row.finished_at for row in earlier), default=None)
        raise ErasureError(
            nothing_known(subject)
            if finished is None
            else f"erased before, finished {finished.astimezone(UTC):%Y-%m-%d %H:%M} UTC; nothing has come in since"
        )
    erasure_id = open_ones[0].id if open_ones else uuid4()
    done = dict(open_ones[0].steps) if open_ones else {}
    scope = Evidence(context.home, erasure_id).keep(found)
    if not open_ones:
        with context.database.engine.begin() as connection:
            connection.execute(
                sa.text("INSERT INTO erasure (id, subject_hash, state) VALUES (:id, :mark, 'opened')"),
                {"id": erasure_id, "mark": subject.mark},
            )
    # while rows are found, whatever follows from them is to be done (again)
    settled = frozenset(done) & ({"withhold"} if found.rows else frozenset(STEPS) - REPEATED)
    return Erasure(context, subject, erasure_id, scope, done, settled)


def nothing_known(subject: Subject) -> str:
    """What to say of a subject without rows."""
    if subject.kind == "user":
        return (
            f"nothing is known of this person in the tenant {subject.tenant}: no answer, vote or refused row. "
            "Check the spelling and the tenant; ids are those the application sends"
        )
    if subject.kind == "tenant":
        return f"the tenant {subject.tenant} has no rows"
    return f"there is no answer {subject.interaction}"


def _finished(erasure: Erasure) -> dict[str, Any]:
    """Signs the receipt, files it in the store and beside it, and removes the working file."""
    context = erasure.context
    with context.database.engine.connect() as connection:
        requested = connection.execute(
            sa.text("SELECT requested_at FROM erasure WHERE id = :id"), {"id": erasure.id}
        ).scalar_one()
    receipt = receipts.sign(
        context.pseudonymiser,
        {
            "erasure": str(erasure.id),
            "subject": {"kind": erasure.subject.kind, "mark": erasure.subject.mark},
            "requested_at": requested.isoformat(),
            "finished_at": context.now().isoformat(),
            "steps": erasure.done,
            "remains": traces.remaining(erasure.subject.kind, erasure.done),
        },
    )
    path = context.home / "erasures" / f"{erasure.id}.receipt.json"
    path.write_bytes(orjson.dumps(receipt, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
    with context.database.engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE erasure SET state = 'finished', finished_at = now(), receipt = CAST(:receipt AS jsonb)"
                    " WHERE id = :id"),
            {"id": erasure.id, "receipt": orjson.dumps(receipt).decode()},
        )  # fmt: skip
    Evidence(context.home, erasure.id).remove()
    return receipt
