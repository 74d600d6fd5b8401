"""What texts have in common, where no verdict divides them: phrases that several people use."""

import datetime as dt

import polars as pl

from feedback_pipeline.patterns.terms import MIN_PEOPLE, count_terms
from feedback_pipeline.patterns.topics import stop_words

SAME = 0.8
"""A part of a phrase that this share of its people use within the phrase says nothing beside it."""

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
    rows = told.sort("people", "words", "term", descending=[True, True, False]).rows(named=True)
    kept: list[str] = []
    for row in rows:
        inside = f" {row['term']} "
        whole = any(
            inside in f" {other['term']} " and other["words"] > row["words"] and other["people"] >= SAME * row["people"]
            for other in rows
        )
        part = any(f" {other} " in inside for other in kept)
        if not whole and not part:
            kept.append(row["term"])
        if len(kept) == most:
            break
    order = pl.DataFrame({"term": kept}, schema={"term": pl.String})
    return order.join(told, on="term", maintain_order="left").select("term", "people", "texts")
