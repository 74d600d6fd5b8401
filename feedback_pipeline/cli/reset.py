"""`feedback reset`: takes the sample's votes away, so that they do not pool with one's own; mounted by `cli.groups`."""

import fcntl
import os
import shutil
import time
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer

from feedback_pipeline.cli.opening import open_pipeline
from feedback_pipeline.cli.printing import PlainConsole
from feedback_pipeline.sample.rows import SOURCE
from feedback_pipeline.settings import FIRST_DAY_FILE, Settings, SettingsError
from feedback_pipeline.store import embedded

console = PlainConsole()
MADE = ("postgres", "data", "dagster", "sample", "rejects", "logs", "exports", FIRST_DAY_FILE)
"""What a sample and its runs leave below the home folder. Keys, receipts and `sources.yaml` stay."""
STOP_SECONDS = 20.0

_OTHERS = sa.text(
    "SELECT (SELECT count(*) FROM feedback WHERE source IS DISTINCT FROM :source)"
    " + (SELECT count(*) FROM interaction WHERE source IS DISTINCT FROM :source)"
)


def reset(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take the sample data away: database, reports and training files of a home that holds nothing else."""
    settings = Settings.from_environment()
    if settings.database_url:
        raise SettingsError("reset is for the embedded database; FEEDBACK_DATABASE_URL names one of your own")
    if _dev_runs(settings.home):
        raise SettingsError("feedback dev runs in this home: stop it first (Ctrl-C)")
    pipeline = open_pipeline(settings)
    with pipeline.database.engine.connect() as connection:
        others = connection.execute(_OTHERS, {"source": SOURCE}).scalar_one()
    if others:
        raise SettingsError(
            f"this home holds {others:,} answers and events that are not the sample's, and nothing was removed; the "
            "sample's tenants alone: feedback forget --tenant-all acme, --tenant-all globex, --tenant-all initech"
        )
    if not yes:
        typer.confirm(f"Remove the sample and everything made of it below {settings.home}?", abort=True)
    pipeline.database.engine.dispose()
    _stop(settings.home / "postgres")
    for name in MADE:
        path = settings.home / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    console.print(f"Removed. {settings.home} is as before the first command; keys stayed.", highlight=False)


def _dev_runs(home: Path) -> bool:
    lock = home / "dev.lock"
    if not lock.exists():
        return False
    descriptor = os.open(lock, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _stop(folder: Path) -> None:
    """Lets the server end: it does when its last user is gone.

    Raises:
        SettingsError: it still runs, as somebody else uses it.
    """
    embedded.release(folder)
    deadline = time.monotonic() + STOP_SECONDS
    while (folder / "data" / "postmaster.pid").exists():
        if time.monotonic() > deadline:
            raise SettingsError("another command uses the database of this home: end it, then reset again")
        time.sleep(0.1)


def mount(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command()(reset)
