"""`/readyz` says no where no vote can be written, and `/healthz` goes on saying that the process runs."""

from dataclasses import replace
from pathlib import Path

import httpx
import psycopg

from feedback_pipeline.capture.app import create_app
from feedback_pipeline.settings import Settings
from feedback_pipeline.store.database import Database
from tests.support.disks import small_disk
from tests.support.serving import serve


def asked(settings: Settings, database: Database) -> tuple[int, int]:
    """Status of `/readyz` and of `/healthz`."""
    url, stop = serve(create_app(settings, address=database.address()))
    try:
        return httpx.get(f"{url}/readyz").status_code, httpx.get(f"{url}/healthz").status_code
    finally:
        stop()


def test_not_ready_on_a_full_disk_or_a_database_that_is_only_read(
    tmp_path: Path, settings: Settings, database: Database
) -> None:
    assert asked(settings, database) == (200, 200)
    with small_disk(tmp_path / "disk", 1) as disk:
        assert asked(replace(settings, home=disk, database_url=None), database) == (503, 200)
    with psycopg.connect(database.address(), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {database.name} SET default_transaction_read_only = on")
    assert asked(settings, database) == (503, 200)
