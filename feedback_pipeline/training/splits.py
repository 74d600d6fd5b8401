"""Train, validation and holdout, without leaks.

A conversation goes to one split by a keyed hash, so it never moves between weeks; a row without one goes by its
prompt. The newest days are held out. Whatever in train then shares a group of near-duplicate prompts or a conversation
with held-out rows is dropped from train. (Grouping by people as well would make one component of everything: people
overlap, so their overlap is reported, and a subset of strangers to train is marked.)
"""

from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from feedback_pipeline.training.draws import uniform
from feedback_pipeline.training.rules import CurationSettings

_HELD_OUT = pl.col("split") != "train"


@dataclass(frozen=True)
class Overlap:
    """People in train and in held-out rows.

    Attributes:
        train_people: voters behind train.
        held_out_people: voters behind validation and holdout.
        both: voters behind either.
        unseen_rows: held-out rows none of whose voters is behind train.
    """

    train_people: int
    held_out_people: int
    both: int
    unseen_rows: int


def assigned(rows: pl.DataFrame, settings: CurationSettings, window_end: date) -> pl.DataFrame:
    """Adds `split` and `conversation_key`. Reads tenant, conversation_id, prompt_hash, row_id and day.

    A conversation id that too many rows share is a constant of some source: it becomes null.
    """
    turns = pl.len().over("tenant", "conversation_id")
    constant = pl.col("conversation_id").is_not_null() & (turns > settings.conversation_rows)
    real = rows.with_columns(conversation_id=pl.when(~constant).then("conversation_id"))
    keyed = with_conversation_key(real)
    group = keyed.select(pl.coalesce("conversation_key", pl.col("prompt_hash").cast(pl.String), "row_id")).to_series()
    drawn = uniform(group, settings.key, "split")
    newest = pl.col("day") > window_end - timedelta(days=settings.holdout_days)
    split = (
        pl.when(newest)
        .then(pl.lit("holdout"))
        .when(drawn < settings.validation_share)
        .then(pl.lit("validation"))
        .otherwise(pl.lit("train"))
    )
    return keyed.with_columns(split=split)


def with_conversation_key(rows: pl.DataFrame) -> pl.DataFrame:
    """Adds `conversation_key`, the conversation within its tenant; null without one."""
    return rows.with_columns(conversation_key=pl.concat_str("tenant", "conversation_id", separator="\x1f"))


def leaks(rows: pl.DataFrame, held_out: pl.DataFrame) -> pl.Series:
    """For each row, whether `held_out` has a row with its group of prompts or its conversation."""
    clusters = held_out["cluster"].unique()
    conversations = held_out["conversation_key"].drop_nulls().unique()
    return rows.select(
        pl.col("cluster").is_in(clusters.implode())
        | pl.col("conversation_key").is_in(conversations.implode()).fill_null(value=False)
    ).to_series()


def without_leaks(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows without those of train that leak from held-out rows."""
    held_out = rows.filter(_HELD_OUT)
    return rows.filter(_HELD_OUT | ~leaks(rows, held_out))


def with_unseen_people(rows: pl.DataFrame) -> pl.DataFrame:
    """Adds `unseen_person`: a held-out row none of whose voters is behind train."""
    people = _people(rows).with_columns(in_train=(~_HELD_OUT).any().over("tenant", "voters"))
    by_row = people.group_by("row_id").agg(seen=pl.col("in_train").any())
    seen = rows.select("row_id").join(by_row, on="row_id", how="left", maintain_order="left")["seen"]
    return rows.with_columns(unseen_person=_HELD_OUT & ~seen.fill_null(value=False))


def overlap(rows: pl.DataFrame) -> Overlap:
    """How far the people behind train and behind the held-out rows are the same."""
    people = (
        _people(rows)
        .group_by("tenant", "voters")
        .agg(train=(~_HELD_OUT).any(), held_out=_HELD_OUT.any())
        .select("train", "held_out")
    )
    return Overlap(
        train_people=int(people["train"].sum()),
        held_out_people=int(people["held_out"].sum()),
        both=people.filter(pl.col("train") & pl.col("held_out")).height,
        unseen_rows=int(rows["unseen_person"].sum()),
    )


def _people(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select("row_id", "tenant", "split", "voters").explode("voters")
