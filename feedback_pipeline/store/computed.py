"""The register of computed partitions: from which state of the store each asset's partition was made, and what has to
be there.

A day is computed when every daily asset of it is, whoever ran them: the daemon, a command or a backfill in the UI. A
week becomes due when what one of its days holds became another (not when a day was computed again with the same rows),
and stays due until every weekly asset of it is there: a run that died in the middle leaves it due.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import sqlalchemy as sa

from feedback_pipeline.store.database import Database
from feedback_pipeline.store.statements import statement
from feedback_pipeline.tables.parquet import ParquetFolder

Period = Literal["day", "week", "month"]


@dataclass(frozen=True)
class Computed:
    """One partition as it was computed.

    Attributes:
        version: of the day or period when its computation began.
        sha256: of its content; None for what has no content of its own.
        bytes: of the Parquet file below the asset's own name; None where there is none.
    """

    partition: date
    version: int
    sha256: str | None
    bytes: int | None


@dataclass(frozen=True)
class Loop:
    """What belongs together: every asset of one partitioning, and what each is made from among them."""

    period: Period
    assets: tuple[str, ...]
    upstream: Mapping[str, tuple[str, ...]]


class GoneError(LookupError):
    """Files of computed partitions are not there any more; the message names them and says what to do."""


@dataclass(frozen=True)
class Absent:
    """A partition whose file should be there and is not."""

    asset: str
    partition: date


def versions(database: Database, period: Period, partitions: Sequence[date]) -> dict[date, int]:
    """The current version of days, weeks or months; 0 for those without a row."""
    if period == "day":
        found = sa.text("SELECT day, version FROM day_state WHERE day = ANY (:keys)")
    else:
        found = sa.text("SELECT first, version FROM period_state WHERE period = :period AND first = ANY (:keys)")
    parameters = {"keys": list(partitions)} | ({} if period == "day" else {"period": period})
    with database.engine.connect() as connection:
        known = {row[0]: row[1] for row in connection.execute(found, parameters)}
    return {key: known.get(key, 0) for key in partitions}


def problems(database: Database, assets: Sequence[str], partitions: Sequence[date]) -> dict[date, str]:
    """Partitions that cannot be built on, because one of these assets failed there, with the asset and the reason."""
    found = sa.text(
        "SELECT partition, asset, problem FROM computed_partition"
        " WHERE asset = ANY (:assets) AND partition = ANY (:keys) AND problem IS NOT NULL ORDER BY partition, asset"
    )
    with database.engine.connect() as connection:
        rows = connection.execute(found, {"assets": list(assets), "keys": list(partitions)}).all()
    return {row.partition: f"{row.asset} failed: {row.problem}" for row in rows}


def record(
    database: Database, asset: str, loop: Loop, rows: Sequence[Computed], run_id: str, *, today: date, start: date
) -> list[date]:
    """Files partitions of an asset that are written, and settles their days or periods; returns those whose content
    became another."""
    if not rows:
        return []
    keys = [row.partition for row in rows]
    given = {
        "asset": asset,
        "partitions": keys,
        "versions": [row.version for row in rows],
        "hashes": [row.sha256 for row in rows],
        "sizes": [row.bytes for row in rows],
        "upstream": list(loop.upstream.get(asset, ())),
        "run_id": run_id,
    }
    settled = {"loop": list(loop.assets), "partitions": keys}
    with database.engine.begin() as connection:
        changed = list(connection.execute(statement("record_computed"), given).scalars())
        if loop.period == "day":
            connection.execute(statement("wake_periods"), {"days": changed, "start": start})
            connection.execute(statement("settle_days"), settled)
        else:
            connection.execute(statement("settle_periods"), {**settled, "period": loop.period, "today": today})
    return changed


def record_problems(database: Database, asset: str, loop: Loop, found: Mapping[date, str], run_id: str) -> None:
    """Files partitions that could not be computed, and counts an attempt of their days or periods, one a run."""
    if not found:
        return
    keys = list(found)
    place, key = ("day_state", "day") if loop.period == "day" else ("period_state", "first")
    of_period = "" if loop.period == "day" else " AND s.period = :period"
    attempted = sa.text(
        f"UPDATE {place} AS s SET attempts = attempts + 1, requested = computed, problem = g.problem"  # noqa: S608
        " FROM unnest(CAST(:partitions AS date[]), CAST(:problems AS text[])) AS g (partition, problem)"
        f" WHERE s.{key} = g.partition{of_period} AND NOT EXISTS (SELECT 1 FROM computed_partition c WHERE"
        " c.partition = g.partition AND c.run_id = :run_id AND c.problem IS NOT NULL AND c.asset <> :asset)"
    )
    given = {
        "asset": asset, "partitions": keys, "problems": [f"{asset}: {found[key]}" for key in keys], "run_id": run_id,
    } | ({} if loop.period == "day" else {"period": loop.period})  # fmt: skip
    with database.engine.begin() as connection:
        connection.execute(
            statement("record_problems"),
            {"asset": asset, "partitions": keys, "problems": [found[key] for key in keys], "run_id": run_id},
        )
        if asset in loop.assets:
            connection.execute(attempted, given)


def absent(
    database: Database, frames: ParquetFolder, assets: Sequence[str] | None = None, days: Sequence[date] | None = None
) -> list[Absent]:
    """Partitions that were written and whose files are not there any more.

    Args:
        database: the store.
        frames: the folder or bucket; one listing of each asset.
        assets: only these; all by default.
        days: only these partitions; all by default.
    """
    found = sa.text(
        "SELECT asset, partition FROM computed_partition WHERE bytes IS NOT NULL"
        " AND (CAST(:assets AS text[]) IS NULL OR asset = ANY (:assets))"
        " AND (CAST(:days AS date[]) IS NULL OR partition = ANY (:days)) ORDER BY asset, partition"
    )
    parameters = {"assets": None if assets is None else list(assets), "days": None if days is None else list(days)}
    with database.engine.connect() as connection:
        rows = connection.execute(found, parameters).all()
    present = {asset: set(frames.names(asset)) for asset in {row.asset for row in rows}}
    return [Absent(row.asset, row.partition) for row in rows if f"{row.partition}.parquet" not in present[row.asset]]


def described(lost: Sequence[Absent]) -> str:
    """Files that are gone, in words: how many, the first five by name, and what to do."""
    named = ", ".join(f"{one.asset} of {one.partition}" for one in lost[:5])
    more = " …" if len(lost) > 5 else ""
    verb = "file that was computed is" if len(lost) == 1 else "files that were computed are"
    return f"{len(lost)} {verb} gone: {named}{more}. feedback materialize computes what is gone again"


def require(database: Database, frames: ParquetFolder, assets: Sequence[str], partitions: Sequence[date]) -> None:
    """Passes where every partition of these that was computed is there: what reads them would take fewer rows for all.

    Raises:
        GoneError: some are not.
    """
    if lost := absent(database, frames, assets, partitions):
        raise GoneError(described(lost))


def heal(database: Database, lost: Sequence[Absent], loops: Sequence[Loop], start: date) -> None:
    """Makes the days, weeks and months due whose files are gone."""
    period_of = {asset: loop.period for loop in loops for asset in loop.assets}
    days = [one.partition for one in lost if period_of.get(one.asset) == "day"]
    with database.engine.begin() as connection:
        forget = sa.text("UPDATE computed_partition SET sha256 = NULL, bytes = NULL, version = 0 WHERE asset = :asset"
                         " AND partition = :partition")  # fmt: skip
        for one in lost:
            connection.execute(forget, {"asset": one.asset, "partition": one.partition})
        connection.execute(
            sa.text("UPDATE day_state SET version = version + 1, attempts = 0, changed_at = now(),"
                    " waiting_since = COALESCE(waiting_since, now()) WHERE day = ANY (:days) AND NOT expired"),
            {"days": days},
        )  # fmt: skip
        for period in ("week", "month"):
            firsts = [one.partition for one in lost if period_of.get(one.asset) == period]
            connection.execute(
                sa.text("UPDATE period_state SET version = version + 1, attempts = 0, waiting_since = now()"
                        " WHERE period = :period AND first = ANY (:firsts) AND first >= :start"),
                {"period": period, "firsts": firsts, "start": start},
            )  # fmt: skip


def forget(database: Database, assets: Sequence[str], before: date) -> None:
    """Takes partitions out of the register that retention removed: they are not missed."""
    with database.engine.begin() as connection:
        connection.execute(
            sa.text("DELETE FROM computed_partition WHERE asset = ANY (:assets) AND partition < :before"),
            {"assets": list(assets), "before": before},
        )


def state(database: Database, asset: str, partition: date) -> str | None:
    """Why a partition of an asset is not there; None where it is."""
    found = sa.text("SELECT problem FROM computed_partition WHERE asset = :asset AND partition = :partition")
    with database.engine.connect() as connection:
        row = connection.execute(found, {"asset": asset, "partition": partition}).first()
    if row is None:
        return f"{partition} was never computed"
    return None if row.problem is None else f"{partition} failed: {row.problem}"
