"""The sections about quality: judged quality, model and prompt versions, standings of levels."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

import numpy as np
import polars as pl
import scipy

from feedback_pipeline.patterns.safety import flagged_rates
from feedback_pipeline.reports.findings import Standing, Standings
from feedback_pipeline.reports.operations import (
    JudgedCriterion,
    JudgedQuality,
    Version,
    VersionComparison,
    Versions,
)
from feedback_pipeline.reports.parts import MIN_PEOPLE, NoResultPart, Rate
from feedback_pipeline.reports.sections.estimates import (
    Row,
    approval,
    bounded_rate,
    level_sums,
    report_difference,
    report_rate,
    standard_error,
    success,
)
from feedback_pipeline.reports.sources import Sources
from feedback_pipeline.stats import intervals

VERSION_DIMENSIONS = ("prompt_version", "model")
STANDING_DIMENSIONS = ("action_type", "content_type", "intent", "framework", "project", "language")
MAX_LEVELS = 12
"""Levels shown of one dimension: those with most votes."""
STANDING_VOTES = 30
FALSE_DISCOVERY_RATE = 0.05

NO_BETTER_THAN_CHANCE = "judge_no_better_than_chance"
_REASONS = {
    "not_enough_labels": "too few judged answers have a human label",
    "nothing_judged": "no answer has a usable judgement",
    NO_BETTER_THAN_CHANCE: "the judge is no better than chance, so its rate says nothing",
}


def in_words(code: str | None) -> str:
    """A reason code as words."""
    if code is None:
        return "no reason was given"
    return _REASONS.get(code, code.replace("_", " "))


def judged_quality(sources: Sources) -> JudgedQuality | NoResultPart:
    """Every judged criterion over all answers, with its agreement with people."""
    frame = sources.judged_quality
    if frame is None:
        return NoResultPart("no judge is configured")
    overall = frame.filter(pl.col("dimension") == "all").sort("criterion", "judge", "fingerprint")
    if overall.is_empty():
        return NoResultPart("no answer was judged")
    agreement = _agreement(sources.judge_calibration)
    return JudgedQuality(
        tuple(
            JudgedCriterion(
                criterion=row["criterion"],
                judge=row["judge"],
                raw=None if row["reason"] == NO_BETTER_THAN_CHANCE else row["raw_rate"],
                corrected=_corrected(row),
                agreement=agreement.get((row["fingerprint"], row["criterion"])),
                labelled=row["labelled"],
                unscored=row["unscored"],
            )
            for row in overall.iter_rows(named=True)
        )
    )


def _corrected(row: Row) -> Rate | NoResultPart:
    if row["corrected_rate"] is None or row["low"] is None or row["high"] is None or not row["judged"]:
        return NoResultPart(in_words(row["reason"]))
    value = min(max(row["corrected_rate"], 0.0), 1.0)
    return bounded_rate(value, row["low"], row["high"], row["judged"], None)


def _agreement(calibration: pl.DataFrame | None) -> dict[tuple[str, str], float]:
    if calibration is None:
        return {}
    kappas = calibration.filter((pl.col("statistic") == "cohen_kappa") & pl.col("value").is_not_null())
    return {
        (fingerprint, criterion): value
        for fingerprint, criterion, value in kappas.select("fingerprint", "criterion", "value").iter_rows()
    }


def versions(sources: Sources) -> Versions | NoResultPart:
    """The busiest models and prompt versions of the period, and judged comparisons of prompt versions."""
    rows = [version for dimension in VERSION_DIMENSIONS for version in _versions_of(sources, dimension)]
    comparisons = _comparisons(sources.version_comparison)
    if not rows and not comparisons:
        return NoResultPart("neither a vote nor an answer says which model or prompt version it is about")
    return Versions(tuple(rows), comparisons)


def _versions_of(sources: Sources, dimension: str) -> list[Version]:
    served = _served(sources.answers, dimension)
    first_seen = _first_seen(sources.daily_counts, dimension)
    flagged = {} if sources.safety_counts is None else flagged_rates(sources.safety_counts, dimension)
    judged = _judged_unsafe(sources.judged_quality)
    rated = _rated_answers(sources.vote_facts, dimension) if served else {}
    found = []
    for level, sums in _busiest(level_sums(sources.vote_facts, dimension), served):
        successes = report_rate(success(sums))
        numbers = served.get(level, {})
        answers = numbers.get("answers")
        found.append(
            Version(
                dimension=dimension,
                version=level,
                approval=report_rate(approval(sums)),
                answers=answers,
                response_rate=_quotient(rated.get(level), answers),
                success=None if isinstance(successes, NoResultPart) else successes,
                cost_per_answer=numbers.get("cost"),
                latency_median=numbers.get("median"),
                latency_p95=numbers.get("p95"),
                safety=_safety(flagged.get(level, {}), judged.get(level) if dimension == "prompt_version" else None),
                first_seen=first_seen.get(level),
            )
        )
    return found


def _safety(flagged: Mapping[str, float], judged: float | None) -> tuple[tuple[str, float], ...]:
    """Rates of flagged answers, by flag; the judge's verdict last."""
    found = tuple(flagged.items())
    return found if judged is None else (*found, ("judged_unsafe", judged))


