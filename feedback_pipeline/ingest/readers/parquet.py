"""Parquet, a batch of rows at a time; only the wanted columns are read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from feedback_pipeline.ingest.readers.chunks import ROW, Chunk, UnreadableError, Wanted

BATCH_BYTES = 32 * 1024 * 1024
BATCH_ROWS = 50_000
UUID_BYTES = 16
_LOOSE = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY


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
                frame = pl.DataFrame([frame_column(name, batch.column(name)) for name in batch.schema.names])
                yield Chunk(frame.with_columns(pl.Series(ROW, numbers, dtype=pl.Int64)), (), first - 1)
    except pa.ArrowNotImplementedError as error:
        raise UnreadableError(
            "unknown_type", f"a column has a type that cannot be read ({error}): export it as text"
        ) from error
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, PermissionError):
            raise
        raise UnreadableError(
            "damaged_parquet", "the file is cut off or damaged: export it again, or give it time to be written"
        ) from error


def frame_column(name: str, column: pa.Array) -> pl.Series:
    """A column as Polars holds it: 16 bytes of a UUID as its text; a type Polars has not (a map …) as JSON."""
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if pa.types.is_fixed_size_binary(column.type) and column.type.byte_width == UUID_BYTES:
        return pl.Series(name, [None if one is None else str(UUID(bytes=one)) for one in column.to_pylist()], pl.String)
    if pa.types.is_fixed_size_binary(column.type):
        column = column.cast(pa.binary())
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        column = _texts(column)
    if not _has_map(column.type):
        try:
            return pl.Series(name, pl.from_arrow(column))
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, TypeError, ValueError):
            pass  # a type of Arrow's that Polars does not know
    if pa.types.is_map(column.type):
        held = column.type
        if pa.types.is_string(held.key_type) and pa.types.is_integer(held.item_type):
            return _counts(name, column)
    return pl.Series(name, [_json(value, column.type) for value in column.to_pylist()], pl.String)


def _counts(name: str, column: pa.MapArray) -> pl.Series:
    """Objects of whole numbers as JSON, by column: usage of tokens, say."""
    keys, numbers = pl.Series("k", pl.from_arrow(column.keys)), pl.Series("n", pl.from_arrow(column.items))
    written = {key: orjson.dumps(key).decode() for key in keys.unique().drop_nulls()}
    entries = pl.DataFrame([keys, numbers]).select(
        pl.concat_str(
            pl.col("k").replace_strict(written, default="null", return_dtype=pl.String), pl.lit(":"),
            pl.col("n").cast(pl.String).fill_null("null"),
        )
    )  # fmt: skip
    listed = pa.LargeListArray.from_arrays(column.offsets.cast(pa.int64()), entries.to_series().to_arrow())
    text = pl.Series(name, pl.from_arrow(listed)).to_frame().select(
        pl.concat_str(pl.lit("{"), pl.col(name).list.join(","), pl.lit("}")).alias(name)
    )  # fmt: skip
    missing = pl.Series("m", column.is_null().to_numpy(zero_copy_only=False))
    return text.select(pl.when(~missing).then(name).alias(name)).to_series()


def _texts(column: pa.Array) -> pa.Array:
    """Bytes as the text that they are, which some databases write without saying so; others stay as they are."""
    try:
        texts = column.cast(pa.large_string())
    except pa.ArrowInvalid:
        return column
    controls = pa.compute.match_substring_regex(texts, r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
    return column if pa.compute.any(controls).as_py() else texts


def _has_map(kind: pa.DataType) -> bool:
    return pa.types.is_map(kind) or any(_has_map(kind.field(i).type) for i in range(kind.num_fields))


def _json(value: Any, kind: pa.DataType) -> str | None:
    return None if value is None else orjson.dumps(_plain(value, kind), default=str, option=_LOOSE).decode()


def _plain(value: Any, kind: pa.DataType) -> Any:
    """A value with its maps as objects."""
    if value is None:
        return None
    if pa.types.is_map(kind):
        return {str(key): _plain(item, kind.item_type) for key, item in value}
    if pa.types.is_struct(kind):
        return {field.name: _plain(value.get(field.name), field.type) for field in kind}
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return [_plain(item, kind.value_type) for item in value]
    return value


def _batch_rows(metadata: pa.parquet.FileMetaData) -> int:
    """So many rows that an average batch stays within the limit."""
    size: int = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    rows: int = max(metadata.num_rows, 1)
    return max(1, min(BATCH_ROWS, BATCH_BYTES * rows // max(size, 1)))
