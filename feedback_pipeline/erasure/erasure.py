"""Forgetting: everything of a person, an answer or a tenant is removed, wherever the pipeline put it, and looked for.

An erasure is a row of the store and a list of steps. Each step may be taken twice without harm, and is noted when done:
in the transaction that did it where it changes the store. A run that was killed is taken up at the step it was in, by
the same command. What has to be found again after the rows are gone is on disk before they go (`subjects.Evidence`).
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import sqlalchemy as sa
from upath import UPath

from feedback_pipeline.calendar import days_of_month
from feedback_pipeline.erasure import exports, leftovers, receipts, register, replay, traces, verification, versions
from feedback_pipeline.erasure.subjects import Evidence, Scope, Subject, find, weeks_touched
from feedback_pipeline.erasure.verification import Verification
from feedback_pipeline.privacy.pseudonyms import Pseudonymiser
from feedback_pipeline.store.database import Database
from feedback_pipeline.store.locks import Lock, held
from feedback_pipeline.store.statements import query
from feedback_pipeline.tables.parquet import ParquetFolder, remove_file
from feedback_pipeline.tuning.providers.protocol import Provider, ProviderError

LOCK_SECONDS = 5.0
"""How long another erasure is waited for."""

MENTIONED = "[PERSON_1]"
"""What stands in place of a person's own id in other people's texts."""


class ErasureError(RuntimeError):
    """The erasure could not go on; the message says why and what to do. What was done stays done."""


@dataclass(frozen=True)
class Recomputed:
    """What was computed anew: counts, and the partitions that failed."""

    days: int
    weeks: int
    months: int
    failed: tuple[str, ...] = ()


Recompute = Callable[[Sequence[date], Sequence[date]], Recomputed]
"""Computes every day that is due, then these weeks (Mondays) and months (first days)."""


@dataclass(frozen=True)
class ErasureContext:
    """Where a person's data may be, and how to compute anew what was made of it.

    Attributes:
        database: the store; the Dagster database is beside it.
        frames: the tables, reports and training files.
        home: reject files and the erasures' own files.
        pseudonymiser: the keys.
        providers: adapters by name, for deleting uploads.
        recompute: runs the loop.
        now: the time (UTC).
        training_weeks: length of the rolling window.
        last_day: the last day that is computed.
        replace_mentions: other people's texts that name the person by their own id lose the id.
    """

    database: Database
    frames: ParquetFolder
    home: Path
    pseudonymiser: Pseudonymiser
    providers: Mapping[str, Provider]
    recompute: Recompute
    now: Callable[[], datetime]
    training_weeks: int
    last_day: date
    replace_mentions: bool = False


@dataclass(frozen=True)
class Preview:
    """What an erasure would remove: what `--dry-run` shows."""

    interactions: int
    feedback: int
    refusals: int
    days: int
    weeks: tuple[date, ...]
    datasets: tuple[tuple[str, float], ...]
    provider_files: int
    votes_of_others: int
    earlier: datetime | None
    """When the subject was forgotten before."""
    interrupted: bool
    """An erasure of the subject is under way or was interrupted."""

    @property
    def has_rows(self) -> bool:
        """There is something to erase."""
        return bool(self.interactions or self.feedback or self.refusals or self.interrupted)

    @property
    def unknown(self) -> bool:
        """Nothing is known of the subject."""
        return not self.has_rows


@dataclass
class Erasure:
    """One erasure under way."""

    context: ErasureContext
    subject: Subject
    id: UUID
    scope: Scope
    done: dict[str, dict[str, Any]]
    """What the steps taken so far counted."""
    settled: frozenset[str]
    """Steps that need not be taken again."""
    report: Callable[[str], None] = field(repr=False, default=lambda line: None)

    @property
    def weeks(self) -> list[date]:
        """Weeks that ended and whose results the subject's rows enter."""
        return _weeks(self.context, self.scope)

    def transaction(self, step: str, work: Callable[[sa.Connection], dict[str, Any]]) -> None:
        """Does a step and notes it in one transaction."""
        with self.context.database.engine.begin() as connection:
            self._note(connection, step, work(connection))

    def note(self, step: str, counts: dict[str, Any]) -> None:
        """Notes a step that was done outside the store."""
        with self.context.database.engine.begin() as connection:
            self._note(connection, step, counts)

    def _note(self, connection: sa.Connection, step: str, counts: dict[str, Any]) -> None:
        connection.execute(
            sa.text("UPDATE erasure SET state = :step, steps = steps || CAST(:noted AS jsonb) WHERE id = :id"),
            {"id": self.id, "step": step, "noted": orjson.dumps({step: counts}).decode()},
        )
        self.done[step] = counts


