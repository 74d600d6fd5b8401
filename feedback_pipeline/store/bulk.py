"""The store's bulk paths: frames in and days out, as Arrow over ADBC.

A batch is staged in a temporary table and filed by one statement per table, in one transaction: a killed load leaves
nothing half done, and loading the same rows again changes nothing.
"""

import atexit
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

import polars as pl

from feedback_pipeline.store.database import Database
from feedback_pipeline.store.rows import INCOMING_FEEDBACK, INCOMING_INTERACTION, INCOMING_KEY, INCOMING_REFUSAL
from feedback_pipeline.store.statements import query, statement
from feedback_pipeline.tables.vocabulary import KINDS


@dataclass(frozen=True)
class Batch:
    """Rows to file together; each frame conforms to its table in `rows.py`, or is None."""

    interactions: pl.DataFrame | None = None
    keys: pl.DataFrame | None = None
    feedback: pl.DataFrame | None = None
    refusals: pl.DataFrame | None = None


@dataclass(frozen=True)
class Filed:
    """How many rows of a batch were new to the store."""

    interactions: int = 0
    keys: int = 0
    feedback: int = 0
    refusals: int = 0

    def __add__(self, other: "Filed") -> "Filed":
        return Filed(
            self.interactions + other.interactions,
            self.keys + other.keys,
            self.feedback + other.feedback,
            self.refusals + other.refusals,
        )


@dataclass(frozen=True)
class Progress:
    """How far an import has come, filed in the same transaction as the rows."""

    source: str
    fingerprint: str
    rows_done: int
    finished: bool


@cache
def _template(address: str) -> Any:
    """A connection to clone others from: the driver reads the server's types once, not at every connection."""
    import adbc_driver_postgresql.dbapi as adbc  # brings pandas along: a second that only bulk reading needs

    connection = adbc.connect(address)
    atexit.register(connection.close)
    return connection


@contextmanager
def connect(database: Database) -> Iterator[Any]:
    """A bulk connection (ADBC); commits at the end, rolls back on an error."""
    connection = _template(database.address()).adbc_clone()
    try:
        yield connection
        connection.commit()
    finally:
        connection.close()


def file_batch(database: Database, batch: Batch, progress: Progress | None = None) -> Filed:
    """Files a batch in one transaction: answers, their names, events, refusals; then settles which votes are current.

    Rows whose id is known are left as they are; events of people who refused collection are counted, not kept.
    """
    import adbc_driver_manager.dbapi as adbc

    for _ in range(ATTEMPTS - 1):
        try:
            return _file_batch(database, batch, progress)
        except adbc.IntegrityError as error:
            if error.sqlstate != UNIQUE_VIOLATION:
                raise
            # somebody else filed one of the rows at the same moment: now it is known
    return _file_batch(database, batch, progress)


ATTEMPTS = 5
UNIQUE_VIOLATION = "23505"


def _file_batch(database: Database, batch: Batch, progress: Progress | None) -> Filed:
    with connect(database) as connection, connection.cursor() as cursor:
        cursor.execute(SORTING_MEMORY)
        tenants = _tenants(batch)
        if not tenants.is_empty():
            stage(cursor, "stage_tenant", tenants)
            cursor.execute("INSERT INTO tenant (name) SELECT tenant FROM stage_tenant ON CONFLICT DO NOTHING")
        filing = _Filing.begin(cursor)
        filed = Filed(
            interactions=filing.interactions(batch.interactions),
            keys=filing.keys(batch.keys),
            feedback=filing.feedback(batch.feedback),
            refusals=_refusals(cursor, batch.refusals),
        )
        if progress is not None:
            cursor.execute(
                "INSERT INTO import_progress (source, fingerprint, rows_done, finished) VALUES ($1, $2, $3, $4)"
                " ON CONFLICT (source, fingerprint) DO UPDATE"
                " SET rows_done = excluded.rows_done, finished = excluded.finished, updated_at = now()",
                (progress.source, progress.fingerprint, progress.rows_done, progress.finished),
            )
    return filed


def _tenants(batch: Batch) -> pl.DataFrame:
    frames = [frame for frame in (batch.interactions, batch.keys, batch.feedback) if frame is not None]
    if not frames:
        return pl.DataFrame(schema={"tenant": pl.String})
    return pl.concat([frame.select("tenant").unique() for frame in frames]).unique()


