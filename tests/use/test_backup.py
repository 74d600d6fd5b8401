"""A backup restored into another home: everything is there but the keys, and who was forgotten since."""

from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import dagster as dg
import psycopg
import pytest

from feedback_pipeline.backup import archive
from feedback_pipeline.backup.dump import BackupError
from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK
from feedback_pipeline.erasure.erasure import forget
from feedback_pipeline.erasure.subjects import person
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.store import embedded, migrations
from feedback_pipeline.store.database import Database, create_missing_databases
from jobs import runs
from tests.support.erasure_world import ADA, COMMON, SECRET, context, fill, pipeline_at


@pytest.fixture
def elsewhere(server: embedded.Layout, tmp_path: Path) -> Pipeline:
    """An empty home, and a database that does not exist yet."""
    return pipeline_at(tmp_path / "elsewhere", Database(server.url(f"restored_{uuid4().hex[:12]}")))


def dumped_text(database: Database) -> str:
    """Every row of every table, as text."""
    with psycopg.connect(database.address()) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables"
            " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        ).fetchall()
        return "\n".join(str(connection.execute(f'SELECT * FROM "{name}"').fetchall()) for (name,) in tables)


def test_restored_elsewhere_with_the_erasures_made_since(
    database: Database, tmp_path: Path, elsewhere: Pipeline
) -> None:
    create_missing_databases(database)
    pipeline = pipeline_at(tmp_path / "home", database)
    fill(pipeline)
    silent = [].append
    with dg.DagsterInstance.ephemeral() as instance:
        assert runs.compute(pipeline, instance).failed == ()
        made = archive.back_up(
            database, pipeline.frames, pipeline.settings.home, tmp_path / "backups", keys=tmp_path / "safe", data=True,
            report=silent,
        )  # fmt: skip
        forget(context(pipeline, instance), person(pipeline.pseudonymiser, "default", ADA))
    assert not list(made.folder.rglob("*.key"))
    assert not list(made.folder.rglob("keys.json"))
    with pytest.raises(BackupError, match="must not lie beside"):
        archive.back_up(
            database, pipeline.frames, tmp_path, tmp_path / "backups", keys=tmp_path / "backups" / "keys", data=True,
            report=silent,
        )  # fmt: skip

    # without the original: only the backup's folder and the keys
    (tmp_path / "home").rename(tmp_path / "gone")
    given = replace(elsewhere.settings)
    archive.copy_keys(tmp_path / "safe", given.home)
    target = Database(str(given.database_url))
    archive.restore(target, elsewhere.frames, given.home, made.folder, "UTC", silent)
    assert SECRET in dumped_text(target), "the backup is older than the erasure"
    with dg.DagsterInstance.ephemeral() as instance:
        again = archive.replay_erasures(context(elsewhere, instance), made.folder, (), silent)
        assert again == 1
        assert archive.replay_erasures(context(elsewhere, instance), made.folder, (), silent) == 0
    left = dumped_text(target)
    assert SECRET not in left
    assert COMMON in left, "what Ben asked is his"
    days = elsewhere.frames.partitions(CLEAN_FEEDBACK)
    assert elsewhere.frames.read(CLEAN_FEEDBACK, days).height > 0
    with target.engine.connect() as connection:
        assert migrations.rights_in_place(connection)
        connection.exec_driver_sql("SET ROLE feedback_api")
        assert connection.exec_driver_sql("SELECT count(*) FROM feedback").scalar_one() == 0, "no tenant, no rows"
    with pytest.raises(BackupError, match="holds feedback already"):
        archive.restore(target, elsewhere.frames, given.home, made.folder, "UTC", silent)
    target.engine.dispose()


def test_a_damaged_or_unfinished_backup_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="no finished backup"):
        archive.read_manifest(tmp_path)
    (tmp_path / "feedback.dump").write_bytes(b"half")
    (tmp_path / "manifest.json").write_text('{"files": {"feedback.dump": {"bytes": 8, "sha256": "00"}}}')
    with pytest.raises(BackupError, match=r"feedback\.dump is missing or not the file"):
        archive.read_manifest(tmp_path)
