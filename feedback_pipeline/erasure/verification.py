"""The pass after an erasure: every table, file and the Dagster database are searched for what should be gone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from feedback_pipeline.erasure.register import registered
from feedback_pipeline.erasure.search import Found, Sought, search_database, search_files
from feedback_pipeline.erasure.subjects import Scope, Subject
from feedback_pipeline.erasure.walk import databases
from feedback_pipeline.store.database import Database
from feedback_pipeline.tables.parquet import ParquetFolder

_TELLING = ("rows", "lines", "found", "provider")
"""Places in which a short text as a whole value is the subject's: what is computed from everybody's rows, and settings
and labels, may hold the same word by chance."""
MAX_ROWS_NAMED = 50


@dataclass(frozen=True)
class Verification:
    """What was searched and what was found.

    Attributes:
        places: tables and files searched.
        texts: texts looked through.
        stretches: stretches of the subject's texts sought.
        short: short texts sought as whole values.
        shared: stretches and short texts that other people's rows hold as well; they say nothing about the subject.
        names: pseudonyms sought.
        left: places where something of the subject is still there, with counts; empty is what it should be.
        removable: files among these that may simply be removed.
        mentions: places where the person's own id stands, with counts: for a decision.
        mentioned_in: rows of other people among these, by table.
        by_chance: short texts that stand in places where they may do so by chance, with counts.
        unsearched: places that were not searched, and why.
    """

    places: int
    texts: int
    stretches: int
    short: int
    shared: int
    names: int
    left: tuple[str, ...]
    removable: tuple[str, ...] = ()
    mentions: Mapping[str, int] = field(default_factory=dict)
    mentioned_in: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    by_chance: Mapping[str, int] = field(default_factory=dict)
    unsearched: Mapping[str, str] = field(default_factory=dict)


def verify(database: Database, frames: ParquetFolder, home: Path, subject: Subject, scope: Scope) -> Verification:
    """Searches the store, the Dagster database, the data folder and the home folder."""
    found = Found(
        Sought(
            stretches=scope.stretches,
            short=scope.short,
            names=subject.pseudonyms,
            ids=(*scope.feedback, *scope.interactions),
            user_ids=subject.user_ids,
        )
    )
    for label, url in databases(database).items():
        search_database(url, label, found, leave_out=_stays)
    search_files(frames.root, "data", found, leave_out=lambda parts: _is_left_out("data", parts))
    search_files(home, "home", found, leave_out=lambda parts: _is_home_left_out(parts, home, frames), row_ids=False)
    return _judged(database, subject, scope, found)


def _stays(name: str) -> bool:
    place = registered(name)
    return place is not None and place.erased == "stays"


def _is_left_out(label: str, parts: Sequence[str]) -> bool:
    place = registered("/".join((label, *parts)))
    return place is not None and bool(place.unsearched)


def _is_home_left_out(parts: Sequence[str], home: Path, frames: ParquetFolder) -> bool:
    inside = str(home.joinpath(*parts)).startswith(f"{str(frames.root).rstrip('/')}/")
    return inside or _is_left_out("home", parts)


def _judged(database: Database, subject: Subject, scope: Scope, found: Found) -> Verification:
    """What of the findings is the subject's, what is anybody's, and what a person has to decide."""
    others = [place for place in (*found.stretches, *found.short) if (known := registered(place)) and known.others]
    shared = {span for place in others for span in found.stretches.get(place, set()) | found.short.get(place, set())}
    own = {place: spans - shared for place, spans in found.stretches.items()}
    values = {place: short - shared for place, short in found.short.items()}
    telling = {place: short for place, short in values.items() if short and _is_telling(place)}
    hits = {*(place for place, spans in own.items() if spans), *telling, *found.names}
    removable = sorted(place for place in {*hits, *found.user_ids} if (e := registered(place)) and e.erased == "found")
    return Verification(
        places=len(found.searched),
        texts=sum(found.searched.values()),
        stretches=len(scope.stretches),
        short=len(scope.short),
        shared=len(shared),
        names=len(subject.pseudonyms),
        left=(*_rows_left(database, subject, scope), *_traces(found, own, telling)),
        removable=tuple(removable),
        mentions=dict(sorted(found.user_ids.items())),
        mentioned_in=_mentions(database, subject) if found.user_ids else {},
        by_chance={place: len(short) for place, short in sorted(values.items()) if short and place not in telling},
        unsearched=dict(sorted(found.unreadable.items())),
    )


def _is_telling(place: str) -> bool:
    known = registered(place)
    return known is None or known.erased in _TELLING or place.startswith("dagster.")


def _traces(found: Found, own: Mapping[str, set[str]], telling: Mapping[str, set[str]]) -> Iterator[str]:
    for place, count in sorted(found.names.items()):
        yield f"{count} texts with a pseudonym in {place}"
    for place, count in sorted(found.ids.items()):
        yield f"{count} texts with the id of an erased row in {place}"
    for place, spans in sorted(own.items()):
        if spans:
            yield f"{len(spans)} stretches of the subject's texts in {place}"
    for place, short in sorted(telling.items()):
        yield f"{len(short)} short texts of the subject in {place}"
    for place, reason in sorted(found.unreadable.items()):
        known = registered(place)
        if known is None or known.erased != "nothing":
            yield f"{place}, which cannot be searched: {reason}"


def _rows_left(database: Database, subject: Subject, scope: Scope) -> Iterator[str]:
    """Rows of the subject themselves: without this, words of theirs would count as somebody else's."""
    named = "(tenant = :tenant AND user_key = ANY (CAST(:pseudonyms AS text[])))"
    checks = {
        "interaction": f"id = ANY (CAST(:interactions AS uuid[])) OR {named}",
        "feedback": f"id = ANY (CAST(:feedback AS uuid[])) OR {named}",
    }
    parameters = {**subject.parameters, **scope.parameters}
    with database.engine.connect() as connection:
        for table, condition in checks.items():
            statement = sa.text(f"SELECT count(*) FROM {table} WHERE {condition}")  # noqa: S608 (one of two constants)
            if count := connection.execute(statement, parameters).scalar_one():
                yield f"{count} rows in store.{table}"


def _mentions(database: Database, subject: Subject) -> dict[str, tuple[str, ...]]:
    """Rows of other people in which the person's own id stands as a word, at most 50 a table."""
    named = {"interaction": "id", "feedback": "id", "refusal": "id", "interaction_key": "interaction_id"}
    found = {}
    with database.engine.connect() as connection:
        for table, key in named.items():
            statement = sa.text(
                f"SELECT DISTINCT {key}::text FROM {table} AS held WHERE held::text ~* :word ORDER BY 1 LIMIT :most"  # noqa: S608 (constants)
            )
            rows = connection.execute(statement, {"word": word_of(subject), "most": MAX_ROWS_NAMED}).scalars().all()
            if rows:
                found[table] = tuple(rows)
    return found


def word_of(subject: Subject) -> str:
    """The person's own id as a whole word, as a regular expression of PostgreSQL."""
    escaped = "".join(one if one.isalnum() else f"\\{one}" for one in subject.user_id)
    return rf"(^|[^[:alnum:]]){escaped}($|[^[:alnum:]])"
