"""Dumps of a database by PostgreSQL's own programs, and how they come back."""

import os
import shutil
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

from feedback_pipeline.store import embedded
from feedback_pipeline.store.database import Database


class BackupError(RuntimeError):
    """The backup cannot be made or restored; the message says why and what to do."""


def dump(database: Database, name: str, file: Path) -> None:
    """Writes one database of the server into a file: a snapshot of one moment, compressed.

    Raises:
        BackupError: the program refused.
    """
    _run("pg_dump", database, name, "--format=custom", "--compress=3", f"--file={file}")


def load(database: Database, name: str, file: Path) -> None:
    """Fills an empty database of the server from a dump; whoever loads it owns what is in it.

    Raises:
        BackupError: the program refused; the database is then as empty as before.
    """
    _run(
        "pg_restore", database, name, "--no-owner", "--no-acl", "--exit-on-error", "--single-transaction",
        f"--dbname={name}", str(file),
    )  # fmt: skip


def _run(program: str, database: Database, name: str, *arguments: str) -> None:
    place = urlsplit(database.url)
    # the password goes by the environment: a command line can be read by everybody on the machine
    secret = {"PGPASSWORD": unquote(place.password)} if place.password else {}
    environment = {**os.environ, **secret, "PGDATABASE": name, "PGCONNECT_TIMEOUT": "15"}
    where = [f"--host={place.hostname or 'localhost'}", f"--port={place.port or 5432}"]
    user = [f"--username={unquote(place.username)}"] if place.username else []
    done = subprocess.run(
        [str(_program(program)), *where, *user, "--no-password", *arguments],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        # what it says of an error may quote a row: the first line names it
        said = next((line for line in done.stderr.splitlines() if "error" in line.lower()), f"status {done.returncode}")
        raise BackupError(f"{program} of the database {name} failed: {said.partition('DETAIL')[0][:300]}")


def _program(name: str) -> Path:
    """The program of the embedded server's wheel, which knows servers up to its own version; else this machine's."""
    try:
        return embedded.binaries() / name
    except embedded.EmbeddedPostgresError:
        found = shutil.which(name)
        if found is None:
            raise BackupError(f"{name} is not installed: install PostgreSQL's client programs") from None
        return Path(found)
