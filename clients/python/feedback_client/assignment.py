"""Which arm a unit gets: stable, without a service or a database, and never an exception in the application.

A unit is a person, a session or a conversation. A decision says why, and with which probability; what cannot be
decided gets the default arm and a reason.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from feedback_client import targeting
from feedback_client.hashing import chosen, ranges, share_of

MAX_UNIT = 1_000
"""Characters of a unit's id; a longer one is no id but a text."""

MIN_PROPENSITY = 0.01
"""Arms less likely than this are not served by an adaptive experiment: nothing could be learned from them."""

FALLBACK_LEAF = -1
"""Leaf of an adaptive experiment whose contexts fit nobody: the weights over all contexts are used."""

HOLDOUT_SEED = "holdout"
"""One seed for every experiment: who is held out of one is held out of all that hold out as many."""

NO_ARM = "default"
"""The arm where none is named at all."""

Reason = Literal[
    "assigned", "sticky", "not_targeted", "holdout", "layer", "ramp", "not_running", "unknown_experiment", "no_unit",
    "unit_too_long", "weights", "unavailable",
]  # fmt: skip

_log = logging.getLogger(__name__)
_SUM_TOLERANCE = 1e-6
_told: set[str] = set()


class WeightsError(ValueError):
    """Weights of arms that cannot be used; the message says why."""


@dataclass(frozen=True)
class Arm:
    """One thing that may answer.

    Attributes:
        name: as `get_prompt(variant)` of the application knows it.
        weight: share of those who take part, 0 to 1.
        payload: what a feature-flag client is given as the value, where it is not the name.
    """

    name: str
    weight: float
    payload: Any = None


@dataclass(frozen=True)
class Context:
    """A leaf of an adaptive experiment: whom it is for, and the weights of the arms there."""

    leaf: int
    condition: Mapping[str, Any]
    weights: tuple[float, ...]


@dataclass(frozen=True)
class Experiment:
    """What is needed to decide. Immutable: a change makes another version.

    Attributes:
        name: of the experiment.
        version: grows with each change of arms, weights, seed or targeting; a ramp is no new version.
        arms: at least one; their weights sum to 1.
        default: the arm of everybody who does not take part.
        seed: decides who gets what.
        unit: what is assigned.
        coverage: share of those concerned that takes part: the ramp.
        holdout: share of all people that never gets anything but the default.
        layer: experiments of one layer share no person.
        layer_range: which part of the layer is this experiment's.
        condition: whom it is for.
        contexts: leaves of an adaptive experiment, the first that fits counts.
        running: whether anybody is assigned.
    """

    name: str
    version: int
    arms: tuple[Arm, ...]
    default: str
    seed: str
    unit: Literal["person", "session", "conversation"] = "person"
    coverage: float = 1.0
    holdout: float = 0.0
    layer: str | None = None
    layer_range: tuple[float, float] = (0.0, 1.0)
    condition: Mapping[str, Any] = field(default_factory=dict)
    contexts: tuple[Context, ...] = ()
    running: bool = True

    def arm(self, name: str) -> Arm | None:
        """The arm of a name."""
        return next((arm for arm in self.arms if arm.name == name), None)


@dataclass(frozen=True)
class Decision:
    """The arm a unit gets.

    Attributes:
        variant: the arm's name.
        reason: why; only `assigned` and `sticky` take part in the experiment.
        propensity: probability of this arm among those who take part; None for whoever does not.
        experiment: its name.
        version: of the experiment.
        leaf: the context of an adaptive experiment.
        payload: of the arm.
    """

    variant: str
    reason: Reason
    propensity: float | None = None
    experiment: str = ""
    version: int = 0
    leaf: int | None = None
    payload: Any = None

    @property
    def takes_part(self) -> bool:
        return self.reason in ("assigned", "sticky")


@dataclass(frozen=True)
class Held:
    """What a unit was given before."""

    variant: str
    propensity: float
    leaf: int | None = None


def check_weights(weights: Mapping[str, float]) -> None:
    """Raises:
    WeightsError: no arm, a weight that is no number from 0 to 1, or weights that do not sum to 1.
    """
    if not weights:
        raise WeightsError("there is no arm")
    for name, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not math.isfinite(weight):
            raise WeightsError(f"the weight of {name[:40]} is no number")
        if not 0 <= weight <= 1:
            raise WeightsError(f"the weight of {name[:40]} is {weight:g}, not from 0 to 1")
    total = math.fsum(weights.values())
    if abs(total - 1) > _SUM_TOLERANCE:
        raise WeightsError(f"the weights sum to {total:g}, not to 1")