def preview(context: ErasureContext, subject: Subject) -> Preview:
    """What an erasure would remove; nothing is changed."""
    scope = find(context.database, context.frames, subject)
    with context.database.engine.connect() as connection:
        datasets = connection.execute(sa.text(query("find_subject_datasets")), scope.parameters).all()
        others = connection.execute(sa.text(query("count_votes_of_others")), scope.parameters).scalar_one()
        earlier = connection.execute(_EARLIER, {"mark": subject.mark}).all()
    return Preview(
        interactions=len(scope.interactions),
        feedback=len(scope.feedback),
        refusals=len(scope.refusals),
        days=len(scope.days),
        weeks=tuple(_weeks(context, scope)),
        datasets=tuple((row.id, float(row.share or 0)) for row in datasets),
        provider_files=len(scope.provider_files),
        votes_of_others=others,
        earlier=max((row.finished_at for row in earlier if row.finished_at), default=None),
        interrupted=any(row.finished_at is None for row in earlier),
    )


def _weeks(context: ErasureContext, scope: Scope) -> list[date]:
    """Weeks that ended and whose results these rows enter; of expired ones only counts are left, which stay."""
    touched = weeks_touched(scope.days, context.training_weeks)
    ended = [week for week in touched if (context.last_day - week).days >= 6]
    return _unexpired(context, ended)


def _months(context: ErasureContext, scope: Scope) -> list[date]:
    """Months that ended and whose reports these rows enter."""
    ended = [month for month in traces.months_touched(scope.days) if days_of_month(month)[-1] <= context.last_day]
    return _unexpired(context, ended)


def _unexpired(context: ErasureContext, firsts: Sequence[date]) -> list[date]:
    with context.database.engine.connect() as connection:
        expired = connection.execute(sa.text("SELECT max(day) FROM day_state WHERE expired")).scalar()
    return [first for first in firsts if expired is None or first > expired]


_EARLIER = sa.text("SELECT id, steps, finished_at FROM erasure WHERE subject_hash = :mark ORDER BY requested_at")


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
        earlier = connection.execute(_EARLIER, {"mark": subject.mark}).all()
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


def _withhold(erasure: Erasure) -> None:
    """From now on nothing of the subject is taken in: the tombstone holds keyed hashes and nothing else."""
    subject = erasure.subject

    def work(connection: sa.Connection) -> dict[str, Any]:
        if subject.kind == "user":
            connection.execute(
                sa.text(query("withhold_person")),
                [{"tenant": subject.tenant, "user_key": name} for name in subject.pseudonyms],
            )
            return {"tombstones": len(subject.pseudonyms)}
        if subject.kind == "tenant":
            parameters = {"tenant": subject.tenant}
            connection.execute(
                sa.text("UPDATE tenant SET use_for_analysis = false, use_for_training = false WHERE name = :tenant"),
                parameters,
            )
            revoked = connection.execute(
                sa.text("UPDATE api_key SET revoked_at = now() WHERE tenant = :tenant AND revoked_at IS NULL"),
                parameters,
            ).rowcount
            return {"keys_revoked": revoked}
        return {}

    erasure.transaction("withhold", work)


