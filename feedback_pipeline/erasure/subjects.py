"""Whom an erasure is about, and everything that belongs to them: rows, days, and words to look for afterwards.

What was found is kept in a file of its own until the erasure is finished: after a kill the rows may be gone while files
made of them are not, and the words are needed to make sure that they are gone everywhere.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import orjson
import polars as pl
import sqlalchemy as sa

from feedback_pipeline.calendar import WEEK, monday_of
from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK, CLEAN_INTERACTIONS, QUARANTINED_FEEDBACK
from feedback_pipeline.erasure.normal_form import normal_form
from feedback_pipeline.erasure.stretches import Wording, wording
from feedback_pipeline.judging.tables import JUDGEMENTS
from feedback_pipeline.privacy.pseudonyms import Pseudonymiser
from feedback_pipeline.store.bulk import connect
from feedback_pipeline.store.database import Database
from feedback_pipeline.store.statements import query
from feedback_pipeline.tables.parquet import ParquetFolder, of_ids

MIN_USER_ID = 4
"""Letters and digits of the shortest id that is looked for in texts."""
Kind = Literal["user", "interaction", "tenant"]
_TEXT_TABLES = ((CLEAN_INTERACTIONS, "interaction_id"), (CLEAN_FEEDBACK, "feedback_id"),
                (QUARANTINED_FEEDBACK, "refusal_id"))  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """A person of a tenant, one answer, or a whole tenant.

    Attributes:
        kind: which of them.
        tenant: the tenant; empty for an answer.
        pseudonyms: every pseudonym the person may have in the data.
        interaction: the answer.
        mark: keyed hash of all that: what an erasure is remembered by.
        user_id: what the application calls the person; empty for the others.
    """

    kind: Kind
    tenant: str
    pseudonyms: tuple[str, ...]
    interaction: UUID | None
    mark: str
    user_id: str = ""

    @property
    def user_ids(self) -> tuple[str, ...]:
        """The person's own id, where it is long enough to be theirs: a shorter one stands in anybody's text."""
        letters = sum(character.isalnum() for character in self.user_id)
        return (self.user_id,) if letters >= MIN_USER_ID else ()

    @property
    def parameters(self) -> dict[str, object]:
        """What the queries of an erasure are asked with."""
        return {
            "kind": self.kind,
            "tenant": self.tenant,
            "pseudonyms": list(self.pseudonyms),
            "interaction": None if self.interaction is None else str(self.interaction),
        }


def person(pseudonymiser: Pseudonymiser, tenant: str, user: str) -> Subject:
    """The person with this id in the tenant.

    Raises:
        ValueError: the id is empty.
    """
    pseudonyms = tuple(pseudonymiser.all_versions(tenant, user))
    return Subject("user", tenant, pseudonyms, None, _mark(pseudonymiser, "user", tenant, user), user)


def answer(pseudonymiser: Pseudonymiser, interaction: UUID) -> Subject:
    """One answer and every vote on it."""
    return Subject("interaction", "", (), interaction, _mark(pseudonymiser, "interaction", "", str(interaction)))


def whole_tenant(pseudonymiser: Pseudonymiser, tenant: str) -> Subject:
    """Everything of a tenant."""
    return Subject("tenant", tenant, (), None, _mark(pseudonymiser, "tenant", tenant, ""))


def _mark(pseudonymiser: Pseudonymiser, *parts: str) -> str:
    # the oldest key: a rotation must not make a finished erasure unknown
    return pseudonymiser.oldest("feedback-pipeline erasures", "\x1f".join(parts))


_PAIRS = ("places", "provider_files", "upload_hashes")
_COUNTS = ("texts", "unsearched", "thinned")


@dataclass(frozen=True)
class Scope:
    """What belongs to a subject.

    Attributes:
        interactions: ids of answers.
        feedback: ids of events.
        refusals: ids of refused deliveries.
        units: sessions and conversations of these, by which experiments know them.
        places: source and place of these, by which they stand in reject files.
        content_hashes: of what judging models were sent about the answers.
        replies: keys of judging models' replies that repeat the subject's words.
        days: days of all these rows.
        stretches: of the subject's texts, in normal form, to look for anywhere.
        short: short texts of theirs, in normal form, to look for as whole values.
        texts: how many texts there were.
        unsearched: texts too short to be looked for.
        thinned: stretches that are not looked for, because there were too many.
        provider_files: provider and file id of uploads made of these rows.
        upload_hashes: provider and hash of files that were, or were to be, uploaded there.
        datasets: datasets made of these rows.
    """

    interactions: tuple[str, ...] = ()
    feedback: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    places: tuple[tuple[str, str], ...] = ()
    content_hashes: tuple[str, ...] = ()
    replies: tuple[str, ...] = ()
    days: tuple[date, ...] = ()
    stretches: tuple[str, ...] = ()
    short: tuple[str, ...] = ()
    texts: int = 0
    unsearched: int = 0
    thinned: int = 0
    provider_files: tuple[tuple[str, str], ...] = ()
    upload_hashes: tuple[tuple[str, str], ...] = ()
    datasets: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Rows of the store that belong to the subject."""
        return len(self.interactions) + len(self.feedback) + len(self.refusals)

    @property
    def parameters(self) -> dict[str, object]:
        """What the queries of an erasure are asked with."""
        return {
            "interactions": list(self.interactions),
            "feedback": list(self.feedback),
            "refusals": list(self.refusals),
            "units": list(self.units),
            "content_hashes": list(self.content_hashes),
            "replies": list(self.replies),
        }

    def joined(self, other: "Scope") -> "Scope":
        """Both together."""
        merged: dict[str, Any] = {
            name: tuple(sorted({*getattr(self, name), *getattr(other, name)}))
            for name in self.__dataclass_fields__
            if name not in _COUNTS
        }
        return Scope(**merged, **{name: max(getattr(self, name), getattr(other, name)) for name in _COUNTS})


