"""The text of the examples that are left: fetched once, brought into canonical form, checked for length and junk."""

from collections.abc import Iterator

import orjson
import polars as pl

from feedback_pipeline.privacy.placeholders import PLACEHOLDER, PLACEHOLDER_PATTERN
from feedback_pipeline.tables.parquet import of_ids
from feedback_pipeline.training.funnel import Funnel
from feedback_pipeline.training.json_lines import json_value
from feedback_pipeline.training.messages import conversation, text_shapes
from feedback_pipeline.training.placeholders import filled
from feedback_pipeline.training.rules import CurationSettings
from feedback_pipeline.training.tokens import MESSAGE_OVERHEAD, exceeds

REPETITION_WORDS = 50
"""Shorter answers are not checked for repetition."""

REPETITION_SHARE = 0.2
"""Share of different words below which a text repeats itself (after Rae et al., arXiv 2112.11446, appendix A1)."""

_TAIL = 12
_RECURRENCES = 3

_BLOCK = 100_000
"""Rows whose text is fetched at a time, but whole days: it bounds memory."""

_TEXTS = {"messages": pl.String, "completion": pl.String, "shape": pl.String, "problem": pl.String,
          "placeholders_filled": pl.UInt32}  # fmt: skip
_READ = ("messages", "completion", "tenant", "conversation_id", "interaction_id")


