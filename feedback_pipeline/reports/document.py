"""The JSON twin of the report, and its published schema (`schema.json`, JSON Schema 2020-12)."""

from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Literal

import orjson
from pydantic import TypeAdapter

from feedback_pipeline.reports import wording
from feedback_pipeline.reports.content import ReportContent
from feedback_pipeline.reports.findings import Standing
from feedback_pipeline.reports.parts import NoResultPart, Part, described

_LISTED = 5


@dataclass(frozen=True)
class ReportDocument(Part):
    """The report as data: the summary fields that clients have always read, and every section under `content`."""

    schema_version: Literal[1]
    period: str
    """ISO week (2026-W47) or month (2026-11)."""
    start_date: date
    """First day."""
    end_date: date
    """Last day, included."""
    total_prompts: int
    """Distinct answers that received a vote."""
    avg_rating: float | None
    """Mean of the stars given, 1–5; null without stars."""
    success_rate: float | None
    """Share of successful answers, 0–1, or approval where success is not recorded; null without a verdict."""
    improvement_vs_previous: float | None
    """Change of approval against the period before, in points, as the headline says it; null without one."""
    top_performers: tuple[str, ...]
    """Levels that do better than the rest, best first; at most five."""
    problem_areas: tuple[str, ...]
    """The causes found, in words; at most five."""
    action_items: tuple[str, ...]
    """The recommendations."""
    headline: str
    """The verdict in a sentence."""
    content: ReportContent
    """Every section, or why it is absent."""


def report_document(content: ReportContent) -> ReportDocument:
    """The document of a report."""
    verdict, coverage = content.verdict, content.coverage
    improvement = success = None
    if not isinstance(verdict, NoResultPart):
        success = (verdict.success or verdict.approval).value
        if verdict.previous is not None:
            improvement = 100 * (verdict.approval.value - verdict.previous.value)
    return ReportDocument(
        schema_version=1,
        period=content.period.label,
        start_date=content.period.start,
        end_date=content.period.end,
        total_prompts=0 if isinstance(coverage, NoResultPart) else coverage.rated_answers,
        avg_rating=None if isinstance(verdict, NoResultPart) else verdict.average_stars,
        success_rate=success,
        improvement_vs_previous=improvement,
        top_performers=_top_performers(content),
        problem_areas=_problem_areas(content),
        action_items=_action_items(content),
        headline=wording.headline(content),
        content=content,
    )


def top_performers(content: ReportContent) -> list[Standing]:
    """The levels that do better than the rest, best first; at most five."""
    if isinstance(content.standings, NoResultPart):
        return []
    better = [level for level in content.standings.levels if level.against_rest == "better"]
    better.sort(key=lambda level: (-level.shrunken, level.dimension, level.level or ""))
    return better[:_LISTED]


def _top_performers(content: ReportContent) -> tuple[str, ...]:
    return tuple(
        f"{wording.dimension(level.dimension)} {wording.level(level.level)}: {wording.percent(level.approval.value)}"
        for level in top_performers(content)
    )


def _problem_areas(content: ReportContent) -> tuple[str, ...]:
    if isinstance(content.causes, NoResultPart):
        return ()
    return tuple(
        f"{wording.group(cause.conditions)}: {wording.cause_sentence(cause)}"
        for cause in content.causes.findings[:_LISTED]
    )


def _action_items(content: ReportContent) -> tuple[str, ...]:
    if isinstance(content.recommendations, NoResultPart):
        return ()
    return tuple(item.title for item in content.recommendations.items)


def render_json(content: ReportContent) -> bytes:
    """The document as canonical JSON: UTF-8, keys sorted, no spaces, one newline at the end."""
    plain = _adapter().dump_python(report_document(content), mode="json")
    return orjson.dumps(plain, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def read_json(data: bytes) -> ReportDocument:
    """A document written by `render_json`.

    Raises:
        pydantic.ValidationError: the bytes are not such a document.
    """
    return _adapter().validate_json(data)


def json_schema() -> dict[str, Any]:
    """The schema of the documents, as published in `schema.json`."""
    with described():
        schema = TypeAdapter(ReportDocument).json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Feedback report",
        **{key: value for key, value in schema.items() if key != "title"},
    }


@cache
def _adapter() -> TypeAdapter[ReportDocument]:
    return TypeAdapter(ReportDocument)
