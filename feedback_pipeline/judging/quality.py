"""Quality per model and prompt version: as judged, as people said, and corrected by the people."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from feedback_pipeline.judging.calibration import SERIES, labelled_judgements, series_accuracy
from feedback_pipeline.judging.correction import (
    Accuracy,
    PredictionPowered,
    prediction_powered_mean,
    rogan_gladen,
    trust_problem,
)
from feedback_pipeline.judging.labels import VERDICT_VALUES, human_labels, person_verdicts
from feedback_pipeline.judging.tables import JUDGED_QUALITY, OVERALL
from feedback_pipeline.stats.estimates import (
    Estimate,
    FloatArray,
    IntArray,
    Result,
    cluster_codes,
    effective_trials,
    linearised_mean,
    wilson_interval,
)
from feedback_pipeline.stats.no_result import NoResult

DIMENSIONS = ("model", "prompt_version")
UNKNOWN = "(unknown)"


@dataclass(frozen=True)
class SeriesSample:
    """The sampled answers of one series, one row each, with judgement, label, weight and conversation."""

    rows: pl.DataFrame
    """`ok` answers: `judged_value` (verdict as 0–1), `score`, `human_value` (NaN without label), `weight`,
    `label_weight`, `label_factor`, `cluster`, and the slices."""
    unscored: pl.DataFrame
    accuracy: Accuracy
    problem: str | None
    """Why this judge may correct nothing."""


def judged_quality(
    sample: pl.DataFrame,
    judgements: pl.DataFrame,
    verdicts: pl.DataFrame,
    *,
    audit: bool = False,
    earlier: dict[str, Accuracy] | None = None,
) -> pl.DataFrame:
    """Quality of each slice, raw and corrected.

    Args:
        sample: `judge_sample`.
        judgements: `judgements` of the sampled answers; rows on pairs are left out.
        verdicts: people's verdicts as for `calibrate`; `label_factor` says how many answers a labelled one stands
            for where not all were equally likely to be labelled (see `audit_verdicts`).
        audit: the labels are a random audit rather than votes.
        earlier: accuracy of series measured in other weeks, by fingerprint. Where this week has too few labels, the
            rate of all answers (never of a slice, whose error rates may differ) is corrected by Rogan–Gladen.

    Returns:
        `judged_quality`.
    """
    rows: list[dict[str, object]] = []
    for labels, series in series_samples(sample, judgements, verdicts):
        for dimension, slice_name, member in _slices(series):
            row = _quality(series, member)
            if earlier and dimension == "all" and row["reason"] == "not_enough_labels":
                row |= _corrected_by_earlier(row, earlier.get(str(labels["fingerprint"])))
            rows.append(
                {**labels, "dimension": dimension, "slice": slice_name, "labels_from": "audit" if audit else "votes"}
                | row
            )
    frame = pl.DataFrame(rows, schema_overrides=JUDGED_QUALITY.schema) if rows else JUDGED_QUALITY.empty()
    absent = [pl.lit(None, kind).alias(name) for name, kind in JUDGED_QUALITY.schema.items() if name not in frame]
    return JUDGED_QUALITY.conform(frame.with_columns(absent)).sort(*SERIES, "dimension", "slice")


def series_samples(
    sample: pl.DataFrame, judgements: pl.DataFrame, verdicts: pl.DataFrame
) -> Iterator[tuple[dict[str, object], SeriesSample]]:
    """Each series (judge, fingerprint, criterion) of the sampled answers, in order."""
    votes = person_verdicts(verdicts)
    factors = _label_factors(verdicts)
    single = judgements.filter(pl.col("other_interaction_id") == "").join(
        sample.select("interaction_id"), on="interaction_id", how="semi"
    )
    facts = sample.select(
        "interaction_id",
        "conversation_id",
        *(pl.col(name).cast(pl.String).fill_null(UNKNOWN) for name in DIMENSIONS),
        (1 / pl.col("inclusion_probability")).alias("weight"),
    )
    for series, judged in single.sort(*SERIES, "interaction_id").group_by(SERIES, maintain_order=True):
        labels: dict[str, object] = dict(zip(SERIES, series, strict=True))
        about = votes.filter(pl.col("criterion") == labels["criterion"])
        yield labels, _series_sample(judged, about, facts, factors.filter(pl.col("criterion") == labels["criterion"]))


def _label_factors(verdicts: pl.DataFrame) -> pl.DataFrame:
    missing = {"criterion": pl.lit(OVERALL), "label_factor": pl.lit(1.0)}
    given = verdicts.with_columns(value.alias(name) for name, value in missing.items() if name not in verdicts.columns)
    return given.group_by("interaction_id", "criterion").agg(pl.col("label_factor").max())


def _series_sample(
    judged: pl.DataFrame, votes: pl.DataFrame, facts: pl.DataFrame, factors: pl.DataFrame
) -> SeriesSample:
    joined = judged.join(facts, on="interaction_id").sort("interaction_id")
    usable = (pl.col("status") == "ok") & pl.col("verdict").is_in(list(VERDICT_VALUES))
    rows = joined.filter(usable).with_columns(
        pl.col("verdict").replace_strict(VERDICT_VALUES, return_dtype=pl.Float64).alias("judged_value")
    )
    codes, _ = cluster_codes(rows["conversation_id"].to_numpy())
    rows = (
        rows.with_columns(pl.coalesce("score", "judged_value").alias("score"), pl.Series("cluster", codes))
        .join(human_labels(votes).drop("criterion"), on="interaction_id", how="left")
        .join(factors.drop("criterion"), on="interaction_id", how="left")
        .with_columns(pl.col("human_value").fill_null(float("nan")), pl.col("label_factor").fill_null(1.0))
        .with_columns((pl.col("weight") * pl.col("label_factor")).alias("label_weight"))
        .sort("interaction_id")
    )
    labelled = labelled_judgements(judged, votes).join(facts, on="interaction_id").sort("interaction_id")
    measured = series_accuracy(labelled, labelled["conversation_id"])
    return SeriesSample(rows, joined.filter(~usable), measured, trust_problem(measured))


def _slices(series: SeriesSample) -> Iterator[tuple[str, str, pl.Expr]]:
    yield "all", "all", pl.lit(True)
    for dimension in DIMENSIONS:
        values = pl.concat([series.rows[dimension], series.unscored[dimension]]).unique().sort()
        for value in values:
            yield dimension, value, pl.col(dimension) == value


def _quality(series: SeriesSample, member: pl.Expr) -> dict[str, object]:
    rows, unscored = series.rows.filter(member), series.unscored.filter(member)
    people = rows.filter(pl.col("human_value").is_not_nan())
    row: dict[str, object] = {
        "judged": rows.height,
        "unscored": unscored.height,
        "labelled": people.height,
        "people_rate": _people_rate(people),
    }
    if rows.is_empty():
        return row | {"reason": "nothing_judged"}
    weights = rows["weight"].to_numpy()
    raw = weighted_rate(rows["judged_value"].to_numpy(), weights, rows["cluster"].to_numpy())
    missing = float(unscored["weight"].sum())
    up = float((weights * rows["judged_value"].to_numpy()).sum())
    total = float(weights.sum()) + missing
    row |= {
        "worst_rate": up / total,
        "best_rate": (up + missing) / total,
        "mean_score": float(np.average(rows["score"].to_numpy(), weights=weights)),
        "mean_rating": _weighted_rating(rows),
        "raw_rate": up / float(weights.sum()),
    }
    if isinstance(raw, Estimate):
        row |= {"raw_low": raw.low, "raw_high": raw.high}
    return row | _corrected(corrected_rate(series, rows))


def _people_rate(people: pl.DataFrame) -> float | None:
    if people.is_empty():
        return None
    return float(np.average(people["human_value"].to_numpy(), weights=people["label_factor"].to_numpy()))


def weighted_rate(values: FloatArray, weights: FloatArray, clusters: IntArray) -> Result:
    """A weighted mean of values in 0–1 with a Wilson interval on the effective number of trials."""
    codes, groups = cluster_codes(clusters)
    if groups < 2:
        return NoResult("fewer_than_two_conversations", len(values), groups)
    mean = linearised_mean(values, weights, codes, groups)
    trials = effective_trials(mean.value, mean.standard_error, len(values), groups)
    low, high = wilson_interval(mean.value * trials, trials)
    return Estimate(mean.value, low, high, mean.standard_error, len(values), groups, "hajek_wilson")


def corrected_rate(series: SeriesSample, rows: pl.DataFrame) -> PredictionPowered | NoResult:
    """PPI++ over some of a series' rows; refused where the judge as a whole may not correct anything."""
    if series.problem is not None:
        labels = rows.filter(pl.col("human_value").is_not_nan()).height
        return NoResult(series.problem, labels)
    return prediction_powered_mean(
        rows["score"].to_numpy(),
        rows["human_value"].to_numpy(),
        weights=rows["weight"].to_numpy(),
        label_weights=rows["label_weight"].to_numpy(),
        codes=rows["cluster"].to_numpy(),
        clusters=series.rows["cluster"].n_unique(),
    )


