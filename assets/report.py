"""Reports: what people read on Monday, and the same for a month. One HTML page, its JSON twin, a digest."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import polars as pl

from assets.declaration import Outcome, monthly, weekly
from assets.partitions import days_of, days_of_month, window
from assets.patterns import SLICED
from feedback_pipeline.cleaning import days as cleaning
from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK, CLEAN_INTERACTIONS, VOTE_FACTS
from feedback_pipeline.judging import tables as judging
from feedback_pipeline.parquet import replaced_file
from feedback_pipeline.patterns import tables as patterns
from feedback_pipeline.patterns.change import approval_change
from feedback_pipeline.reports.assemble import assemble
from feedback_pipeline.reports.content import ReportContent
from feedback_pipeline.reports.digest import render_markdown, summary_metadata
from feedback_pipeline.reports.document import ReportDocument, read_json, render_json
from feedback_pipeline.reports.page import render_html
from feedback_pipeline.reports.periods import month_of, week_of
from feedback_pipeline.reports.sources import Sources, example_ids
from feedback_pipeline.resources import Pipeline
from feedback_pipeline.store import bulk, revisions
from feedback_pipeline.training.tables import FUNNEL

GROUP = "report"
KINDS = ("html", "json", "jinja")
TREND_WEEKS = 13
PROJECT = "All projects"


@weekly(
    group=GROUP,
    kinds=KINDS,
    after=[
        "vote_facts",
        "slice_counts",
        "slice_findings",
        "term_findings",
        "failure_topics",
        "approval_change",
        "repeated_failures",
        "recommendations",
        "judged_quality",
        "judge_calibration",
        "version_comparison",
        "training_examples",
        "clean_feedback",
        "clean_interactions",
    ],
    freshness=timedelta(days=8),
)
def weekly_report(pipeline: Pipeline, week: date) -> Outcome:
    """The week in one page: verdict with interval, what changed and why, causes, what to do, judged quality, training
    funnel, where every event went. Before the week closes it is provisional; a change afterwards is a new revision."""
    frames, closed = pipeline.frames, pipeline.is_closed(week)
    read = {table.name: frames.read(table, [week]) for table in _WEEKLY_TABLES}
    ids = example_ids(read["slice_findings"], read["failure_topics"], read["repeated_failures"])
    before = week - timedelta(weeks=1)
    sources = Sources(
        vote_facts=frames.read(VOTE_FACTS, days_of(week)),
        previous_vote_facts=frames.read(VOTE_FACTS, days_of(before)),
        daily_counts=_daily_counts(pipeline, window(week, TREND_WEEKS)),
        answers=frames.scan(CLEAN_INTERACTIONS, days_of(week)),
        feedback=frames.scan(CLEAN_FEEDBACK, days_of(week)),
        conservation=_conservation(pipeline, days_of(week)),
        funnel=frames.read(FUNNEL, [week]),
        examples=_examples(pipeline, days_of(week), ids),
        previous=_earlier(pipeline, "weekly_report", before),
        slice_findings=read["slice_findings"],
        term_findings=read["term_findings"],
        failure_topics=read["failure_topics"],
        approval_change=read["approval_change"],
        repeated_failures=read["repeated_failures"],
        recommendations=read["recommendations"],
        judged_quality=read["judged_quality"],
        judge_calibration=read["judge_calibration"],
        version_comparison=read["version_comparison"],
    )
    period = week_of(week, pipeline.settings.timezone, provisional=not closed)
    content = assemble(
        period,
        sources,
        project=PROJECT,
        generated_at=revisions.last_change(pipeline.database, days_of(week)) or pipeline.now(),
        target=pipeline.settings.approval_target,
    )
    digest = hashlib.sha256(render_json(content)).hexdigest()
    revision = revisions.revise(pipeline.database, week, digest, closed=closed)
    return _published(pipeline, "weekly_report", week, replace(content, period=replace(period, revision=revision)))


@monthly(group=GROUP, kinds=KINDS, after=["vote_facts", "slice_counts", "clean_feedback", "clean_interactions"])
def monthly_report(pipeline: Pipeline, month: date) -> Outcome:
    """The month in one page: verdict, trend, change against the month before, versions, where every event went."""
    frames, month_days = pipeline.frames, days_of_month(month)
    before = (month - timedelta(days=1)).replace(day=1)
    facts = frames.read(VOTE_FACTS, month_days)
    previous = frames.read(VOTE_FACTS, days_of_month(before))
    trend = [month - timedelta(days=back) for back in range(7 * TREND_WEEKS, 0, -1)] + month_days
    sources = Sources(
        vote_facts=facts,
        previous_vote_facts=previous,
        daily_counts=_daily_counts(pipeline, trend),
        approval_change=approval_change(facts, previous, SLICED, week=month).table,
        answers=frames.scan(CLEAN_INTERACTIONS, month_days),
        feedback=frames.scan(CLEAN_FEEDBACK, month_days),
        conservation=_conservation(pipeline, month_days),
        previous=_earlier(pipeline, "monthly_report", before),
    )
    period = month_of(month, pipeline.settings.timezone)
    changed = revisions.last_change(pipeline.database, month_days) or pipeline.now()
    content = assemble(period, sources, project=PROJECT, generated_at=changed, target=pipeline.settings.approval_target)
    return _published(pipeline, "monthly_report", month, content)


_WEEKLY_TABLES = (
    patterns.SLICE_FINDINGS,
    patterns.TERM_FINDINGS,
    patterns.FAILURE_TOPICS,
    patterns.APPROVAL_CHANGE,
    patterns.REPEATED_FAILURES,
    patterns.RECOMMENDATIONS,
    judging.JUDGED_QUALITY,
    judging.JUDGE_CALIBRATION,
    judging.VERSION_COMPARISON,
)


def _daily_counts(pipeline: Pipeline, days: Sequence[date]) -> pl.DataFrame:
    counted = pipeline.frames.scan(patterns.SLICE_COUNTS, days)
    return counted.filter(pl.col("second_dimension").is_null()).collect()


def _conservation(pipeline: Pipeline, days: Sequence[date]) -> list[cleaning.Conservation]:
    accounts = bulk.read_day(pipeline.database, "account_for_days", days[0], days[-1])
    return [cleaning.counted(row) for row in accounts.iter_rows(named=True)]


def _examples(pipeline: Pipeline, days: Sequence[date], ids: list[str]) -> pl.DataFrame:
    """The words to quote: the comment behind each example vote, else the prompt it was about."""
    wanted = pl.DataFrame({"feedback_id": ids}, schema={"feedback_id": pl.String})
    votes = (
        pipeline.frames.scan(CLEAN_FEEDBACK, days)
        .select("feedback_id", "interaction_id", "interaction_day", "comment")
        .join(wanted.lazy(), on="feedback_id", how="semi")
        .collect()
    )
    answered_on = votes["interaction_day"].unique().sort().to_list()
    prompts = pipeline.frames.scan(CLEAN_INTERACTIONS, answered_on).select("interaction_id", "prompt")
    return (
        votes.lazy()
        .join(prompts, on="interaction_id", how="left")
        .select("feedback_id", "interaction_id", text=pl.coalesce("comment", "prompt"))
        .filter(pl.col("text").is_not_null())
        .collect()
        .sort("feedback_id")
    )


def _earlier(pipeline: Pipeline, name: str, partition: date) -> ReportDocument | None:
    path = pipeline.frames.root / name / f"{partition}.json"
    return read_json(path.read_bytes()) if path.exists() else None


def _published(pipeline: Pipeline, name: str, partition: date, content: ReportContent) -> Outcome:
    folder = pipeline.frames.root / name
    page = render_html(content).encode()
    for suffix, data in (
        ("html", page),
        ("json", render_json(content)),
        ("md", render_markdown(content).encode()),
    ):
        with replaced_file(folder / f"{partition}.{suffix}") as file:
            file.write(data)
    numbers: dict[str, Any] = {
        **summary_metadata(content),
        "page": str(folder / f"{partition}.html"),
        "page_bytes": len(page),
    }
    return Outcome(numbers=numbers)


def declarations() -> Iterator[object]:
    """The assets of this stage."""
    yield from (weekly_report, monthly_report)
