"""`suggest_improvements`: what to do next, by a model or by rule."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from feedback_pipeline.actions.evidence import gather
from feedback_pipeline.actions.recommendations import recommend
from feedback_pipeline.actions.suggest import Suggestions, configured_endpoint, suggest
from feedback_pipeline.analysis.content_cache import cache
from feedback_pipeline.analysis.performance import SLICED
from feedback_pipeline.analysis.vote_stretches import Stretch, stretch_of
from feedback_pipeline.llm.calls import Endpoint
from feedback_pipeline.patterns.change import approval_change
from feedback_pipeline.patterns.slices import find_slices
from feedback_pipeline.settings import Settings


def suggest_improvements(
    data: Any = None,
    framework: str | None = None,
    days: int = 30,
    limit: int = 5,
    *,
    db: Any = None,
    until: date | None = None,
    settings: Settings | None = None,
) -> list[dict[str, str]]:
    """What to do next: by a model where `OPENAI_API_KEY` is set, else by rule; `source` says which.

    With `framework`, what to do about that framework: how it does against the rest, and what within it is worst. A
    first argument in words is taken for it, so that `suggest_improvements("react", 30, 5)` works, too.

    Each suggestion has `title`, `suggestion`, `reason`, `evidence` (ids of findings), `expected_effect` and `source`.

    Raises:
        InsufficientFeedbackError: no vote falls into the stretch.
        FeedbackFrameError: the table is not one of feedback.
    """
    if isinstance(data, str) and not Path(data).suffix:
        days, limit = (framework, days) if isinstance(framework, int) else (days, limit)
        data, framework = None, data
    answered = suggestions(data, framework, days, limit, db=db, until=until, settings=settings)
    return [item.as_dict(answered.source) for item in answered.items]


def suggestions(
    data: Any = None,
    framework: str | None = None,
    days: int = 30,
    limit: int = 5,
    *,
    db: Any = None,
    until: date | None = None,
    settings: Settings | None = None,
) -> Suggestions:
    """As `suggest_improvements`, with why the rules answered where a model was configured."""
    settings = settings or Settings.from_environment()
    stretch = stretch_of(data if db is None else db, days, until, settings)
    if framework is not None:
        about = stretch.facts.filter(pl.col("framework").cast(pl.String) == framework)
        replace(stretch, facts=about).require(1)
    stretch.require(1)
    endpoint = configured_endpoint(settings)
    key = stretch.digest("suggest_improvements", framework, limit, endpoint)
    # a model that failed is asked again next time
    return cache.get(
        key,
        lambda: _suggestions(stretch, framework, limit, endpoint),
        keep=lambda given: given.source == "model" or endpoint is None,
    )


def _suggestions(stretch: Stretch, framework: str | None, limit: int, endpoint: Endpoint | None) -> Suggestions:
    findings, facts, before = _findings(stretch, framework)
    change = approval_change(facts, before, SLICED, week=stretch.last).table
    advice = recommend(week=stretch.last, slice_findings=findings, approval_change=change, noun=stretch.noun)
    return suggest(advice, gather(findings, change), limit=limit, endpoint=endpoint, noun=stretch.noun)


def _findings(stretch: Stretch, framework: str | None) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Findings, and the votes they are about now and before: of all votes, or of one framework.

    One framework is compared with the others, and its groups with the rest of it.
    """
    if framework is None:
        return find_slices(stretch.facts, SLICED, week=stretch.last).findings, stretch.facts, stretch.before
    chosen = pl.col("framework").cast(pl.String) == framework
    facts, before = stretch.facts.filter(chosen), stretch.before.filter(chosen)
    against_rest = find_slices(stretch.facts, ["framework"], week=stretch.last).findings
    within = find_slices(facts, [name for name in SLICED if name != "framework"], week=stretch.last).findings
    about = against_rest.filter(pl.col("values").list.contains(framework))
    return pl.concat([about, within]), facts, before
