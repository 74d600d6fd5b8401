"""One report gathered from the frames of a period."""

from dataclasses import replace
from datetime import datetime

from feedback_pipeline.reports.content import ReportContent
from feedback_pipeline.reports.sections import (
    analysis,
    incidents,
    loop,
    opening,
    parameters,
    quality,
    said,
    subjects,
    trials,
)
from feedback_pipeline.reports.sources import Sources
from feedback_pipeline.reports.summary import Period


def assemble(
    period: Period, sources: Sources, *, project: str, generated_at: datetime, target: float | None = None
) -> ReportContent:
    """Every section that the sources support; the others say why they cannot.

    Args:
        period: the week or month (`periods.week_of`, `periods.month_of`).
        sources: the frames of that period; any of them may be empty.
        project: whose feedback this is, for the title.
        generated_at: when the frames were read, UTC; the only part of a report that depends on the clock.
        target: approval aimed at, 0–1.
    """
    silent = said.silence(sources.vote_facts, sources.said, period.noun)
    content = ReportContent(
        project=project,
        period=period,
        generated_at=generated_at,
        verdict=silent or opening.verdict(sources, target),
        coverage=opening.coverage(sources, period),
        trend=opening.trend(sources, period, target),
        change=silent or analysis.change(sources),
        causes=silent or analysis.causes(sources),
        preferences=said.preferences(sources),
        comments=said.comments(sources),
        corrections=said.corrections(sources),
        subjects=subjects.subjects(sources),
        recommendations=loop.recommendations(sources),
        past_actions=loop.past_actions(sources),
        improvements=silent or analysis.improvements(sources),
        alerts=incidents.alerts(sources, target),
        all_answers=trials.all_answers(sources),
        experiments=trials.trials(sources),
        judged_quality=quality.judged_quality(sources),
        versions=quality.versions(sources),
        standings=silent or quality.standings(sources),
        terms=silent or analysis.terms(sources),
        topics=silent or analysis.topics(sources),
        repeated_failures=silent or analysis.repeated_failures(sources),
        engagement=loop.engagement(sources, period),
        training=loop.training(sources),
        data_quality=loop.data_quality(sources),
    )
    return replace(content, method=parameters.method(sources, content))
