"""The shape of the database: made at once, brought up from before the baseline, refused where it is not known."""

import itertools
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from feedback_pipeline.store import embedded, migrations
from feedback_pipeline.store.database import Database, DatabaseError, migrate, schema_revision

BEFORE_BASELINE = Path(__file__).parent / "before_baseline.sql"
HEAD = "v2_changes"
# what no revision gives, or gives anew: where the tables are, how the rights are marked
NOT_COMPARED = ("alembic_version", "setting")


@pytest.fixture
def empty(server: embedded.Layout, template: str) -> Iterator[Callable[[], Database]]:
    """Makes empty databases, dropped after the test, on a server that has the API's role."""
    made: list[Database] = []
    numbers = itertools.count()

    def make() -> Database:
        database = Database(server.url(f"shape_{next(numbers)}"))
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {database.name} WITH (FORCE)")
            connection.execute(f"CREATE DATABASE {database.name}")
        made.append(database)
        return database

    yield make
    for database in made:
        database.engine.dispose()
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {database.name} WITH (FORCE)")


def restore(database: Database, script: str) -> None:
    with psycopg.connect(database.address()) as connection:
        connection.execute(script)


def dump(database: Database, *options: str) -> str:
    """What pg_dump says of a database, without what differs from one dump to the next."""
    command = [embedded.binaries() / "pg_dump", "--dbname", database.address(), *options]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return "\n".join(line for line in text.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))


def rows(database: Database) -> dict[str, list[str]]:
    """Every row of every table as JSON, by table."""
    with psycopg.connect(database.address()) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
        return {
            name: [row for (row,) in connection.execute(f"SELECT to_jsonb(t)::text FROM {name} t ORDER BY 1")]  # type: ignore[call-overload]
            for (name,) in names
            if name not in NOT_COMPARED
        }


def test_the_baseline_is_the_shape_that_was_before_it(empty: Callable[[], Database]) -> None:
    before, baseline = empty(), empty()
    restore(before, BEFORE_BASELINE.read_text())
    migrate(baseline, "UTC", migrations.BASELINE)
    # rights are granted at the head and may name what is newer than the baseline
    options = ("--schema-only", "--no-owner", "--no-privileges", "--no-policies")
    assert dump(baseline, *options) == dump(before, *options)


def test_a_database_from_before_the_baseline_comes_up_without_loss(empty: Callable[[], Database]) -> None:
    old, fresh = empty(), empty()
    restore(old, BEFORE_BASELINE.read_text())
    before = rows(old)
    assert len(before["fine_tune_job"]) == 2
    assert all(before[name] for name in before if name not in ("vote_delta", "person_delta"))  # those two are queues
    migrate(old, "UTC")
    migrate(fresh, "UTC")
    assert schema_revision(old) == HEAD
    after = rows(old)
    # columns may have come; none went, and no value changed
    with psycopg.connect(old.address()) as connection:
        for name, kept in before.items():
            assert len(after[name]) == len(kept), name
            missing = connection.execute(
                "SELECT count(*) FROM unnest(%s::jsonb[]) b WHERE NOT EXISTS"
                " (SELECT FROM unnest(%s::jsonb[]) a WHERE a @> b)",
                (kept, after[name]),
            ).fetchone()
            assert missing == (0,), name
    assert dump(old, "--schema-only", "--no-owner") == dump(fresh, "--schema-only", "--no-owner")


def test_votes_from_before_the_baseline_are_counted_with_new_ones(empty: Callable[[], Database]) -> None:
    database = empty()
    restore(database, BEFORE_BASELINE.read_text())
    migrate(database, "UTC")
    with psycopg.connect(database.address()) as connection:
        connection.execute(
            "INSERT INTO feedback (id, tenant, interaction_id, kind, thumb, occurred_at, source, source_id)"
            " SELECT gen_random_uuid(), tenant, id, 'explicit', true, now(), 's', 'new' FROM interaction LIMIT 1"
        )
        connection.execute("SELECT fold_counts()")
        counted = connection.execute("SELECT sum(votes) FROM vote_total").fetchone()
        found = connection.execute("SELECT count(*) FROM feedback WHERE superseded_by IS NULL AND NOT withdrawn")
        assert counted == found.fetchone()


