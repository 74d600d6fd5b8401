"""Public votes with recorded judges' verdicts, where they lie beside the repository (see FEEDBACK_SHARED_DATA)."""

import json
import os
from pathlib import Path

import polars as pl
import pytest

ROOT = Path(os.environ.get("FEEDBACK_SHARED_DATA", Path(__file__).parents[2].parent / "shared" / "data"))

WINNERS = {"left": "this", "right": "other", "tie": "tie"}


def folder(name: str) -> Path:
    path = ROOT / name
    if not path.is_dir():
        pytest.skip(f"public data set {name} is not beside the repository (FEEDBACK_SHARED_DATA)")
    return path


def llmfao_comparisons(file: str) -> pl.DataFrame:
    """Votes of one of llmfao's comparison files as preferences; an answer is named by prompt and model."""
    rows = pl.read_csv(folder("llmfao") / file)
    voter = pl.col("worker").cast(pl.String) if "worker" in rows.columns else pl.lit("judge")
    return rows.select(
        (pl.format("{}-{}", "prompt", "model_x")).alias("interaction_id"),
        (pl.format("{}-{}", "prompt", "model_y")).alias("other_interaction_id"),
        pl.col("left").alias("model"),
        pl.col("right").alias("other_model"),
        pl.col("winner").replace_strict(WINNERS).alias("preference"),
        voter.alias("voter"),
    )


def llmfao_texts() -> pl.DataFrame:
    rows = pl.read_ndjson(folder("llmfao") / "pairs-crowd.jsonl", infer_schema_length=None)
    return rows.select(
        pl.format("{}-{}", "prompt", "model_x").alias("interaction_id"),
        pl.format("{}-{}", "prompt", "model_y").alias("other_interaction_id"),
        pl.col("text").alias("prompt"),
        pl.col("result_x").alias("answer"),
        pl.col("result_y").alias("other_answer"),
    )


def pandalm(file: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = json.loads((folder("pandalm") / file).read_text())
    return rows
