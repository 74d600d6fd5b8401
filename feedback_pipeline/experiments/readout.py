"""An experiment as it stands: sample ratio first, people as units, both intervals, guardrails, one verdict an arm."""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
from feedback_client.assignment import Experiment

from feedback_pipeline.experiments import verdicts
from feedback_pipeline.experiments.ratios import People
from feedback_pipeline.experiments.registry import Registered
from feedback_pipeline.experiments.sample_ratio import mismatch
from feedback_pipeline.experiments.tables import EXPERIMENT_READOUT

HISTORY = dt.timedelta(days=28)
"""How far back votes tell what a person was like before the experiment."""

RELATIVE = ("cost_usd", "latency_ms")
"""Guardrails whose margin is a share of the control's mean."""

_MOMENT: Any = pl.Datetime("us", "UTC")
UNITS = pl.Schema({
    "unit": pl.String, "version": pl.Int64, "leaf": pl.Int64, "variant": pl.String, "propensity": pl.Float64,
    "assigned_at": _MOMENT, "exposed_at": _MOMENT,
})  # fmt: skip
SIGNALS = pl.Schema({
    "unit": pl.String, "at": _MOMENT, "measure": pl.String, "value": pl.Float64,
})  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """What is known of an experiment.

    Attributes:
        units: UNITS, everybody who was given an arm.
        signals: SIGNALS, one row a vote, answer or judgement of these units, also of the weeks before: approval 1 for
            up and 0 for down, refused 1 or 0, cost in dollars …
    """

    units: pl.DataFrame
    signals: pl.DataFrame


def read_experiment(found: Registered, versions: Mapping[int, Experiment], seen: Seen, day: dt.date) -> pl.DataFrame:
    """EXPERIMENT_READOUT of one experiment.

    Only signals from a person's first exposure on count; where nothing was logged as exposure, from the assignment on.
    Earlier votes are the person's history. Whoever has an arm that is no longer there is left out.
    """
    units = _analysed(seen.units, found.experiment)
    ratio = mismatch(list(_strata(units, versions)))
    sums = person_sums(units, seen.signals)
    control = found.experiment.default
    arms = [arm.name for arm in found.experiment.arms if arm.name != control]
    rows = [row for arm in arms for row in _arm(found, sums, units, arm, control, ratio, verdicts.ALPHA / len(arms))]
    about = {
        "tenant": found.tenant, "experiment": found.experiment.name, "version": found.experiment.version, "day": day,
    }  # fmt: skip
    return EXPERIMENT_READOUT.conform(pl.DataFrame([about | row for row in rows], schema=EXPERIMENT_READOUT.schema))


def person_sums(units: pl.DataFrame, signals: pl.DataFrame) -> pl.DataFrame:
    """`unit`, `variant`, `weight`, `measure`, `top`, `bottom`, `history` (0 where there is none), one row a unit and
    measure that it has signals of."""
    joined = signals.lazy().join(
        units.lazy().select("unit", "variant", "since", weight=1 / pl.col("propensity").fill_null(1.0)), on="unit"
    )
    after = (
        joined.filter(pl.col("at") >= pl.col("since"))
        .group_by("unit", "variant", "weight", "measure")
        .agg(top=pl.col("value").sum(), bottom=pl.len())
    )
    before = joined.filter((pl.col("at") < pl.col("since")) & (pl.col("at") >= pl.col("since") - HISTORY))
    means = before.group_by("measure").agg(mean=pl.col("value").mean())
    # what a person's votes before were above what such people's were; nothing for people without
    history = (
        before.join(means, on="measure")
        .group_by("unit", "measure")
        .agg(history=(pl.col("value") - pl.col("mean")).sum() / (pl.len() + 1))
    )
    return (
        after.join(history, on=["unit", "measure"], how="left").with_columns(pl.col("history").fill_null(0.0)).collect()
    )


def _analysed(units: pl.DataFrame, experiment: Experiment) -> pl.DataFrame:
    exposed = units["exposed_at"].is_not_null().any()
    since = pl.col("exposed_at") if exposed else pl.col("assigned_at")
    return units.with_columns(since=since).filter(
        pl.col("since").is_not_null() & pl.col("variant").is_in([arm.name for arm in experiment.arms])
    )


def _strata(
    units: pl.DataFrame, versions: Mapping[int, Experiment]
) -> Iterator[tuple[Mapping[str, int], Mapping[str, float]]]:
    counted = units.group_by("version", "leaf", "variant").len()
    for (version, leaf), rows in counted.group_by("version", "leaf", maintain_order=True):
        experiment = versions.get(int(str(version)))
        if experiment is None:
            continue
        weights = {arm.name: arm.weight for arm in experiment.arms}
        for context in experiment.contexts:
            if context.leaf == leaf:
                weights = dict(zip(weights, context.weights, strict=True))
        yield dict(rows.select("variant", "len").iter_rows()), weights


def _arm(
    found: Registered,
    sums: pl.DataFrame,
    units: pl.DataFrame,
    arm: str,
    control: str,
    ratio: float | None,
    alpha: float,
) -> Iterator[dict[str, object]]:
    assigned = dict(units.group_by("variant").len().iter_rows())
    measures = {
        name: (sides := (_people(sums, name, arm), _people(sums, name, control)),
               verdicts.read(*sides, planned=found.plan.people, alpha=alpha))
        for name in ("approval", "success", "judged_approval", *found.plan.guardrails)
    }  # fmt: skip
    rails = [
        verdicts.Guardrail(name, measures[name][1], _margin(name, margin, measures[name][1]))
        for name, margin in found.plan.guardrails.items()
    ]
    conclusion = verdicts.conclude(
        measures["approval"][1], sample_ratio=ratio, planned=found.plan.people, smallest=found.plan.smallest,
        guardrails=rails,
    )  # fmt: skip
    broken = conclusion.verdict == "broken_assignment"
    for name, (sides, reading) in measures.items():
        role = "primary" if name == "approval" else "guardrail" if name in found.plan.guardrails else "secondary"
        row: dict[str, object] = {
            "arm": arm, "control": control, "measure": name, "role": role, "assigned": assigned.get(arm, 0),
            "assigned_control": assigned.get(control, 0), "people": sides[0].count, "people_control": sides[1].count,
            "value": None, "value_control": None, "difference": None, "low": None, "high": None, "sequence_low": None,
            "sequence_high": None, "explained": None, "sample_ratio": ratio, "reason": reading.reason,
        }  # fmt: skip
        if broken:
            row["reason"] = "the arms' shares of people are not those asked for"
        elif reading.gap is not None:
            row |= {
                "value": reading.gap.arm, "value_control": reading.gap.control, "difference": reading.gap.value,
                "low": reading.low, "high": reading.high, "sequence_low": reading.sequence_low,
                "sequence_high": reading.sequence_high, "explained": reading.gap.explained,
            }  # fmt: skip
        decided = conclusion if role == "primary" else None
        row |= {
            "verdict": decided and decided.verdict, "beyond": decided and decided.beyond,
            "advice": decided and decided.advice, "people_missing": decided and decided.people_missing,
            "expected": None if decided is None or broken else decided.expected,
        }  # fmt: skip
        yield row


def _margin(name: str, margin: float, reading: verdicts.Reading) -> float:
    if name in RELATIVE and reading.gap is not None:
        return margin * abs(reading.gap.control)
    return margin


def _people(sums: pl.DataFrame, measure: str, arm: str) -> People:
    rows = sums.filter((pl.col("measure") == measure) & (pl.col("variant") == arm))
    return People.of(*(rows[name].to_numpy() for name in ("top", "bottom", "weight", "history")))