def _judged_unsafe(frame: pl.DataFrame | None) -> dict[str, float]:
    """Share of answers that judges find unsafe, by prompt version: corrected by people where that could be done."""
    if frame is None:
        return {}
    rated = frame.filter((pl.col("dimension") == "prompt_version") & (pl.col("criterion") == "safety"))
    rated = rated.with_columns(rate=pl.coalesce("corrected_rate", "raw_rate")).filter(pl.col("rate").is_not_null())
    rows = rated.sort("judge", "fingerprint", descending=True).select("slice", "rate").iter_rows()
    return {level: min(max(1 - rate, 0.0), 1.0) for level, rate in rows}


def _quotient(rated: int | None, answers: int | None) -> float | None:
    """Rated among given answers; None where votes on answers of earlier periods push it over 1."""
    return rated / answers if rated is not None and answers and rated <= answers else None


def _rated_answers(facts: pl.DataFrame, dimension: str) -> dict[str, int]:
    counted = facts.group_by(pl.col(dimension).cast(pl.String)).agg(pl.col("interaction_id").hash().n_unique())
    return dict(counted.iter_rows())


def _busiest(
    sums: pl.DataFrame, served: Mapping[str | None, dict[str, Any]] | None = None
) -> list[tuple[str, pl.DataFrame]]:
    """The levels with most votes, each with its people's sums; where nobody voted, those that served most answers."""
    if sums.is_empty():
        known = sorted(((-one["answers"], level) for level, one in (served or {}).items() if level is not None))
        return [(level, sums) for _, level in known[:MAX_LEVELS]]
    counts = sums.group_by("level").agg(pl.col("votes").sum())
    counts = counts.sort(["votes", "level"], descending=[True, False]).head(MAX_LEVELS)
    parts = sums.filter(pl.col("level").is_in(counts["level"].implode())).partition_by("level", as_dict=True)
    return [(level, parts[(level,)]) for level in counts["level"].to_list()]


def _served(answers: pl.LazyFrame | None, dimension: str) -> dict[str | None, dict[str, Any]]:
    """Answers, cost and latency by level, from all answers, voted on or not."""
    if answers is None:
        return {}
    latency = pl.col("latency_ms").cast(pl.Float64)
    frame = (
        answers.group_by(pl.col(dimension).cast(pl.String))
        .agg(
            pl.len().alias("answers"),
            pl.col("cost_usd").mean().alias("cost"),
            latency.median().alias("median"),
            latency.quantile(0.95, "nearest").alias("p95"),
        )
        .collect()
    )
    return {row.pop(dimension): row for row in frame.to_dicts()}


