"""What tests share: one real PostgreSQL for the session, a fresh migrated database for each test that asks."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import psycopg
import pytest

from feedback_pipeline.settings import Settings
from feedback_pipeline.store import embedded
from feedback_pipeline.store.database import Database, migrate
from tests.support.s3 import ENVIRONMENT, RequestLog, s3_server

_numbers = itertools.count()

# an example may wait for the other core; how long things take is not a matter of these tests
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

# tables of the command line are as wide as what the tests look for in them
os.environ["COLUMNS"] = "250"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Layout]:
    """An embedded PostgreSQL under a temporary folder, stopped after the session."""
    folder = tmp_path_factory.mktemp("home") / "postgres"
    layout = embedded.ensure_running(folder)
    with psycopg.connect(layout.url("postgres"), autocommit=True) as connection:
        # nobody pulls the plug in these tests; those about durability run servers of their own
        for name in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(f"ALTER SYSTEM SET {name} = off")
        connection.execute("SELECT pg_reload_conf()")
    yield layout
    embedded.release(folder)


@pytest.fixture(scope="session")
def template(server: embedded.Layout) -> str:
    """The name of a migrated database that others are copied from."""
    name = "migrated"
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    database = Database(server.url(name))
    migrate(database, "UTC")
    database.engine.dispose()
    return name


@pytest.fixture
def database(server: embedded.Layout, template: str) -> Iterator[Database]:
    """An empty, migrated database of its own."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    database = Database(server.url(name))
    yield database
    database.engine.dispose()
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def settings(tmp_path: Path, database: Database) -> Settings:
    """Settings that use the test's own database and folder."""
    return Settings.from_environment({"FEEDBACK_HOME": str(tmp_path / "home"), "FEEDBACK_DATABASE_URL": database.url})


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Public votes by real people, which live beside the repository."""
    default = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
    folder = Path(os.environ.get("FEEDBACK_SHARED_DATA") or default)
    if not folder.exists():
        pytest.skip(f"the public votes are not at {folder} (set FEEDBACK_SHARED_DATA)")
    return folder


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The log of an S3 server that runs for the session; its clients find it by the environment."""
    log = tmp_path_factory.mktemp("s3") / "requests.log"
    with s3_server(log) as url, pytest.MonkeyPatch.context() as patch:
        for name, value in (ENVIRONMENT | {"AWS_ENDPOINT_URL": url}).items():
            patch.setenv(name, value)
        yield log


@pytest.fixture
def bucket(s3: Path) -> str:
    """The URL of an empty bucket."""
    from s3fs import S3FileSystem

    name = f"feedback-{os.getpid()}-{next(_numbers)}"
    S3FileSystem().mkdir(name)
    return f"s3://{name}"


@pytest.fixture
def s3_requests(s3: Path) -> RequestLog:
    """The requests that the S3 server gets from now on."""
    return RequestLog(s3)
