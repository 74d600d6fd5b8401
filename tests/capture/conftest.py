"""A real service on the loopback address: uvicorn in a thread, on a database of the test's own."""

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import psycopg
import pytest

from feedback_pipeline.capture import key_store
from feedback_pipeline.capture.access import SCOPES
from feedback_pipeline.console.app import create_app
from feedback_pipeline.settings import CaptureSettings, Settings
from feedback_pipeline.store import embedded
from feedback_pipeline.store.database import Database, migrate
from tests.support.serving import serve

_numbers = itertools.count()


@dataclass
class Running:
    """A running service, and a key of every scope for a tenant of the test's own."""

    url: str
    tenant: str
    key: str
    database: Database
    settings: Settings

    def client(self, key: str | None = None, **headers: str) -> httpx.Client:
        return httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {key or self.key}", **headers}, timeout=20
        )

    def new_key(self, tenant: str | None = None, *scopes: str) -> str:
        return key_store.create(self.database, "test", scopes or ("write", "read", "export"), tenant or self.tenant)[1]

    def rows(self, statement: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """What the store's owner sees; `%s` is filled with the tenant first."""
        with psycopg.connect(self.database.url) as connection:
            return connection.execute(statement, (self.tenant, *arguments)).fetchall()


@pytest.fixture(scope="session")
def shared_database(server: embedded.Layout) -> Iterator[Database]:
    """One database for all tests of this package that keep to their own tenant."""
    name = f"capture_{os.getpid()}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    database = Database(server.url(name))
    migrate(database, "UTC")
    yield database
    database.engine.dispose()
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def shared_settings(tmp_path_factory: pytest.TempPathFactory, shared_database: Database) -> Settings:
    home = tmp_path_factory.mktemp("capture")
    return Settings.from_environment({"FEEDBACK_HOME": str(home), "FEEDBACK_DATABASE_URL": shared_database.url})


@pytest.fixture(scope="session")
def shared_service(shared_database: Database, shared_settings: Settings) -> Iterator[str]:
    capture = CaptureSettings(snapshot_bytes=20_000, body_bytes=200_000)
    settings = replace(shared_settings, capture=capture)
    url, stop = serve(create_app(settings, address=shared_database.address()))
    yield url
    stop()


@pytest.fixture
def tenant() -> str:
    return f"team-{next(_numbers)}"


@pytest.fixture
def service(shared_service: str, shared_database: Database, shared_settings: Settings, tenant: str) -> Running:
    _, key = key_store.create(shared_database, "test", SCOPES, tenant)
    return Running(shared_service, tenant, key, shared_database, shared_settings)


@pytest.fixture
def start(shared_database: Database, shared_settings: Settings, tenant: str) -> Iterator[Callable[..., Running]]:
    """Starts services with settings of their own on the shared database."""
    stops: list[Callable[[], None]] = []
    _, key = key_store.create(shared_database, "test", SCOPES, tenant)

    def run(capture: CaptureSettings | None = None, settings: Settings = shared_settings) -> Running:
        chosen = replace(settings, capture=capture) if capture else settings
        url, stop = serve(create_app(chosen, address=shared_database.address()))
        stops.append(stop)
        return Running(url, tenant, key, shared_database, settings)

    yield run
    for stop in stops:
        stop()


@pytest.fixture
def api(service: Running) -> Iterator[httpx.Client]:
    with service.client() as client:
        yield client
