"""End dates of models and services."""

import functools
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import yaml

from feedback_pipeline.tuning.providers.protocol import Preparation

_FILE = Path(__file__).parent / "shutdowns.yaml"

NOTICE = timedelta(days=90)
"""A model that ends sooner is worth a warning before it is trained on."""


@functools.cache
def _published() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return content


def service_end(provider: str) -> date | None:
    """The day from which the provider starts no more training runs."""
    end: date | None = _published()["services"].get(provider)
    return end


def model_end(provider: str, model: str, told: date | None = None) -> date | None:
    """The day a model (or a dated version of it, or one tuned from it) ends: the earlier of published and `told`."""
    names = _published()["models"].get(provider, {})
    base = model.removeprefix("ft:").split(":")[0]
    known = [end for name, end in names.items() if base == name or base.startswith(f"{name}-2")]
    return min([end for end in (*known, told) if end is not None], default=None)


def before_training(provider: str, model: str, today: date, told: date | None = None) -> Preparation:
    """Problems and warnings from end dates."""
    problems, warnings = [], []
    if (end := service_end(provider)) is not None:
        if today >= end:
            problems.append(f"{provider} starts no training runs since {end}: choose another provider")
        elif end - today < NOTICE:
            warnings.append(f"{provider} starts no training runs from {end} on: this is one of the last")
    if (end := model_end(provider, model, told)) is not None:
        if today >= end:
            problems.append(f"{model} ended on {end}: choose another base model")
        elif end - today < NOTICE:
            warnings.append(f"{model}, and every model tuned from it, ends on {end}, in {(end - today).days} days")
    return Preparation(tuple(problems), tuple(warnings))
