"""A router of prompts by the task's words, and one that learns from feedback how confident to be.

It follows a simple rule that people asked for by name. It changes a confidence and never a choice: which framework is
better is better learned by an adaptive experiment (docs/experiments.md), where a share of people keeps trying each.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from feedback_pipeline.analysis.vote_stretches import InsufficientFeedbackError, stretch_of
from feedback_pipeline.settings import Settings

WELL, BADLY = 0.8, 0.5
RAISED, LOWERED = 1.1, 0.9

FIRST_CONFIDENCE = 0.6
"""Confidence of a framework that no word of the task asks for."""


@dataclass(frozen=True)
class Routing:
    """How a task is to be prompted.

    Attributes:
        primary_framework: name of the framework.
        model_recommendation: kind of model.
        confidence: 0 to 1.
        techniques: what the prompt is to use.
        reasoning: why, and what feedback says of it.
    """

    primary_framework: str
    model_recommendation: str
    confidence: float
    techniques: tuple[str, ...]
    reasoning: str

    def __getitem__(self, name: str) -> Any:
        """The same by name, as of a dictionary."""
        if name not in self.__dataclass_fields__:
            raise KeyError(name)
        return getattr(self, name)


@functools.cache
def _rules() -> Mapping[str, Any]:
    found: Mapping[str, Any] = yaml.safe_load(Path(__file__).with_name("prompt_routing.yaml").read_text("utf-8"))
    return found


def route_prompt(task: str) -> Routing:
    """The framework a task asks for, by its words.

    Example:
        >>> route_prompt("Calculate the interest step by step").primary_framework
        'chain_of_thought'
    """
    lowered = f" {' '.join(task.lower().split())} "
    scored = [
        (sum(f" {word}" in lowered for word in rule["words"]), -place, rule)
        for place, rule in enumerate(_rules()["frameworks"])
    ]
    hits, _, best = max(scored, key=lambda one: one[:2])
    chosen = best if hits else _rules()["otherwise"]
    confidence = min(0.95, FIRST_CONFIDENCE + 0.1 * hits)
    return Routing(
        chosen["name"], chosen["model"], round(confidence, 2), tuple(chosen["techniques"]), f"The task {chosen['says']}"
    )


def build_enhanced_prompt(task: str, routing: Routing | Mapping[str, Any]) -> str:
    """The task with what each technique of a routing asks for."""
    known = _rules()["instructions"]
    lines = [known[name] for name in routing["techniques"] if name in known]
    return "\n".join([task.strip(), "", *lines]).strip()


class AdaptivePromptRouter:
    """`route_prompt` with a confidence that follows feedback."""

    def __init__(self, data: Any = None, *, min_samples: int = 3, settings: Settings | None = None) -> None:
        """`data` is a table of feedback as of `analyze_patterns`; the pipeline's own votes unless given."""
        self._data = data
        self._min_samples = min_samples
        self._settings = settings

    def route_with_learning(self, task: str, days_to_analyze: int = 7, *, until: date | None = None) -> Routing:
        """The routing; its confidence times 1.1 (at most 1) where the framework's success is over 0.8, times 0.9 under
        0.5, with the reason appended; unchanged where fewer than `min_samples` votes say so."""
        routing = route_prompt(task)
        success = self._success(routing.primary_framework, days_to_analyze, until)
        if success is None or BADLY <= success <= WELL:
            return routing
        factor, said = (RAISED, "performing well") if success > WELL else (LOWERED, "needs improvement")
        return replace(
            routing,
            confidence=min(1.0, routing.confidence * factor),
            reasoning=f"{routing.reasoning} | Framework {said} ({success:.0%} success)",
        )

    def _success(self, framework: str, days: int, until: date | None) -> float | None:
        stretch = stretch_of(self._data, days, until, self._settings)
        try:
            stretch.require(self._min_samples)
        except InsufficientFeedbackError:
            return None
        known = stretch.facts.filter(pl.col("framework").cast(pl.String) == framework)["success"].drop_nulls()
        return None if len(known) < self._min_samples else float(known.mean())  # type: ignore[arg-type]
