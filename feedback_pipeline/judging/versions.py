"""Prompt versions compared: paired where both answered the same prompts, clustered by conversation, with the smallest
difference that could have been seen (Miller 2024, "Adding error bars to evals")."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
import scipy

from feedback_pipeline.judging.backends.protocol import AnswerJudge
from feedback_pipeline.judging.judgements import judge_answers
from feedback_pipeline.judging.quality import UNKNOWN, SeriesSample, corrected_rate, judged_quality, series_samples
from feedback_pipeline.judging.tables import VERSION_COMPARISON
from feedback_pipeline.stats.estimates import Estimate, FloatArray, LinearisedMean, cluster_codes, t_test
from feedback_pipeline.stats.estimates import linearised_mean as clustered_mean
from feedback_pipeline.stats.no_result import NoResult

Measure = Literal["score", "up_rate", "corrected_up_rate", "people_up_rate"]
MEASURES: tuple[Measure, ...] = ("score", "up_rate", "corrected_up_rate", "people_up_rate")
MIN_ITEMS = 20
MIN_SHARED_PROMPTS = 20
MAX_VERSIONS = 5
"""All pairs of the five versions with most answers; further versions are compared with the most used one only."""

POWER = 2.8015852181129683
"""Standard errors in the smallest difference found with 80 % power at a two-sided 5 %: the normal quantiles of
0.975 and 0.8 together."""


@dataclass(frozen=True)
class Comparison:
    """A difference B − A."""

    value_a: float
    value_b: float
    difference: Estimate
    p_value: float
    detectable: float
    items_a: int
    items_b: int


def compare_versions(
    sample: pl.DataFrame, judgements: pl.DataFrame, verdicts: pl.DataFrame, *, prompts: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Compares the prompt versions of the sampled answers.

    Args:
        sample: `judge_sample`.
        judgements: `judgements` of the sampled answers.
        verdicts: people's verdicts as for `calibrate`.
        prompts: `interaction_id` and `prompt_key`, the same for answers to the same prompt; versions that answered
            at least twenty prompts both are compared on those, too.

    Returns:
        `version_comparison`: per series, pair of versions and measure, one row a design.
    """
    rows: list[dict[str, object]] = []
    for labels, series in series_samples(sample, judgements, verdicts):
        for version_a, version_b in _pairs(series.rows):
            named = labels | {"version_a": version_a, "version_b": version_b}
            rows += (named | row for row in _unpaired_rows(series, version_a, version_b))
            if prompts is not None:
                rows += (named | row for row in _paired_rows(series.rows, prompts, version_a, version_b))
    if not rows:
        return VERSION_COMPARISON.empty()
    frame = pl.DataFrame(rows, schema=VERSION_COMPARISON.schema)
    return VERSION_COMPARISON.conform(_with_q_values(frame)).sort(VERSION_COMPARISON.key)


