"""`vote_facts`: the narrow rows that statistics read. One verdict by one person on one answer, without text."""

import hashlib

import polars as pl

from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK, VOTE_FACTS

PROMPT_BANDS = ((200, "short"), (1000, "medium"), (4000, "long"))
ANSWER_BANDS = ((300, "short"), (1500, "medium"), (6000, "long"))
MAX_BAND = "very long"

READS = tuple(
    name
    for name in CLEAN_FEEDBACK.names
    if name in {*VOTE_FACTS.names, "counts", "tenant", "voter", "prompt_chars", "answer_chars"}
)
"""The columns of CLEAN_FEEDBACK that are read."""

_VERDICT_CODES = {"up": 1, "neutral": 0, "down": -1}


def vote_facts(clean_feedback: pl.DataFrame) -> pl.DataFrame:
    """The verdicts of a day that count (CLEAN_FEEDBACK) as VOTE_FACTS; preferences and comments are not among them."""
    counted = clean_feedback.filter("counts")
    facts = counted.with_columns(
        person=_person(counted),
        verdict=pl.col("verdict").replace_strict(_VERDICT_CODES, return_dtype=pl.Int8),
        prompt_length=_band("prompt_chars", PROMPT_BANDS),
        answer_length=_band("answer_chars", ANSWER_BANDS),
    )
    return VOTE_FACTS.conform(facts).sort("feedback_id")


def _person(votes: pl.DataFrame) -> pl.Series:
    """A stable 64-bit hash of tenant and voter, computed once for each voter of the day."""
    people = votes.select("tenant", "voter").unique(maintain_order=True)
    codes = [
        int.from_bytes(hashlib.blake2b(f"{tenant}\x1f{voter}".encode(), digest_size=8).digest(), "little")
        for tenant, voter in people.iter_rows()
    ]
    coded = people.with_columns(person=pl.Series(codes, dtype=pl.UInt64))
    return votes.select("tenant", "voter").join(coded, on=["tenant", "voter"], how="left", maintain_order="left")[
        "person"
    ]


def _band(column: str, bands: tuple[tuple[int, str], ...]) -> pl.Expr:
    chosen: pl.Expr = pl.lit(MAX_BAND)
    for below, name in reversed(bands):
        chosen = pl.when(pl.col(column) < below).then(pl.lit(name)).otherwise(chosen)
    return pl.when(pl.col(column).is_not_null()).then(chosen)
