"""The pass after an erasure: every table, file and the Dagster database are searched for what should be gone."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import sqlalchemy as sa

from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK, CLEAN_INTERACTIONS
from feedback_pipeline.erasure.search import Found, Sought, search_database, search_files
from feedback_pipeline.erasure.subjects import Scope, Subject
from feedback_pipeline.store.database import Database
from feedback_pipeline.tables.parquet import ParquetFolder

TOMBSTONES = ("consent", "erasure")
"""Tables that hold pseudonyms of people who were forgotten, and nothing else of them."""
OWN_WORDS = ("store.interaction", "store.feedback", f"data/{CLEAN_INTERACTIONS.name}/", f"data/{CLEAN_FEEDBACK.name}/")
"""Where rows of other people stand: words found there, in rows that are not the subject's, are theirs as well."""
LEFT_OUT_OF_HOME = ("postgres", "data", "erasures", "sample", "keys.json", "validators")
"""The server's own files are searched through the server; the sample folder holds what a user would have delivered; the
validators are installed programs."""


@dataclass(frozen=True)
class Verification:
    """What was searched and what was found.

    Attributes:
        places: tables and files searched.
        texts: texts looked through.
        spans: stretches of the subject's texts sought.
        shared: stretches that other people's rows hold as well; they say nothing about the subject.
        names: pseudonyms sought.
        left: places where something of the subject is still there, with counts; empty is what it should be.
    """

    places: int
    texts: int
    spans: int
    shared: int
    names: int
    left: tuple[str, ...]


def verify(database: Database, frames: ParquetFolder, home: Path, subject: Subject, scope: Scope) -> Verification:
    """Searches the store, the Dagster database, the tables, reports and training files, and the home folder."""
    sought = Sought(scope.spans, subject.pseudonyms)
    found = Found()
    search_database(database.address(), "store", sought, found, except_tables=TOMBSTONES)
    dagster = urlsplit(database.dagster_url).path.lstrip("/")
    if _exists(database, dagster):
        search_database(database.address(database=dagster), "dagster", sought, found)
    with_ids = replace(sought, ids=(*scope.feedback, *scope.interactions))
    search_files(frames.root, "data", with_ids, found)
    search_files(home, "home", sought, found, leave_out=LEFT_OUT_OF_HOME)
    shared = {span for place, spans in found.spans.items() if place.startswith(OWN_WORDS) for span in spans}
    return Verification(
        places=len(found.searched),
        texts=sum(found.searched.values()),
        spans=len(scope.spans),
        shared=len(shared),
        names=len(subject.pseudonyms),
        left=(*_rows_left(database, subject, scope), *_traces(found, shared)),
    )


def _traces(found: Found, shared: set[str]) -> Iterator[str]:
    for place, count in sorted(found.names.items()):
        yield f"{count} texts with a pseudonym in {place}"
    for place, count in sorted(found.ids.items()):
        yield f"{count} texts with the id of an erased row in {place}"
    for place, spans in sorted(found.spans.items()):
        if own := spans - shared:
            yield f"{len(own)} stretches of the subject's texts in {place}"


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


def _exists(database: Database, name: str) -> bool:
    with psycopg.connect(database.address()) as connection:
        return connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is not None
