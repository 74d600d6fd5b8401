"""`generate_report`: the report of a week or month, and its summary."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import polars as pl

from feedback_pipeline.analysis.content_cache import cache, digest
from feedback_pipeline.analysis.performance import LISTED, SLICED, Performance
from feedback_pipeline.analysis.vote_frames import FeedbackFrameError, Votes, read_votes
from feedback_pipeline.analysis.vote_stretches import InsufficientFeedbackError
from feedback_pipeline.calendar import first_of_month, monday_of
from feedback_pipeline.erasure import exports
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.privacy import audit_log
from feedback_pipeline.reports import wording
from feedback_pipeline.reports.content import ReportContent
from feedback_pipeline.reports.digest import render_markdown
from feedback_pipeline.reports.document import ReportDocument, read_json, render_json, report_document, top_performers
from feedback_pipeline.reports.page import render_html
from feedback_pipeline.reports.parts import NoResultPart
from feedback_pipeline.reports.periods import month_of, week_of
from feedback_pipeline.reports.published import FOLDERS, Kind, starts
from feedback_pipeline.reports.standalone import standalone_report
from feedback_pipeline.settings import Settings
from feedback_pipeline.tables.parquet import ParquetFolder, location, replaced_file


@dataclass(frozen=True)
class ImprovementReport:
    """The summary of one week or month; the whole report is in the file that was asked for."""

    period: str
    start_date: date
    end_date: date
    total_prompts: int
    avg_rating: float | None
    success_rate: float | None
    improvement_vs_previous: float | None
    """Change of approval against the period before, in points (of percent), as the report says it."""
    approval_rate: float | None
    """Share of up among up and down: the report's headline."""
    headline: str
    top_performers: list[Performance]
    """`text`, `dimension`, `level`, `approval_rate`, `low`, `high`, `votes`, `people`."""
    problem_areas: list[Performance]
    """`text`, `negative_rate`, `elsewhere`, `low`, `high` (of the negative rate), `votes`, `people`, `excess`."""
    action_items: list[str]


def generate_report(
    data: Any = None,
    period: Literal["weekly", "monthly"] = "weekly",
    output_file: str | Path | None = None,
    *,
    db: Any = None,
    until: date | None = None,
    settings: Settings | None = None,
) -> ImprovementReport:
    """The report of a week or month: its summary, and the whole of it in a file.

    Args:
        data: a table of feedback with times; by default the newest report of the pipeline itself. A period is taken for
            one, so that `generate_report("weekly", "report.json")` works, too.
        db: another name for `data`; also a file or an SQLite connection.
        period: weekly or monthly.
        output_file: where to write the whole report: `.html`, `.json` or `.md`. One of the pipeline's own is noted, so
            that an erasure finds it.
        until: a day of the period; by default that of the newest vote, or of the newest report with rated answers.
        settings: where the pipeline's own reports are.

    Raises:
        InsufficientFeedbackError: no vote falls into the period, or nothing has been computed.
        FeedbackFrameError: the table is not one of feedback, or has no times.
        ValueError: the period or the file's ending is unknown.
        DatabaseError: the pipeline's own report is to be written, and the store cannot be opened to note it.
    """
    if isinstance(data, str) and data in PERIODS:
        data, period, output_file = None, data, output_file or (period if period not in PERIODS else None)
    data = data if db is None else db
    if period not in PERIODS:
        raise ValueError(f"the period is weekly or monthly, not {period}")
    render = _renderer(output_file)
    settings = settings or Settings.from_environment()
    document = (
        _own_report(settings, period, until)
        if data is None
        else _cached_report(read_votes(data, settings.timezone), period, until, settings)
    )
    if output_file is not None:
        _write(output_file, render(document.content), document, None if data is not None else Pipeline(settings))
    verdict = document.content.verdict
    return ImprovementReport(
        period=document.period,
        start_date=document.start_date,
        end_date=document.end_date,
        total_prompts=document.total_prompts,
        avg_rating=document.avg_rating,
        success_rate=document.success_rate,
        improvement_vs_previous=document.improvement_vs_previous,
        approval_rate=None if isinstance(verdict, NoResultPart) else verdict.approval.value,
        headline=document.headline,
        top_performers=_performers(document.content),
        problem_areas=_problems(document.content),
        action_items=list(document.action_items),
    )


