"""The Dagster instance of this pipeline: its home folder, and its storage in the `dagster` database."""

import os
import shutil
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from feedback_pipeline.settings import Settings
from feedback_pipeline.store.database import Database

STATEMENT_TIMEOUT = 600_000
"""Milliseconds."""


def prepare_environment(settings: Settings, database: Database, environment: MutableMapping[str, str]) -> None:
    """Makes DAGSTER_HOME and sets the variables that `dagster.yaml` and every Dagster process read.

    The committed dagster.yaml is copied so that the instance does not change under a running daemon; one that a person
    put into DAGSTER_HOME is left alone.
    """
    home = Path(environment.get("DAGSTER_HOME") or settings.dagster_home)
    home.mkdir(parents=True, exist_ok=True)
    shipped, used = Path(__file__).with_name("dagster.yaml"), home / "dagster.yaml"
    if not used.exists() or home == settings.dagster_home:
        shutil.copyfile(shipped, used)
    environment["DAGSTER_HOME"] = str(home)
    environment["DAGSTER_POSTGRES_URL"] = database.dagster_url
    environment["DAGSTER_DG_UPDATE_CHECK_ENABLED"] = "0"
    # what a run means to make is one batch of events
    environment.setdefault("DAGSTER_EVENT_BATCH_SIZE", "1000")


@contextmanager
def open_instance(settings: Settings, database: Database) -> Iterator[dg.DagsterInstance]:
    """The instance that the UI and the daemon use too."""
    prepare_environment(settings, database, os.environ)
    with dg.DagsterInstance.get() as instance:
        # a pool of connections, as the webserver has: by default every event opens a connection of its own
        instance.optimize_for_webserver(statement_timeout=STATEMENT_TIMEOUT, pool_recycle=3600, max_overflow=5)
        yield instance
