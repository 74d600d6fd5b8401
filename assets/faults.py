"""What went wrong with a partition, as the event log may hold it."""

import traceback
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import polars as pl

from feedback_pipeline.cleaning.verdicts import PolicyError
from feedback_pipeline.llm.endpoint_refusal import EndpointRefusedError
from feedback_pipeline.llm.prices import UnknownPriceError
from feedback_pipeline.privacy.names import NamesError
from feedback_pipeline.tables.parquet import ParquetFolder, scan_file
from feedback_pipeline.training.archive import CurationMissing
from feedback_pipeline.training.rules import EvaluationSetMissing

OWN_ERRORS = (
    CurationMissing, EndpointRefusedError, EvaluationSetMissing, NamesError, PolicyError, UnknownPriceError,
)  # fmt: skip
"""Errors whose messages are written by us alone."""
TRIED_AGAIN = "it is tried again by itself"
"""Ends what is said of a fault of the machine, which is held against no day."""


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