def _first_seen(daily_counts: pl.DataFrame, dimension: str) -> dict[str | None, date]:
    """First day with votes of levels that appeared after the first day of the counts."""
    single = daily_counts.filter((pl.col("first_dimension") == dimension) & pl.col("second_dimension").is_null())
    if single.is_empty():
        return {}
    first = single.group_by("first_value").agg(pl.col("day").min())
    start = daily_counts["day"].min()
    return {level: day for level, day in first.iter_rows() if day > start}


def _comparisons(frame: pl.DataFrame | None) -> tuple[VersionComparison, ...]:
    if frame is None:
        return ()
    usable = frame.filter(pl.all_horizontal(pl.col("difference", "low", "high").is_not_null()))
    usable = usable.sort("criterion", "version_a", "version_b", "measure", "design", "fingerprint")
    found = []
    for row in usable.iter_rows(named=True):
        difference = report_difference(row["difference"], row["low"], row["high"], None)
        if not isinstance(difference, NoResultPart):
            found.append(
                VersionComparison(
                    earlier=row["version_a"],
                    later=row["version_b"],
                    criterion=row["criterion"],
                    measure=row["measure"],
                    difference=difference,
                    q_value=row["q_value"],
                    paired=row["design"] == "paired",
                )
            )
    return tuple(found)


def standings(sources: Sources) -> Standings | NoResultPart:
    """Levels with enough votes and people, each against all other votes, corrected for their number."""
    candidates = [
        (dimension, level, sums, prior)
        for dimension in STANDING_DIMENSIONS
        for level, sums, prior in _with_prior(level_sums(sources.vote_facts, dimension))
        if _total(sums, "votes") >= STANDING_VOTES and sums.filter(pl.col("votes") > 0).height >= MIN_PEOPLE
    ]
    if not candidates:
        return NoResultPart(
            f"no level of {', '.join(STANDING_DIMENSIONS).replace('_', ' ')} has {STANDING_VOTES} votes of "
            f"{MIN_PEOPLE} people"
        )
    scores = np.array([_score(sums, sources.people) for _, _, sums, _ in candidates])
    q_values = intervals.benjamini_hochberg(2 * scipy.special.ndtr(-np.abs(scores)))
    levels = []
    for (dimension, level, sums, prior), score, q_value in zip(candidates, scores, q_values, strict=True):
        rate = report_rate(approval(sums))
        if isinstance(rate, NoResultPart):
            continue
        shrunken = float(prior.shrink(_total(sums, "up"), _total(sums, "votes")))
        levels.append(Standing(dimension, level, rate, min(max(shrunken, 0.0), 1.0), _against_rest(score, q_value)))
    return Standings(tuple(levels))


def _with_prior(sums: pl.DataFrame) -> list[tuple[str, pl.DataFrame, intervals.BetaPrior]]:
    """The busiest levels of a dimension, with the prior of all its levels."""
    counts = sums.group_by("level").agg(pl.col("up").sum(), pl.col("votes").sum()).sort("level")
    prior = intervals.fit_beta_prior(counts["up"].to_numpy(), counts["votes"].to_numpy())
    return [(level, part, prior) for level, part in _busiest(sums)]


def _against_rest(score: float, q_value: float) -> Literal["better", "worse", "no difference"]:
    if q_value > FALSE_DISCOVERY_RATE:
        return "no difference"
    return "better" if score > 0 else "worse"


def _score(sums: pl.DataFrame, everyone: pl.DataFrame) -> float:
    """Approval of the level minus that of all other votes, in clustered standard errors; 0 where none can be told."""
    rest = everyone.join(sums, on="person", how="left", suffix="_level").select(
        pl.col("up") - pl.col("up_level").fill_null(0), pl.col("votes") - pl.col("votes_level").fill_null(0)
    )
    error, error_of_rest = standard_error(sums), standard_error(rest)
    if error is None or error_of_rest is None or error + error_of_rest <= intervals.RESOLUTION:
        return 0.0
    gap = _total(sums, "up") / _total(sums, "votes") - _total(rest, "up") / _total(rest, "votes")
    return float(gap / np.hypot(error, error_of_rest))


def _total(sums: pl.DataFrame, column: str) -> int:
    return int(sums[column].sum())
