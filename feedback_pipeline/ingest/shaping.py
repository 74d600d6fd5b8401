"""Rows as a mapping needs them: a row an item of a list (`explode`), only those that are meant (`where`), with the
conversation that a tree of messages (`thread`) or a model's input and output (`chat`) hold."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
import polars as pl

from feedback_pipeline.ingest.chats import answer_of, asked_of
from feedback_pipeline.ingest.paths import as_text
from feedback_pipeline.ingest.readers.chunks import ROW, Chunk, path_expression
from feedback_pipeline.ingest.source_entry import Chat, Condition, Source, Thread
from feedback_pipeline.ingest.threads import thread_of
from feedback_pipeline.ingest.words import Span, decimal_point, span, word, word_expression

TREE = "\x00tree"
STRIDE = 1_000_000
"""Item 2 of row 3 of an exploded source is row 3,000,002."""


def shaped(chunks: Iterator[Chunk], source: Source) -> Iterator[Chunk]:
    """The chunks with the source's lists taken apart and the rows that are not meant left out, which are counted."""
    for chunk in chunks:
        shown = _with_tree(chunk, source.thread) if source.thread else chunk
        shown = _exploded(shown, source.explode) if source.explode else shown
        shown = _kept(shown, source.where) if source.where else shown
        shown = _threaded(shown, source.thread) if source.thread else shown
        yield _with_chat(shown, source.chat) if source.chat else shown


def _with_tree(chunk: Chunk, thread: Thread) -> Chunk:
    """The chunk with the tree of messages beside the lists that may be taken apart."""
    columns = [name for name in chunk.frame.columns if name != ROW]
    value = path_expression(thread.messages, columns, chunk.frame.schema)
    tree = pl.lit(None, pl.String) if value is None else _as_json(value)
    return replace(chunk, frame=chunk.frame.with_columns(tree.alias(TREE)))


def _threaded(chunk: Chunk, thread: Thread) -> Chunk:
    """The chunk with `thread.messages`, `.prompt` and `.answer`."""
    columns = [name for name in chunk.frame.columns if name not in (ROW, TREE)]
    answer = path_expression(thread.answer, columns, chunk.frame.schema)
    answers = chunk.frame.select((pl.lit(None) if answer is None else answer).cast(pl.String).alias("a"))["a"]
    found: dict[str, list[str | None]] = {"thread.messages": [], "thread.prompt": [], "thread.answer": []}
    for tree, name in zip(chunk.frame[TREE], answers, strict=True):
        messages, text = thread_of(_json(tree), name, thread.parent, thread.id)
        prompts = [message["content"] for message in messages if message["role"] == "user"]
        found["thread.messages"].append(orjson.dumps(messages).decode() if messages else None)
        found["thread.prompt"].append(prompts[-1] if prompts else None)
        found["thread.answer"].append(text)
    made = [pl.Series(name, values, dtype=pl.String) for name, values in found.items()]
    return replace(chunk, frame=chunk.frame.drop(TREE).with_columns(made))


def _with_chat(chunk: Chunk, chat: Chat) -> Chunk:
    """The chunk with `chat.messages`, `.prompt` and `.answer`."""
    columns = [name for name in chunk.frame.columns if name != ROW]
    sides = []
    for path in (chat.input, chat.output):
        value = path_expression(path, columns, chunk.frame.schema)
        text = pl.lit(None, pl.String) if value is None else _as_json(value)
        sides.append(chunk.frame.select(text.alias("side"))["side"])
    asked = [asked_of(text) for text in sides[0]]
    made = [
        pl.Series("chat.messages", [messages for messages, _ in asked], dtype=pl.String),
        pl.Series("chat.prompt", [prompt for _, prompt in asked], dtype=pl.String),
        pl.Series("chat.answer", [answer_of(text) for text in sides[1]], dtype=pl.String),
    ]
    return replace(chunk, frame=chunk.frame.with_columns(made))


def _json(text: str | None) -> Any:
    try:
        return orjson.loads(text) if text else None
    except orjson.JSONDecodeError:
        return None


def _exploded(chunk: Chunk, path: str) -> Chunk:
    columns = [name for name in chunk.frame.columns if name != ROW]
    value = path_expression(path, columns, chunk.frame.schema)
    if value is None:
        listed: pl.Expr = pl.lit(None, pl.List(pl.String))
    else:
        listed = _as_json(value).map_batches(_items, return_dtype=pl.List(pl.String), is_elementwise=True)
    frame = chunk.frame.with_columns(listed.alias(path)).filter(pl.col(path).list.len() > 0)
    frame = frame.with_columns(pl.int_ranges(1, pl.col(path).list.len() + 1).alias("\x00item"))
    frame = frame.explode([path, "\x00item"])
    frame = frame.with_columns((pl.col(ROW) * STRIDE + pl.col("\x00item")).alias(ROW)).drop("\x00item")
    unread = tuple(replace(row, row=row.row * STRIDE) for row in chunk.unread)
    empty = chunk.frame.height - (frame[ROW] // STRIDE).n_unique()
    return replace(
        chunk, frame=frame.with_columns(pl.col(ROW).cast(pl.Int64)), unread=unread,
        last_row=chunk.last_row * STRIDE + STRIDE - 1, passed_over=chunk.passed_over + empty,
    )  # fmt: skip


def _as_json(value: pl.Expr) -> pl.Expr:
    """A list column of any type as JSON text; text stays as it is."""

    def text(values: pl.Series) -> pl.Series:
        if values.dtype == pl.String:
            return values
        wrapped = values.alias("x").to_frame().select(pl.struct("x").struct.json_encode())
        return wrapped.to_series().str.json_path_match("$.x")

    return value.map_batches(text, return_dtype=pl.String, is_elementwise=True)


def _items(texts: pl.Series) -> pl.Series:
    return pl.Series([_list(text) for text in texts], dtype=pl.List(pl.String))


def _list(text: str | None) -> list[str | None] | None:
    found = _json(text)
    if isinstance(found, dict):  # named items: each without its name
        found = list(found.values())
    return [as_text(item) for item in found] if isinstance(found, list) else None


def _kept(chunk: Chunk, where: dict[str, Condition]) -> Chunk:
    columns = [name for name in chunk.frame.columns if name != ROW]
    meant = pl.lit(value=True)
    for path, condition in where.items():
        value = path_expression(path, columns, chunk.frame.schema)
        text = pl.lit(None, pl.String) if value is None else value.cast(pl.String)
        meant &= fits(text, condition)
    frame = chunk.frame.filter(meant)
    return replace(chunk, frame=frame, passed_over=chunk.passed_over + chunk.frame.height - frame.height)


def fits(text: pl.Expr, condition: Condition) -> pl.Expr:
    """Whether a value is what a condition asks."""
    if condition is None:
        return text.is_null() | (text == "")
    if condition == "*":
        return text.is_not_null() & (text != "")
    allowed = condition if isinstance(condition, tuple) else (condition,)
    spans: list[Span] = [found for one in allowed if (found := span(str(one))) is not None]
    words = [word(_written(one)) for one in allowed if span(str(one)) is None]
    number = decimal_point(text).cast(pl.Float64, strict=False)
    fits = word_expression(text).is_in(words)
    for one in spans:
        fits |= one.holds(number)
    return fits.fill_null(value=False)


def _written(value: object) -> str:
    return "true" if value is True else "false" if value is False else str(value)
