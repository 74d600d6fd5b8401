"""Computing as a role that owns nothing: the loop runs, and what guards the data cannot be taken away (C.16, G.26)."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import dagster as dg
import psycopg
import pytest

from feedback_pipeline.erasure import erasure
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.privacy import audit_log
from feedback_pipeline.settings import Settings
from feedback_pipeline.store.database import Database, DatabaseError, migrate
from jobs import runs
from tests.support.erasure_world import ADA, WEEK_ENDED, ada, context, fill, key, pipeline_at

PASSWORD = "of-a-test"


@pytest.fixture
def computing(database: Database) -> Iterator[Database]:
    """The same database for a login that is a member of the role for computing and of nothing else."""
    login, dagster = f"computes_{database.name}", database.dagster_url.rsplit("/", 1)[1]
    with psycopg.connect(database.address(), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {login} LOGIN PASSWORD '{PASSWORD}' IN ROLE feedback_compute")
        connection.execute(f"CREATE DATABASE {dagster} OWNER {login}")
    parts = urlsplit(database.url)
    opened = Database(urlunsplit(parts._replace(netloc=f"{login}:{PASSWORD}@{parts.hostname}:{parts.port}")))
    yield opened
    opened.engine.dispose()
    with psycopg.connect(database.address(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {dagster} WITH (FORCE)")
        connection.execute(f"DROP ROLE {login}")


def test_the_loop_and_an_erasure_need_nothing_of_the_owner(
    database: Database, computing: Database, tmp_path: Path
) -> None:
    migrate(computing, "UTC")  # nothing to do, and no right to
    pipeline = pipeline_at(tmp_path / "home", computing, WEEK_ENDED)
    fill(pipeline)
    with dg.DagsterInstance.ephemeral() as instance:
        result = runs.compute(pipeline, instance)
        assert (result.failed, result.days, result.weeks) == ((), 2, 1)
        receipt = erasure.forget(context(pipeline, instance), ada(pipeline))
    assert receipt["steps"]["verification"]["found"] == 0
    audit_log.append(computing, pipeline.pseudonymiser, "person.forgotten", actor="a test")
    with psycopg.connect(database.address()) as connection:
        assert connection.execute("SELECT source_id FROM interaction").fetchall() == [("b1",)]
        [(tombstone,)] = connection.execute("SELECT user_key FROM consent").fetchall()
    assert tombstone == key(pipeline, ADA)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE audit_log DISABLE TRIGGER USER",
        "UPDATE audit_log SET actor = 'somebody else'",
        "DELETE FROM audit_log",
        "TRUNCATE feedback",
        "DROP TABLE feedback",
        "CREATE TABLE of_mine (words text)",
        "ALTER TABLE interaction DISABLE ROW LEVEL SECURITY",
        "DROP POLICY tenant_only ON interaction",
        "UPDATE alembic_version SET version_num = 'v1'",
        "SET session_replication_role = replica",
        "CREATE ROLE another",
        "COPY feedback TO PROGRAM 'cat'",
    ],
)
def test_what_guards_the_data_is_not_its_to_change(computing: Database, statement: str) -> None:
    with (
        psycopg.connect(computing.address()) as connection,
        pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.RaiseException)),
    ):
        connection.execute(statement)  # type: ignore[call-overload]


def test_a_database_that_waits_for_a_migration_is_said(database: Database, computing: Database) -> None:
    with psycopg.connect(database.address()) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v1_baseline'")
    with pytest.raises(DatabaseError, match=r"this user may not bring it to .*: give feedback migrate"):
        migrate(computing, "UTC")


def test_a_table_that_is_added_is_granted_at_the_next_migration(database: Database, computing: Database) -> None:
    with psycopg.connect(database.address()) as connection:
        connection.execute("CREATE TABLE later (words text)")
    migrate(database, "UTC")
    with psycopg.connect(computing.address()) as connection:
        assert connection.execute("SELECT count(*) FROM later").fetchone() == (0,)


def test_it_is_opened_as_a_pipeline_opens_it(computing: Database, tmp_path: Path) -> None:
    given = {"FEEDBACK_HOME": str(tmp_path / "home"), "FEEDBACK_DATABASE_URL": computing.url}
    assert Pipeline(Settings.from_environment(given)).pseudonymiser.current == "k1"
