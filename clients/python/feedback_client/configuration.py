"""Experiments as they travel: from the store to the API, to applications and their disks, and to GrowthBook's SDKs."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from feedback_client import targeting
from feedback_client.assignment import Arm, Context, Experiment, WeightsError, check_weights

MAX_ARMS = 20
MAX_NAME = 80
MAX_PAYLOAD = 20_000
"""Characters of an arm's payload as JSON."""

FORMAT = 1


class ConfigurationError(ValueError):
    """An experiment that cannot be used; the message names the part."""


def experiment_from(content: Mapping[str, Any]) -> Experiment:
    """An experiment of its JSON form.

    Raises:
        ConfigurationError: something is missing or cannot be used.
    """
    try:
        found = Experiment(
            name=_name(content["name"], "name"),
            version=int(content.get("version", 1)),
            arms=tuple(_arm(one) for one in content["arms"]),
            default=_name(content.get("default") or content["arms"][0]["name"], "default"),
            seed=str(content.get("seed") or content["name"])[:200],
            unit=content.get("unit", "person"),
            coverage=_share(content.get("coverage", 1.0), "coverage"),
            holdout=_share(content.get("holdout", 0.0), "holdout"),
            layer=content.get("layer"),
            layer_range=_range(content.get("layer_range", (0.0, 1.0))),
            condition=content.get("condition") or {},
            contexts=tuple(_context(one) for one in content.get("contexts") or ()),
            running=bool(content.get("running", True)),
        )
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ConfigurationError(
            f"an experiment needs a name and arms with name and weight: {type(error).__name__}"
        ) from error
    _check(found)
    return found


def content_of(experiment: Experiment) -> dict[str, Any]:
    """The JSON form of an experiment."""
    return {
        "name": experiment.name, "version": experiment.version, "default": experiment.default,
        "seed": experiment.seed, "unit": experiment.unit, "coverage": experiment.coverage,
        "holdout": experiment.holdout, "layer": experiment.layer, "layer_range": list(experiment.layer_range),
        "condition": dict(experiment.condition), "running": experiment.running,
        "arms": [{"name": arm.name, "weight": arm.weight, "payload": arm.payload} for arm in experiment.arms],
        "contexts": [
            {"leaf": one.leaf, "condition": dict(one.condition), "weights": list(one.weights)}
            for one in experiment.contexts
        ],
    }  # fmt: skip


def growthbook_feature(experiment: Experiment) -> dict[str, Any]:
    """The experiment as a feature of GrowthBook's payload: its SDKs give the same people the same arms.

    Sticky assignments and the holdout of people are ours; a layer becomes no namespace, since GrowthBook hashes those
    with version 1. So only experiments without layer and holdout are given away.
    """
    rule: dict[str, Any] = {
        "key": experiment.name, "seed": experiment.seed, "hashAttribute": "id", "hashVersion": 2,
        "coverage": experiment.coverage, "weights": [arm.weight for arm in experiment.arms],
        "variations": [_value(arm) for arm in experiment.arms],
        "meta": [{"key": arm.name} for arm in experiment.arms], "phase": str(experiment.version),
    }  # fmt: skip
    if experiment.condition:
        rule["condition"] = dict(experiment.condition)
    if experiment.contexts:
        rule["contextualBandit"] = {
            "banditVersion": experiment.version,
            "contexts": [
                {"leafId": one.leaf, "condition": dict(one.condition), "weights": list(one.weights)}
                for one in experiment.contexts
            ],
        }
    default = experiment.arm(experiment.default)
    return {"defaultValue": experiment.default if default is None else _value(default),
            "rules": [rule] if experiment.running else []}  # fmt: skip


def _value(arm: Arm) -> Any:
    return arm.name if arm.payload is None else arm.payload


def write_configuration(path: Path, experiments: Sequence[Experiment]) -> None:
    """Keeps experiments on disk, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.partial")
    draft.write_text(json.dumps({"format": FORMAT, "experiments": [content_of(one) for one in experiments]}))
    draft.replace(path)


def read_configuration(path: Path) -> list[Experiment]:
    """The experiments kept on disk; none where there is no file, or one that cannot be read."""
    try:
        content = json.loads(path.read_text())
        return [experiment_from(one) for one in content["experiments"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _check(found: Experiment) -> None:
    if not 1 <= len(found.arms) <= MAX_ARMS:
        raise ConfigurationError(f"an experiment has 1 to {MAX_ARMS} arms")
    if len({arm.name for arm in found.arms}) != len(found.arms):
        raise ConfigurationError("two arms have one name")
    try:
        check_weights({arm.name: arm.weight for arm in found.arms})
        for context in found.contexts:
            if len(context.weights) != len(found.arms):
                raise ConfigurationError(
                    f"leaf {context.leaf} has {len(context.weights)} weights for {len(found.arms)} arms"
                )
            check_weights({arm.name: weight for arm, weight in zip(found.arms, context.weights)})
        targeting.check(found.condition)
        for context in found.contexts:
            targeting.check(context.condition)
    except (WeightsError, targeting.ConditionError) as error:
        raise ConfigurationError(str(error)) from error
    if found.arm(found.default) is None:
        raise ConfigurationError(f"the default {found.default} is no arm")
    if found.unit not in ("person", "session", "conversation"):
        raise ConfigurationError("unit is person, session or conversation")
    if found.layer is not None:
        _name(found.layer, "layer")


def _arm(content: Mapping[str, Any]) -> Arm:
    payload = content.get("payload")
    if len(json.dumps(payload)) > MAX_PAYLOAD:
        raise ConfigurationError(f"a payload has at most {MAX_PAYLOAD} characters")
    return Arm(_name(content["name"], "an arm's name"), content["weight"], payload)


def _context(content: Mapping[str, Any]) -> Context:
    return Context(int(content["leaf"]), content.get("condition") or {}, tuple(content["weights"]))


def _name(value: object, what: str) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_NAME or not value.isprintable():
        raise ConfigurationError(f"{what} is a text of 1 to {MAX_NAME} characters")
    return value.strip()


def _share(value: object, what: str) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not math.isfinite(value)
        or not 0 <= value <= 1
    ):
        raise ConfigurationError(f"{what} is a number from 0 to 1")
    return float(value)


def _range(value: Any) -> tuple[float, float]:
    low, high = (_share(one, "layer_range") for one in value)
    if low >= high:
        raise ConfigurationError("layer_range is two numbers, the first below the second")
    return low, high
