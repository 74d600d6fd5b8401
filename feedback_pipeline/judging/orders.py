"""Both orders of one pair as one judgement: the unit is the pair of answers, whichever was shown first.

A verdict that turns with the order is no preference: a tie (Zheng et al. 2023, "Judging LLM-as-a-Judge", §3.4).
"""

import polars as pl

from feedback_pipeline.judging.tables import PREFERENCE_SCORES

PAIR = ("interaction_id", "other_interaction_id")
_TURNED = {"this": "other", "other": "this"}


def turned_round(rows: pl.DataFrame, which: pl.Expr) -> pl.DataFrame:
    """The same judgements with the two answers swapped where `which` holds; `first_slot` is of the order shown."""
    first, second = PAIR
    columns = {
        first: pl.when(which).then(second).otherwise(first),
        second: pl.when(which).then(first).otherwise(second),
        "verdict": pl.when(which).then(pl.col("verdict").replace(_TURNED)).otherwise("verdict"),
    }
    if "score" in rows.columns:
        columns["score"] = pl.when(which).then(1 - pl.col("score")).otherwise("score")
    return rows.with_columns(**columns)


def one_row_a_pair(rows: pl.DataFrame, keys: tuple[str, ...]) -> pl.DataFrame:
    """Usable judgements on pairs, one row for each of `keys` and pair, each pair the same way round.

    Args:
        rows: `interaction_id` (of the answer shown first), `other_interaction_id`, `verdict`, and where known `score`,
            `consistent` and `first_slot` (of judgements that joined both orders themselves).
        keys: what tells judges and criteria apart.

    Returns:
        `keys`, the pair's ids, `verdict`, `score`, `consistent` and `first_slot`; the last two are null where only one
        order was asked. Several judgements of one order count as their mean.
    """
    missing = {"score": pl.Float64, "consistent": pl.Boolean, "first_slot": pl.Float64}
    given = rows.with_columns(pl.lit(None, kind).alias(name) for name, kind in missing.items() if name not in rows)
    turned = pl.col(PAIR[0]) > pl.col(PAIR[1])
    scored = given.with_columns(
        pl.coalesce("score", pl.col("verdict").replace_strict(PREFERENCE_SCORES, default=None)).alias("score"),
        turned.alias("_turned"),
    )
    straight = pl.col("score").filter(~pl.col("_turned")).mean()
    reverse = pl.col("score").filter(pl.col("_turned")).mean()
    joined = (
        turned_round(scored, pl.col("_turned"))
        .group_by(*keys, *PAIR)
        .agg(
            straight.alias("_straight"),
            reverse.alias("_reverse"),
            pl.col("verdict").sort_by("verdict", "score").first(),
            pl.col("verdict").n_unique().alias("_verdicts"),
            pl.col("consistent").min(),
            pl.col("first_slot").mean(),
        )
    )
    score = pl.mean_horizontal("_straight", "_reverse")
    both = pl.col("_straight").is_not_null() & pl.col("_reverse").is_not_null()
    side = {name: (pl.col(name) - 0.5).round(9).sign() for name in ("_straight", "_reverse")}
    same = side["_straight"] == side["_reverse"]
    leaning = pl.when(score.round(9) > 0.5).then(pl.lit("this")).when(score.round(9) < 0.5).then(pl.lit("other"))
    return (
        joined.with_columns(
            score=score,
            consistent=pl.when(both).then(same).otherwise("consistent"),
            first_slot=pl.when(both).then((pl.col("_straight") + 1 - pl.col("_reverse")) / 2).otherwise("first_slot"),
            verdict=pl.when(both & ~same)
            .then(pl.lit("tie"))
            .when(both | (pl.col("_verdicts") > 1))
            .then(leaning.otherwise(pl.lit("tie")))
            .otherwise("verdict"),
        )
        .drop("_straight", "_reverse", "_verdicts")
        .sort(*keys, *PAIR)
    )
