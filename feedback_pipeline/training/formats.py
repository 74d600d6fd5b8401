"""The line of each trainer's file, as an expression over examples or pairs.

`messages` is already canonical JSON, so a line is joined from text rather than built object by object. Key order is
fixed, floats are written as floats, and every line of a file has the same keys, because readers infer a schema from
the first lines (`datasets` turns a late list into a string without a word).
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

import polars as pl

from feedback_pipeline.training.promptfoo import PROMPTFOO_TEST, yaml_item

Task = Literal["supervised", "preference", "kto", "cases", "table"]
Weighting = Literal["copies", "carried", "none"]

ALTERNATING = ("alternating",)
TEXT_SHAPES = ("alternating", "plain")
ANY_SHAPE = ("alternating", "plain", "tools")


@dataclass(frozen=True)
class Format:
    """One kind of file.

    Attributes:
        name: what it is called.
        task: which rows it holds.
        folder: where its files go.
        stem: what they are called, before the split.
        line: the line, with its end; None for binary and delimited tables.
        weighting: whether a line carries its weight, is repeated instead, or neither.
        shapes: conversations the format can express.
        accepted_by: trainers and providers that read it.
        suffix: file name extension.
        byte_order_mark: the file starts with one.
        one_file: holds every split and context (the row names them) rather than a file for each.
        rules: which of `line_rules` applies.
        wrap: what is made of each line as it is written.
    """

    name: str
    task: Task
    folder: str
    stem: str
    line: pl.Expr | None
    weighting: Weighting
    shapes: tuple[str, ...]
    accepted_by: tuple[str, ...]
    suffix: str = "jsonl"
    byte_order_mark: bool = False
    one_file: bool = False
    rules: str | None = None
    wrap: Callable[[pl.Expr], pl.Expr] | None = None


def json_value(column: str) -> pl.Expr:
    """A column's values as JSON text; null as null."""
    return pl.struct(pl.col(column).alias("v")).struct.json_encode().str.slice(5).str.head(-1)


def _joined(*parts: str | pl.Expr) -> pl.Expr:
    return pl.concat_str([pl.lit(part) if isinstance(part, str) else part for part in (*parts, "\n")]).alias("line")


def _assistant(column: str) -> list[str | pl.Expr]:
    return ['{"role":"assistant","content":', json_value(column), "}"]


_MESSAGES = pl.col("messages")
_DIALOGUE: list[str | pl.Expr] = [_MESSAGES.str.head(-1), ",", *_assistant("completion"), "]"]
_METADATA: list[str | pl.Expr] = [
    '{"intent":', json_value("intent"), ',"project":', json_value("project"), ',"model":', json_value("model"),
    ',"timestamp":"', pl.col("occurred_at").dt.strftime("%Y-%m-%dT%H:%M:%SZ"), '"}',
]  # fmt: skip
_FEEDBACK = pl.when(pl.col("kind") == "correction").then(pl.lit("correction")).otherwise(pl.lit("up"))
_LABEL = pl.when("label").then(pl.lit("true")).otherwise(pl.lit("false"))

_SUPERVISED = _joined('{"messages":', *_DIALOGUE, "}")
_WEIGHTED = _joined('{"messages":', *_DIALOGUE, ',"weight":', json_value("weight"), "}")
_PREFERENCE = _joined(
    '{"input":{"messages":', _MESSAGES, '},"preferred_output":[', *_assistant("chosen"),
    '],"non_preferred_output":[', *_assistant("rejected"), "]}",
)  # fmt: skip
_TRL_PREFERENCE = _joined(
    '{"prompt":', _MESSAGES, ',"chosen":[', *_assistant("chosen"), '],"rejected":[', *_assistant("rejected"), "]}"
)
_TRL_KTO = _joined('{"prompt":', _MESSAGES, ',"completion":[', *_assistant("completion"), '],"label":', _LABEL, "}")
_LLAMA_PREFERENCE = _joined(
    '{"messages":', _MESSAGES, ',"chosen":', *_assistant("chosen"), ',"rejected":', *_assistant("rejected"), "}"
)
_LLAMA_KTO = _joined('{"messages":', *_DIALOGUE, ',"label":', _LABEL, "}")
_EXPORT = _joined('{"messages":', *_DIALOGUE, ',"weight":', json_value("weight"), ',"metadata":', *_METADATA, "}")
_POSITIVES = _joined(
    '{"messages":', *_DIALOGUE, ',"metadata":{"feedback":"', _FEEDBACK, '","action_type":', json_value("action_type"),
    "}}",
)  # fmt: skip

