"""The line of each trainer's file, as an expression over examples or pairs.

`messages` is already canonical JSON, so a line is joined from text rather than built object by object. Key order is
fixed, floats are written as floats, and every line of a file has the same keys, because readers infer a schema from
the first lines (`datasets` turns a late list into a string without a word). Characters that some readers take for the
end of a line (`str.splitlines` does) are escaped.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

import polars as pl

from feedback_pipeline.training.json_lines import escaped_separators, json_value
from feedback_pipeline.training.messages import system_first, vertex_contents
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


def _joined(*parts: str | pl.Expr) -> pl.Expr:
    texts = [pl.lit(part) if isinstance(part, str) else part for part in (*parts, "\n")]
    return escaped_separators(pl.concat_str(texts)).alias("line")


def _assistant(column: str) -> list[str | pl.Expr]:
    return ['{"role":"assistant","content":', json_value(column), "}"]


def _dialogue(messages: pl.Expr) -> list[str | pl.Expr]:
    return [messages.str.head(-1), ",", *_assistant("completion"), "]"]


_MESSAGES = pl.col("messages")
_SYSTEM_FIRST = pl.col("messages").map_batches(system_first, return_dtype=pl.String, is_elementwise=True)
"""For providers and chat templates that refuse a system message anywhere else."""
_DIALOGUE = _dialogue(_MESSAGES)
_DIALOGUE_SYSTEM_FIRST = _dialogue(_SYSTEM_FIRST)
_METADATA: list[str | pl.Expr] = [
    '{"intent":', json_value("intent"), ',"project":', json_value("project"), ',"model":', json_value("model"),
    ',"timestamp":"', pl.col("occurred_at").dt.strftime("%Y-%m-%dT%H:%M:%SZ"), '"}',
]  # fmt: skip
_FEEDBACK = pl.when(pl.col("kind") == "correction").then(pl.lit("correction")).otherwise(pl.lit("up"))
_LABEL = pl.when("label").then(pl.lit("true")).otherwise(pl.lit("false"))


def _preference(messages: pl.Expr) -> pl.Expr:
    return _joined(
        '{"input":{"messages":', messages, '},"preferred_output":[', *_assistant("chosen"),
        '],"non_preferred_output":[', *_assistant("rejected"), "]}",
    )  # fmt: skip


_SUPERVISED = _joined('{"messages":', *_DIALOGUE, "}")
_SUPERVISED_SYSTEM_FIRST = _joined('{"messages":', *_DIALOGUE_SYSTEM_FIRST, "}")
_WEIGHTED = _joined('{"messages":', *_DIALOGUE_SYSTEM_FIRST, ',"weight":', json_value("weight"), "}")
_PREFERENCE = _preference(_MESSAGES)
_PREFERENCE_SYSTEM_FIRST = _preference(_SYSTEM_FIRST)
_TRL_PREFERENCE = _joined(
    '{"prompt":', _SYSTEM_FIRST, ',"chosen":[', *_assistant("chosen"), '],"rejected":[', *_assistant("rejected"), "]}"
)
_TRL_KTO = _joined('{"prompt":', _SYSTEM_FIRST, ',"completion":[', *_assistant("completion"), '],"label":', _LABEL, "}")
_VERTEX = _joined(
    "{", _MESSAGES.map_batches(vertex_contents, return_dtype=pl.String, is_elementwise=True).str.head(-1),
    ',{"role":"model","parts":[{"text":', json_value("completion"), "}]}]}",
)  # fmt: skip
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
           ("openai", "bedrock"), rules="messages"),
    Format("openai_dpo", "preference", "openai", "dpo", _PREFERENCE, "copies", ANY_SHAPE,
           ("openai",), rules="preference"),
    Format("azure_sft", "supervised", "azure", "sft", _SUPERVISED, "copies", ANY_SHAPE, ("azure",),
           byte_order_mark=True, rules="messages"),
    Format("azure_dpo", "preference", "azure", "dpo", _PREFERENCE, "copies", ANY_SHAPE, ("azure",),
           byte_order_mark=True, rules="preference"),
    Format("together_sft", "supervised", "together", "sft", _SUPERVISED_SYSTEM_FIRST, "copies", ANY_SHAPE,
           ("together",), rules="messages"),
    Format("together_dpo", "preference", "together", "dpo", _PREFERENCE_SYSTEM_FIRST, "copies", ANY_SHAPE,
           ("together",), rules="preference"),
    Format("fireworks_sft", "supervised", "fireworks", "sft", _WEIGHTED, "carried", ANY_SHAPE, ("fireworks",),
           rules="weighted"),
    Format("fireworks_dpo", "preference", "fireworks", "dpo", _PREFERENCE_SYSTEM_FIRST, "copies", ANY_SHAPE,
           ("fireworks",), rules="preference"),
    Format("vertex_sft", "supervised", "vertex", "sft", _VERTEX, "copies", TEXT_SHAPES, ("vertex",), rules="vertex"),
    Format("trl_sft", "supervised", "trl", "sft", _SUPERVISED_SYSTEM_FIRST, "copies", TEXT_SHAPES,
           ("trl", "axolotl", "datasets"), rules="messages"),
    Format("trl_dpo", "preference", "trl", "dpo", _TRL_PREFERENCE, "copies", TEXT_SHAPES, ("trl", "datasets"),
           rules="trl_preference"),
    Format("trl_kto", "kto", "trl", "kto", _TRL_KTO, "none", TEXT_SHAPES, ("trl", "datasets"), rules="trl_kto"),
    Format("weighted_sft", "supervised", "weighted", "sft", _WEIGHTED, "carried", TEXT_SHAPES, ("feedback tune",),
           rules="weighted"),
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
