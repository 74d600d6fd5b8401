"""The import itself: every delivery of every source, batch by batch, into the store or into refusals.

A batch and how far it brings its file are filed in one transaction, so an import that was killed goes on where it
stopped, and one that is repeated changes nothing. While the store takes a batch, the next one is read.
"""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Self
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa

from feedback_pipeline.cleaning.verdicts import DEFAULT_POLICY, VerdictPolicy, meaningless
from feedback_pipeline.ingest import judgements
from feedback_pipeline.ingest.deliveries import BATCH_ROWS, Delivery, batched, deliveries, lookups, read_delivery
from feedback_pipeline.ingest.fields import ANSWER_TEXT, VOTE_FIELDS
from feedback_pipeline.ingest.intake import PrivacyRules
from feedback_pipeline.ingest.mapping import as_text, wanted_paths, with_joins
from feedback_pipeline.ingest.preview import examples, unfit_words
from feedback_pipeline.ingest.readers.chunks import ROW, Chunk, UnreadableError, readable
from feedback_pipeline.ingest.refusals import Place, RejectFile, refusals, unread_rows
from feedback_pipeline.ingest.rows import FIELD, REASON, Reading, Votes, read_votes
from feedback_pipeline.ingest.source_entry import Source
from feedback_pipeline.ingest.sources import Sources
from feedback_pipeline.ingest.store_rows import StoreRows, file_rows
from feedback_pipeline.ingest.summary import ImportSummary, Problem, Progress, Refused, SourceSummary
from feedback_pipeline.store.bulk import Batch, Filed, file_batch, progress_of
from feedback_pipeline.store.bulk import Progress as StoredProgress
from feedback_pipeline.store.database import Database
from feedback_pipeline.store.statements import Queries

_queries = Queries(__file__)
_NOBODY = pl.DataFrame(schema={"tenant": pl.String, "user_key": pl.String})

UNFORESEEN = (pl.exceptions.PolarsError, pl.exceptions.PanicException, pa.ArrowException)
"""What the readers of columns raise; one source must not end the import of the others."""
OVERLAP = timedelta(days=1)
MAX_UNFIT, MAX_EXAMPLES = 10, 3
"""Unknown words that are named, and rows of a dry run that are shown."""

OnProgress = Callable[[Progress], None]


class ImportStoppedError(RuntimeError):
    """The import cannot go on; what was filed stays, and the message says what to do."""


@dataclass(frozen=True)
class Import:
    """What all sources of one import share.

    Attributes:
        database: the store; None only for a dry run that is to compare with nothing.
        privacy: redaction and pseudonyms.
        home: reject files go to its `rejects` folder.
        base: folder that relative paths of sources start in.
        zone: zone that days are cut in.
        started_at: when it started (UTC): the arrival of every row.
        dry_run: nothing is written.
        batch_rows: most rows in a batch.
        on_progress: told after each batch.
        policy: what signals mean; those that mean nothing are counted and said.
    """

    database: Database | None
    privacy: PrivacyRules
    home: Path
    base: Path
    zone: ZoneInfo
    started_at: datetime
    dry_run: bool = False
    batch_rows: int = BATCH_ROWS
    on_progress: OnProgress | None = None
    policy: VerdictPolicy = DEFAULT_POLICY


def import_sources(
    database: Database | None,
    sources: Sources,
    privacy: PrivacyRules,
    home: Path,
    on_progress: OnProgress | None = None,
    dry_run: bool = False,
    *,
    names: tuple[str, ...] = (),
    zone: ZoneInfo | None = None,
    now: datetime | None = None,
    batch_rows: int = BATCH_ROWS,
    policy: VerdictPolicy = DEFAULT_POLICY,
) -> ImportSummary:
    """Brings the named sources (all by default) into the store.

    A source or file that cannot be read is a problem in the summary; the others are imported.

    Args:
        zone: the zone that the store cuts days in (UTC by default).
        now: arrival of the rows.
        policy: what signals mean (the default unless given).

    Raises:
        SourcesError: a name is unknown.
        ImportStoppedError: a reject file cannot be written (no space). What was filed before stays, and a repeated
            import goes on from there.
    """
    if database is None and not dry_run:
        raise ValueError("an import needs a database; only a dry run can do without")
    run = Import(
        database=database,
        privacy=privacy,
        home=home,
        base=sources.file.parent,
        zone=zone or ZoneInfo("UTC"),
        started_at=now or datetime.now(UTC),
        dry_run=dry_run,
        batch_rows=batch_rows,
        on_progress=on_progress,
        policy=policy,
    )
    return ImportSummary(tuple(_import_source(source, run) for source in sources.chosen(names)), dry_run)