def with_texts(
    rows: pl.DataFrame, answers: pl.LazyFrame, corrections: pl.DataFrame, settings: CurationSettings, funnel: Funnel
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows (in their order) whose text can be trained on, and apart from them row_id, messages, completion, shape
    and placeholders_filled: text is kept out of the way of what follows."""
    written = corrections.select("event", "correction")
    narrow = rows.select("row_id", "interaction_id", "tenant", "conversation_id", "event", "answer_day")
    checked = [_checked(block, answers, written, settings) for block in _days(narrow)]
    texts = pl.concat(checked) if checked else pl.DataFrame(schema={"row_id": pl.String, **_TEXTS})
    problem = rows.select("row_id").join(
        texts.select("row_id", "problem"), on="row_id", how="left", maintain_order="left"
    )["problem"]  # fmt: skip
    whole = problem.is_null() | problem.is_in(["too_long", "repeats"])
    kept = rows.filter(problem.is_null())
    funnel.count(rows.height, int(whole.sum()), "conversation", "example",
                 "roles, tool calls or content out of order, or nothing to fill a placeholder with")  # fmt: skip
    funnel.count(int(whole.sum()), kept.height, "length and repetition", "example",
                 f"over {settings.maximum_tokens} tokens, or repeats itself")  # fmt: skip
    return kept, texts.filter(pl.col("problem").is_null()).drop("problem")


def _days(rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The rows in blocks of whole days of their answers, so that each block reads few files."""
    days = rows.group_by("answer_day").len().sort("answer_day")
    block = days.with_columns(block=(pl.col("len").cum_sum() - 1) // _BLOCK)
    for part in block.partition_by("block", maintain_order=True):
        yield rows.filter(pl.col("answer_day").is_between(part["answer_day"].min(), part["answer_day"].max()))


def _checked(
    block: pl.DataFrame, answers: pl.LazyFrame, corrections: pl.DataFrame, settings: CurationSettings
) -> pl.DataFrame:
    between = pl.col("day").is_between(block["answer_day"].min(), block["answer_day"].max())
    texts = (
        of_ids(answers.filter(between), "interaction_id", block["interaction_id"])
        .select("interaction_id", "messages", "answer", prompt=pl.when(pl.col("messages").is_null()).then("prompt"))
        .collect(engine="streaming")
    )
    joined = (
        block.join(texts, on="interaction_id", how="left")
        .join(corrections, on="event", how="left")
        .with_columns(completion=pl.coalesce("correction", "answer"), messages=_input())
    )
    shaped = joined.with_columns(text_shapes(joined["messages"])).with_columns(ordinary=_ordinary(settings))
    plain = shaped.filter("ordinary")
    others = shaped.filter(~pl.col("ordinary"))
    found = [_text(row, settings) for row in others.select(_READ).iter_rows()]
    return pl.concat(
        [
            plain.select(
                "row_id",
                "messages",
                "completion",
                "shape",
                problem=pl.lit(None, dtype=pl.String),
                placeholders_filled=pl.lit(0, dtype=pl.UInt32),
            ),
            others.select("row_id").hstack(pl.DataFrame(found, schema=_TEXTS, orient="row")),
        ]
    )


def _input() -> pl.Expr:
    """The logged messages, or the prompt as their only message where none were logged."""
    alone = pl.concat_str(pl.lit('[{"role":"user","content":'), json_value("prompt"), pl.lit("}]"))
    return pl.coalesce("messages", pl.when(pl.col("prompt").str.len_bytes() > 0).then(alone))


def _ordinary(settings: CurationSettings) -> pl.Expr:
    """True where nothing needs a closer look: text in canonical form, short enough by its bytes alone (a token is at
    least one), no tail that recurs, and no placeholder to be filled."""
    said = pl.col("completion")
    size = pl.col("messages").str.len_bytes() + said.str.len_bytes() + 2 * MESSAGE_OVERHEAD
    calm = said.str.count_matches(said.str.tail(_TAIL), literal=True) < _RECURRENCES
    wanted = [pl.col("shape").is_not_null(), size <= settings.maximum_tokens, calm]
    looked_at = ("messages", "completion") if settings.placeholders == "fill" else ("messages",)
    wanted += [~pl.col(name).str.contains(PLACEHOLDER) for name in looked_at]
    return pl.all_horizontal(wanted).fill_null(value=False)


def _text(row: tuple[str | None, ...], settings: CurationSettings) -> tuple[str, str, str | None, str | None, int]:
    """Messages, completion, shape, problem and placeholders filled of one example."""
    messages, completion, tenant, conversation_id, interaction_id = row
    said = completion or ""
    form = conversation(messages, None)
    if form.problem:
        return "", "", None, form.problem, 0
    asked, count = form.messages, 0
    if settings.placeholders == "drop" and _answered_with_placeholder(asked):
        return "", "", None, "placeholder_in_earlier_answer", 0
    if settings.placeholders == "fill" and (PLACEHOLDER_PATTERN.search(said) or PLACEHOLDER_PATTERN.search(asked)):
        replaced = filled((asked, said), f"{tenant}\x1f{conversation_id or interaction_id}", settings.key)
        if replaced is None:
            return "", "", None, "unknown_placeholder", 0
        (asked, said), count = replaced
    if exceeds((asked, said), settings.maximum_tokens):
        return "", "", form.shape, "too_long", 0
    if _repeats(said):
        return "", "", form.shape, "repeats", 0
    return asked, said, form.shape, None, count


def _answered_with_placeholder(messages: str) -> bool:
    """Whether an earlier answer of the conversation holds one: models are trained on those, too."""
    if not PLACEHOLDER_PATTERN.search(messages):
        return False
    said = (turn for turn in orjson.loads(messages) if turn.get("role") == "assistant")
    return any(PLACEHOLDER_PATTERN.search(orjson.dumps(turn).decode()) for turn in said)


def _repeats(text: str) -> bool:
    """Whether a model got stuck: its last characters recur, and few of its words are different ones."""
    if text.count(text[-_TAIL:]) < _RECURRENCES:
        return False
    words = text.split()
    return len(words) >= REPETITION_WORDS and len(set(words)) < REPETITION_SHARE * len(words)


def paired_texts(
    pairs: pl.DataFrame, answers: pl.LazyFrame, settings: CurationSettings, funnel: Funnel
) -> pl.DataFrame:
    """Adds messages, shape, chosen and rejected to pairs of answers; both must be to exactly the same input."""
    ids = pl.concat([pairs["chosen_interaction_id"], pairs["rejected_interaction_id"]])
    texts = (
        of_ids(answers, "interaction_id", ids)
        .select("interaction_id", "messages", "prompt", "answer")
        .collect(engine="streaming")
    )
    joined = (
        pairs.join(texts, left_on="chosen_interaction_id", right_on="interaction_id", how="left")
        .join(texts, left_on="rejected_interaction_id", right_on="interaction_id", how="left", suffix="_rejected")
        .sort("row_id")
    )
    unlogged = pl.col("messages").is_null() & (pl.col("prompt") == pl.col("prompt_rejected"))
    equal = pl.col("messages").eq_missing(pl.col("messages_rejected")) & (pl.col("messages").is_not_null() | unlogged)
    comparable = funnel.keep(joined, equal, "same input", "pair", "the two answers had different histories")
    names = ("messages", "prompt", "answer", "answer_rejected", "tenant", "conversation_id", "chosen_interaction_id")
    found = [_texts_of_pair(row, settings) for row in comparable.select(names).iter_rows()]
    columns = dict.fromkeys(("messages", "chosen", "rejected", "shape", "problem"), pl.String)
    texts_found = pl.DataFrame(found, schema=columns, orient="row")
    apart = ("messages", "prompt", "answer", "messages_rejected", "prompt_rejected", "answer_rejected")
    written = comparable.drop(apart).hstack(texts_found)
    return funnel.keep(
        written, pl.col("problem").is_null(), "conversation and length", "pair",
        "roles, tool calls or content out of order, too long, or a placeholder in an earlier answer or of a kind that "
        "nothing is invented for",
    ).drop("problem")  # fmt: skip


def _texts_of_pair(
    row: tuple[str | None, ...], settings: CurationSettings
) -> tuple[str, str, str, str | None, str | None]:
    """Messages, the better and the worse answer, shape and problem of one pair."""
    messages, prompt, chosen, rejected, tenant, conversation_id, chosen_id = row
    form = conversation(messages, prompt)
    if form.problem is not None:
        return "", "", "", form.shape, form.problem
    texts = (form.messages, chosen or "", rejected or "")
    if settings.placeholders == "drop" and _answered_with_placeholder(form.messages):
        return "", "", "", form.shape, "placeholder_in_earlier_answer"
    if settings.placeholders == "fill" and any(PLACEHOLDER_PATTERN.search(text) for text in texts):
        replaced = filled(texts, f"{tenant}\x1f{conversation_id or chosen_id}", settings.key)
        if replaced is None:
            return "", "", "", form.shape, "unknown_placeholder"
        texts = (replaced[0][0], replaced[0][1], replaced[0][2])
    if any(exceeds((texts[0], side), settings.maximum_tokens) for side in texts[1:]):
        return "", "", "", form.shape, "too_long"
    return *texts, form.shape, None
