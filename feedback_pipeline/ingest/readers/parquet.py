"""Parquet, a batch of rows at a time; only the wanted columns are read."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet

from feedback_pipeline.ingest.readers.chunks import ROW, Chunk, UnreadableError, Wanted

BATCH_BYTES = 32 * 1024 * 1024
BATCH_ROWS = 50_000


def read_parquet(path: Path, wanted: Wanted) -> Iterator[Chunk]:
    """The rows of a file, with the types the file has; row numbers are from 1.

    Raises:
        UnreadableError: the file is cut off or damaged, or a column is missing.
    """
    try:
        with pa.parquet.ParquetFile(path) as file:
            columns = wanted.columns(file.schema_arrow.names)
            first = 1
            for batch in file.iter_batches(_batch_rows(file.metadata), columns=columns):
                numbers = np.arange(first, first + batch.num_rows, dtype=np.int64)
                first += batch.num_rows
                frame = pl.DataFrame(pl.from_arrow(batch)).with_columns(pl.Series(ROW, numbers, dtype=pl.Int64))
                yield Chunk(frame, (), first - 1)
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, PermissionError):
            raise
        raise UnreadableError(
            "damaged_parquet", "the file is cut off or damaged: export it again, or give it time to be written"
        ) from error


def _batch_rows(metadata: pa.parquet.FileMetaData) -> int:
    """So many rows that an average batch stays within the limit."""
    size: int = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    rows: int = max(metadata.num_rows, 1)
    return max(1, min(BATCH_ROWS, BATCH_BYTES * rows // max(size, 1)))