def _write(output_file: str | Path, content: bytes, document: ReportDocument, pipeline: Pipeline | None) -> None:
    """Writes a report. The pipeline's own, which quotes people, is noted: an erasure and the audit log know of it."""
    if pipeline is None:
        with replaced_file(location(str(output_file))) as file:
            file.write(content)
        return
    first, last = document.start_date, document.end_date
    with exports.writing(pipeline.database, output_file, None, first, last, "report") as export:
        audit_log.append(
            pipeline.database, pipeline.pseudonymiser, "report.exported", actor=audit_log.account(),
            detail={"export": str(export.id), "first": str(first), "last": str(last)},
        )  # fmt: skip
        export.lines = len(content.splitlines())
        export.file.write(content)


PERIODS = ("weekly", "monthly")


def _performers(content: ReportContent) -> list[Performance]:
    return [
        {
            "text": f"{wording.dimension(one.dimension)} {wording.level(one.level)}: "
            f"{wording.percent(one.approval.value)}",
            "dimension": one.dimension,
            "level": one.level,
            "approval_rate": one.approval.value,
            "low": one.approval.low,
            "high": one.approval.high,
            "votes": one.approval.votes,
            "people": one.approval.people,
        }
        for one in top_performers(content)
    ]


def _problems(content: ReportContent) -> list[Performance]:
    found = () if isinstance(content.causes, NoResultPart) else content.causes.findings
    return [
        {
            "text": f"{wording.group(cause.conditions)}: {wording.cause_sentence(cause)}",
            "conditions": {each.dimension: each.value for each in cause.conditions},
            "negative_rate": cause.negative.value,
            "elsewhere": cause.elsewhere,
            "low": cause.negative.low,
            "high": cause.negative.high,
            "votes": cause.negative.votes,
            "people": cause.negative.people,
            "excess": cause.excess,
            "q_value": cause.q_value,
        }
        for cause in found[:LISTED]
    ]


def _renderer(output_file: str | Path | None) -> Callable[[ReportContent], bytes]:
    known: dict[str, Callable[[ReportContent], bytes]] = {
        ".html": lambda content: render_html(content).encode(),
        ".json": render_json,
        ".md": lambda content: render_markdown(content).encode(),
    }
    suffix = ".html" if output_file is None else Path(output_file).suffix.lower()
    if suffix not in known:
        raise ValueError(f"a report is written as {', '.join(known)}, not {suffix or 'a file without an ending'}")
    return known[suffix]


def _own_report(settings: Settings, period: str, until: date | None) -> ReportDocument:
    kind: Kind = "weekly" if period == "weekly" else "monthly"
    frames = Pipeline(settings).frames
    computed = starts(frames, kind, ".json")
    wanted = [start for start in computed if until is None or start <= until]
    if not wanted and computed:
        raise InsufficientFeedbackError(0, 1, f"{period} reports up to {until}: the first is of {computed[0]}")
    if not wanted:
        raise InsufficientFeedbackError(0, 1, f"{period} reports computed (feedback materialize computes them)")
    newest = _read(frames, kind, wanted[-1])
    if until is not None or newest.total_prompts:
        return newest
    # weeks go on where votes do not: what came last is what is asked for
    earlier = (_read(frames, kind, start) for start in reversed(wanted[:-1]))
    return next((document for document in earlier if document.total_prompts), newest)


def _read(frames: ParquetFolder, kind: Kind, start: date) -> ReportDocument:
    return read_json((frames.root / FOLDERS[kind] / f"{start}.json").read_bytes())


def _cached_report(votes: Votes, period: str, until: date | None, settings: Settings) -> ReportDocument:
    if not votes.dated:
        raise FeedbackFrameError("a report needs times: add a column timestamp")
    key = digest(
        (votes.facts, votes.said), "generate_report", period, until, settings.approval_target, settings.timezone
    )
    return cache.get(key, lambda: report_document(_content(votes, period, until, settings)))


def _content(votes: Votes, period: str, until: date | None, settings: Settings) -> ReportContent:
    days = pl.concat([votes.facts["day"], votes.said["day"]])
    last = until or days.max()
    if not isinstance(last, date):
        raise InsufficientFeedbackError(0, 1, "in the table")
    zone = settings.timezone
    about = week_of(monday_of(last), zone) if period == "weekly" else month_of(first_of_month(last), zone)
    if not days.is_between(about.start, about.end).any():
        raise InsufficientFeedbackError(0, 1, f"in {about.label}")
    return standalone_report(
        votes.facts, about, SLICED, project="Feedback", target=settings.approval_target, said=votes.said, own=True
    )
