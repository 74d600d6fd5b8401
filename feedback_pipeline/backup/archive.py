"""One backup: a folder with a manifest, two dumps, and the files of the home and of the data folder or bucket.

The keys are left out: whoever holds a backup and the keys can name the people in it. They are copied apart, or kept
where the platform keeps secrets.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import psycopg
import sqlalchemy as sa

from feedback_pipeline.backup.dump import BackupError, dump, load
from feedback_pipeline.erasure import replay
from feedback_pipeline.erasure.context import ErasureContext
from feedback_pipeline.erasure.erasure import forget
from feedback_pipeline.erasure.preview import preview
from feedback_pipeline.store.database import Database, create_missing_databases, migrate, schema_revision
from feedback_pipeline.store.migrations import run_sql
from feedback_pipeline.tables.parquet import TEMPORARY, ParquetFolder, files_below, location, replaced_file

MANIFEST = "manifest.json"
FEEDBACK_DUMP, DAGSTER_DUMP = "feedback.dump", "dagster.dump"
HOME_FOLDERS = ("rejects", "erasures", "sample", "exports", "spool")
HOME_FILES = ("sources.yaml",)
KEY_NAMES = ("keys.json", "*.key")
BLOCK = 1 << 20

Report = Callable[[str], None]


@dataclass(frozen=True)
class Backup:
    """A backup as made: where it is, what it holds."""

    folder: Path
    files: int
    bytes: int
    keys: Path | None
    """Where the keys were copied to; None where they were not."""


def back_up(
    database: Database,
    frames: ParquetFolder,
    home: Path,
    target: Path,
    *,
    keys: Path | None,
    data: bool,
    report: Report,
) -> Backup:
    """Makes a backup in a new folder below `target`; a folder without a manifest is an unfinished one.

    Args:
        database: the store; the Dagster database is beside it.
        frames: the tables, reports and training files.
        home: receipts, rejects, exports.
        target: where backups are kept.
        keys: a folder of its own for the keys; None leaves them out.
        data: copy the tables, reports and training files; without them they are computed again after a restore.
        report: takes lines of progress.

    Raises:
        BackupError: a dump failed, or the keys would lie inside the backup.
    """
    moment = datetime.now(UTC)
    folder = target.absolute() / f"feedback-{moment:%Y%m%dT%H%M%SZ}"
    if keys is not None and keys.absolute().is_relative_to(target.absolute()):
        raise BackupError("the keys must not lie beside the backup: with both, everybody in it can be named")
    folder.mkdir(mode=0o700, parents=True)
    # before the dump: an erasure that ends while it runs is noted, and replayed when this backup is restored
    replay.keep_in_mind(home, folder)
    report("databases")
    dump(database, database.name, folder / FEEDBACK_DUMP)
    dump(database, urlsplit(database.dagster_url).path.lstrip("/"), folder / DAGSTER_DUMP)
    report("files")
    for source, place in _home_files(home):
        place = folder / "home" / place
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(source, place)
    if data:
        _copy_data(frames, ParquetFolder(str(folder / "data")))
    listed = {str(path.relative_to(folder)): _described(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    listed.pop(replay.NAME, None)  # it goes on growing
    manifest = {
        "made_at": moment.isoformat(),
        "revision": schema_revision(database),
        "data": data,
        "files": listed,
    }
    if keys is not None:
        copy_keys(home, keys)
    (folder / MANIFEST).write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
    return Backup(folder, len(listed), sum(one["bytes"] for one in listed.values()), keys)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a backup whose files are whole.

    Raises:
        BackupError: it is none, is unfinished, or a file is missing or not what it was.
    """
    file = folder / MANIFEST
    if not file.exists():
        raise BackupError(f"{folder} holds no finished backup: there is no {MANIFEST}")
    manifest: dict[str, Any] = orjson.loads(file.read_bytes())
    for name, described in manifest["files"].items():
        path = folder / name
        if not path.exists() or _described(path) != described:
            raise BackupError(f"{path} is missing or not the file that was backed up: take another backup")
    return manifest


