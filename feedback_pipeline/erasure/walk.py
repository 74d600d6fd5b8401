"""Every place there is: the tables of both databases and the files below both folders, as the register names them."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from feedback_pipeline.erasure.register import registered
from feedback_pipeline.store.database import Database
from feedback_pipeline.tables.parquet import ParquetFolder, files_below, location

_TABLES = (
    "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND c.relkind IN ('r', 'm', 'p')"
    " ORDER BY 1"
)


def places(database: Database, frames: ParquetFolder, home: Path) -> Iterator[str]:
    """The names of everything that is written: tables of both databases, files of the data folder and the home."""
    for label, url in databases(database).items():
        with psycopg.connect(url) as connection:
            yield from (f"{label}.{table}" for (table,) in connection.execute(_TABLES).fetchall())
    yield from (f"data/{'/'.join(path.relative_to(frames.root).parts)}" for path in files_below(frames.root))
    own = location(str(home))
    for path in files_below(own):
        if not str(path).startswith(f"{str(frames.root).rstrip('/')}/"):
            yield f"home/{'/'.join(path.relative_to(own).parts)}"


def unregistered(database: Database, frames: ParquetFolder, home: Path) -> list[str]:
    """Places that no entry of the register covers."""
    return [place for place in places(database, frames, home) if registered(place) is None]


def databases(database: Database) -> dict[str, str]:
    """The addresses of the store and, where it exists, of Dagster's database beside it."""
    found = {"store": database.address()}
    dagster = urlsplit(database.dagster_url).path.lstrip("/")
    with psycopg.connect(database.address()) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (dagster,)).fetchone() is not None:
            found["dagster"] = database.address(database=dagster)
    return found
