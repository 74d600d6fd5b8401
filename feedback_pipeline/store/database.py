"""The one place that opens the database: addresses, engines, migrations."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import sqlalchemy as sa

from feedback_pipeline.settings import Settings, without_password
from feedback_pipeline.store import embedded, migrations
from feedback_pipeline.store.locks import Lock

MIN_VERSION = 140_000


class DatabaseError(RuntimeError):
    """The database cannot be used; the message says which, why, and what to do."""


@dataclass(frozen=True)
class Database:
    """Addresses of the two databases of one server: `feedback` (ours) and `dagster` (the instance's).

    Attributes:
        given: the URL; of an embedded server as it was when the database was opened.
        layout: where an embedded server keeps its things; its address is looked up whenever it is asked for, because
            it may come back on another port.
    """

    given: str
    layout: embedded.Layout | None = None

    @property
    def url(self) -> str:
        return self.given if self.layout is None else self.layout.url(urlsplit(self.given).path.lstrip("/"))

    def address(self, driver: str = "", database: str | None = None) -> str:
        """The URL for a driver (`psycopg`, `psycopg2`; none for ADBC, asyncpg, libpq) and a database of the server."""
        _, place, path, query, fragment = urlsplit(self.url)
        suffix = f"+{driver}" if driver else ""
        return urlunsplit((f"postgresql{suffix}", place, f"/{database}" if database else path, query, fragment))

    @property
    def name(self) -> str:
        return urlsplit(self.url).path.lstrip("/") or "feedback"

    @property
    def dagster_url(self) -> str:
        return self.address("psycopg2", "dagster" if self.name == "feedback" else f"{self.name}_dagster")

    @cached_property
    def engine(self) -> sa.Engine:
        engine = sa.create_engine(self.address("psycopg"), pool_pre_ping=True, pool_size=5, hide_parameters=True)
        if (layout := self.layout) is not None:

            @sa.event.listens_for(engine, "do_connect")
            def look_up_the_port(_dialect: Any, _record: Any, _arguments: Any, parameters: dict[str, Any]) -> None:
                parameters["port"] = layout.port()

        return engine


def open_database(settings: Settings) -> Database:
    """The configured database, or the embedded one started and given its databases; migrated to the newest shape.

    Raises:
        DatabaseError: the server cannot be reached, is too old, or was set up for another time zone.
    """
    database = locate(settings)
    create_missing_databases(database)
    migrate(database, settings.timezone)
    return database


def locate(settings: Settings) -> Database:
    """The database's address, with an embedded server started where none is configured; nothing is created in it."""
    if settings.database_url:
        return Database(settings.database_url)
    layout = embedded.ensure_running(settings.home / "postgres")
    return Database(layout.url("feedback"), layout)


def create_missing_databases(database: Database) -> None:
    """Creates `feedback` and `dagster` where they are missing; several processes may do so at once."""
    wanted = [database.name, urlsplit(database.dagster_url).path.lstrip("/")]
    with _maintenance_connection(database) as maintenance:
        version = maintenance.info.server_version
        if version < MIN_VERSION:
            raise DatabaseError(f"PostgreSQL {version // 10_000} is too old; 14 or newer is needed")
        for name in wanted:
            if maintenance.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
                continue
            try:
                maintenance.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
            except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                continue  # another process was faster
            except psycopg.errors.InsufficientPrivilege as error:
                raise DatabaseError(
                    f"the database {name} does not exist and this user may not create it: CREATE DATABASE {name};"
                ) from error


def _maintenance_connection(database: Database) -> psycopg.Connection:
    """A connection that may create databases: to `postgres`, else to our own."""
    failure: psycopg.OperationalError | None = None
    for address in (database.address(database="postgres"), database.address()):
        try:
            return psycopg.connect(address, autocommit=True, connect_timeout=10)
        except psycopg.OperationalError as error:
            failure = error
    reason = str(failure).strip().split("\n")[-1]
    raise DatabaseError(
        f"cannot reach PostgreSQL at {without_password(database.url)}: {reason}. "
        "Check FEEDBACK_DATABASE_URL and that the server runs; unset it to use the embedded one"
    ) from failure


def migrate(database: Database, timezone: str, revision: str = "head") -> None:
    """Brings the tables to a revision and the API's role to its rights; safe to call from many processes.

    Raises:
        DatabaseError: the database was first migrated with another time zone, is newer than this version or too old
            for it, or its user may not do what is needed.
    """
    with database.engine.connect() as connection:
        connection.exec_driver_sql(f"SELECT pg_advisory_lock({Lock.MIGRATION:d})")
        connection.commit()
        try:
            with connection.begin():
                migrations.upgrade(connection, timezone, revision)
                fixed = connection.exec_driver_sql("SELECT value FROM setting WHERE name = 'timezone'").scalar_one()
        except migrations.SchemaError as error:
            raise DatabaseError(str(error)) from error
        except psycopg.errors.RaiseException as error:  # a script's own refusal
            raise DatabaseError(str(error).split("\n")[0]) from error
        finally:
            connection.exec_driver_sql(f"SELECT pg_advisory_unlock({Lock.MIGRATION:d})")
            connection.commit()
    if fixed != timezone:
        raise DatabaseError(
            f"FEEDBACK_TIMEZONE is {timezone}, but this database cuts its days in {fixed}: "
            "set it back, or start with an empty database"
        )


def schema_revision(database: Database) -> str | None:
    """The revision the tables are at; None for an empty database."""
    with database.engine.connect() as connection:
        return migrations.current_revision(connection)


KEY_PREFIX = "pseudonym_key/"


def key_fingerprints(database: Database) -> dict[str, str]:
    """Marks of the keys that the stored pseudonyms were made with, by version; safe to keep beside the data."""
    with database.engine.connect() as connection:
        return _key_fingerprints(connection)


def _key_fingerprints(connection: sa.Connection) -> dict[str, str]:
    rows = connection.execute(sa.text("SELECT name, value FROM setting WHERE starts_with(name, :prefix)"),
                              {"prefix": KEY_PREFIX}).all()  # fmt: skip
    return {row.name.removeprefix(KEY_PREFIX): row.value for row in rows}


def keep_key_fingerprints(
    database: Database, fingerprints: Mapping[str, str], verify: Callable[[Mapping[str, str]], None]
) -> None:
    """Keeps the marks of keys in use; known ones stay as they are.

    Of several processes that come with different keys at the same moment one wins: the others wait for it and are shown
    what it kept.

    Args:
        database: the store.
        fingerprints: marks by version.
        verify: raises where the keys are not those of the marks that are kept; then none of these is.
    """
    with database.engine.begin() as connection:
        connection.execute(
            sa.text("INSERT INTO setting (name, value) VALUES (:name, :value) ON CONFLICT (name) DO NOTHING"),
            [{"name": KEY_PREFIX + version, "value": fingerprints[version]} for version in sorted(fingerprints)],
        )
        verify(_key_fingerprints(connection))