def judge_prompt_versions(
    interactions: pl.DataFrame, judge: AnswerJudge, verdicts: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Judges logged answers and sums up each prompt version.

    Args:
        interactions: `interaction_id`, `prompt`, `answer`, `prompt_version`, and where known `conversation_id` and
            `model`; all of them are judged, so pass a sample.
        verdicts: people's verdicts as for `calibrate`; without them nothing is corrected, and the rows say so.

    Returns:
        The `prompt_version` rows of `judged_quality`.
    """
    return judged_versions(interactions, judge_answers(interactions, judge), verdicts)


def judged_versions(
    interactions: pl.DataFrame, judgements: pl.DataFrame, verdicts: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Sums up each prompt version of answers that were judged; arguments and result as for `judge_prompt_versions`."""
    labels = NOBODY if verdicts is None else verdicts
    quality = judged_quality(_all_sampled(interactions), judgements, labels)
    return quality.filter(pl.col("dimension") == "prompt_version")


def versions_compared(
    interactions: pl.DataFrame, judgements: pl.DataFrame, verdicts: pl.DataFrame | None = None
) -> pl.DataFrame:
    """`version_comparison` of answers that were judged, paired where versions answered the same prompts; arguments as
    for `judge_prompt_versions`."""
    prompts = interactions.select("interaction_id", prompt_key=pl.col("prompt"))
    labels = NOBODY if verdicts is None else verdicts
    return compare_versions(_all_sampled(interactions), judgements, labels, prompts=prompts)


NOBODY = pl.DataFrame(schema={"interaction_id": pl.String, "voter": pl.String, "verdict": pl.String})


def _all_sampled(interactions: pl.DataFrame) -> pl.DataFrame:
    """Answers as a sample of themselves."""
    optional = [
        pl.lit(None, pl.String).alias(name) for name in ("conversation_id", "model") if name not in interactions.columns
    ]
    answers = interactions.with_columns(optional).unique("interaction_id", keep="first", maintain_order=True)
    return answers.with_columns(
        pl.col("conversation_id").fill_null(pl.col("interaction_id")), pl.lit(1.0).alias("inclusion_probability")
    )


@dataclass(frozen=True)
class JudgedAverages:
    """What one judge says of each prompt version."""

    judge: str
    scale: Literal["1–5", "0–1"]
    by_version: dict[str, dict[str, float]]
    """`{"v2": {"avg_clarity": 4.1, "avg_usefulness": 3.8}}`"""


def averages_by_version(quality: pl.DataFrame) -> dict[str, dict[str, float]]:
    """`{"v2": {"avg_clarity": 4.1, "avg_usefulness": 3.8}}` from `judged_quality`: the old contract's shape, without
    the judge's name and scale, which `averages_of_one_judge` has."""
    averages = averages_of_one_judge(quality)
    return {} if averages is None else averages.by_version


def averages_of_one_judge(quality: pl.DataFrame) -> JudgedAverages | None:
    """Each version's mean by criterion from `judged_quality`; none where no version was judged.

    Two judges, and two scales, are never mixed: one judge speaks of all versions, the one that judged most versions,
    then most answers. Its means are ratings (1–5) where all of its rows have them, else scores (0–1).
    """
    rows = quality.filter(pl.col("dimension") == "prompt_version", pl.col("mean_score").is_not_null())
    if rows.is_empty():
        return None
    series = ("judge", "fingerprint")
    sizes = rows.group_by(series).agg(pl.col("slice").n_unique().alias("versions"), pl.col("judged").sum())
    chosen = sizes.sort("versions", "judged", *series, descending=[True, True, False, False]).head(1)
    of_judge = rows.join(chosen.select(series), on=list(series), how="semi")
    rated = of_judge["mean_rating"].null_count() == 0
    means = of_judge.select("slice", "criterion", "mean_rating" if rated else "mean_score")
    by_version: dict[str, dict[str, float]] = {}
    for version, criterion, mean in means.sort("slice", "criterion").iter_rows():
        by_version.setdefault(version, {})[f"avg_{criterion}"] = mean
    return JudgedAverages(chosen["judge"][0], "1–5" if rated else "0–1", by_version)


def _pairs(rows: pl.DataFrame) -> Iterator[tuple[str, str]]:
    counts = (
        rows.filter(pl.col("prompt_version") != UNKNOWN)
        .group_by("prompt_version")
        .len()
        .sort("len", "prompt_version", descending=[True, False])
    )
    versions = counts["prompt_version"].to_list()
    for first, second in itertools.combinations(versions[:MAX_VERSIONS], 2):
        yield min(first, second), max(first, second)
    for version in versions[MAX_VERSIONS:]:
        yield min(versions[0], version), max(versions[0], version)


def _unpaired_rows(series: SeriesSample, version_a: str, version_b: str) -> Iterator[dict[str, object]]:
    sides = [series.rows.filter(pl.col("prompt_version") == version) for version in (version_a, version_b)]
    for measure in MEASURES:
        a, b = (_mean(series, side, measure) for side in sides)
        row: dict[str, object] = {"measure": measure, "design": "unpaired", "items_a": a.items, "items_b": b.items}
        if isinstance(a, NoResult) or isinstance(b, NoResult):
            reason = next(mean.reason for mean in (a, b) if isinstance(mean, NoResult))
            yield row | {"reason": reason}
        else:
            yield row | _difference_columns(a, b)


def _mean(series: SeriesSample, rows: pl.DataFrame, measure: Measure) -> LinearisedMean | NoResult:
    if measure == "corrected_up_rate":
        powered = corrected_rate(series, rows)
        return powered if isinstance(powered, NoResult) else powered.mean
    column = {"score": "score", "up_rate": "judged_value", "people_up_rate": "human_value"}[measure]
    used = rows.filter(pl.col(column).is_not_nan())
    if used.height < MIN_ITEMS:
        return NoResult("not_enough_labels" if measure == "people_up_rate" else "not_enough_judgements", used.height)
    return clustered_mean(
        used[column].to_numpy(),
        used["label_weight" if measure == "people_up_rate" else "weight"].to_numpy(),
        used["cluster"].to_numpy(),
        series.rows["cluster"].n_unique(),
    )


def _difference_columns(a: LinearisedMean, b: LinearisedMean) -> dict[str, object]:
    gap = b - a
    degrees = min(a.clusters, b.clusters) - 1
    result = gap.estimate("clustered_difference", degrees=degrees) if degrees >= 1 else NoResult("one_conversation")
    if isinstance(result, NoResult):
        return {"reason": result.reason}
    return {"value_a": a.value, "value_b": b.value} | _tested(result, degrees)


def _tested(result: Estimate, degrees: int) -> dict[str, object]:
    return {
        "difference": result.value,
        "low": result.low,
        "high": result.high,
        "p_value": t_test(result.value, result.standard_error, degrees),
        "detectable": POWER * result.standard_error,
    }


def _paired_rows(
    rows: pl.DataFrame, prompts: pl.DataFrame, version_a: str, version_b: str
) -> Iterator[dict[str, object]]:
    """Mean over the prompts that both versions answered; the prompt is the unit, so it is the cluster."""
    keyed = rows.join(prompts.drop_nulls("prompt_key"), on="interaction_id")
    for measure, column in (("score", "score"), ("up_rate", "judged_value")):
        per_prompt = (
            keyed.filter(pl.col("prompt_version").is_in([version_a, version_b]))
            .group_by("prompt_key")
            .agg(
                pl.col(column).filter(pl.col("prompt_version") == version_a).mean().alias("a"),
                pl.col(column).filter(pl.col("prompt_version") == version_b).mean().alias("b"),
                (pl.col("prompt_version") == version_a).sum().alias("count_a"),
                (pl.col("prompt_version") == version_b).sum().alias("count_b"),
            )
            .drop_nulls()
            .sort("prompt_key")
        )
        row: dict[str, object] = {
            "measure": measure,
            "design": "paired",
            "items_a": int(per_prompt["count_a"].sum()),
            "items_b": int(per_prompt["count_b"].sum()),
        }
        if per_prompt.height < MIN_SHARED_PROMPTS:
            yield row | {"reason": "not_enough_shared_prompts"}
            continue
        compared = paired_comparison(per_prompt["a"].to_numpy(), per_prompt["b"].to_numpy())
        if isinstance(compared, NoResult):
            yield row | {"reason": compared.reason}
        else:
            yield row | {
                "value_a": compared.value_a,
                "value_b": compared.value_b,
                "difference": compared.difference.value,
                "low": compared.difference.low,
                "high": compared.difference.high,
                "p_value": compared.p_value,
                "detectable": compared.detectable,
            }


def paired_comparison(
    a: FloatArray, b: FloatArray, clusters: np.ndarray[tuple[int], np.dtype[np.int64]] | None = None
) -> Comparison | NoResult:
    """Two versions on the same items: the mean of the differences, clustered.

    The p-value is exact where it can be: McNemar's test for outcomes of 0 and 1 on items of their own, else a t-test
    on the clustered error.
    """
    codes, groups = cluster_codes(np.arange(len(a)) if clusters is None else clusters)
    if groups < 2:
        return NoResult("fewer_than_two_conversations", len(a), groups)
    mean = clustered_mean(b - a, np.ones(len(a)), codes, groups)
    result = mean.estimate("paired_difference")
    if isinstance(result, NoResult):
        return result
    tested = _tested(result, groups - 1)
    p_value = float(str(tested["p_value"]))
    if groups == len(a) and np.isin(a, (0, 1)).all() and np.isin(b, (0, 1)).all():
        p_value = mcnemar_exact(int(((a == 1) & (b == 0)).sum()), int(((a == 0) & (b == 1)).sum()))
    detectable = POWER * result.standard_error
    return Comparison(float(a.mean()), float(b.mean()), result, p_value, detectable, len(a), len(b))


def mcnemar_exact(only_a: int, only_b: int) -> float:
    """Two-sided exact p-value of McNemar's test (1947) from the items that only one version got right."""
    if only_a + only_b == 0:
        return 1.0
    return float(scipy.stats.binomtest(only_a, only_a + only_b, 0.5).pvalue)


def _with_q_values(frame: pl.DataFrame) -> pl.DataFrame:
    """Benjamini–Hochberg (1995) over every comparison of the table that has a p-value."""
    tested = frame.filter(pl.col("p_value").is_not_null())
    if tested.is_empty():
        return frame
    q_values = scipy.stats.false_discovery_control(tested["p_value"].to_numpy(), method="bh")
    return pl.concat(
        [
            tested.with_columns(pl.Series("q_value", q_values, dtype=pl.Float64)),
            frame.filter(pl.col("p_value").is_null()),
        ]
    )