@pytest.mark.parametrize("revision", ["0001", "0006", "0010"])
def test_an_older_database_is_refused_in_a_sentence(empty: Callable[[], Database], revision: str) -> None:
    database = empty()
    restore(database, BEFORE_BASELINE.read_text() + f"UPDATE public.alembic_version SET version_num = '{revision}'")
    with pytest.raises(DatabaseError, match=f"at revision {revision} .*bring it to 0011 with that version first"):
        migrate(database, "UTC")
    assert schema_revision(database) == revision  # untouched


def test_a_newer_database_is_refused_in_a_sentence(database: Database) -> None:
    with psycopg.connect(database.address()) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v9_later'")
    with pytest.raises(DatabaseError, match="at revision v9_later, which this version does not know: a newer version"):
        migrate(database, "UTC")


def test_tables_of_a_state_between_two_releases_are_refused_in_a_sentence(empty: Callable[[], Database]) -> None:
    database = empty()
    migrate(database, "UTC")
    with psycopg.connect(database.address()) as connection:
        connection.execute("DROP FUNCTION file_evaluations CASCADE")
        connection.execute("UPDATE setting SET value = 'of an earlier state' WHERE name = 'rights'")
    with pytest.raises(DatabaseError, match=r"state between two releases .*file_evaluations.* empty home"):
        migrate(database, "UTC")


def test_days_are_cut_in_the_configured_zone(empty: Callable[[], Database]) -> None:
    database = empty()
    migrate(database, "Pacific/Auckland")
    with psycopg.connect(database.address()) as connection:
        connection.execute(
            "INSERT INTO interaction (id, tenant, context, occurred_at, source, source_id, provenance)"
            " VALUES (gen_random_uuid(), 'default', 'partial', '2026-06-01 12:30+00', 's', '1', 'import')"
        )
        assert str(connection.execute("SELECT day FROM interaction").fetchone()[0]) == "2026-06-02"  # type: ignore[index]


def test_rights_that_a_restore_lost_are_given_again(empty: Callable[[], Database]) -> None:
    copied, restored = empty(), empty()
    migrate(copied, "UTC")
    # as pg_restore leaves it on a server without the role: no grants; policies of a role that is not there fail
    restore(restored, dump(copied, "--no-owner", "--no-acl", "--no-policies", "--inserts"))
    with restored.engine.connect() as connection:
        assert not migrations.rights_in_place(connection)
    migrate(restored, "UTC")
    with restored.engine.connect() as connection:
        assert migrations.rights_in_place(connection)
    assert dump(restored, "--schema-only", "--no-owner") == dump(copied, "--schema-only", "--no-owner")


@pytest.mark.parametrize(
    "damage",
    [
        "REVOKE INSERT ON feedback FROM feedback_api",
        "REVOKE UPDATE (superseded_by) ON feedback FROM feedback_api",
        "ALTER TABLE interaction DISABLE ROW LEVEL SECURITY",
        "DROP POLICY tenant_only ON consent",
        "GRANT EXECUTE ON FUNCTION fold_counts TO PUBLIC",
        "REVOKE EXECUTE ON FUNCTION find_api_key FROM feedback_api",
    ],
)
def test_any_right_that_is_missing_is_noticed_and_given_again(database: Database, damage: str) -> None:
    before = dump(database, "--schema-only")
    with psycopg.connect(database.address()) as connection:
        connection.execute(damage)  # type: ignore[call-overload]
    migrate(database, "UTC")
    assert dump(database, "--schema-only") == before


def test_tables_with_a_tenant_that_the_api_reads_are_fenced(database: Database) -> None:
    with psycopg.connect(database.address()) as connection:
        open_to_all = connection.execute("""
            SELECT DISTINCT c.relname FROM pg_class c
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant' AND NOT a.attisdropped
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND NOT c.relrowsecurity
              AND has_any_column_privilege('feedback_api', c.oid, 'SELECT, INSERT, UPDATE')""").fetchall()
    assert open_to_all == []
