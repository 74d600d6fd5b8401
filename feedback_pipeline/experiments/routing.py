"""Weights of adaptive experiments, a day at a time: from votes that had time to come, by context leaf."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from feedback_pipeline.experiments import registry, verdicts
from feedback_pipeline.experiments.off_policy import Log, value_of
from feedback_pipeline.experiments.ratios import People
from feedback_pipeline.experiments.readout import Seen, person_sums
from feedback_pipeline.experiments.registry import Registered, statement
from feedback_pipeline.experiments.tables import ROUTING_POLICY
from feedback_pipeline.experiments.thompson import LeafWeights, leaf_weights, pooled_prior
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.stats.no_result import NoResult


@dataclass(frozen=True)
class Policy:
    """A day's weights.

    Attributes:
        weights: by leaf; the leaf None holds the weights of everybody whom no context fits.
        rows: ROUTING_POLICY.
    """

    weights: dict[int | None, LeafWeights]
    rows: pl.DataFrame


def route(found: Registered, seen: Seen, day: dt.date, *, off: frozenset[str] = frozenset()) -> Policy:
    """The weights of an adaptive experiment after a day, and what each arm alone would have earned.

    Args:
        found: the experiment.
        seen: its people and their votes.
        day: the last day that is counted; seeds the draws.
        off: arms whose guardrail was breached: they serve nobody.
    """
    experiment = found.experiment
    arms = [arm.name for arm in experiment.arms]
    since = seen.units.with_columns(since=pl.coalesce("exposed_at", "assigned_at"), variant=pl.col("variant")).filter(
        pl.col("variant").is_in(arms)
    )
    votes = seen.signals.filter(pl.col("measure") == "approval")
    ripe = since.filter(pl.col("since") <= _end(day) - _time_to_vote(since, votes))
    sums = person_sums(ripe, votes).join(ripe.select("unit", "leaf", "propensity"), on="unit")
    leaves: list[int | None] = [None, *(context.leaf for context in experiment.contexts)]
    cells = {leaf: _cells(sums if leaf is None else sums.filter(pl.col("leaf") == leaf), arms) for leaf in leaves}
    pooled = pooled_prior(cells[None][0], cells[None][1])
    closed = [index for index, arm in enumerate(arms) if arm in off]
    weights = {
        leaf: leaf_weights(*cells[leaf], pooled, off=closed, seed=day.toordinal() + 1_000 * ((leaf or 0) + 1))
        for leaf in leaves
    }
    alone = [_alone(sums, leaves, arms, index) for index in range(len(arms))]
    rows = [
        {
            "tenant": found.tenant, "experiment": experiment.name, "version": experiment.version, "day": day,
            "leaf": -1 if leaf is None else leaf, "arm": arm, "weight": weights[leaf].weights[index],
            "best": weights[leaf].best[index], "votes": int(cells[leaf][1][index]),
            "people": int(cells[leaf][2][index]), "approval": _rate(cells[leaf], index),
            "method": weights[leaf].reason, **(alone[index] if leaf is None else {}),
            "advice": _advice(sums, arms, index, found) if leaf is None else None,
        }
        for leaf in leaves for index, arm in enumerate(arms)
    ]  # fmt: skip
    return Policy(weights, ROUTING_POLICY.conform(pl.DataFrame(rows, schema=ROUTING_POLICY.schema)))


def serve(pipeline: Pipeline, found: Registered, policy: Policy, day: dt.date) -> Registered:
    """Lets a day's weights decide from now on, once a day, and only the newest day's."""
    experiment = found.experiment
    values = {"tenant": found.tenant, "name": experiment.name, "day": day, "version": experiment.version + 1}
    with pipeline.database.engine.begin() as connection:
        newest = connection.execute(statement("routed_days"), values).scalar()
        if newest is not None and newest >= day:
            return found
        if connection.execute(statement("note_routing"), values).first() is None:
            return found
    marginal = policy.weights[None].weights
    changes: dict[str, Any] = {
        "arms": [
            {"name": arm.name, "weight": weight, "payload": arm.payload}
            for arm, weight in zip(experiment.arms, marginal, strict=True)
        ],
        "contexts": [
            {"leaf": one.leaf, "condition": dict(one.condition), "weights": list(policy.weights[one.leaf].weights)}
            for one in experiment.contexts
        ],
    }
    return registry.change(
        pipeline.database, experiment.name, changes, now=pipeline.now(), tenant=found.tenant, reason=f"weights of {day}"
    )


def _end(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), dt.UTC)


def _time_to_vote(units: pl.DataFrame, votes: pl.DataFrame) -> dt.timedelta:
    """Median time from exposure to the first vote: whoever was exposed later may still be about to complain."""
    first = votes.group_by("unit").agg(pl.col("at").min()).join(units.select("unit", "since"), on="unit")
    taken = first.filter(pl.col("at") >= pl.col("since")).select((pl.col("at") - pl.col("since")).median()).item()
    return taken if isinstance(taken, dt.timedelta) else dt.timedelta(0)


def _cells(sums: pl.DataFrame, arms: list[str]) -> tuple[Any, Any, Any]:
    """Votes up, votes and people by arm; votes are weighted by one over the probability they were served with, scaled
    back to as many votes as there were."""
    up, n, people = (np.zeros(len(arms)) for _ in range(3))
    for index, arm in enumerate(arms):
        own = sums.filter(pl.col("variant") == arm)
        if own.height == 0:
            continue
        weight = own["weight"].to_numpy()
        weight = weight / weight.mean()
        up[index], n[index] = (weight * own["top"].to_numpy()).sum(), (weight * own["bottom"].to_numpy()).sum()
        people[index] = own.height
    return np.minimum(up, n), n, people


def _rate(cells: tuple[Any, Any, Any], index: int) -> float | None:
    return float(cells[0][index] / cells[1][index]) if cells[1][index] > 0 else None


def _alone(sums: pl.DataFrame, leaves: list[int | None], arms: list[str], index: int) -> dict[str, Any]:
    """What an arm would have earned had everybody got it."""
    known = sums.filter(pl.col("propensity").is_not_null())
    codes = {leaf: code for code, leaf in enumerate(leaves)}
    log = Log(
        (known["top"] / known["bottom"]).to_numpy(),
        np.array([arms.index(name) for name in known["variant"]], dtype=np.int64),
        np.array([codes.get(name, 0) for name in known["leaf"]], dtype=np.int64),
        known["propensity"].to_numpy(), np.arange(known.height, dtype=np.int64),
    )  # fmt: skip
    policy = np.zeros((len(leaves), len(arms)))
    policy[:, index] = 1.0
    value = value_of(log, policy)
    if isinstance(value, NoResult):
        return {"reason": value.reason}
    return {"value": value.value, "low": value.low, "high": value.high, "effective": value.effective}


def _advice(sums: pl.DataFrame, arms: list[str], index: int, found: Registered) -> str | None:
    """Whether the arm may be called the best by now, against every other one."""
    sides = [_people(sums, arm) for arm in arms]
    alpha = verdicts.ALPHA / max(1, len(arms) - 1)
    readings = [
        verdicts.read(sides[index], other, planned=found.plan.people, alpha=alpha, adjust=False)
        for place, other in enumerate(sides) if place != index
    ]  # fmt: skip
    lows = [one.sequence_low for one in readings]
    return "stop: the best arm" if lows and all(low is not None and low > 0 for low in lows) else None


def _people(sums: pl.DataFrame, arm: str) -> People:
    rows = sums.filter(pl.col("variant") == arm)
    return People.of(*(rows[name].to_numpy() for name in ("top", "bottom", "weight", "history")))
