"""The language of a text by its function words: enough to keep the words of two languages apart."""

import tomllib
from functools import cache
from pathlib import Path

import polars as pl

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
    rows = [(word, name) for name, words in sorted(function_words().items()) for word in sorted(words)]
    return pl.DataFrame(rows, schema=["word", "language"], orient="row")


def languages_of(texts: pl.Series, declared: pl.Series | None = None) -> pl.Series:
    """The language of each text as a code (`de`); the declared one, else "", where its words do not tell."""
    opening = texts.fill_null("").str.slice(0, MAX_CHARACTERS).str.to_lowercase()
    rows = pl.DataFrame({"text": opening}).with_row_index("row")
    words = rows.select("row", word=pl.col("text").str.extract_all(r"\p{L}+")).explode("word")
    counts = words.join(_dictionary(), on="word", how="inner").group_by("row", "language").len()
    most = pl.col("len").max().over("row")
    clear = counts.filter((pl.col("len") == most) & (pl.col("len") >= MIN_WORDS)).filter(pl.len().over("row") == 1)
    script: pl.Expr = pl.lit(None, pl.String)
    for name, pattern in reversed(_SCRIPTS.items()):
        script = pl.when(pl.col("text").str.contains(pattern)).then(pl.lit(name)).otherwise(script)
    known = rows.with_columns(
        script=script, declared=pl.lit("") if declared is None else declared.cast(pl.String).fill_null("")
    ).join(clear.select("row", "language"), on="row", how="left", maintain_order="left")
    found = known.select(pl.coalesce("script", "language", "declared").alias("language"))["language"]
    return found.replace("", _main_language(found))


def _main_language(found: pl.Series) -> str:
    """The language of nearly all texts whose words tell it: short texts among them are taken to be of it, too."""
    counts = found.filter(found != "").value_counts(sort=True)
    if counts.is_empty() or counts["count"][0] < MAIN_SHARE * float(counts["count"].sum()):
        return ""
    return str(counts["language"][0])
