"""The steps of an erasure, in their order.

Each may be taken twice without harm, and is noted when done: in the transaction that did it where it changes the store.
"""

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from upath import UPath

from feedback_pipeline.erasure import exports, leftovers, register, traces, verification, versions
from feedback_pipeline.erasure.context import Erasure, ErasureContext, ErasureError, months_of
from feedback_pipeline.erasure.subjects import Scope, weeks_touched
from feedback_pipeline.erasure.verification import Verification
from feedback_pipeline.store.statements import query
from feedback_pipeline.tables.parquet import remove_file
from feedback_pipeline.tuning.providers.protocol import ProviderError

MENTIONED = "[PERSON_1]"
"""What stands in place of a person's own id in other people's texts."""


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
    months = months_of(erasure.context, erasure.scope)
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


def _verified(scope: Scope, verification: Verification) -> dict[str, Any]:
    return {
        "places": verification.places,
        "texts_searched": verification.texts,
        "stretches_sought": verification.stretches,
        "stretches_left_out": scope.thinned,
        "short_texts_sought": verification.short,
        "texts_too_short_to_seek": scope.unsearched,
        "texts_others_share": verification.shared,
        "pseudonyms_sought": verification.names,
        "found": 0,
        "short_texts_by_chance": dict(verification.by_chance),
        "not_searched": {**dict(verification.unsearched), **register.unsearched()},
        "id_found": dict(verification.mentions),
        "id_found_in_rows": {table: list(rows) for table, rows in verification.mentioned_in.items()},
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
