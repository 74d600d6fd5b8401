"""What a router reads that does not ask the store: the model that answers under an alias, as a JSON file."""

import orjson

from feedback_pipeline.tables.parquet import ParquetFolder, replaced_file
from feedback_pipeline.tuning.registry import CurrentModel

FOLDER = "promoted_model"


def write_router_entry(frames: ParquetFolder, found: CurrentModel) -> None:
    """Writes `promoted_model/<alias>.json`: the model that answers, and what answers when it ends."""
    content = {
        "alias": found.alias, "model": found.model, "previous": found.previous, "fallback": found.base or found.model,
        "since": found.since.isoformat(), "expires": found.expires and found.expires.isoformat(),
    }  # fmt: skip
    with replaced_file(frames.root / FOLDER / f"{found.alias}.json") as file:
        file.write(orjson.dumps(content, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2))
