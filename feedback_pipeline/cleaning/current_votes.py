"""Votes in one shape for judging voters: who said what about which item, and when.

An item is an answer or a pair of answers; what is said of it is a score of 1, 0 or −1: up, neutral or down of an
answer; the one that comes first by id, a tie, or the other one of a pair.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

PERSON = ("tenant", "voter")

READS = (
    "feedback_id", "tenant", "voter", "kind", "occurred_at", "interaction_id", "other_interaction_id", "preference",
    "verdict", "counts",
)  # fmt: skip
"""The columns of CLEAN_FEEDBACK that are read."""

_BALLOT_COLUMNS = ("feedback_id", "tenant", "voter", "kind", "occurred_at", "interaction_id")
_BY_HAND = ("explicit", "preference")


@dataclass(frozen=True)
class Ballots:
    """The judgements of a window; ballots are in the order of voter and item, one for each of both.

    Attributes:
        voters: tenant, voter; a voter is a row number of it. Sorted.
        tenant: code of each voter's tenant.
        voter, score, moment: of each ballot; the moment in milliseconds from 1970.
        is_pair: the ballot is about a pair of answers.
        by_hand: the ballot was cast by a person and not derived from what happened.
        item: number of each ballot's item; those that several voters judged come first.
        shared_items: how many those are.
        rows: tenant, interaction_id, item_key of each ballot.
    """

    voters: pl.DataFrame
    tenant: Ints
    voter: Ints
    score: Ints
    moment: Ints
    is_pair: Flags
    by_hand: Flags
    item: Ints
    shared_items: int
    rows: pl.DataFrame

    @property
    def people(self) -> int:
        return self.voters.height


def gather(votes: pl.DataFrame) -> Ballots:
    """The verdicts that count and the preferences in rows of CLEAN_FEEDBACK."""
    cast = pl.concat([_verdicts(votes), _preferences(votes)])
    voters = cast.select(PERSON).unique().sort(PERSON)
    numbered = cast.join(voters.with_row_index("number"), on=PERSON, how="left")
    ordered = (
        numbered.sort("number", "item_key", "occurred_at", "feedback_id")
        .unique(["number", "item_key"], keep="last", maintain_order=True)
        .with_columns(judged_by=pl.len().over("tenant", "item_key"))
    )
    shared = ordered.filter(pl.col("judged_by") > 1).select("tenant", "item_key").unique().sort("tenant", "item_key")
    placed = ordered.join(shared.with_row_index("item"), on=["tenant", "item_key"], how="left", maintain_order="left")
    single = shared.height + pl.col("item").is_null().cum_sum() - 1
    return Ballots(
        voters=voters,
        tenant=voters["tenant"].rank("dense").to_numpy().astype(np.int64) - 1,
        voter=placed["number"].to_numpy().astype(np.int64),
        score=placed["score"].to_numpy().astype(np.int64),
        moment=placed["occurred_at"].dt.epoch("ms").to_numpy().astype(np.int64),
        is_pair=placed["is_pair"].to_numpy(),
        by_hand=placed["by_hand"].to_numpy(),
        item=placed.select(pl.coalesce("item", single).cast(pl.Int64)).to_series().to_numpy(),
        shared_items=shared.height,
        rows=placed.select("tenant", "interaction_id", "item_key"),
    )


def _verdicts(votes: pl.DataFrame) -> pl.DataFrame:
    scores = {"up": 1, "neutral": 0, "down": -1}
    return (
        votes.filter(pl.col("counts") & pl.col("verdict").is_not_null())
        .select(*_BALLOT_COLUMNS, score=pl.col("verdict").replace_strict(scores, return_dtype=pl.Int8))
        .select(
            *_BALLOT_COLUMNS,
            "score",
            is_pair=pl.lit(value=False),
            item_key=pl.col("interaction_id"),
            by_hand=pl.col("kind").is_in(_BY_HAND),
        )
    )


def _preferences(votes: pl.DataFrame) -> pl.DataFrame:
    this, other = pl.col("interaction_id"), pl.col("other_interaction_id")
    won = pl.col("preference").replace_strict({"this": 1, "tie": 0, "other": -1}, return_dtype=pl.Int8)
    return votes.filter(pl.col("preference").is_not_null() & other.is_not_null()).select(
        *_BALLOT_COLUMNS,
        score=pl.when(this <= other).then(won).otherwise(-won),
        is_pair=pl.lit(value=True),
        item_key=pl.concat_str(pl.min_horizontal(this, other), pl.max_horizontal(this, other), separator="\x1f"),
        by_hand=pl.lit(value=True),
    )