def restore(database: Database, frames: ParquetFolder, home: Path, folder: Path, timezone: str, report: Report) -> None:
    """Fills an empty home and empty databases from a backup; keys are brought by `copy_keys` before.

    The tables are brought to this version's shape, and rights are granted anew: roles are no part of a dump.

    Raises:
        BackupError: the backup is damaged, or there is something in the home's database already.
    """
    manifest = read_manifest(folder)
    create_missing_databases(database)
    if _holds_rows(database):
        raise BackupError(
            "the database holds feedback already: restore into an empty one (another FEEDBACK_HOME, or another "
            "database in FEEDBACK_DATABASE_URL)"
        )
    report("databases")
    dagster = urlsplit(database.dagster_url).path.lstrip("/")
    for name, file in ((database.name, FEEDBACK_DUMP), (dagster, DAGSTER_DUMP)):
        _emptied(database, name)
        load(database, name, folder / file)
    migrate(database, timezone)
    report("files")
    for path in (folder / "home").rglob("*"):
        if path.is_file():
            place = home / path.relative_to(folder / "home")
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copyfile(path, place)
    if manifest["data"]:
        _copy_data(ParquetFolder(str(folder / "data")), frames)
    else:
        with database.engine.begin() as connection:
            # without its tables no day is computed
            connection.execute(sa.text("UPDATE day_state SET computed = 0, requested = 0 WHERE NOT expired"))


def replay_erasures(context: ErasureContext, folder: Path, places: Sequence[Path], report: Report) -> int:
    """Makes the erasures again that a restored backup does not know; returns how many had something to erase.

    Args:
        context: the restored home.
        folder: the backup, beside which erasures were noted as long as it could be reached.
        places: further homes or lists of erasures.
        report: takes lines of progress.

    Raises:
        ErasureError: one could not be finished; `replay_erasures` goes on from there.
    """
    made_at = datetime.fromisoformat(read_manifest(folder)["made_at"])
    replayed = 0
    for subject, finished_at in replay.noted(folder, *places):
        if finished_at < made_at or not preview(context, subject).has_rows:
            continue
        report(f"erasure of {finished_at:%Y-%m-%d %H:%M} UTC")
        forget(context, subject, report)
        replayed += 1
    return replayed


def copy_keys(source: Path, target: Path) -> int:
    """Copies the keys of one folder into another, readable by its owner alone; returns how many there were."""
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = sorted({path for pattern in KEY_NAMES for path in source.glob(pattern)})
    for path in found:
        place = target / path.name
        if not place.exists() or place.read_bytes() != path.read_bytes():
            shutil.copyfile(path, place)
            place.chmod(0o600)
    return len(found)


def _home_files(home: Path) -> Iterator[tuple[Path, Path]]:
    for name in HOME_FILES:
        if (home / name).exists():
            yield home / name, Path(name)
    for name in HOME_FOLDERS:
        for path in sorted((home / name).rglob("*")):
            if path.is_file() and not path.name.endswith(TEMPORARY):
                yield path, path.relative_to(home)


def _copy_data(source: ParquetFolder, target: ParquetFolder) -> None:
    """Copies every file of a folder or bucket; each appears whole."""
    start = source.root
    for path in files_below(start):
        if path.name.endswith(TEMPORARY):
            continue
        place = location(target.url).joinpath(*path.relative_to(start).parts)
        with path.open("rb") as read, replaced_file(place) as written:
            shutil.copyfileobj(read, written, BLOCK)


def _described(path: Path) -> dict[str, Any]:
    mark, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            mark.update(block)
            size += len(block)
    return {"bytes": size, "sha256": mark.hexdigest()}


def _holds_rows(database: Database) -> bool:
    with psycopg.connect(database.address()) as connection:
        if connection.execute("SELECT to_regclass('interaction')").fetchone() == (None,):
            return False
        found = connection.execute(
            "SELECT EXISTS (SELECT FROM interaction) OR EXISTS (SELECT FROM feedback)"
        ).fetchone()
        return found == (True,)


def _emptied(database: Database, name: str) -> None:
    """An empty schema with the role that policies of the dump name."""
    with psycopg.connect(database.address(database=name), autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    with database.engine.begin() as connection:
        run_sql(connection, "roles.sql")
