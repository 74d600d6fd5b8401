"""Addresses, migrations, and what is said when the database cannot be used."""

import subprocess
import sys

import psycopg
import pytest

from feedback_pipeline.settings import Settings
from feedback_pipeline.store import database as db
from feedback_pipeline.store.database import Database


def test_a_changed_time_zone_is_refused(database: Database) -> None:
    with pytest.raises(db.DatabaseError, match="cuts its days in UTC"):
        db.migrate(database, "Europe/Berlin")


def test_many_processes_may_migrate_at_once(server) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS at_once WITH (FORCE)")
        connection.execute("DROP DATABASE IF EXISTS at_once_dagster WITH (FORCE)")
    code = (
        "import sys; from feedback_pipeline.settings import Settings;"
        "from feedback_pipeline.store.database import open_database;"
        "open_database(Settings.from_environment({'FEEDBACK_DATABASE_URL': sys.argv[1]}))"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, server.url("at_once")]) for _ in range(4)]
    assert [process.wait(60) for process in processes] == [0, 0, 0, 0]


def test_an_unreachable_server_is_named_without_its_password() -> None:
    settings = Settings.from_environment({"FEEDBACK_DATABASE_URL": "postgresql://me:secret@127.0.0.1:1/feedback"})
    with pytest.raises(db.DatabaseError, match="cannot reach PostgreSQL at postgresql://me") as caught:
        db.open_database(settings)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_common_scheme_is_taken(scheme: str) -> None:
    settings = Settings.from_environment({"FEEDBACK_DATABASE_URL": f"{scheme}://u:p@h:5/feedback?sslmode=require"})
    opened = Database(settings.database_url)
    assert opened.address("psycopg") == "postgresql+psycopg://u:p@h:5/feedback?sslmode=require"
    assert opened.dagster_url == "postgresql+psycopg2://u:p@h:5/dagster?sslmode=require"
