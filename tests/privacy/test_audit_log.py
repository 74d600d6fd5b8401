"""The audit log: only ever longer, and whoever changes it is noticed (G.26)."""

import psycopg
import pytest

from feedback_pipeline.privacy import audit_log
from feedback_pipeline.privacy.pseudonyms import Pseudonymiser
from feedback_pipeline.store.database import Database

KEYS = Pseudonymiser("k1", {"k1": b"k" * 32})
OTHERS = Pseudonymiser("k1", {"k1": b"x" * 32})


@pytest.fixture
def log(database: Database) -> Database:
    for number, action in enumerate(("consent.changed", "votes.exported", "person.forgotten", "key.revoked")):
        audit_log.append(database, KEYS, action, actor="account ada", tenant="default", detail={"n": number})
    return database


def as_owner(database: Database, *statements: str) -> None:
    """What an owner of the database can do who first switches the guards off."""
    with psycopg.connect(database.address()) as connection:
        connection.execute("ALTER TABLE audit_log DISABLE TRIGGER USER")
        connection.execute("SET session_replication_role = replica")
        for statement in statements:
            connection.execute(statement)


def test_what_was_done_is_listed_newest_first(log: Database) -> None:
    rows = audit_log.listed(log, 10)
    assert [(row.id, row.action) for row in rows] == [
        (4, "key.revoked"), (3, "person.forgotten"), (2, "votes.exported"), (1, "consent.changed"),
    ]  # fmt: skip
    assert [row.id for row in audit_log.listed(log, 10, "person")] == [3]
    assert audit_log.check(log, KEYS) == audit_log.Checked(4, 4, ())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET actor = 'x'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log CASCADE",
        "UPDATE audit_seal SET signature = 'x'",
    ],
)
def test_nobody_changes_or_removes_a_row(log: Database, statement: str) -> None:
    with psycopg.connect(log.address()) as connection, pytest.raises(psycopg.errors.RaiseException):
        connection.execute(statement)


def test_a_row_that_says_who_it_likes_is_chained_all_the_same(database: Database) -> None:
    with psycopg.connect(database.address()) as connection:
        connection.execute(
            "INSERT INTO audit_log (id, at, actor, action, previous, digest)"
            " VALUES (77, '2020-01-01', 'a', 'votes.read', 'x', 'y')"
        )
    assert audit_log.listed(database, 1)[0].id == 1
    assert audit_log.check(database, KEYS) == audit_log.Checked(1, 0, ())


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE audit_log SET actor = 'account eve' WHERE id = 2", "row 2: it was changed"),
        ("UPDATE audit_log SET detail = '{}' WHERE id = 3", "row 3: it was changed"),
        ("DELETE FROM audit_log WHERE id = 2", "row 3: rows before it are missing"),
        ("DELETE FROM audit_log WHERE id = 4", "row 4 is under a seal and missing"),
        ("UPDATE audit_log SET actor = 'e', digest = audit_digest(audit_log) WHERE id = 4", "row 4"),
    ],
)
def test_whoever_changes_it_behind_the_guards_is_noticed(log: Database, statement: str, problem: str) -> None:
    as_owner(log, statement)
    found = audit_log.check(log, KEYS).problems
    assert any(problem in line for line in found), found


def test_seals_of_another_key_are_none(log: Database) -> None:
    assert any("not made with a key of this installation" in line for line in audit_log.check(log, OTHERS).problems)


def test_the_api_adds_rows_of_its_tenant_and_reads_none(log: Database) -> None:
    add = "INSERT INTO audit_log (actor, action, tenant) VALUES ('key 1', 'votes.exported', %s)"
    with psycopg.connect(log.address()) as connection:
        connection.execute("SET ROLE feedback_api")
        connection.execute("SELECT set_config('feedback.tenant', 'default', false)")
        connection.execute(add, ("default",))
        connection.commit()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(add, ("acme",))
        connection.rollback()
        connection.execute("SET ROLE feedback_api")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM audit_log")
    assert audit_log.listed(log, 1)[0].actor == "key 1"