@dataclass
class _Tally:
    """What is counted while a source is imported."""

    rows: int = 0
    interactions: int = 0
    events: int = 0
    judgements: int = 0
    known: int = 0
    opted_out: int = 0
    refused: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    redactions: Counter[str] = field(default_factory=Counter)
    reject_files: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    filled: set[str] = field(default_factory=set)
    passed_over: int = 0
    meaningless: int = 0
    answerless: int = 0
    unfit: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: list[dict[str, str]] = field(default_factory=list)

    def nothing_read(self, source: Source) -> Problem | None:
        """Rows of which none could be used for what the mapping says they hold: most likely the mapping is wrong."""
        place, seen = (
            source.path or source.name,
            self.events + self.judgements + self.known + self.opted_out + self.answerless,
        )
        if not self.rows or seen or (self.interactions and not source.brings_votes):
            return None
        if self.refused:
            (reason, column), _ = self.refused.most_common(1)[0]
            why = f"most were refused: {reason}" + (f" ({column})" if column else "")
        else:
            mapped = ", ".join(name for name in VOTE_FIELDS if name in source.filled)
            why = f"no row has a value in {mapped}; look at the column's name and at its words"
        return Problem(place, "nothing_readable", f"{source.name}: no vote in {self.rows:,} rows: {why}")

    def summary(self, name: str, seconds: float) -> SourceSummary:
        refused = tuple(
            Refused(reason, column, count)
            for (reason, column), count in sorted(
                self.refused.items(), key=lambda item: (-item[1], item[0][0], item[0][1] or "")
            )
        )
        return SourceSummary(
            name, self.rows, self.interactions, self.events, self.judgements, self.known, self.opted_out, refused,
            dict(sorted(self.redactions.items())), tuple(self.reject_files), tuple(self.unchanged),
            tuple(self.problems), tuple(self.notes),
            tuple((column, said, count) for (column, said), count in self.unfit.most_common(MAX_UNFIT)),
            tuple(self.examples), seconds,
        )  # fmt: skip


def _import_source(source: Source, run: Import) -> SourceSummary:
    started, tally = time.perf_counter(), _Tally()
    if source.spread:
        weeks, start = source.spread.weeks, source.spread.start
        tally.notes.append(f"the data has no times: votes are spread over {weeks} weeks from {start:%Y-%m-%d}")
    try:
        tables, notes = lookups(source, run.base)
        tally.notes += notes
        found = deliveries(source, run.base)
    except UnreadableError as error:
        tally.problems.append(Problem(source.path or source.name, error.reason, str(error)))
        return tally.summary(source.name, time.perf_counter() - started)
    with _Filing(tally) as filing:
        for place, delivery in enumerate(found):
            if any(other.fingerprint == delivery.fingerprint for other in found[:place]):
                filing.settle()  # the same contents again: how far they came decides
            _import_delivery(source, delivery, tables, run, tally, filing)
    required = wanted_paths(source).required
    if tally.rows and (silent := [" or ".join(paths) for paths in required if not tally.filled.intersection(paths)]):
        tally.notes.append(f"no row has a value in: {', '.join(silent)}")
    if tally.passed_over:
        tally.notes.append(f"{tally.passed_over:,} rows passed over (where, or an empty list to explode)")
    if tally.meaningless:
        tally.notes.append(
            f"{tally.meaningless:,} implicit signals or outcomes mean nothing to the verdict policy: they are kept and "
            "count nowhere (FEEDBACK_VERDICTS gives signals a meaning; an outcome says task_succeeded: true or false)"
        )
    if tally.answerless:
        tally.notes.append(f"{tally.answerless:,} verdicts are on answers that the store does not have: left out")
    if nothing := tally.nothing_read(source):
        tally.problems.append(nothing)
    if tally.rows and (guess := _guessed_context(source)):
        tally.notes.append(guess)
    return tally.summary(source.name, time.perf_counter() - started)


def _guessed_context(source: Source) -> str | None:
    """What is taken for granted of conversations; None where the source says it, or brings no answers."""
    brings = source.pairwise or source.filled & set(ANSWER_TEXT)
    if source.context is not None or "messages" in source.filled or not brings or source.answers:
        return None
    if source.whole_without_messages:
        return ("context: full (guessed): no messages, conversation or turn is mapped, so each prompt is taken for all "
                "that was asked; write `context: partial` where there was more")  # fmt: skip
    return ("context: partial (guessed): turns of conversations whose messages are not mapped are not trained on; map "
            "`messages`, or write `context: full` where each prompt was all that was asked")  # fmt: skip


def _import_delivery(
    source: Source, delivery: Delivery, tables: dict[str, pl.DataFrame], run: Import, tally: _Tally, filing: "_Filing"
) -> None:
    rows_done, finished = _progress(source, delivery, run)
    if finished:
        tally.unchanged.append(delivery.name)
        return
    reject = RejectFile(run.home / "rejects", source.name, delivery.fingerprint)
    if not run.dry_run:
        reject.resume(rows_done)
    work = _Work(source, delivery, tables, run, tally, reject, rows_done, filing)
    problem = work.run_through()
    if problem is not None:
        tally.problems.append(problem)


