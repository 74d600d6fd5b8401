"""The language of a text by its function words: enough to keep the words of two languages apart."""

import tomllib
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

Counts = NDArray[np.int64]

MAX_CHARACTERS = 500
MIN_WORDS = 2
"""Function words of one language, and of no other as many, that make a text one of that language."""
MAIN_SHARE = 0.8
_SCRIPTS = {"ja": r"[\p{Hiragana}\p{Katakana}]", "ko": r"\p{Hangul}", "zh": r"\p{Han}", "ru": r"\p{Cyrillic}",
            "ar": r"\p{Arabic}", "he": r"\p{Hebrew}", "el": r"\p{Greek}", "th": r"\p{Thai}"}  # fmt: skip
"""Scripts that are nearly one language's own."""


@cache
def listed_words() -> dict[str, frozenset[str]]:
    """The most frequent function words of each language."""
    lists = tomllib.loads(Path(__file__).with_name("stop_words.toml").read_text(encoding="utf-8"))
    return {name: frozenset(text.split()) for name, text in lists.items()}


@cache
def function_words() -> dict[str, frozenset[str]]:
    """The function words of each language that are no other's."""
    words = listed_words()
    return {
        name: frozenset(word for word in own if not any(word in other for key, other in words.items() if key != name))
        for name, own in words.items()
    }


@cache
def _dictionary() -> pl.DataFrame:
    rows = [(word, place) for place, words in enumerate(function_words().values()) for word in sorted(words)]
    return pl.DataFrame(rows, schema={"word": pl.String, "language": pl.Int64}, orient="row")


def languages_of(texts: pl.Series, declared: pl.Series | None = None) -> pl.Series:
    """The language of each text as a code (`de`); the declared one, else "", where its words do not tell."""
    beginnings = openings(texts)
    told = spoken(beginnings, function_words_in(beginnings), declared)
    return told.replace("", main_language(told))


def openings(texts: pl.Series) -> pl.Series:
    """As much of each text as tells its language, in lower case."""
    return texts.fill_null("").str.slice(0, MAX_CHARACTERS).str.to_lowercase()


def function_words_in(texts: pl.Series) -> Counts:
    """How many function words of each language are in each text, which is in lower case; shape (texts, languages)."""
    rows = pl.DataFrame({"text": texts}).with_row_index("row")
    words = rows.select("row", word=pl.col("text").str.extract_all(r"\p{L}+")).explode("word")
    known = words.join(_dictionary(), on="word", how="inner")
    languages = len(function_words())
    cells = known["row"].cast(pl.Int64).to_numpy() * languages + known["language"].to_numpy()
    return np.bincount(cells, minlength=len(texts) * languages).reshape(-1, languages)


def spoken(texts: pl.Series, counts: Counts, declared: pl.Series | None = None) -> pl.Series:
    """The languages of texts (as `openings`) from their function words (as `function_words_in`), "" where they do not
    tell it."""
    names = pl.Series(list(function_words()))
    most = counts.max(axis=1, initial=0)
    clear = (most >= MIN_WORDS) & ((counts == most[:, None]).sum(axis=1) == 1)
    by_words = pl.select(pl.when(pl.Series(clear)).then(names.gather(counts.argmax(axis=1)))).to_series()
    known = pl.DataFrame({"script": _scripts(texts), "language": by_words}).with_columns(
        declared=pl.lit("") if declared is None else declared.cast(pl.String).fill_null("")
    )
    return known.select(pl.coalesce("script", "language", "declared").alias("language"))["language"]


def _scripts(texts: pl.Series) -> pl.Series:
    """The language whose own script is in each text; null where there is none."""
    foreign = (texts.str.len_bytes() != texts.str.len_chars()).arg_true()
    foreign = foreign.filter(texts.gather(foreign).str.contains("|".join(_SCRIPTS.values())))
    script: pl.Expr = pl.lit(None, pl.String)
    for name, pattern in reversed(_SCRIPTS.items()):
        script = pl.when(pl.col("text").str.contains(pattern)).then(pl.lit(name)).otherwise(script)
    found = texts.gather(foreign).to_frame("text").select(script.alias("text")).to_series()
    return pl.repeat(None, len(texts), dtype=pl.String, eager=True).scatter(foreign, found)


def main_language(found: pl.Series) -> str:
    """The language of nearly all texts whose words tell it: short texts among them are taken to be of it, too."""
    counts = found.filter(found != "").value_counts(sort=True)
    if counts.is_empty() or counts["count"][0] < MAIN_SHARE * float(counts["count"].sum()):
        return ""
    return str(counts["language"][0])
