"""A report made from a table of votes alone: no text, no judges, no training files."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from feedback_pipeline.actions.recommendations import recommend
from feedback_pipeline.calendar import month_before
from feedback_pipeline.patterns.change import approval_change
from feedback_pipeline.patterns.slice_counts import count_slices
from feedback_pipeline.patterns.slices import SearchRecord, find_slices
from feedback_pipeline.patterns.tables import SLICE_COUNTS
from feedback_pipeline.reports.assemble import assemble
from feedback_pipeline.reports.content import ReportContent
from feedback_pipeline.reports.sections.said import silent_but_heard
from feedback_pipeline.reports.sources import Sources
from feedback_pipeline.reports.summary import Period

TREND_DIMENSIONS = ("model", "prompt_version")
"""Dimensions whose days a report reads, beside those of all votes."""


def start_before(about: Period) -> date:
    """First day of the period before."""
    if about.kind == "weekly":
        return about.start - timedelta(weeks=1)
    return month_before(about.start)


def standalone_report(
    vote_facts: pl.DataFrame, about: Period, dimensions: Sequence[str], *, project: str, target: float,
    said: pl.DataFrame | None = None, subjects: pl.DataFrame | None = None, own: bool = False,
) -> ReportContent:  # fmt: skip
    """The report of a period.

    Args:
        vote_facts: votes of the period, of the one before, and of as many days before as the trend shall show.
        about: the period.
        dimensions: columns to look for causes in.
        project: whose feedback this is.
        target: approval aimed at, 0–1.
        said: preferences, comments and corrections, as `Sources.said` with their `day`.
        subjects: feedback on sessions, conversations, tool calls and steps, as `Sources.subjects` of the period.
        own: it is for whoever gave the votes, and published to nobody else.
    """
    day = pl.col("day")
    now = vote_facts.filter(day.is_between(about.start, about.end))
    before = vote_facts.filter(day.is_between(start_before(about), about.start, closed="left"))
    change = approval_change(now, before, dimensions, week=about.start).table
    search = find_slices(now, dimensions, week=about.start)
    days = sorted(vote_facts.filter(day <= about.end).partition_by("day", as_dict=True).items())
    counts = [count_slices(votes, TREND_DIMENSIONS, day=each) for (each,), votes in days]
    told = None if said is None else said.filter(day.is_between(about.start, about.end))
    sources = Sources(
        vote_facts=now,
        previous_vote_facts=before,
        daily_counts=pl.concat([SLICE_COUNTS.empty(), *counts]).filter(pl.col("second_dimension").is_null()),
        approval_change=change,
        slice_findings=search.findings,
        search=SearchRecord.of(search),
        recommendations=recommend(
            week=about.start,
            slice_findings=search.findings,
            approval_change=change,
            noun=about.noun,
            silent=silent_but_heard(now, told),
        ),
        said=told,
        subjects=subjects,
        own=own,
    )
    gathered = datetime.combine(about.end, time(), UTC)
    return assemble(about, sources, project=project, generated_at=gathered, target=target)
