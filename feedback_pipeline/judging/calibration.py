"""A judge measured against people's verdicts on the same answers: the `judge_calibration` table."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from feedback_pipeline.judging.agreement import agreement, alpha_of_raters
from feedback_pipeline.judging.alternative_annotator import AlternativeAnnotator, alternative_annotator_test
from feedback_pipeline.judging.bias import length_bias
from feedback_pipeline.judging.correction import Accuracy, accuracy
from feedback_pipeline.judging.labels import VERDICT_CODES, human_labels, person_verdicts
from feedback_pipeline.judging.tables import JUDGE_CALIBRATION
from feedback_pipeline.stats.estimates import Estimate, Result, cluster_codes, clustered_proportion
from feedback_pipeline.stats.no_result import NoResult

SERIES = ("judge", "fingerprint", "criterion")
MIN_LABELS = 20
"""Below this, agreement has intervals wider than half its scale: the statistics are not printed."""


@dataclass(frozen=True)
class _Statistic:
    name: str
    result: Result


def calibrate(judgements: pl.DataFrame, verdicts: pl.DataFrame) -> pl.DataFrame:
    """Measures every series (judge, fingerprint, criterion) of single-answer judgements.

    Args:
        judgements: `judgements`; rows on pairs are left out.
        verdicts: one row per person and answer: `interaction_id`, `voter`, `verdict`, and where known `criterion`,
            `conversation_id` and `answer_chars`.

    Returns:
        `judge_calibration`, every statistic for every series.
    """
    single = judgements.filter(pl.col("other_interaction_id") == "")
    votes = person_verdicts(verdicts)
    facts = _facts(verdicts)
    rows: list[dict[str, object]] = []
    for series, judged in single.group_by(SERIES, maintain_order=True):
        labels = dict(zip(SERIES, series, strict=True))
        about = votes.filter(pl.col("criterion") == labels["criterion"])
        rows += (labels | _row(statistic) for statistic in _statistics(judged, about, facts))
    return JUDGE_CALIBRATION.conform(pl.DataFrame(rows, schema=JUDGE_CALIBRATION.schema)).sort(
        "judge", "fingerprint", "criterion", "statistic"
    )


def _facts(verdicts: pl.DataFrame) -> pl.DataFrame:
    """What is known of the answers beside the verdict."""
    optional = [
        pl.lit(None, dtype).alias(name)
        for name, dtype in (("conversation_id", pl.String), ("answer_chars", pl.Float64))
        if name not in verdicts.columns
    ]
    return (
        verdicts.with_columns(optional)
        .group_by("interaction_id")
        .agg(pl.col("conversation_id").min(), pl.col("answer_chars").cast(pl.Float64).max())
        .with_columns(pl.col("conversation_id").fill_null(pl.col("interaction_id")))
    )


def labelled_judgements(judged: pl.DataFrame, votes: pl.DataFrame) -> pl.DataFrame:
    """The usable judgements that have a human label, with `human_value`, `human_verdict` and `voters`."""
    usable = judged.filter(pl.col("status") == "ok", pl.col("verdict").is_not_null())
    return usable.join(human_labels(votes), on=["interaction_id", "criterion"]).sort("interaction_id")


def series_accuracy(labelled: pl.DataFrame, clusters: pl.Series) -> Accuracy:
    """Sensitivity and specificity over the labels that are up or down; a neutral judgement is not up."""
    decided = (labelled["human_verdict"] != "neutral").to_numpy()
    codes, _ = cluster_codes(clusters.to_numpy()[decided])
    return accuracy(
        (labelled["verdict"] == "up").to_numpy()[decided],
        (labelled["human_verdict"] == "up").to_numpy()[decided],
        codes,
    )


def _statistics(judged: pl.DataFrame, votes: pl.DataFrame, facts: pl.DataFrame) -> Iterator[_Statistic]:
    labelled = labelled_judgements(judged, votes).join(facts, on="interaction_id").sort("interaction_id")
    unscored = (judged["status"] != "ok").cast(pl.Float64).to_numpy()
    yield _Statistic("unscored_share", clustered_proportion(unscored, np.arange(len(unscored))))
    yield from _agreement_statistics(labelled)
    measured = series_accuracy(labelled, labelled["conversation_id"])
    yield _Statistic("sensitivity", measured.sensitivity)
    yield _Statistic("specificity", measured.specificity)
    yield _Statistic("youden", measured.youden)
    codes, _ = cluster_codes(labelled["conversation_id"].to_numpy())
    for name, column in (("judge_up_rate", "verdict"), ("people_up_rate", "human_verdict")):
        up = (labelled[column] == "up").cast(pl.Float64).to_numpy()
        yield _Statistic(name, clustered_proportion(up, codes))
    measurable = labelled.filter(pl.col("answer_chars").is_not_null(), pl.col("score").is_not_null())
    yield _Statistic(
        "length_bias",
        length_bias(
            measurable["score"].to_numpy(),
            measurable["human_value"].to_numpy(),
            measurable["answer_chars"].to_numpy(),
            cluster_codes(measurable["conversation_id"].to_numpy())[0],
        ),
    )
    yield from _people_statistics(judged, votes, facts)


def _agreement_statistics(labelled: pl.DataFrame) -> Iterator[_Statistic]:
    names = ("observed_agreement", "cohen_kappa", "cohen_kappa_quadratic", "gwet_ac1", "krippendorff_alpha")
    conversations = labelled["conversation_id"].n_unique()
    if labelled.height < MIN_LABELS:
        for name in names:
            yield _Statistic(name, NoResult("not_enough_labels", labelled.height, conversations))
        return
    first, second = (
        labelled[column].replace_strict(VERDICT_CODES, return_dtype=pl.Int64).to_numpy()
        for column in ("verdict", "human_verdict")
    )
    used = np.unique(np.concatenate([first, second]))
    first, second = np.searchsorted(used, first), np.searchsorted(used, second)
    if len(used) == 1:
        for name in names:
            yield _Statistic(name, NoResult("only_one_verdict_in_use", labelled.height, conversations))
        return
    measured = agreement(first, second, len(used), labelled["conversation_id"].to_numpy())
    for name in names:
        attribute = "observed" if name == "observed_agreement" else name
        yield _Statistic(name, getattr(measured, attribute))


def _people_statistics(judged: pl.DataFrame, votes: pl.DataFrame, facts: pl.DataFrame) -> Iterator[_Statistic]:
    """People among themselves, and the judge as one of them, over judged answers that several people voted on."""
    usable = judged.filter(pl.col("status") == "ok", pl.col("verdict").is_not_null())
    shared = votes.join(usable.select("interaction_id"), on="interaction_id", how="semi").sort(
        "interaction_id", "voter"
    )
    units, _ = cluster_codes(shared["interaction_id"].to_numpy())
    codes = shared["verdict"].replace_strict(VERDICT_CODES, return_dtype=pl.Int64).to_numpy()
    of_unit = shared.unique("interaction_id", maintain_order=True).join(
        facts, on="interaction_id", maintain_order="left"
    )
    clusters, _ = cluster_codes(of_unit["conversation_id"].to_numpy())
    yield _Statistic("people_krippendorff_alpha", alpha_of_raters(units, codes, len(VERDICT_CODES), clusters))
    tested = alternative_annotator_test(
        usable.select(pl.col("interaction_id").alias("item"), "verdict"),
        shared.select(pl.col("interaction_id").alias("item"), pl.col("voter").alias("annotator"), "verdict"),
    )
    yield from (
        _Statistic(f"alternative_annotator_{name}", result) for name, result in alternative_annotator_results(tested)
    )


def alternative_annotator_results(tested: AlternativeAnnotator | NoResult) -> Iterator[tuple[str, Result]]:
    """The test's two figures, which have no interval of their own."""
    for name in ("winning_rate", "advantage"):
        if isinstance(tested, NoResult):
            yield name, tested
        else:
            value = getattr(tested, name)
            missing = float("nan")
            yield name, Estimate(value, missing, missing, missing, tested.items, tested.annotators, name)


def _row(statistic: _Statistic) -> dict[str, object]:
    result = statistic.result
    row: dict[str, object] = {"statistic": statistic.name, "items": result.items, "conversations": result.clusters}
    return row | interval_columns(result)


def interval_columns(result: Result) -> dict[str, object]:
    """`value`, `lower`, `upper` and `reason` of a result: numbers that do not exist are null."""
    if isinstance(result, NoResult):
        return {"value": None, "low": None, "high": None, "reason": result.reason}
    numbers = {"value": result.value, "low": result.low, "high": result.high}
    return {"reason": None, **{name: number if np.isfinite(number) else None for name, number in numbers.items()}}
