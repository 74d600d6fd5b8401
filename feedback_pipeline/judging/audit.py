"""People judge a random part of the judged answers: the labels that need no assumption about who votes.

Whoever votes chose to; an audit did not let anybody choose. The answers are drawn at random from the judged sample and
shown without the judge's verdict, without votes and without what other auditors said. Which of them comes next is
chosen by stratum (what a judge had said when they were drawn), so that an hour of labelling narrows the interval most;
within a stratum the order is random, and labels are weighted by the stratum's size, so that the choice biases nothing.
"""

import math

import polars as pl

from feedback_pipeline.judging.correction import MIN_LABELS
from feedback_pipeline.judging.labels import VERDICT_VALUES
from feedback_pipeline.judging.stable_hash import text_hash
from feedback_pipeline.judging.tables import OVERALL
from feedback_pipeline.stats.estimates import normal_quantile
from feedback_pipeline.tables.parquet import of_ids

CANNOT_SAY = "cannot_say"
AUDIT_VERDICTS = (*VERDICT_VALUES, CANNOT_SAY)
JUDGED_UP = "judged_up"
OTHER = "other"

ITEM_SCHEMA = {
    "interaction_id": pl.String,
    "stratum": pl.String,
    "place": pl.Int32,
    "inclusion_probability": pl.Float64,
}


def guiding_series(judgements: pl.DataFrame) -> pl.DataFrame:
    """The judgements that strata are made from: of single answers' satisfaction by the judge with most verdicts.

    A judging model goes before the local classifier where both judged as much.
    """
    single = judgements.filter((pl.col("other_interaction_id") == "") & (pl.col("criterion") == OVERALL))
    ranked = (
        single.group_by("judge", "fingerprint")
        .agg((pl.col("status") == "ok").sum().alias("usable"))
        .with_columns((pl.col("judge") == "local").alias("local"))
        .sort("usable", "local", "fingerprint", descending=[True, False, False])
    )
    return single.join(ranked.head(1), on="fingerprint", how="semi")


def draw_audit(sample: pl.DataFrame, judgements: pl.DataFrame, size: int, seed: str) -> pl.DataFrame:
    """Draws answers for people at random from the judged sample.

    Args:
        sample: `judge_sample`.
        judgements: `judgements` of the sampled answers; answers without text are not drawn.
        size: how many answers.
        seed: the same seed and sample give the same answers.

    Returns:
        `interaction_id`, `stratum`, `place` (random, from 0) and `inclusion_probability` (among all answers).
    """
    guide = guiding_series(judgements).select("interaction_id", "verdict", "reason")
    shown = sample.join(guide, on="interaction_id", how="left").filter(
        pl.col("reason").is_null() | ~pl.col("reason").is_in(["no_text", "empty_answer"])
    )
    if shown.is_empty() or size <= 0:
        return pl.DataFrame(schema=ITEM_SCHEMA)
    share = min(1.0, size / shown.height)
    up = pl.col("verdict") == "up"
    return (
        shown.with_columns(pl.Series("_hash", text_hash(shown["interaction_id"], f"audit|{seed}")))
        .sort("_hash", "interaction_id")
        .head(size)
        .select(
            "interaction_id",
            pl.when(up).then(pl.lit(JUDGED_UP)).otherwise(pl.lit(OTHER)).alias("stratum"),
            pl.int_range(pl.len(), dtype=pl.Int32).alias("place"),
            pl.col("inclusion_probability") * share,
        )
    )


def label_next(items: pl.DataFrame, labels: pl.DataFrame, auditor: str, criterion: str = OVERALL) -> pl.DataFrame:
    """What one person should label, the most useful answer first.

    The rate's stratified variance is Σ W²p(1−p)/n (Cochran 1977, section 5.6) with rates and counts smoothed by one
    label; another label in a stratum lowers its term from 1/n to 1/(n+1), which is what greedy Neyman allocation does.
    Answers that others have labelled come last: a second opinion measures people, not the judge.

    Args:
        items: answers drawn for one week, as `draw_audit` returns them.
        labels: everything said about them: `interaction_id`, `criterion`, `voter`, `verdict`.
        auditor: who asks; what this person has labelled is left out.
        criterion: what is judged.

    Returns:
        The items left, in order, with `expected_reduction` of the half-width of the 95 % interval of the rate.
    """
    about = labels.filter(pl.col("criterion") == criterion)
    mine = about.filter(pl.col("voter") == auditor).select("interaction_id")
    others = about.select("interaction_id").unique().with_columns(second=pl.lit(value=True))
    strata = _strata(items, about)
    error = float((strata["share"] ** 2 * strata["spread"] / strata["trials"]).sum())
    step = pl.col("share") ** 2 * pl.col("spread")
    reduced = step / (pl.col("trials") + pl.col("ahead")) - step / (pl.col("trials") + pl.col("ahead") + 1)
    narrower = normal_quantile() * (math.sqrt(error) - (pl.lit(error) - reduced).clip(lower_bound=0).sqrt())
    return (
        items.join(mine, on="interaction_id", how="anti")
        .join(others, on="interaction_id", how="left")
        .with_columns(pl.col("second").fill_null(value=False))
        .join(strata, on="stratum")
        .sort("second", "place", "interaction_id")
        .with_columns(pl.int_range(pl.len()).over("stratum", "second").alias("ahead"))
        .with_columns(pl.when("second").then(0.0).otherwise(narrower).alias("expected_reduction"))
        .sort("second", "expected_reduction", "place", "interaction_id", descending=[False, True, False, False])
        .select(*items.columns, "expected_reduction")
    )