_ALL = (
    Format("openai_sft", "supervised", "openai", "sft", _SUPERVISED, "copies", ANY_SHAPE,
           ("openai", "bedrock", "together"), rules="messages"),
    Format("openai_dpo", "preference", "openai", "dpo", _PREFERENCE, "copies", ANY_SHAPE,
           ("openai", "together", "fireworks"), rules="preference"),
    Format("azure_sft", "supervised", "azure", "sft", _SUPERVISED, "copies", ANY_SHAPE, ("azure",),
           byte_order_mark=True, rules="messages"),
    Format("azure_dpo", "preference", "azure", "dpo", _PREFERENCE, "copies", ANY_SHAPE, ("azure",),
           byte_order_mark=True, rules="preference"),
    Format("fireworks_sft", "supervised", "fireworks", "sft", _WEIGHTED, "carried", ANY_SHAPE, ("fireworks",),
           rules="weighted"),
    Format("trl_sft", "supervised", "trl", "sft", _SUPERVISED, "copies", TEXT_SHAPES,
           ("trl", "axolotl", "datasets"), rules="messages"),
    Format("trl_dpo", "preference", "trl", "dpo", _TRL_PREFERENCE, "copies", TEXT_SHAPES, ("trl", "datasets"),
           rules="trl_preference"),
    Format("trl_kto", "kto", "trl", "kto", _TRL_KTO, "none", TEXT_SHAPES, ("trl", "datasets"), rules="trl_kto"),
    Format("llama_factory_sft", "supervised", "llama_factory", "sft", _SUPERVISED, "copies", ALTERNATING,
           ("llama_factory",), rules="alternating"),
    Format("llama_factory_dpo", "preference", "llama_factory", "dpo", _LLAMA_PREFERENCE, "copies", ALTERNATING,
           ("llama_factory",), rules="llama_preference"),
    Format("llama_factory_kto", "kto", "llama_factory", "kto", _LLAMA_KTO, "none", ALTERNATING,
           ("llama_factory",), rules="llama_kto"),
    Format("promptfoo_jsonl", "cases", "promptfoo", "tests", PROMPTFOO_TEST, "none", ANY_SHAPE, ("promptfoo",),
           one_file=True, rules="promptfoo"),
    Format("promptfoo_yaml", "cases", "promptfoo", "tests", PROMPTFOO_TEST, "none", ANY_SHAPE, ("promptfoo",),
           suffix="yaml", one_file=True, wrap=yaml_item),
    Format("feedback_export", "supervised", "export", "finetuning", _EXPORT, "carried", ANY_SHAPE, (),
           one_file=True, rules="export"),
    Format("positive_examples", "supervised", "export", "positive", _POSITIVES, "none", ANY_SHAPE, (),
           one_file=True, rules="positives"),
    Format("csv", "table", "table", "examples", None, "none", ANY_SHAPE, (), suffix="csv", one_file=True),
    Format("parquet", "table", "table", "examples", None, "none", ANY_SHAPE, (), suffix="parquet", one_file=True),
)  # fmt: skip

FORMATS = {format_.name: format_ for format_ in _ALL}
"""Every format by name."""


def formats_of(families: Collection[str]) -> list[str]:
    """The formats whose files go to these folders, in the order of FORMATS."""
    return [name for name, format_ in FORMATS.items() if format_.folder in families]
