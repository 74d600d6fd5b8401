"""The IO manager: what a downstream asset or a notebook gets when it asks Dagster for one of our tables.

Our own assets write through `parquet.ParquetFolder`; this lets any other asset of a code location take them as inputs
(a LazyFrame over all partitions it depends on) and store frames of its own beside them.
"""

from typing import Any

import dagster as dg
import polars as pl
from upath import UPath

from feedback_pipeline.tables.parquet import COMPRESSION, location, replaced_file, scan_file


class ParquetIOManager(dg.UPathIOManager):
    """Frames as `<url>/<asset>/<partition>.parquet`, written atomically, read lazily."""

    extension = ".parquet"

    def __init__(self, url: str) -> None:
        super().__init__(base_path=location(url))

    def dump_to_path(self, context: dg.OutputContext, obj: pl.DataFrame | pl.LazyFrame, path: UPath) -> None:
        frame = obj.lazy().collect()
        with replaced_file(path) as file:
            frame.write_parquet(file, compression=COMPRESSION, compression_level=1)
        context.add_output_metadata({"dagster/partition_row_count": frame.height})

    def load_from_path(self, context: dg.InputContext, path: UPath) -> pl.LazyFrame:
        return scan_file(path)

    def load_input(self, context: dg.InputContext) -> Any:
        loaded = super().load_input(context)
        return pl.concat(loaded.values()) if isinstance(loaded, dict) else loaded