def find(database: Database, frames: ParquetFolder, subject: Subject) -> Scope:
    """Everything in the store that belongs to a subject, and the words it left there and in the clean tables."""
    with database.engine.connect() as connection:
        read = {
            name: connection.execute(sa.text(query(f"find_subject_{name}")), subject.parameters).all()
            for name in ("interactions", "feedback", "refusals")
        }
        scope = Scope(
            interactions=tuple(row.id for row in read["interactions"]),
            feedback=tuple(row.id for row in read["feedback"]),
            refusals=tuple(row.id for row in read["refusals"]),
            places=tuple((row.source, row.place) for row in read["refusals"]),
            days=tuple(sorted({row.day for rows in read.values() for row in rows})),
        )
        texts = connection.execute(sa.text(query("read_subject_texts")), scope.parameters).all()
        units = connection.execute(sa.text(query("find_subject_units")), scope.parameters).scalars().all()
        datasets = connection.execute(sa.text(query("find_subject_datasets")), scope.parameters).all()
        made = {"datasets": [row.id for row in datasets]}
        uploads = connection.execute(sa.text(query("find_uploads")), made).all()
    clean = _clean_texts(frames, scope)
    said = wording([*(row.text for row in texts if row.words), *clean])
    # the strings of metadata and payloads are labels as often as words: of these only long ones are looked for
    more = wording(row.text for row in texts if not row.words)
    stretches = tuple(sorted({*said.stretches, *more.stretches}))
    return replace(
        scope,
        stretches=stretches,
        short=said.short,
        units=tuple(sorted(units)),
        replies=_quoting_replies(database, said),
        texts=len(texts) + len(clean),
        unsearched=said.unsearched,
        thinned=said.thinned + more.thinned,
        content_hashes=_content_hashes(frames, scope),
        datasets=tuple(row.id for row in datasets),
        provider_files=tuple((row.provider, row.file) for row in uploads if row.file is not None),
        upload_hashes=tuple((row.provider, row.sha256) for row in uploads if row.sha256 is not None),
    )


def _clean_texts(frames: ParquetFolder, scope: Scope) -> list[str]:
    """The words of these rows in the clean tables, where the store has emptied its own."""
    found: list[str] = []
    for (table, column), ids in zip(_TEXT_TABLES, (scope.interactions, scope.feedback, scope.refusals), strict=True):
        wanted = pl.Series(ids, dtype=pl.String)
        rows = of_ids(frames.scan(table, scope.days), column, wanted).select(table.text_columns).collect()
        found += [text for name in table.text_columns for text in rows[name].drop_nulls()]
    return found


def _content_hashes(frames: ParquetFolder, scope: Scope) -> tuple[str, ...]:
    """Hashes of what judging models were sent about these answers."""
    known = frames.partitions(JUDGEMENTS)
    wanted = pl.Series(scope.interactions, dtype=pl.String)
    hashes: set[str] = set()
    for week in known:
        rows = frames.scan(JUDGEMENTS, [week])
        if "content_hash" in rows.collect_schema():
            sent = rows.filter(pl.col("content_hash").is_not_null())
            for column in ("interaction_id", "other_interaction_id"):
                hashes.update(of_ids(sent, column, wanted).select("content_hash").collect().to_series())
    return tuple(sorted(hashes))


def _quoting_replies(database: Database, said: Wording) -> tuple[str, ...]:
    """Replies found by their words: of answers that were judged again as anchors or controls, under other rubrics, or
    in weeks whose judgements are gone."""
    if not said.stretches:
        return ()
    keys: list[str] = []
    with connect(database) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT key, convert_from(reply, 'UTF8') AS reply FROM judge_reply")
        for batch in cursor.fetch_record_batch():
            replies = pl.DataFrame(pl.from_arrow(batch))
            quoting = replies.filter(normal_form(replies["reply"]).str.contains_any(list(said.stretches)))
            keys += quoting["key"].to_list()
    return tuple(sorted(keys))


class Evidence:
    """The scope of one erasure on disk, readable by its owner only; removed when the erasure is finished."""

    def __init__(self, home: Path, erasure: UUID) -> None:
        self.path = home / "erasures" / f"{erasure}.working.json"

    def keep(self, scope: Scope) -> Scope:
        """Adds to what is kept, durably, and returns it all."""
        whole = self.kept().joined(scope)
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".tmp")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(orjson.dumps(whole))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path)
        return whole

    def kept(self) -> Scope:
        """What is kept; nothing where there is no file."""
        if not self.path.exists():
            return Scope()
        read = orjson.loads(self.path.read_bytes())
        values: dict[str, Any] = {name: tuple(value) for name, value in read.items() if name not in _COUNTS}
        values |= {name: tuple((a, b) for a, b in read[name]) for name in _PAIRS}
        values["days"] = tuple(date.fromisoformat(day) for day in read["days"])
        return Scope(**values, **{name: read[name] for name in _COUNTS})

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def weeks_touched(days: Sequence[date], window_weeks: int) -> list[date]:
    """Mondays of the weeks whose results these days enter: their own, and those whose rolling window reaches back."""
    return sorted({monday_of(day) + later * WEEK for day in days for later in range(window_weeks)})
