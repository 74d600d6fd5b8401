"""What went wrong, as the event log may hold it, and whose fault it was: this partition's or the machine's."""

import errno
import traceback
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import polars as pl

from feedback_pipeline.cleaning.verdicts import PolicyError
from feedback_pipeline.llm.endpoint_refusal import EndpointRefusedError
from feedback_pipeline.llm.prices import UnknownPriceError
from feedback_pipeline.privacy.names import NamesError
from feedback_pipeline.store.database import DatabaseError
from feedback_pipeline.tables.parquet import ParquetFolder, scan_file
from feedback_pipeline.training.archive import CurationMissing
from feedback_pipeline.training.rules import EvaluationSetMissing

OWN_ERRORS = (
    CurationMissing, EndpointRefusedError, EvaluationSetMissing, NamesError, PolicyError, UnknownPriceError,
)  # fmt: skip
"""Errors whose messages are written by us alone."""

_NUMBERS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EIO: "the disk cannot be read or written",
    errno.EROFS: "the disk is read-only",
    errno.EMFILE: "too many files are open",
    errno.ENFILE: "too many files are open",
    errno.ENOMEM: "there is not enough memory",
}
_LOST = {
    "OperationalError": "the connection to the database was lost",
    "InterfaceError": "the connection to the database was lost",
    "EndpointConnectionError": "the bucket cannot be reached",
    "ConnectTimeoutError": "the bucket cannot be reached",
    "NoCredentialsError": "the bucket's credentials are missing",
    "ExpiredTokenException": "the bucket's credentials have expired",
}


def machine_fault(error: BaseException) -> str | None:
    """Why no partition could be computed now (disk, memory, database, bucket); None where it is this one's fault."""
    for one in _causes(error):
        if isinstance(one, MemoryError):
            return "there is not enough memory"
        if isinstance(one, DatabaseError):
            return "the database cannot be reached"
        if isinstance(one, OSError) and one.errno in _NUMBERS:
            return _NUMBERS[one.errno]
        if type(one).__name__ in _LOST:
            return _LOST[type(one).__name__]
        if isinstance(one, ConnectionError | TimeoutError):
            return "a connection was lost"
    return None


def unreadable(frames: ParquetFolder, tables: Sequence[str], partitions: Sequence[date]) -> str | None:
    """Which of the files that were read is damaged, and what to do about it; None where they can all be read."""
    for table in tables:
        present = set(frames.names(table))
        for path in (frames.path(table, one) for one in partitions):
            if path.name in present and not _readable(path):
                return f"{path} is damaged: delete it, then feedback materialize computes it again"
    return None


def _readable(path: object) -> bool:
    try:
        scan_file(path).select(pl.all().null_count()).collect()  # type: ignore[arg-type]
    except (pl.exceptions.PolarsError, OSError):
        return False
    return True


def where(error: BaseException) -> str:
    """An exception as the event log may hold it: its type and where it was raised. Its own words may quote a text of a
    user, so only those of errors we raise ourselves are kept."""
    words = f": {error}" if isinstance(error, OWN_ERRORS) else ""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    raised = " < ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    return f"{type(error).__name__}{words} at {raised}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
