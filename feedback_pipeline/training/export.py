"""The votes of some days as one file: for people and programs that want them as they are, not curated.

Reads cleaned, consented data, a day at a time. The fixed weights are those of policy `original`; deduplicated,
leak-free and capped files are made by the training assets.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import polars as pl

from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK, CLEAN_INTERACTIONS
from feedback_pipeline.tables.parquet import of_ids
from feedback_pipeline.training.files import with_last_question
from feedback_pipeline.training.formats import FORMATS
from feedback_pipeline.training.json_lines import escaped_separators, json_value
from feedback_pipeline.training.live_days import Days
from feedback_pipeline.training.messages import conversation, text_shapes
from feedback_pipeline.training.regression import what_was_said
from feedback_pipeline.training.weights import ORIGINAL

Rating = Literal["positive", "negative"]
ExportFormat = Literal["finetuning", "positive", "promptfoo", "json", "jsonl"]

_LINES = {"finetuning": "feedback_export", "positive": "positive_examples", "promptfoo": "promptfoo_yaml"}
TRAINING = ("finetuning", "positive")
"""Formats for training: only votes and answers that allow it, only whole conversations."""

_SHOWN = ("feedback_id", "interaction_id", "tenant", "project", "content_type", "content_id", "action_type", "intent",
          "model", "prompt_version", "rating", "stars", "reasons", "comment", "correction", "prompt", "answer", "input",
          "snapshot", "occurred_at")  # fmt: skip
_FROM_ANSWER = ("interaction_id", "content_type", "messages", "prompt", "answer", "content_snapshot",
                pl.col("use_for_training").alias("answer_allowed"))  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """Which votes are exported.

    Attributes:
        format: what the file is.
        first: first day of the votes.
        last: last day.
        tenant: only this tenant's; None for all.
        content_type: only votes on this kind of content.
        rating: only approving or only disapproving ones.
    """

    format: ExportFormat
    first: date
    last: date
    tenant: str | None = None
    content_type: str | None = None
    rating: Rating | None = None

    @property
    def days(self) -> list[date]:
        return [self.first + timedelta(days=offset) for offset in range((self.last - self.first).days + 1)]


@dataclass(frozen=True)
class Part:
    """The votes of one day: their lines, how many approve, and how many no line can be made of."""

    day: date
    lines: pl.Series
    positive: int
    skipped: int


def parts(frames: Days, wanted: Wanted) -> Iterator[Part]:
    """The lines of each day that has votes, in the order of the votes.

    `promptfoo` gives the items of a YAML list of tests: the failures and corrections; `jsonl` and `json` one object a
    vote, where `input` is the messages as sent (JSON) or else the prompt, and `snapshot` what was shown (JSON) or else
    the answer.
    """
    for day in wanted.days:
        votes = _votes(frames, wanted, day)
        if votes.is_empty():
            continue
        about = frames.scan(CLEAN_INTERACTIONS, votes["interaction_day"].unique().sort().to_list())
        answers = of_ids(about, "interaction_id", votes["interaction_id"]).select(_FROM_ANSWER).collect()
        rows = (
            votes.join(answers, on="interaction_id", how="left")
            .with_columns(pl.col(pl.Categorical).cast(pl.String))
            .sort("occurred_at", "feedback_id")
        )
        if wanted.content_type is not None:
            rows = rows.filter(pl.col("content_type") == wanted.content_type)
        if wanted.format in TRAINING:
            rows = rows.filter("answer_allowed")
        kept, lines = _lines(rows, wanted.format)
        if rows.height:
            yield Part(day, lines, int(kept["label"].sum()), rows.height - kept.height)


def _votes(frames: Days, wanted: Wanted, day: date) -> pl.DataFrame:
    """The verdicts and corrections of a day that may be used, with `label`."""
    corrected = pl.col("kind") == "correction"
    judged = pl.col("counts") & pl.col("verdict").is_in(["up", "down"])
    rows = frames.scan(CLEAN_FEEDBACK, [day]).filter(judged | corrected)
    # text that only a browser vouches for never leaves unreviewed; days computed before the rule was are computed anew
    admissible = pl.col("use_for_training") & pl.col("admissible").fill_null(value=False)
    rows = rows.filter(admissible if wanted.format in TRAINING else pl.col("use_for_analysis"))
    if wanted.tenant is not None:
        rows = rows.filter(pl.col("tenant") == wanted.tenant)
    trains = wanted.format in TRAINING
    # a correction disapproves of the answer, and is itself what should have been said
    label = (pl.col("verdict") == "up") | corrected if trains else pl.col("verdict") == "up"
    found = rows.with_columns(label=label.fill_null(value=False)).drop("content_type").collect()
    if wanted.format == "positive":
        return found.filter("label")
    if wanted.format == "promptfoo":
        return found.filter(~pl.col("label") | corrected)
    if wanted.rating is None:
        return found
    return found.filter(pl.col("label") == (wanted.rating == "positive"))


def _lines(rows: pl.DataFrame, format_: ExportFormat) -> tuple[pl.DataFrame, pl.Series]:
    if format_ in ("json", "jsonl"):
        rated = rows.with_columns(
            rating=pl.when("label").then(pl.lit("positive")).otherwise(pl.lit("negative")),
            input=pl.coalesce("messages", "prompt"),
            snapshot=pl.coalesce("shown", "content_snapshot", "answer"),
        )
        objects = rated.select(escaped_separators(pl.struct(_SHOWN).struct.json_encode() + "\n")).to_series()
        return rated, objects
    sound = _conversations(rows).with_columns(
        example_id="feedback_id",
        feedback_ids=pl.concat_list("feedback_id"),
        completion=pl.coalesce("correction", "answer"),
        kind=pl.when(pl.col("kind") == "correction").then(pl.lit("correction")).otherwise(pl.lit("answer")),
        split=pl.lit("all"),
        people=pl.lit(1),
        since="day",
        said=what_was_said(),
        weight=pl.when("label").then(ORIGINAL.positive).otherwise(ORIGINAL.negative),
    ).filter(pl.col("completion").str.len_bytes() > 0)  # fmt: skip
    written = FORMATS[_LINES[format_]]
    assert written.line is not None, "no table is exported"
    line = written.line if written.wrap is None else written.wrap(written.line)
    return sound, with_last_question(sound).select(line).to_series()


def _conversations(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows whose input is a conversation, with `messages` in canonical form."""
    alone = pl.concat_str(pl.lit('[{"role":"user","content":'), json_value("prompt"), pl.lit("}]"))
    given = rows.with_columns(messages=pl.coalesce("messages", alone))
    ordinary = text_shapes(given["messages"]).is_not_null()
    others = given.filter(~ordinary)
    forms = [conversation(messages, None) for messages in others["messages"]]
    canonical = pl.Series("messages", [None if form.problem else form.messages for form in forms], dtype=pl.String)
    rewritten = others.with_columns(canonical).filter(pl.col("messages").is_not_null())
    return pl.concat([given.filter(ordinary), rewritten]).sort("occurred_at", "feedback_id")


def framed(lines: Sequence[pl.Series], format_: ExportFormat) -> Iterator[str]:
    """The lines as the text of a file: `json` is one array, everything else line after line."""
    if format_ != "json":
        yield from ("".join(part) for part in lines)
        return
    yield "["
    for number, part in enumerate(lines):
        joined = ",".join(text.removesuffix("\n") for text in part)
        yield ("," if number and joined else "") + joined
    yield "]\n"
