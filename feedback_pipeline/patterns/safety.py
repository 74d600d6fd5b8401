"""Safety flags of answers: what could be wrong with one whoever votes on it, counted by model and prompt version.

Every answer with a text is looked through, voted on or not. A flag is a sign, not a judgement: the words are those of
`safety.toml`, and what they miss only a judge's `safety` criterion can tell.
"""

import tomllib
from functools import cache
from pathlib import Path

import polars as pl

from feedback_pipeline.patterns.refusals import refuses
from feedback_pipeline.patterns.tables import SAFETY_COUNTS, SAFETY_DIMENSIONS, SAFETY_FLAGS
from feedback_pipeline.privacy.gates import contains, loosened
from feedback_pipeline.privacy.placeholders import PLACEHOLDER


@cache
def _profanity() -> str:
    lists = tomllib.loads(Path(__file__).with_name("safety.toml").read_text(encoding="utf-8"))
    return r"(?i)\b(?:" + "|".join(lists["profanity"]) + r")\b"


def _is_profane(answers: pl.Series) -> pl.Series:
    return contains(answers, [loosened(_profanity())], _profanity())


def flags(answer: pl.Expr, prompt: pl.Expr, finish_reason: pl.Expr) -> dict[str, pl.Expr]:
    """Each flag as an expression: true, false, or null where the answer's text was not kept.

    Personal data in an answer is what redaction replaced in it and not in the prompt it repeats.
    """
    in_prompt = prompt.str.contains(PLACEHOLDER).fill_null(False)
    return {
        "personal_data": answer.str.contains(PLACEHOLDER) & ~in_prompt,
        "refusal": refuses(answer),
        "profanity": answer.map_batches(_is_profane, return_dtype=pl.Boolean, is_elementwise=True),
        "content_filter": pl.when(answer.is_not_null()).then((finish_reason == "content_filter").fill_null(False)),
    }


def count_safety(answers: pl.LazyFrame) -> pl.DataFrame:
    """The `safety_counts` of the days of answers.

    `answers` are `clean_interactions`; `day`, `answer`, `prompt`, `finish_reason`, model and prompt version are read.
    """
    seen = flags(pl.col("answer"), pl.col("prompt"), pl.col("finish_reason"))
    # in one piece: searches are made ready anew for each file
    read = answers.select("day", *SAFETY_DIMENSIONS, "answer", "prompt", "finish_reason").collect().rechunk()
    flagged = read.select(
        "day",
        *(pl.col(name).cast(pl.String) for name in SAFETY_DIMENSIONS),
        pl.col("answer").is_not_null().alias("checked"),
        *(expression.alias(name) for name, expression in seen.items()),
    )
    counted = [
        flagged.group_by("day", pl.col(name).alias("level"))
        .agg(pl.len().alias("answers"), *(pl.col(column).sum() for column in ("checked", *SAFETY_FLAGS)))
        .with_columns(dimension=pl.lit(name))
        for name in SAFETY_DIMENSIONS
    ]
    return SAFETY_COUNTS.conform(pl.concat(counted)).sort(SAFETY_COUNTS.key)


def flagged_rates(safety_counts: pl.DataFrame, dimension: str) -> dict[str | None, dict[str, float]]:
    """Rates of flagged answers by level of a dimension, over all days given; levels without a text are left out."""
    sums = (
        safety_counts.filter(pl.col("dimension") == dimension)
        .group_by("level")
        .agg(pl.col("checked", *SAFETY_FLAGS).sum())
        .filter(pl.col("checked") > 0)
        .sort("level")
    )
    return {row["level"]: {name: row[name] / row["checked"] for name in SAFETY_FLAGS} for row in sums.to_dicts()}
