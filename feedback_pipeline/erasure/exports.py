"""Files that somebody exported: noted when they are made, so that an erasure and the retention know of them.

An export is noted before its first byte is written, with the days it covers and the place it goes to, and again with
its hash when it is whole. What lies below our own folders is ours to remove. What was written elsewhere is removed
where it is still what was written; a copy that was moved or changed is named, for a person to remove.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from getpass import getuser
from pathlib import Path
from typing import IO, Any
from uuid import UUID

import sqlalchemy as sa
from upath import UPath

from feedback_pipeline.store.database import Database
from feedback_pipeline.store.statements import query
from feedback_pipeline.tables.parquet import files_below, location, remove_file, replaced_file

FOLDER = "exports"
"""Below the data folder, and below the home."""
_BLOCK = 1024 * 1024


@dataclass(frozen=True)
class Removed:
    """What became of exports.

    Attributes:
        files: removed.
        elsewhere: copies that are not ours to remove: place and day of the export.
    """

    files: int
    elsewhere: tuple[str, ...]


def begin(
    database: Database, place: str | None, tenant: str | None, first: date, last: date, format_: str, by: str
) -> UUID:
    """Notes an export before it is written.

    Args:
        database: the store.
        place: absolute path or URL; None for what goes to a terminal or over the wire.
        tenant: the tenant; None for all.
        first: first day of the votes.
        last: last day.
        format_: what the file is.
        by: who exports.
    """
    parameters = {"place": place, "tenant": tenant, "first": first, "last": last, "format": format_, "by": by}
    with database.engine.begin() as connection:
        made: UUID = connection.execute(sa.text(query("begin_export")), parameters).scalar_one()
    return made


def finish(database: Database, export: UUID, lines: int, sha256: str | None) -> None:
    """Notes that an export is whole, and so that what stood at its place before is gone."""
    with database.engine.begin() as connection:
        connection.execute(sa.text(query("finish_export")), {"id": export, "lines": lines, "sha256": sha256})


@dataclass
class Writing:
    """An export that is being written.

    Attributes:
        id: under which it is noted.
        file: takes its bytes.
        lines: how many lines it has, to be set by who writes it.
    """

    id: UUID
    file: IO[bytes]
    lines: int = 0


@contextmanager
def writing(
    database: Database, place: Path | str, tenant: str | None, first: date, last: date, format_: str
) -> Iterator[Writing]:
    """Writes a file where a person wants it, noted before its first byte and again when it is whole.

    Args:
        database: the store.
        place: path or URL.
        tenant: the tenant; None for all.
        first: first day of the votes.
        last: last day.
        format_: what the file is.
    """
    target = location(str(place)).absolute()
    export = begin(database, str(target), tenant, first, last, format_, getuser())
    with replaced_file(target) as file:
        written = Writing(export, file)
        yield written
    finish(database, export, written.lines, sha256_of(target))


def count_use(database: Database, tenant: str | None, lines: int) -> None:
    """Counts an export as a use of each team's votes that it holds: of one, or (None) of all."""
    with database.engine.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO export_use (tenant, lines) SELECT name, :lines FROM tenant"
                " WHERE CAST(:tenant AS text) IS NULL OR name = :tenant"
            ),
            {"tenant": tenant, "lines": lines},
        )


def sha256_of(path: Any) -> str:
    """The hash of a file (`Path` or `UPath`)."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def remove_of_days(database: Database, data: UPath, home: Path, tenant: str | None, days: Sequence[date]) -> Removed:
    """Removes the exports that cover one of these days, and those below our folders that nobody noted.

    Args:
        database: the store.
        data: the data folder or bucket.
        home: the home folder.
        tenant: of the rows; None for any.
        days: of the rows.
    """
    with database.engine.connect() as connection:
        parameters = {"tenant": tenant, "days": list(days)}
        rows = connection.execute(sa.text(query("find_exports")), parameters).all()
        noted = set(connection.execute(sa.text("SELECT place FROM export_file WHERE place IS NOT NULL")).scalars())
    done = _removed(database, data, home, rows)
    strays = [path for root in _roots(data, home) for path in files_below(root) if str(path) not in noted]
    for path in strays if days else ():
        remove_file(path)
    return Removed(done.files + (len(strays) if days else 0), done.elsewhere)


def remove_older(database: Database, data: UPath, home: Path, before: datetime) -> Removed:
    """Removes the exports below our folders that were made before a time, and names the others."""
    with database.engine.connect() as connection:
        rows = connection.execute(
            sa.text("SELECT id, place, sha256, made_at FROM export_file WHERE made_at < :before ORDER BY made_at, id"),
            {"before": before},
        ).all()
    return _removed(database, data, home, [row for row in rows if row.place is None or _is_ours(row.place, data, home)])


def _removed(database: Database, data: UPath, home: Path, rows: Sequence[Any]) -> Removed:
    """What stays elsewhere stays noted: the next person's erasure must name it too."""
    files, elsewhere, settled = 0, [], []
    for row in rows:
        said = f"export of {row.made_at:%Y-%m-%d %H:%M} UTC"
        if row.place is None:
            elsewhere.append(f"{said}, sent over the wire or to a terminal")
            continue
        path = location(row.place)
        if not path.exists():
            if not _is_ours(row.place, data, home):
                elsewhere.append(f"{said}, written to {row.place}, which is not there any more")
                continue
        elif _is_ours(row.place, data, home) or (row.sha256 is not None and sha256_of(path) == row.sha256):
            remove_file(path)
            files += 1
        else:
            elsewhere.append(f"{said}, written to {row.place} and changed since")
            continue
        settled.append(row.id)
    with database.engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM export_file WHERE id = ANY (:ids)"), {"ids": settled})
    return Removed(files, tuple(elsewhere))


def _roots(data: UPath, home: Path) -> tuple[UPath, UPath]:
    return data / FOLDER, UPath(home) / FOLDER


def _is_ours(place: str, data: UPath, home: Path) -> bool:
    return any(place.startswith(f"{str(root).rstrip('/')}/") for root in _roots(data, home))


def margin(first: date, last: date) -> tuple[date, date]:
    """The days that moments of these days (UTC) may have in any zone."""
    return first - timedelta(days=1), last + timedelta(days=1)