@dataclass(frozen=True)
class _Filing:
    """How the rows of a batch that are new are written: as COPY, which takes half the server's time of an INSERT.

    Attributes:
        cursor: of the batch's transaction.
        copies: false where row-level security holds for this role, to which PostgreSQL refuses COPY.
        refusing: `tenant` and `user_key` of people who refused collection.
        laned: kinds of which not all events of a person on an answer follow each other.
    """

    cursor: Any
    copies: bool
    refusing: pl.DataFrame
    laned: list[str]

    @classmethod
    def begin(cls, cursor: Any) -> "_Filing":
        cursor.execute(query("filing_rules"), (",".join(KINDS),))
        copies, laned = cursor.fetchone()
        cursor.execute("SELECT tenant, user_key FROM consent WHERE NOT collect")
        return cls(cursor, copies, _fetched(cursor), laned)

    def interactions(self, frame: pl.DataFrame | None) -> int:
        if frame is None or frame.is_empty():
            return 0
        rows = INCOMING_INTERACTION.conform(frame).unique("id", keep="first", maintain_order=True)
        rows = self._unknown(rows, "interaction").join(
            self.refusing, on=("tenant", "user_key"), how="anti", maintain_order="left"
        )
        lists = pl.col("tags", "tools_called", "techniques").fill_null([])
        return self._append("interaction", rows.with_columns(lists, _uuid("id")))

    def keys(self, frame: pl.DataFrame | None) -> int:
        if frame is None or frame.is_empty():
            return 0
        rows = INCOMING_KEY.conform(frame).unique(maintain_order=True)
        _name(self.cursor, rows.select(id="interaction_id"))
        self.cursor.execute(query("known_keys"))
        rows = rows.join(_fetched(self.cursor), on=rows.columns, how="anti", maintain_order="left")
        return self._append("interaction_key", rows.with_columns(_uuid("interaction_id")))

    def feedback(self, frame: pl.DataFrame | None) -> int:
        if frame is None or frame.is_empty():
            return 0
        rows = INCOMING_FEEDBACK.conform(frame).unique("id", keep="first", maintain_order=True)
        refused = rows.join(self.refusing, on=("tenant", "user_key"), how="semi")
        if refused.height:
            stage(self.cursor, "stage_refused", refused)
            self.cursor.execute(query("count_opted_out"))
            rows = rows.join(self.refusing, on=("tenant", "user_key"), how="anti", maintain_order="left")
        rows = self._told(self._unknown(rows, "feedback"))
        written = self._append(
            "feedback",
            rows.with_columns(pl.col("reasons").fill_null([]), _uuid("id", "interaction_id", "other_interaction_id")),
        )
        _name(self.cursor, rows.select(id="interaction_id").drop_nulls().unique())
        self.cursor.execute("SELECT settle_votes(ARRAY(SELECT id FROM stage_id))")
        return written

    def _told(self, rows: pl.DataFrame) -> pl.DataFrame:
        """With the answers of events that only name one, and with lanes, which the server knows."""
        asked = rows.filter(pl.col("interaction_id").is_null() | pl.col("kind").is_in(self.laned))
        asked = asked.select("id", "tenant", "interaction_id", "key_kind", "key_value", "kind", "value")
        stage(self.cursor, "stage_asked", asked)
        self.cursor.execute(query("tell_of_feedback"))
        told = _fetched(self.cursor)
        self.cursor.execute("DROP TABLE stage_asked")
        rows = rows.join(told, on="id", how="left", maintain_order="left")
        return rows.with_columns(
            pl.coalesce("interaction_id", "answer").alias("interaction_id"), pl.col("lane").fill_null("")
        ).drop("answer")

    def _unknown(self, rows: pl.DataFrame, table: str) -> pl.DataFrame:
        """The rows whose id the table does not have."""
        _name(self.cursor, rows.select("id"))
        self.cursor.execute(query("known_ids").format(table=table))
        return rows.join(_fetched(self.cursor), on="id", how="anti", maintain_order="left")

    def _append(self, table: str, rows: pl.DataFrame) -> int:
        if rows.is_empty():
            return 0
        if self.copies:
            self.cursor.adbc_ingest(table, rows.to_arrow(), mode="append")
            return rows.height
        columns = ", ".join(rows.columns)
        self.cursor.execute(f"CREATE TEMPORARY TABLE stage_{table} AS SELECT {columns} FROM {table} WITH NO DATA")  # noqa: S608
        self.cursor.adbc_ingest(f"stage_{table}", rows.to_arrow(), mode="append", temporary=True)
        self.cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM stage_{table}")  # noqa: S608
        return rows.height


def _name(cursor: Any, ids: pl.DataFrame) -> None:
    """Puts ids (UUIDs as text, one column) where statements find them."""
    cursor.execute("DROP TABLE IF EXISTS stage_id")
    cursor.execute("CREATE TEMPORARY TABLE stage_id (id uuid)")
    cursor.adbc_ingest("stage_id", ids.with_columns(_uuid("id")).to_arrow(), mode="append", temporary=True)


