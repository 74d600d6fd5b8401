"""Training datasets in the store: manifests, and which votes are behind each of their rows."""

from datetime import date

import orjson
import polars as pl
import sqlalchemy as sa

from feedback_pipeline.store import bulk
from feedback_pipeline.store.database import Database
from feedback_pipeline.store.statements import query


def newest_before(database: Database, week: date) -> str | None:
    """The id of the newest dataset of an earlier week."""
    with database.engine.connect() as connection:
        newest: str | None = connection.execute(
            sa.text("SELECT id FROM dataset WHERE week < :week ORDER BY week DESC, created_at DESC LIMIT 1"),
            {"week": week},
        ).scalar()
    return newest


def record(database: Database, week: date, dataset_id: str, manifest: bytes, rows: pl.DataFrame) -> None:
    """Records a dataset and what its rows came from; recording the same dataset again changes nothing.

    Args:
        database: the store.
        week: the week it ends with.
        dataset_id: content hash of the manifest.
        manifest: its JSON.
        rows: row_id, interaction_ids, feedback_ids, weight and the number of `lines` of each (`Lines.rows`).
    """
    with bulk.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO dataset (id, week, manifest) VALUES ($1, $2, $3::jsonb) ON CONFLICT (id) DO NOTHING",
            (dataset_id, week, orjson.dumps(orjson.loads(manifest)).decode()),
        )
        bulk.stage(cursor, "stage_dataset_row", rows)
        cursor.execute(query("insert_dataset_rows"), (dataset_id,))
