"""A store with one dataset ready to be trained on, and a provider over loopback."""

import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import datasets
from feedback_pipeline.store.database import Database
from feedback_pipeline.training.manifest import Lines
from feedback_pipeline.training.tables import LINEAGE, TRAINING_EXAMPLES

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
WEEK = date(2026, 11, 9)
"""Ended on the 15th, closed on the 18th."""
BASE = "gpt-4.1-mini"
TUNED = f"ft:{BASE}:feedback"
PRICES = """as_of: 2026-11-01
prices:
  - {provider: 127.0.0.1, model: gpt-4.1-mini, method: supervised, usd_per_million: 5.0}
"""
EXAMPLES = 600
PROMPTS = 35
"""Held out, and as many that people rejected: a few more than a verdict needs."""


def dataset_rows(lineage: pl.DataFrame) -> pl.DataFrame:
    """The rows behind some lines (LINEAGE), as the store keeps them."""
    columns = ["dataset_id", "layout", "line", "row_id", "copy", "weight"]
    origin = lineage.select("row_id", "interaction_ids", "feedback_ids").unique("row_id", maintain_order=True)
    places = origin.select("row_id").with_row_index("place")
    lines = lineage.select(columns).join(places, on="row_id", how="left", maintain_order="left")
    return Lines([lines], origin).rows()


def pipeline_for(home: Path, database: Database, url: str | None = None, **environment: str) -> Pipeline:
    home.mkdir(parents=True, exist_ok=True)
    (home / "prices.yaml").write_text(PRICES)
    return Pipeline(Settings.from_environment(environment_for(home, database, url, **environment)), NOW)


def environment_for(home: Path, database: Database, url: str | None = None, **environment: str) -> dict[str, str]:
    """The settings of `pipeline_for`, for a process of its own."""
    given = {"FEEDBACK_HOME": str(home), "FEEDBACK_DATABASE_URL": database.url, "FEEDBACK_TUNING_MODEL": BASE}
    if url is not None:
        given |= {
            "FEEDBACK_TUNING_PROVIDER": "openai", "FEEDBACK_TUNING_BASE_URL": url, "OPENAI_API_KEY": "test",
            "FEEDBACK_TUNING_BUDGET": "10", "FEEDBACK_TUNING_PRICES": str(home / "prices.yaml"),
            "FEEDBACK_JUDGE_MODEL": "judge-1", "FEEDBACK_JUDGE_BASE_URL": url,
        }  # fmt: skip
    return given | environment


def chat_line(question: str, answer: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def preference_line(question: str, answer: str) -> dict[str, Any]:
    return {"input": {"messages": [{"role": "user", "content": question}]},
            "preferred_output": [{"role": "assistant", "content": answer}],
            "non_preferred_output": [{"role": "assistant", "content": f"not {answer}"}]}  # fmt: skip


def weighted_line(question: str, answer: str) -> dict[str, Any]:
    return {**chat_line(question, answer), "weight": 1.5}


def vertex_line(question: str, answer: str) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": question}]},
                         {"role": "model", "parts": [{"text": answer}]}]}  # fmt: skip


LINES: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "openai_sft": chat_line, "trl_sft": chat_line, "together_sft": chat_line, "together_dpo": preference_line,
    "fireworks_sft": weighted_line, "fireworks_dpo": preference_line, "weighted_sft": weighted_line,
    "vertex_sft": vertex_line,
}  # fmt: skip


def with_dataset(
    pipeline: Pipeline,
    week: date = WEEK,
    examples: int = EXAMPLES,
    formats: tuple[str, ...] = ("openai_sft", "trl_sft"),
) -> str:
    """Training files of a week with their manifest in the store; returns the dataset's id."""
    family = "dpo" if formats[0].endswith("_dpo") else "sft"
    folder = Path(pipeline.settings.data_url) / "training_files" / str(week) / family
    described = []
    for split, count in (("train", examples), ("validation", 20)):
        lines = [
            orjson.dumps(LINES[formats[0]](f"{split} question {number} of {week}", f"answer {number}")) + b"\n"
            for number in range(count)
        ]
        content = b"".join(lines)
        path = folder / "openai" / f"sft-{split}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        for name in formats:
            described.append({
                "name": f"openai/sft-{split}.jsonl", "format": name, "split": split, "context": "full",
                "layout": f"supervised-{split}", "lines": count, "examples": count, "skipped": 0,
                "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), "accepted_by": [],
            })  # fmt: skip
    contents = {"files": described, "week": str(week)}
    dataset = hashlib.sha256(orjson.dumps(contents)).hexdigest()
    manifest = orjson.dumps({"dataset_id": dataset, "content": contents})
    rows = [
        {"dataset_id": dataset, "layout": "supervised-train", "line": number + 1, "row_id": f"row{number:05}",
         "copy": 0, "weight": 1.0, "interaction_ids": [uuid(number)], "feedback_ids": [uuid(10_000 + number)]}
        for number in range(examples)
    ]  # fmt: skip
    lineage = pl.DataFrame(rows, schema=LINEAGE.schema)
    pipeline.frames.write(LINEAGE, week, lineage)
    datasets.record(pipeline.database, week, dataset, manifest, dataset_rows(lineage))
    pipeline.frames.write(TRAINING_EXAMPLES, week, training_examples(week, examples))
    return dataset


def uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def training_examples(week: date, examples: int) -> pl.DataFrame:
    """Approved examples in train, `PROMPTS` held out, as many rejected answers."""
    made = []
    for number in range(examples + 2 * PROMPTS):
        held_out, rejected = examples <= number < examples + PROMPTS, number >= examples + PROMPTS
        made.append({
            "example_id": f"row{number:05}", "tenant": "default", "kind": "correction" if number == 0 else "answer",
            "interaction_id": uuid(number), "feedback_ids": [uuid(10_000 + number)],
            "voters": [f"k1:{number % 40:032x}"],
            "people": 1, "ups": int(not rejected), "downs": int(rejected), "approval_probability": 0.9,
            "label": not rejected,
            "messages": orjson.dumps([{"role": "user", "content": f"question {number}"}]).decode(),
            "completion": f"answer {number}", "shape": "alternating", "context": "full", "provenance": "logged",
            "reviewed": False, "placeholders_filled": 0, "cluster": number, "day": week,
            "occurred_at": datetime(week.year, week.month, week.day, tzinfo=UTC),
            "split": "holdout" if held_out else "train", "unseen_person": False, "weight_trust": 1.0,
            "weight_recency": 1.0, "weight_balance": 1.0, "weight_person": 1.0, "importance": 1.0 + number / 1000,
        })  # fmt: skip
    return TRAINING_EXAMPLES.conform(pl.DataFrame(made, schema=TRAINING_EXAMPLES.schema))