def _uuid(*columns: str) -> pl.Expr:
    """UUIDs as text in the form that COPY takes: their 16 bytes."""
    return pl.col(columns).str.replace_all("-", "", literal=True).str.decode("hex")


def _fetched(cursor: Any) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(cursor.fetch_arrow_table()))


def stage(cursor: Any, name: str, frame: pl.DataFrame) -> None:
    cursor.adbc_ingest(name, frame.to_arrow(), mode="create", temporary=True)


def _refusals(cursor: Any, frame: pl.DataFrame | None) -> int:
    if frame is None or frame.is_empty():
        return 0
    stage(cursor, "stage_refusal", INCOMING_REFUSAL.conform(frame))
    cursor.execute(f"WITH filed AS ({query('insert_refusals')} RETURNING 1) SELECT count(*) FROM filed")  # noqa: S608
    return int(cursor.fetchone()[0])


def progress_of(database: Database, source: str, fingerprint: str) -> tuple[int, bool]:
    """How far an import of these contents came before: rows (or batches) done, and whether it is finished."""
    with connect(database) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT rows_done, finished FROM import_progress WHERE source = $1 AND fingerprint = $2",
            (source, fingerprint),
        )
        row = cursor.fetchone()
    return (int(row[0]), bool(row[1])) if row else (0, False)


def known_feedback(database: Database, ids: pl.Series) -> pl.Series:
    """Those of these ids (UUIDs as text) that the store holds an event of."""
    with connect(database) as connection, connection.cursor() as cursor:
        _name(cursor, pl.DataFrame({"id": ids}))
        cursor.execute(query("known_ids").format(table="feedback"))
        return _fetched(cursor).to_series()


SORTING_MEMORY = "SET LOCAL work_mem = '128MB'"
"""For one sort of a day's rows, or the rows of a batch that triggers look at: they would otherwise go to the server's
disk."""

ROW_BY_ROW = "SET LOCAL random_page_cost = 1.1"
"""For reading a day. What it is joined with was mostly filed beside it and is found by its key; at the server's own
setting, which stands for a disk that has to turn, every answer there ever was would be read for each day of votes."""


def _plan_for_reading(cursor: Any) -> None:
    cursor.execute(SORTING_MEMORY)
    cursor.execute(ROW_BY_ROW)


def read_day(database: Database, statement: str, *days: date) -> pl.DataFrame:
    """The result of `queries/<statement>.sql` for a day, or whichever days the statement takes."""
    with connect(database) as connection, connection.cursor() as cursor:
        _plan_for_reading(cursor)
        cursor.execute(query(statement), days)
        return pl.DataFrame(pl.from_arrow(cursor.fetch_arrow_table()))


def read_day_batches(database: Database, statement: str, day: date) -> Iterator[pl.DataFrame]:
    """`read_day`, streamed: frames of some thousands of rows, in the query's order. The next one is fetched while the
    reader works on this one.

    The day stands in the statement: for one with parameters the driver takes in the whole result before the first row.
    """
    with connect(database) as connection, connection.cursor() as cursor, ThreadPoolExecutor(1) as ahead:
        _plan_for_reading(cursor)
        cursor.execute(query(statement).replace("$1", f"DATE '{day.isoformat()}'"))
        reader = cursor.fetch_record_batch()
        batch = next(reader, None)
        if batch is None:
            yield pl.DataFrame(pl.from_arrow(reader.schema.empty_table()))
        while batch is not None:
            following = ahead.submit(next, reader, None)
            yield pl.DataFrame(pl.from_arrow(batch))
            batch = following.result()


def read_days(database: Database, statement: str, days: Sequence[date]) -> pl.DataFrame:
    """The result of `queries/<statement>.sql`, which takes one day, for several."""
    listed = ", ".join(f"DATE '{day.isoformat()}'" for day in days)
    with connect(database) as connection, connection.cursor() as cursor:
        _plan_for_reading(cursor)
        cursor.execute(query(statement).replace("= $1", f"IN ({listed})"))
        return _fetched(cursor)


def count_events(database: Database, days: Sequence[date]) -> dict[date, int]:
    """How many events were delivered for each day, whatever became of them."""
    with database.engine.connect() as connection:
        return {row.day: row.events for row in connection.execute(statement("count_events"), {"days": list(days)})}


def rows_of_days(database: Database, days: Sequence[date], *, most: int) -> dict[date, int]:
    """How many answers and events each day has; of more than `most` of either, so many."""
    given = {"days": list(days), "most": most}
    with database.engine.connect() as connection:
        return {row.day: row.rows for row in connection.execute(statement("rows_of_days"), given)}