def _mark_datasets(erasure: Erasure) -> None:
    """Datasets and models are told the share of their weight that the subject's rows were; lineage forgets the ids."""

    def work(connection: sa.Connection) -> dict[str, Any]:
        found = connection.execute(sa.text(query("find_subject_datasets")), erasure.scope.parameters).all()
        models: set[str] = set()
        for row in found:
            share = {"dataset": row.id, "share": float(row.share or 0)}
            connection.execute(
                sa.text("UPDATE dataset SET tainted_share = LEAST(1, COALESCE(tainted_share, 0) + :share)"
                        " WHERE id = :dataset"),
                share,
            )  # fmt: skip
            models.update(connection.execute(sa.text(query("taint_models")), share).scalars())
        connection.execute(sa.text(query("unlink_dataset_rows")), erasure.scope.parameters)
        shares = {row.id: round(float(row.share or 0), 6) for row in found}
        before = erasure.done.get("datasets", {})
        return {"tainted": {**before.get("tainted", {}), **shares}, "models": sorted(models)}

    erasure.transaction("datasets", work)


def _erase_store(erasure: Erasure) -> None:
    """Votes first: their counts are taken back under the properties of the answers, which must still be there."""
    parameters = {**erasure.subject.parameters, **erasure.scope.parameters}

    def work(connection: sa.Connection) -> dict[str, Any]:
        connection.execute(sa.text("SET LOCAL plan_cache_mode = force_custom_plan"))
        others = connection.execute(sa.text(query("count_votes_of_others")), parameters).scalar_one()
        counts = {"feedback": connection.execute(sa.text(query("erase_votes")), parameters).rowcount}
        for statement in ("erase_answers", "erase_traces"):
            counts |= connection.execute(sa.text(query(statement)), parameters).one()._mapping
        return {**counts, "votes_of_others": others}

    erasure.transaction("store", work)


def _erase_files(erasure: Erasure) -> None:
    """Reject files and spools lose what is the subject's; what was made of whole weeks and months goes until it is
    computed anew."""
    context, subject = erasure.context, erasure.subject
    lines = traces.remove_reject_lines(context.home / "rejects", subject.pseudonyms, erasure.scope.places)

    def is_theirs(user: str) -> bool:
        return not set(subject.pseudonyms).isdisjoint(context.pseudonymiser.all_versions(subject.tenant, user))

    spooled = traces.remove_spooled(context.home / "spool", is_theirs) if subject.pseudonyms else 0
    weeks = weeks_touched(erasure.scope.days, context.training_weeks)
    files = traces.remove_files_of(context.frames, weeks, traces.months_touched(erasure.scope.days))
    erasure.note("files", {"reject_lines": lines, "spooled": spooled, "files_of_weeks_and_months": files})


def _recompute(erasure: Erasure) -> None:
    """The days that changed, the weeks and months they enter as far as these have ended."""
    months = _months(erasure.context, erasure.scope)
    computed = erasure.context.recompute(erasure.weeks, months)
    if computed.failed:
        raise ErasureError(
            f"{len(computed.failed)} partitions could not be computed anew ({'; '.join(computed.failed[:3])}): look at "
            "the runs, then give the same command again: it goes on from here"
        )
    before = erasure.done.get("recompute", {})
    counts = {"days": computed.days, "weeks": computed.weeks, "months": computed.months}
    erasure.note("recompute", {name: count + before.get(name, 0) for name, count in counts.items()})


def _delete_uploads(erasure: Erasure) -> None:
    """Uploaded training files are deleted where an adapter is at hand; the others are named in the receipt."""
    known, hashes = erasure.scope.provider_files, erasure.scope.upload_hashes
    deleted, by_hand = [], []
    for name in sorted({provider for provider, _ in (*known, *hashes)}):
        ids = {file for provider, file in known if provider == name}
        sha256s = [sha256 for provider, sha256 in hashes if provider == name]
        provider = erasure.context.providers.get(name)
        if provider is None:
            by_hand += [f"{name}: {file}" for file in sorted(ids) or (f"{one}.jsonl" for one in sha256s)]
            continue
        try:
            # an upload whose answer was lost is known by its name only
            for file in sorted(ids | set(provider.uploads_of(sha256s))):
                provider.delete(file)
                deleted.append(f"{name}: {file}")
        except ProviderError as error:
            raise ErasureError(f"{error}: everything else is erased; give the same command again later") from error
    erasure.note("provider_files", {"deleted": deleted, "to_delete_by_hand": by_hand})


