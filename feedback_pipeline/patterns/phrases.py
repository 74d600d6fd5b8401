"""What texts have in common, where no verdict divides them: phrases that several people use."""

import datetime as dt

import polars as pl

from feedback_pipeline.patterns.terms import MIN_PEOPLE, count_terms
from feedback_pipeline.patterns.topics import stop_words

SAME = 0.8
"""A part of a phrase that this share of its people use within the phrase says nothing beside it."""

ONE_SENTENCE = 0.7
"""Phrases that come together in this share of the texts with either are fragments of one sentence, said once."""

MAX_LOOKED_AT = 300
MAX_TEXTS = 20_000
_APART = r"[^\p{L}\p{N}'’]+"
_NO_DAY = dt.date(1970, 1, 1)


def common_phrases(texts: pl.DataFrame, *, min_people: int = MIN_PEOPLE, most: int = 10) -> pl.DataFrame:
    """`term`, `people` and `texts` of the phrases (one to three words) of most people, each said once.

    Args:
        texts: `text` (redacted) and `person`; one person may have several.
        min_people: phrases of fewer are not given.
        most: how many to give.
    """
    about = texts.select("text", "person", verdict=pl.lit(0, pl.Int8), field=pl.lit("comment"))
    counted = count_terms(about, day=_NO_DAY, min_people=min_people)
    summed = (
        counted.filter(pl.col("words") > 0)
        .group_by("term", "words")
        .agg(people=pl.col("term_people").sum(), texts=pl.col("documents").sum())
    )
    if summed.is_empty():
        return summed.select("term", "people", "texts")
    stops = list(stop_words())
    ends = pl.col("term").str.split(" ")
    told = summed.filter(~ends.list.first().is_in(stops) & ~ends.list.last().is_in(stops))
    ranked = told.sort("people", "words", "term", descending=[True, True, False]).head(MAX_LOOKED_AT)
    said = " " + texts["text"].drop_nulls().head(MAX_TEXTS).str.to_lowercase().str.replace_all(_APART, " ") + " "
    kept: list[tuple[str, pl.Series]] = []
    for term, people, words in ranked.select("term", "people", "words").iter_rows():
        longer = ranked.filter(
            pl.col("term").str.contains(term, literal=True) & (pl.col("words") > words)
            & (pl.col("people") >= SAME * people)
        )  # fmt: skip
        if longer.height:
            continue
        within = said.str.contains(f" {term} ", literal=True)
        if any(_together(within, other) >= ONE_SENTENCE or f" {name} " in f" {term} " for name, other in kept):
            continue
        kept.append((term, within))
        if len(kept) == most:
            break
    order = pl.DataFrame({"term": [term for term, _ in kept]}, schema={"term": pl.String})
    return order.join(told, on="term", maintain_order="left").select("term", "people", "texts")


def _together(one: pl.Series, other: pl.Series) -> float:
    """The share of the texts with either phrase that have both."""
    either = int((one | other).sum())
    return int((one & other).sum()) / either if either else 0.0