def route_to_variant(
    user_id: str | int | None, weights: Mapping[str, float], *, experiment: str = "", default: str | None = None
) -> str:
    """The arm of a person: the same one each time, in every process and language with GrowthBook's hash.

    Never raises: what cannot be decided (no id, one of more than 1,000 characters, weights that do not sum to 1) gets
    `default`, the first arm where none is named, and is logged once.

    Args:
        user_id: whom it is for.
        weights: share by arm, such as `{"v1": 0.8, "v2": 0.2}`.
        experiment: what is decided; the same person falls elsewhere in another experiment.
        default: the arm where nothing can be decided.

    Example:
        >>> route_to_variant("ada", {"v1": 0.8, "v2": 0.2}) in {"v1", "v2"}
        True
    """
    named = default or next(iter(weights), NO_ARM)
    try:
        check_weights(weights)
    except WeightsError as error:
        tell_once(f"{experiment or 'route_to_variant'}: {error}; everybody gets {named}")
        return named
    unit, reason = unit_of(user_id)
    if reason is not None:
        tell_once(f"{experiment or 'route_to_variant'}: {reason}; such people get {named}")
        return named
    index = chosen(share_of(experiment, unit), ranges(list(weights.values())))
    return named if index is None else list(weights)[index]


def decide(
    experiment: Experiment, unit: str | int | None, attributes: Mapping[str, Any] | None = None,
    held: Held | None = None,
) -> Decision:  # fmt: skip
    """The arm of a unit.

    Args:
        experiment: what is decided.
        unit: the id as the application knows it.
        attributes: what targeting and contexts may look at.
        held: what the unit was given before under this experiment: it keeps it while the arm is there.
    """
    name, reason = unit_of(unit)
    if reason is not None:
        return _default(experiment, reason)
    if not experiment.running:
        return _default(experiment, "not_running")
    about = attributes or {}
    if experiment.holdout and share_of(HOLDOUT_SEED, name) < experiment.holdout:
        return _default(experiment, "holdout")
    if experiment.layer is not None:
        low, high = experiment.layer_range
        if not low <= share_of(f"layer:{experiment.layer}", name) < high:
            return _default(experiment, "layer")
    if experiment.condition and not targeting.holds(experiment.condition, about):
        return _default(experiment, "not_targeted")
    if held is not None and (arm := experiment.arm(held.variant)) is not None:
        return _taken(experiment, arm, "sticky", held.propensity, held.leaf)
    leaf, weights = _leaf(experiment, about)
    index = chosen(share_of(experiment.seed, name), ranges(weights, experiment.coverage))
    if index is None:
        return _default(experiment, "ramp")
    return _taken(experiment, experiment.arms[index], "assigned", weights[index], leaf)


def _leaf(experiment: Experiment, attributes: Mapping[str, Any]) -> tuple[int | None, list[float]]:
    marginal = [arm.weight for arm in experiment.arms]
    if not experiment.contexts:
        return None, marginal
    for context in experiment.contexts:
        if targeting.holds(context.condition, attributes):
            return context.leaf, list(context.weights)
    return FALLBACK_LEAF, marginal


def _taken(experiment: Experiment, arm: Arm, reason: Reason, propensity: float, leaf: int | None) -> Decision:
    return Decision(arm.name, reason, propensity, experiment.name, experiment.version, leaf, arm.payload)


def _default(experiment: Experiment, reason: Reason) -> Decision:
    arm = experiment.arm(experiment.default)
    payload = None if arm is None else arm.payload
    return Decision(experiment.default, reason, None, experiment.name, experiment.version, None, payload)


def unit_of(user_id: object) -> tuple[str, Reason | None]:
    """The id as a text, and why it cannot be used."""
    if user_id is None or isinstance(user_id, bool) or not isinstance(user_id, (str, int)) or user_id == "":
        return "", "no_unit"
    name = str(user_id)
    return (name, None) if len(name) <= MAX_UNIT else ("", "unit_too_long")


def tell_once(text: str) -> None:
    """Logs a mistake of the application once, not once a call."""
    if text not in _told and len(_told) < 1_000:
        _told.add(text)
        _log.warning("%s", text)
