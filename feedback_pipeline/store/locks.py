"""Every advisory lock of the database, so that no two things wait for each other by accident.

A lock is a number of its own, or a space of names (`Space`): PostgreSQL keeps the two kinds apart. Numbers that SQL
functions take are declared here too; a test compares.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import sqlalchemy as sa


class Lock(IntEnum):
    """Locks of one thing each."""

    MIGRATION = 7_203_115_940
    """Bringing the tables to a revision."""
    FOLD_COUNTS = 7_203_115_941
    """Adding deltas to the rollups: taken by the SQL function `fold_counts`."""
    VOTE = 7_203_115_942
    """Seed of the hash by which two votes of one person on one answer wait for each other: `file_votes`."""
    ERASURE = 7_203_115_943
    """Forgetting people and emptying days."""
    AUDIT_LOG = 7_203_115_944
    """Appending to the chain of `audit_log`: taken by its SQL function."""
    SKETCH_PEOPLE = 7_203_115_947
    """Making the sketches of a day's people: taken by the SQL function `sketch_people`."""
    INCIDENTS = 7_203_115_951
    """StoreRows a day's alerts under their incidents."""


class Space(IntEnum):
    """Locks of many things each, told apart by name."""

    FINE_TUNING = 6_203
    """One run of the ledger, or the planning of all."""
    NOTIFICATION = 6_204
    """One message, so that it is sent once."""
    PARTITION = 6_205
    """One partition of an asset, which one worker computes at a time."""
    COMMAND = 6_206
    """One command that runs the loop in the foreground: held for as long as its process lives."""


def wait_in_transaction(connection: sa.Connection, lock: Lock) -> None:
    """Waits for a lock and holds it to the end of the transaction."""
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": int(lock)})


def wait_for_name_in_transaction(connection: sa.Connection, space: Space, name: str) -> None:
    """Waits for a name of a space and holds it to the end of the transaction."""
    connection.execute(
        sa.text("SELECT pg_advisory_xact_lock(:space, hashtext(:name))"), {"space": int(space), "name": name}
    )


@contextmanager
def held(engine: sa.Engine, lock: Lock) -> Iterator[bool]:
    """Whether this process alone holds the lock for the length of the block; never waits.

    It belongs to a connection: when the process dies, so does the lock.
    """
    with _held(engine, "pg_try_advisory_lock(:lock)", "pg_advisory_unlock(:lock)", {"lock": int(lock)}) as locked:
        yield locked


@contextmanager
def held_name(engine: sa.Engine, space: Space, name: str) -> Iterator[bool]:
    """The same for a name of a space."""
    values = {"space": int(space), "name": name}
    with _held(engine, "pg_try_advisory_lock(:space, hashtext(:name))",
               "pg_advisory_unlock(:space, hashtext(:name))", values) as locked:  # fmt: skip
        yield locked


@contextmanager
def waited_for(engine: sa.Engine, space: Space, *names: str) -> Iterator[None]:
    """Waits for names of a space, one after the other, and holds them for the length of the block.

    Whoever waits for several names them in an order that all agree on.
    """
    values = {"space": int(space), "names": list(names)}
    each = "(SELECT bool_and({}) FROM unnest(CAST(:names AS text[])) AS each (name))"
    with _held(engine, each.format("pg_advisory_lock(:space, hashtext(name)) IS NOT NULL"),
               each.format("pg_advisory_unlock(:space, hashtext(name))"), values):  # fmt: skip
        yield


def is_free(engine: sa.Engine, space: Space, name: str) -> bool:
    """Whether no process holds a name of a space."""
    with engine.begin() as connection:
        trying = sa.text("SELECT pg_try_advisory_xact_lock(:space, hashtext(:name))")
        return bool(connection.execute(trying, {"space": int(space), "name": name}).scalar())


_NOTICED = ", ".join(
    f"set_config('tcp_keepalives_{name}', '{seconds}', false)"
    for name, seconds in (("idle", 30), ("interval", 10), ("count", 3))
)
"""A holder whose machine is gone without a word is noticed by the server within a minute; by default in two hours, and
everybody would wait for its lock."""


@contextmanager
def _held(engine: sa.Engine, take: str, give_back: str, values: dict[str, object]) -> Iterator[bool]:
    with engine.connect() as connection:
        locked = bool(connection.execute(sa.text(f"SELECT {take}, {_NOTICED}"), values).scalar())
        connection.commit()
        try:
            yield locked
        finally:
            if locked:
                _give_back(connection, give_back, values)


def _give_back(connection: sa.Connection, give_back: str, values: dict[str, object]) -> None:
    try:
        connection.execute(sa.text(f"SELECT {give_back}"), values)
        connection.commit()
    except sa.exc.DBAPIError as error:
        if not error.connection_invalidated:
            raise
        # the connection is lost, and with it the lock: what was done under it says for itself whether it failed