def _remove_exports(erasure: Erasure) -> None:
    """Exports that cover a day of the subject's rows: who wants one exports again."""
    context, subject = erasure.context, erasure.subject
    tenant = subject.tenant or None
    removed = exports.remove_of_days(context.database, context.frames.root, context.home, tenant, erasure.scope.days)
    before = erasure.done.get("exports", {}).get("removed", 0)
    erasure.note("exports", {"removed": removed.files + before, "elsewhere": list(removed.elsewhere)})


def _settle_mentions(erasure: Erasure) -> None:
    """Where somebody else's words name the person by their own id, the id is replaced if that was asked for."""
    if erasure.context.replace_mentions and erasure.subject.user_ids:
        parameters = {"word": verification.word_of(erasure.subject), "placeholder": rf"\1{MENTIONED}\2"}

        def work(connection: sa.Connection) -> dict[str, Any]:
            return {
                table: connection.execute(sa.text(query(f"replace_mentions_in_{table}")), parameters).rowcount
                for table in ("interaction", "feedback")
            }

        erasure.transaction("mentions", work)
    else:
        erasure.note("mentions", {})


def _sweep(erasure: Erasure) -> None:
    context = erasure.context
    erasure.note("leftovers", {"removed": leftovers.sweep(context.frames.root, context.home, context.now())})


def _remove_hidden(erasure: Erasure) -> None:
    """Versions that a bucket keeps of what was replaced and deleted until now."""
    context, days = erasure.context, erasure.scope.days
    touched = (*days, *weeks_touched(days, context.training_weeks), *traces.months_touched(days))
    hidden = versions.remove_hidden(context.frames.root, touched)
    before = erasure.done.get("versions", {}).get("removed", 0)
    erasure.note("versions", {"removed": before + hidden.removed, "kept": hidden.kept})


def _verify(erasure: Erasure) -> None:
    """Searches everything; files that may be removed where something is found are, and then it is searched again."""
    context = erasure.context
    found = verification.verify(context.database, context.frames, context.home, erasure.subject, erasure.scope)
    removed = _remove_found(context, found.removable)
    if removed:
        found = verification.verify(context.database, context.frames, context.home, erasure.subject, erasure.scope)
        _remove_hidden(erasure)
    if found.left:
        raise ErasureError(
            f"something of the subject is still there: {'; '.join(found.left)}. Remove it, or compute what it was made "
            "from, and give the same command again: it goes on from here"
        )
    erasure.note("verification", {**_verified(erasure.scope, found), "removed_where_found": removed})


def _remove_found(context: ErasureContext, places: Sequence[str]) -> list[str]:
    for place in places:
        label, _, name = place.partition("/")
        path = (context.frames.root if label == "data" else UPath(context.home)) / name
        if path.suffix == ".log":
            path.open("wb").close()  # its writer holds it open
        else:
            remove_file(path)
    return list(places)


def _verified(scope: Scope, found: Verification) -> dict[str, Any]:
    return {
        "places": found.places,
        "texts_searched": found.texts,
        "stretches_sought": found.stretches,
        "stretches_left_out": scope.thinned,
        "short_texts_sought": found.short,
        "texts_too_short_to_seek": scope.unsearched,
        "texts_others_share": found.shared,
        "pseudonyms_sought": found.names,
        "found": 0,
        "short_texts_by_chance": dict(found.by_chance),
        "not_searched": {**dict(found.unsearched), **register.unsearched()},
        "id_found": dict(found.mentions),
        "id_found_in_rows": {table: list(rows) for table, rows in found.mentioned_in.items()},
    }


STEPS: dict[str, Callable[[Erasure], None]] = {
    "withhold": _withhold,
    "datasets": _mark_datasets,
    "store": _erase_store,
    "mentions": _settle_mentions,
    "files": _erase_files,
    "exports": _remove_exports,
    "recompute": _recompute,
    "provider_files": _delete_uploads,
    "leftovers": _sweep,
    "versions": _remove_hidden,
    "verification": _verify,
}
"""In this order. A step that is noted is not taken again."""

REPEATED = frozenset({"mentions", "leftovers", "versions", "verification"})
"""Taken again in every run."""


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