class _Filing:
    """What files the batches of a source, one at a time and in their order, while the next one is read: also where that
    one is of the next file."""

    def __init__(self, tally: _Tally) -> None:
        self._tally = tally
        self._filer = ThreadPoolExecutor(max_workers=1)
        self._waiting: Future[Filed] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.settle()
        finally:
            self._filer.shutdown()

    def submit(self, work: Callable[[], Filed]) -> None:
        """Waits for the batch before, then has this one filed."""
        self.settle()
        self._waiting = self._filer.submit(work)

    def settle(self) -> None:
        """Waits for the batch before and counts it."""
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            filed = waiting.result()
            self._tally.interactions += filed.interactions
            self._tally.events += filed.feedback


@dataclass(frozen=True)
class _Prepared:
    """A batch ready to be filed."""

    batch: Batch
    judgements: pl.DataFrame | None
    rejected: pl.DataFrame
    opted_out: int
    last_row: int


@dataclass
class _Work:
    """One delivery on its way into the store."""

    source: Source
    delivery: Delivery
    tables: dict[str, pl.DataFrame]
    run: Import
    tally: _Tally
    reject: RejectFile
    rows_done: int
    filing: _Filing

    def __post_init__(self) -> None:
        self.wanted = wanted_paths(self.source)
        self.reading = Reading(self.source, self.run.privacy, self.run.started_at)
        today = self.run.started_at.astimezone(self.run.zone).date()
        self.place = Place(self.source, self.delivery.name, today, self.run.zone)
        self.withheld = _withheld(self.run)
        self.since = _since(self.source, self.run)

    def run_through(self) -> Problem | None:
        """Every batch; what stopped the reading, if something did."""
        problem = held = None
        try:
            for chunk in batched(read_delivery(self.source, self.delivery, self.since), self.run.batch_rows):
                prepared = self.prepare(chunk)
                if held is not None:
                    self.filing.submit(partial(self.file, held))
                held = prepared or held
        except UnreadableError as error:
            problem = Problem(self.delivery.name, error.reason, str(error))
        except UNFORESEEN as error:  # its words may quote a row
            told = f"{type(error).__name__} while it was read: a type or a shape of value that is not foreseen"
            problem = Problem(self.delivery.name, "unforeseen", f"{told}; export the column as text")
        last = held or _Prepared(Batch(), None, pl.DataFrame(), 0, self.rows_done)
        self.filing.submit(partial(self.end, last, finished=problem is None))
        return problem

    def prepare(self, chunk: Chunk) -> _Prepared | None:
        """A batch of delivered rows as rows of the store; None where all were filed before the import was killed."""
        delivered = as_text(chunk.frame, self.wanted, self.source.null_words)
        frame = with_joins(delivered.frame, self.source, self.tables)
        unread = [row for row in (*chunk.unread, *delivered.unread) if row.row > self.rows_done]
        if self.rows_done:
            before = read_votes(frame.filter(pl.col(ROW) <= self.rows_done), self.reading)
            self.reading.seen.repeated(before.good["feedback_id"])
            frame = frame.filter(pl.col(ROW) > self.rows_done)
            if chunk.last_row <= self.rows_done:
                return None
        self.tally.filled.update(name for name in frame.columns if frame[name].null_count() < frame.height)
        self.tally.passed_over += chunk.passed_over
        refused = unread_rows(unread, frame, self.source, self.run.privacy)
        rows = readable(frame, unread)
        self.tally.rows += rows.height + refused.height
        prepared = self._prepared(frame, read_votes(rows, self.reading), refused, chunk.last_row)
        self._report(chunk)
        return prepared

    def _prepared(self, frame: pl.DataFrame, votes: Votes, unread: pl.DataFrame, last_row: int) -> _Prepared:
        def refused(rows: pl.DataFrame, category: str) -> pl.DataFrame:
            for reason, column, count in rows.group_by(REASON, FIELD).len().iter_rows():
                self.tally.refused[reason, column] += count
            self.tally.unfit.update(unfit_words(rows, frame, self.source))
            return refusals(rows, category, frame, self.place, self.run.privacy, self.withheld)

        quarantined = pl.concat([refused(unread, "quarantined"), refused(votes.refused, "quarantined")])
        quarantined = quarantined.sort("row", maintain_order=True)
        if self.source.judge:
            read = judgements.recorded_rows if self.source.pairwise else judgements.evaluated_rows
            recorded = read(votes, self.source)
            return _Prepared(Batch(), recorded, quarantined, 0, last_row)
        store_rows = file_rows(votes.good, self.reading)
        if self.run.dry_run:
            self.tally.examples += examples(store_rows, MAX_EXAMPLES - len(self.tally.examples))
        self.tally.redactions.update(store_rows.redactions)
        self.tally.meaningless += meaningless(store_rows.feedback, self.run.policy)
        rejected = pl.concat([quarantined, refused(store_rows.repeated, "duplicate")]).sort("row", maintain_order=True)
        batch = Batch(store_rows.interactions, store_rows.keys, store_rows.feedback, rejected.drop("row"))
        return _Prepared(batch, None, rejected, self._opted_out(store_rows), last_row)

    def _opted_out(self, store_rows: StoreRows) -> int:
        return store_rows.feedback.join(self.withheld, on=["tenant", "user_key"], how="semi").height

    def file(self, prepared: _Prepared, finished: bool = False) -> Filed:
        """Files a batch and how far it brings the delivery; in a dry run only counts what the store has not."""
        batch, run = prepared.batch, self.run
        self.tally.opted_out += prepared.opted_out
        if run.dry_run or run.database is None:
            self.tally.judgements += _height(prepared.judgements)
            filed = _would_be_filed(run.database, batch, prepared.opted_out)
        else:
            self._reject(prepared.rejected)
            if prepared.judgements is not None:
                self.tally.judgements += self._file_judged(run.database, prepared.judgements)
            progress = StoredProgress(self.source.name, self.delivery.fingerprint, prepared.last_row, finished)
            filed = file_batch(run.database, batch, None if self.delivery.path is None else progress)
        self.tally.known += _height(batch.feedback) - prepared.opted_out - filed.feedback
        return filed

    def _file_judged(self, database: Database, rows: pl.DataFrame) -> int:
        if self.source.pairwise:
            return judgements.file_judgements(database, rows)
        new, answerless = judgements.file_evaluations(database, rows)
        self.tally.answerless += answerless
        self.tally.known += rows.height - new - answerless
        return new

    def end(self, last: _Prepared, *, finished: bool) -> Filed:
        """Files the last batch and names the file of what was refused."""
        filed = self.file(last, finished)
        if not self.run.dry_run and self.reject.path.exists():
            self.tally.reject_files.append(str(self.reject.path))
        return filed

    def _reject(self, rows: pl.DataFrame) -> None:
        try:
            self.reject.add(rows, self.delivery.name)
        except OSError as error:
            raise ImportStoppedError(
                f"{self.reject.path.parent} cannot be written ({error.strerror}): make room, then import again; "
                "it goes on where it stopped"
            ) from error

    def _report(self, chunk: Chunk) -> None:
        if self.run.on_progress is None:
            return
        share = chunk.consumed / self.delivery.size if chunk.consumed and self.delivery.size else None
        refused = sum(self.tally.refused.values())
        share = None if share is None or share > 1 else share
        self.run.on_progress(Progress(self.source.name, self.delivery.name, self.tally.rows, refused, share))


