"""Dagster's own database, which lies beside the store: reached, and measured. Nothing here loads Dagster."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from feedback_pipeline.store.database import Database

TABLES = ("event_logs", "runs", "job_ticks", "asset_check_executions")
"""What grows."""


@contextmanager
def beside(database: Database) -> Iterator[sa.Engine]:
    """The way to the storage that lies beside a store, for the length of the block."""
    storage = Database(database.dagster_url.replace("+psycopg2", ""))
    try:
        yield storage.engine
    finally:
        storage.engine.dispose()


def sizes(database: Database) -> dict[str, int]:
    """Bytes of Dagster's storage, by table; empty where it is elsewhere or not made yet."""
    measured = sa.text(
        "SELECT relname, pg_total_relation_size(oid) AS bytes FROM pg_class WHERE relkind = 'r'"
        " AND relname = ANY (:tables)"
    )
    with beside(database) as engine:
        try:
            with engine.connect() as connection:
                return {row.relname: row.bytes for row in connection.execute(measured, {"tables": list(TABLES)})}
        except sa.exc.OperationalError:
            return {}
