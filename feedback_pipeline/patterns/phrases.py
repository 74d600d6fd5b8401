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
    written = texts.drop_nulls("text").head(MAX_TEXTS)
    said = " " + written["text"].str.to_lowercase().str.replace_all(_APART, " ") + " "
    kept: list[tuple[str, pl.Series]] = []
    for term, people, words in ranked.select("term", "people", "words").iter_rows():
        longer = ranked.filter(
            pl.col("term").str.contains(term, literal=True) & (pl.col("words") > words)
            & (pl.col("people") >= SAME * people)
        )  # fmt: skip
        if longer.height:
            continue
        within = said.str.contains(f" {term} ", literal=True)
        beside = [place for place, (name, other) in enumerate(kept)
                  if _together(within, other) >= ONE_SENTENCE or f" {name} " in f" {term} "]  # fmt: skip
        for place in beside:
            name, other = _longest(kept[place], term, said)
            if written.filter(other)["person"].n_unique() >= min_people:
                kept[place] = name, other
        if not beside:
            kept.append((term, within))
        if len(kept) == most:
            break
    counts = {term: (people, documents) for term, people, documents in told.select("term", "people", "texts").rows()}
    rows = [
        (term, *counts.get(term, (written.filter(within)["person"].n_unique(), int(within.sum()))))
        for term, within in kept
    ]
    return pl.DataFrame(rows, schema=summed.select("term", "people", "texts").schema, orient="row")


def _longest(kept: tuple[str, pl.Series], term: str, said: pl.Series) -> tuple[str, pl.Series]:
    """The phrase with the one that goes on before or after it, where they are said as one about as often."""
    name, within = kept
    for first, second in ((term.split(), name.split()), (name.split(), term.split())):
        for shared in range(min(len(first), len(second)) - 1, 0, -1):
            if first[-shared:] == second[:shared]:
                joined = " ".join([*first, *second[shared:]])
                found = said.str.contains(f" {joined} ", literal=True)
                if _together(found, within) >= ONE_SENTENCE:
                    return joined, found
    return kept


def _together(one: pl.Series, other: pl.Series) -> float:
    """The share of the texts with either phrase that have both."""
    either = int((one | other).sum())
    return int((one & other).sum()) / either if either else 0.0