def _height(frame: pl.DataFrame | None) -> int:
    return 0 if frame is None else frame.height


def _progress(source: Source, delivery: Delivery, run: Import) -> tuple[int, bool]:
    """How many rows of a delivery have been filed, and whether that was all. A database is read anew each time."""
    if run.database is None or delivery.path is None:
        return 0, False
    return progress_of(run.database, source.name, delivery.fingerprint)


def _since(source: Source, run: Import) -> datetime | None:
    """Where the next look at a tool starts: a day before the newest vote that it has brought; votes known are left
    alone."""
    if source.kind != "api" or run.database is None:
        return None
    with run.database.engine.connect() as connection:
        newest: datetime | None = connection.execute(
            _queries.statement("read_newest"), {"source": source.name}
        ).scalar()
    return None if newest is None else newest - OVERLAP


def _withheld(run: Import) -> pl.DataFrame:
    """The people who refused collection."""
    if run.database is None:
        return _NOBODY
    statement = _queries.statement("read_withheld")
    with run.database.engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(statement)]
    return pl.DataFrame(rows, schema=_NOBODY.schema, orient="row")


def _would_be_filed(database: Database | None, batch: Batch, opted_out: int) -> Filed:
    """What of a batch would be new to the store."""
    known = {"interactions": 0, "feedback": 0}
    if database is not None and batch.feedback is not None and batch.interactions is not None:
        statement = _queries.statement("count_known")
        ids = {"interactions": batch.interactions["id"].to_list(), "feedback": batch.feedback["id"].to_list()}
        with database.engine.connect() as connection:
            known = dict(connection.execute(statement, ids).one()._mapping)
    return Filed(
        interactions=_height(batch.interactions) - known["interactions"],
        feedback=_height(batch.feedback) - known["feedback"] - opted_out,
    )