def _corrected(powered: PredictionPowered | NoResult) -> dict[str, object]:
    result = powered.estimate((0.0, 1.0)) if isinstance(powered, PredictionPowered) else powered
    if isinstance(result, NoResult):
        return {"reason": result.reason}
    value = min(1.0, max(0.0, result.value))
    return {"corrected_rate": value, "low": result.low, "high": result.high, "method": result.method}


def _corrected_by_earlier(row: dict[str, object], measured: Accuracy | None) -> dict[str, object]:
    rate, low, high, judged = row.get("raw_rate"), row.get("raw_low"), row.get("raw_high"), row["judged"]
    if measured is None or not isinstance(rate, float) or not isinstance(low, float) or not isinstance(high, float):
        return {}
    error = (high - low) / (2 * 1.959964)
    items = judged if isinstance(judged, int) else 0
    result = rogan_gladen(Estimate(rate, low, high, error, items, items, "raw"), measured)
    if isinstance(result, NoResult):
        return {"reason": result.reason}
    return {
        "corrected_rate": result.value,
        "low": result.low,
        "high": result.high,
        "method": result.method,
        "reason": None,
    }


def _weighted_rating(rows: pl.DataFrame) -> float | None:
    rated = rows.filter(pl.col("rating").is_not_null())
    if rated.is_empty():
        return None
    return float(np.average(rated["rating"].to_numpy(), weights=rated["weight"].to_numpy()))
