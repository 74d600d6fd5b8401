"""One judgement, or the reason for none, for everything that was to be judged."""

import polars as pl

from feedback_pipeline.judging.backends.protocol import AnswerJudge, PairJudge
from feedback_pipeline.judging.tables import JUDGEMENTS
from feedback_pipeline.llm.fingerprints import fingerprint

_PAIR = ("interaction_id", "other_interaction_id")


def judge_answers(answers: pl.DataFrame, judge: AnswerJudge) -> pl.DataFrame:
    """Judges single answers.

    An answer without text is unscored; a blank one gets the lowest score without asking anybody.

    Args:
        answers: `interaction_id`, `prompt`, `answer` (redacted), and where there is one a `reference` answer to judge
            by; more columns do no harm.

    Returns:
        `judgements`, exactly one row per answer and criterion.
    """
    rows = answers.unique("interaction_id", keep="first", maintain_order=True)
    blank = pl.col("answer").str.strip_chars() == ""
    asked = rows.filter(~blank).sort("interaction_id").with_columns(pl.col("prompt").fill_null(""))
    shown = ["interaction_id", "prompt", "answer", *_reference(asked)]
    found = [] if asked.is_empty() else [judge.judge_answers(asked.select(shown))]
    known = (
        rows.filter(blank)
        .select(
            "interaction_id",
            pl.lit("ok").alias("status"),
            pl.lit("empty_answer").alias("reason"),
            pl.lit(0.0).alias("score"),
            pl.lit("down").alias("verdict"),
        )
        .join(_criteria(judge), how="cross")
    )
    wanted = rows.select(
        "interaction_id",
        pl.lit("").alias("other_interaction_id"),
        pl.when(pl.col("answer").is_null()).then(pl.lit("no_text")).otherwise(pl.lit("no_verdict")).alias("_why"),
    )
    return _complete(wanted, [*found, known], judge)


def judge_pairs(pairs: pl.DataFrame, judge: PairJudge) -> pl.DataFrame:
    """Judges which of two answers is better. A pair given in both orders is asked about once, as it was given first:
    the orders are the judge's business.

    Args:
        pairs: `interaction_id`, `other_interaction_id`, `prompt`, `answer`, `other_answer` (redacted), and where there
            is one a `reference`.

    Returns:
        `judgements`, exactly one row per pair and criterion.
    """
    unordered = (pl.min_horizontal(_PAIR).alias("_first"), pl.max_horizontal(_PAIR).alias("_second"))
    rows = pairs.with_columns(unordered).unique(["_first", "_second"], keep="first", maintain_order=True)
    textless = pl.col("answer").is_null() | pl.col("other_answer").is_null()
    asked = rows.filter(~textless).sort(_PAIR).with_columns(pl.col("prompt").fill_null(""))
    shown = [*_PAIR, "prompt", "answer", "other_answer", *_reference(asked)]
    found = [] if asked.is_empty() else [judge.judge_pairs(asked.select(shown))]
    why = pl.when(textless).then(pl.lit("no_text")).otherwise(pl.lit("no_verdict"))
    return _complete(rows.select(*_PAIR, why.alias("_why")), found, judge)


def separated_by_model(judgements: pl.DataFrame) -> pl.DataFrame:
    """One judge's judgements with the model that really answered in their fingerprint: no series mixes two.

    Judgements that no model answered stay with the one that answered most.
    """
    answered = judgements.drop_nulls("model_returned")["model_returned"].value_counts()
    models = answered.sort("count", "model_returned", descending=[True, False])["model_returned"]
    if models.is_empty():
        return judgements
    before = judgements["fingerprint"].first()
    series = {model: fingerprint([before, model]) for model in models}
    return judgements.with_columns(
        pl.col("model_returned")
        .fill_null(models[0])
        .replace_strict(series, return_dtype=pl.String)
        .alias("fingerprint")
    )


def _reference(asked: pl.DataFrame) -> list[str]:
    return [name for name in ("reference",) if name in asked.columns]


def _criteria(judge: AnswerJudge | PairJudge) -> pl.DataFrame:
    return pl.DataFrame({"criterion": list(judge.criteria)}, schema={"criterion": pl.String})


def _complete(wanted: pl.DataFrame, found: list[pl.DataFrame], judge: AnswerJudge | PairJudge) -> pl.DataFrame:
    """The declared columns, a row for everything wanted, in the order of the key."""
    empty = JUDGEMENTS.empty().drop("judge", "fingerprint")
    verdicts = pl.concat([empty, *found], how="diagonal_relaxed").with_columns(
        pl.col("other_interaction_id").fill_null("")
    )
    keys = [*_PAIR, "criterion"]
    return JUDGEMENTS.conform(
        wanted.join(_criteria(judge), how="cross")
        .join(verdicts, on=keys, how="left")
        .with_columns(
            pl.lit(judge.name).alias("judge"),
            pl.lit(judge.fingerprint).alias("fingerprint"),
            pl.when(pl.col("status").is_null()).then("_why").otherwise("reason").alias("reason"),
            pl.col("status").fill_null("unscored"),
            pl.col("cost_usd").fill_null(0.0),
            pl.col("calls").fill_null(0),
        )
        .sort(keys)
    )
