"""The IO manager: what an asset of somebody's project gets when it asks for one of our tables, and how it stores
its own.

Our own assets write through `tables.parquet.ParquetFolder`. Any other asset of the code location takes them as inputs,
as the kind of frame it names in its annotation (`pandas.DataFrame`, `polars.DataFrame`, `polars.LazyFrame`,
`pyarrow.Table`; a LazyFrame where it names none), over all partitions it depends on; what it returns may be any of
them. Days of which nothing was ever computed have no rows.
"""

import sys
from typing import Any

import dagster as dg
import narwhals as nw
import polars as pl
import pyarrow as pa
from upath import UPath

from feedback_pipeline.tables.parquet import COMPRESSION, location, names_in, replaced_file, scan_file


class ParquetIOManager(dg.UPathIOManager):
    """Frames as `<url>/<asset>/<partition>.parquet`, written atomically, read lazily."""

    extension = ".parquet"

    def __init__(self, url: str, prefix: tuple[str, ...] = ()) -> None:
        """`prefix` is what asset keys begin with and folders do not."""
        super().__init__(base_path=location(url))
        self._prefix = prefix

    def get_asset_relative_path(self, context: dg.InputContext | dg.OutputContext) -> UPath:
        path = tuple(context.asset_key.path)
        ours = path[: len(self._prefix)] == self._prefix
        return UPath(*(path[len(self._prefix) :] if ours else path))

    def dump_to_path(self, context: dg.OutputContext, obj: Any, path: UPath) -> None:
        frame = _polars(obj)
        with replaced_file(path) as file:
            frame.write_parquet(file, compression=COMPRESSION, compression_level=1)
        context.add_output_metadata({"dagster/partition_row_count": frame.height})

    def load_from_path(self, context: dg.InputContext, path: UPath) -> pl.LazyFrame:
        return scan_file(path)

    def load_input(self, context: dg.InputContext) -> Any:
        """The rows of every partition the asset depends on, in one frame of the kind it names.

        Raises:
            dg.Failure: no partition of what it depends on is there.
        """
        wanted = context.dagster_type.typing_type
        if context.has_asset_key and context.has_asset_partitions:
            paths = list(self._get_paths_for_partitions(context).values())
        else:
            paths = [self._get_path(context)]
        present = {folder: set(names_in(folder)) for folder in {path.parent for path in paths}}
        there = [path for path in paths if path.name in present[path.parent]]
        if not there:
            described = (
                f"{context.asset_key.to_user_string()} has none of the partitions asked for: materialise it first"
            )
            raise dg.Failure(described, allow_retries=False)
        return _as(pl.concat([self.load_from_path(context, path) for path in there], how="diagonal_relaxed"), wanted)


def _polars(frame: Any) -> pl.DataFrame:
    if isinstance(frame, pl.LazyFrame):
        return frame.collect()
    if isinstance(frame, pl.DataFrame):
        return frame
    converted: pl.DataFrame = nw.from_native(frame).to_polars()
    return converted


def _as(frame: pl.LazyFrame, wanted: Any) -> Any:
    if wanted is pl.DataFrame:
        return frame.collect()
    # whoever names pandas has loaded it
    if "pandas" in sys.modules and wanted is sys.modules["pandas"].DataFrame:
        return frame.collect().to_pandas()
    if wanted is pa.Table:
        return frame.collect().to_arrow()
    return frame