def _strata(items: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """`stratum`, `share` of all answers, `trials` (labels and one more), `spread` p(1−p)."""
    said = _values(labels).group_by("interaction_id").agg(pl.col("value").mean())
    weight = (1 / pl.col("inclusion_probability")).sum()
    return (
        items.join(said, on="interaction_id", how="left")
        .group_by("stratum")
        .agg(weight.alias("weight"), pl.col("value").count().alias("labelled"), pl.col("value").sum().alias("ups"))
        .with_columns(rate=(pl.col("ups") + 0.5) / (pl.col("labelled") + 1))
        .select(
            "stratum",
            (pl.col("weight") / pl.col("weight").sum()).alias("share"),
            (pl.col("labelled") + 1).alias("trials"),
            (pl.col("rate") * (1 - pl.col("rate"))).alias("spread"),
        )
        .sort("stratum")
    )


def audit_verdicts(items: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """The labels as `judged_quality` takes them.

    Args:
        items: answers drawn for one week.
        labels: what was said about them; those who could not say said nothing.

    Returns:
        `interaction_id`, `criterion`, `voter`, `verdict` and `label_factor`: how many answers of its stratum a
        labelled one stands for. Where a stratum has no label at all, nothing can stand for it, and every factor is 1.
    """
    said = _values(labels).join(items.select("interaction_id", "stratum", "inclusion_probability"), on="interaction_id")
    weight = 1 / pl.col("inclusion_probability")
    drawn = items.group_by("stratum").agg(weight.sum().alias("_drawn"))
    labelled = (
        said.unique(["interaction_id", "criterion"], keep="first", maintain_order=True)
        .group_by("stratum", "criterion")
        .agg(weight.sum().alias("_labelled"))
    )
    complete = labelled.group_by("criterion").agg((pl.len() == drawn.height).alias("_complete"))
    factor = pl.when("_complete").then(pl.col("_drawn") / pl.col("_labelled")).otherwise(1.0)
    return (
        said.join(drawn, on="stratum")
        .join(labelled, on=["stratum", "criterion"])
        .join(complete, on="criterion")
        .select("interaction_id", "criterion", "voter", "verdict", factor.alias("label_factor"))
        .sort("interaction_id", "criterion", "voter")
    )


def audited_criteria(verdicts: pl.DataFrame) -> list[str]:
    """The criteria with enough audited answers to correct a judge by."""
    counted = verdicts.group_by("criterion").agg(pl.col("interaction_id").n_unique().alias("answers"))
    return counted.filter(pl.col("answers") >= MIN_LABELS)["criterion"].sort().to_list()


def audited_prompt_hashes(signatures: pl.LazyFrame, labels: pl.DataFrame) -> pl.Series:
    """The prompts of labelled answers: judges are measured on them, so nothing may be trained on them.

    Args:
        signatures: `text_signatures` of the days of audited answers.
        labels: everything people said.

    Returns:
        Distinct `prompt_hash` values, ascending (UInt64).
    """
    hashes = of_ids(signatures, "interaction_id", labels["interaction_id"]).select("prompt_hash")
    return hashes.drop_nulls().unique().sort("prompt_hash").collect()["prompt_hash"]


def _values(labels: pl.DataFrame) -> pl.DataFrame:
    """The labels that say something, with their `value` 0–1, sorted."""
    return (
        labels.filter(pl.col("verdict").is_in(list(VERDICT_VALUES)))
        .with_columns(pl.col("verdict").replace_strict(VERDICT_VALUES, return_dtype=pl.Float64).alias("value"))
        .sort("interaction_id", "criterion", "voter")
    )
