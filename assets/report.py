"""Reports: what people read on Monday, and the same for a month. One HTML page, its JSON twin, a digest."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import polars as pl

from assets.declaration import Check, Outcome, monthly, weekly
from assets.patterns import SLICED, search_file
from assets.training import FILES
from feedback_pipeline.actions import register
from feedback_pipeline.actions.evidence import gather
from feedback_pipeline.actions.recommendations import recommend
from feedback_pipeline.actions.suggest import configured_endpoint, suggest
from feedback_pipeline.alerting import incidents, notifications, rules
from feedback_pipeline.alerting.channels import configured_channels
from feedback_pipeline.alerting.messages import Message
from feedback_pipeline.alerting.tables import ALERT_READINGS
from feedback_pipeline.calendar import days_of, days_of_month, monday_of, month_before, weeks_before, window
from feedback_pipeline.cleaning import days as cleaning
from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK, CLEAN_INTERACTIONS, VOTE_FACTS
from feedback_pipeline.experiments import tables as experiments
from feedback_pipeline.judging import tables as judging
from feedback_pipeline.patterns import tables as patterns
from feedback_pipeline.patterns.change import approval_change
from feedback_pipeline.patterns.slices import SearchRecord, find_slices
from feedback_pipeline.patterns.term_findings import find_terms
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.privacy.replaced import replaced
from feedback_pipeline.reports import wording
from feedback_pipeline.reports.assemble import assemble
from feedback_pipeline.reports.content import ReportContent
from feedback_pipeline.reports.digest import render_markdown, summary_metadata
from feedback_pipeline.reports.document import ReportDocument, read_json, render_json
from feedback_pipeline.reports.operations import TrainingFile
from feedback_pipeline.reports.page import render_html
from feedback_pipeline.reports.parts import NoResultPart
from feedback_pipeline.reports.periods import month_of, week_of
from feedback_pipeline.reports.published import note_tenants
from feedback_pipeline.reports.said_events import said_events
from feedback_pipeline.reports.sources import Sources, example_ids
from feedback_pipeline.reports.subject_events import subject_events
from feedback_pipeline.store import bulk, revisions
from feedback_pipeline.store.replies import PostgresReplyCache
from feedback_pipeline.tables.parquet import of_ids, replaced_file
from feedback_pipeline.training import costs
from feedback_pipeline.training.archive import pairs_funnel
from feedback_pipeline.training.formats import FORMATS
from feedback_pipeline.training.tables import FUNNEL
from feedback_pipeline.tuning.configured import training_format

GROUP = "report"
KINDS = ("html", "json", "jinja")
TREND_WEEKS = 13
TRAINED_ON = ("sft", "dpo", "kto")
PROJECT = "All projects"
SUGGESTIONS = 3
"""At most so many of a model stand in a report."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for the time at which a report was made where only the rest is compared."""


@weekly(
    group=GROUP,
    kinds=KINDS,
    after=[
        "vote_facts",
        "slice_counts",
        "safety_counts",
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
        "preference_pairs",
        "sft_file",
        "dpo_file",
        "kto_file",
        "alert_readings",
        "clean_feedback",
        "clean_interactions",
        "experiment_readout",
        "approval_of_all",
    ],
    warning=["told"],
)
def weekly_report(pipeline: Pipeline, week: date) -> Outcome:
    """The week in one page: verdict with interval, what changed and why, causes, what to do, judged quality, training
    funnel, where every event went. Before the week closes it is provisional; a change afterwards is a new revision."""
    database, closed = pipeline.database, pipeline.is_closed(week)
    read = {table.name: pipeline.frames.read(table, [week]) for table in _WEEKLY_TABLES}
    register.propose(database, read["recommendations"], now=pipeline.now())
    sources = _weekly_sources(pipeline, week, read)
    period = week_of(week, pipeline.settings.timezone, provisional=not closed)
    content = assemble(
        period,
        sources,
        project=PROJECT,
        generated_at=revisions.last_change(pipeline.database, days_of(week)) or pipeline.now(),
        target=pipeline.settings.approval_target,
    )
    # a day that was looked at again and is as it was makes no other edition
    digest = hashlib.sha256(render_json(replace(content, generated_at=EPOCH))).hexdigest()
    revision = revisions.revise(database, week, digest, closed=closed)
    content = replace(content, period=replace(period, revision=revision))
    outcome = _published(pipeline, "weekly_report", week, content, sources.subjects)
    if not isinstance(content.past_actions, NoResultPart):
        outcomes = {action.action_id: action.outcome for action in content.past_actions.items}
        register.record_outcomes(database, week, outcomes)
    return replace(outcome, checks=[_told(pipeline, week, content)])


def _weekly_sources(pipeline: Pipeline, week: date, read: Mapping[str, pl.DataFrame]) -> Sources:
    """What the page of a week is made of; `read` are the week's own tables by name."""
    frames, database, days = pipeline.frames, pipeline.database, days_of(week)
    ids = example_ids(read["slice_findings"], read["failure_topics"], read["repeated_failures"])
    before = week - timedelta(weeks=1)
    uses = _uses(pipeline, days)
    evidence = gather(
        read["slice_findings"], read["approval_change"], read["failure_topics"], read["repeated_failures"]
    )
    suggested = suggest(
        read["recommendations"],
        evidence,
        limit=SUGGESTIONS,
        endpoint=configured_endpoint(pipeline.settings),
        cache=PostgresReplyCache(database),
    )
    return Sources(
        vote_facts=frames.read(VOTE_FACTS, days),
        previous_vote_facts=frames.read(VOTE_FACTS, days_of(before)),
        daily_counts=_daily_counts(pipeline, window(week, TREND_WEEKS)),
        safety_counts=frames.read(patterns.SAFETY_COUNTS, days),
        answers=frames.scan(CLEAN_INTERACTIONS, days),
        feedback=frames.scan(CLEAN_FEEDBACK, days),
        said=said_events(frames, days),
        subjects=subject_events(database, days, pipeline.verdict_policy),
        conservation=_conservation(pipeline, days),
        redactions=_replaced(pipeline, days),
        funnel=frames.read(FUNNEL, [week, pairs_funnel(week)]),
        survey_responses=uses["general"],
        exports=uses["exports"],
        training_files=_training_files(pipeline, week),
        training_advice=_training_advice(pipeline, week),
        experiments=frames.read(experiments.EXPERIMENT_READOUT, days),
        all_answers=frames.read(experiments.APPROVAL_OF_ALL, [week]),
        alert_readings=rules.readings_of(frames.read(ALERT_READINGS, days)) or None,
        alert_states=incidents.states(database, days[0], days[-1]),
        actions=register.decisions(database),
        search=_search(pipeline, week),
        suggestions=suggested,
        evidence=evidence,
        examples=_examples(pipeline, days, ids),
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


@monthly(
    group=GROUP,
    kinds=KINDS,
    after=[
        "vote_facts",
        "slice_counts",
        "safety_counts",
        "term_counts",
        "slice_findings",
        "clean_feedback",
        "clean_interactions",
    ],
)
def monthly_report(pipeline: Pipeline, month: date) -> Outcome:
    """The month in one page: verdict, trend, change against the month before, causes over the month's votes and what
    became of the earlier weeks' ones, words, versions, where every event went."""
    frames, month_days = pipeline.frames, days_of_month(month)
    before = month_before(month)
    facts = frames.read(VOTE_FACTS, month_days)
    previous = frames.read(VOTE_FACTS, days_of_month(before))
    trend = [month - timedelta(days=back) for back in range(7 * TREND_WEEKS, 0, -1)] + month_days
    uses = _uses(pipeline, month_days)
    search = find_slices(
        facts,
        SLICED,
        week=month,
        history=frames.read(patterns.SLICE_FINDINGS, weeks_before(monday_of(month), TREND_WEEKS)),
    )
    change = approval_change(facts, previous, SLICED, week=month).table
    terms = find_terms(frames.scan(patterns.TERM_COUNTS, month_days).collect(), week=month)
    sources = Sources(
        vote_facts=facts,
        previous_vote_facts=previous,
        daily_counts=_daily_counts(pipeline, trend),
        safety_counts=frames.read(patterns.SAFETY_COUNTS, month_days),
        approval_change=change,
        slice_findings=search.findings,
        search=SearchRecord.of(search),
        term_findings=terms,
        recommendations=recommend(week=month, slice_findings=search.findings, approval_change=change, noun="month"),
        examples=_examples(pipeline, month_days, example_ids(search.findings, None, None)),
        answers=frames.scan(CLEAN_INTERACTIONS, month_days),
        feedback=frames.scan(CLEAN_FEEDBACK, month_days),
        said=said_events(frames, month_days),
        subjects=subject_events(pipeline.database, month_days, pipeline.verdict_policy),
        conservation=_conservation(pipeline, month_days),
        survey_responses=uses["general"],
        exports=uses["exports"],
        redactions=_replaced(pipeline, month_days),
        previous=_earlier(pipeline, "monthly_report", before),
    )
    period = month_of(month, pipeline.settings.timezone)
    changed = revisions.last_change(pipeline.database, month_days) or pipeline.now()
    content = assemble(period, sources, project=PROJECT, generated_at=changed, target=pipeline.settings.approval_target)
    return _published(pipeline, "monthly_report", month, content, sources.subjects)


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


def _told(pipeline: Pipeline, week: date, content: ReportContent) -> Check:
    """The digest of the newest ended week goes to the configured channels, once."""
    if not 7 <= (pipeline.today() - week).days < 14:
        return Check("told", True, description="only the newest ended week is sent", severity="warn")
    digest = render_markdown(content)
    headline = f"[feedback] Week {content.period.label}"
    line = f"{headline}: {wording.headline(content)}"
    message = Message(f"weekly_report:{week}", headline, chat=digest, plain=digest, line=line)
    sent = notifications.send_once(
        pipeline.database, configured_channels(pipeline.settings), message, now=pipeline.now()
    )
    return Check("told", not sent.problems, {"messages": sent.sent}, "; ".join(sent.problems), "warn")


def _written_files(pipeline: Pipeline, week: date) -> list[dict[str, Any]]:
    folder = pipeline.frames.root / FILES / week.isoformat()
    listings = [folder / family / "files.json" for family in TRAINED_ON]
    return [file for listing in listings if listing.exists() for file in orjson.loads(listing.read_bytes())]


def _training_files(pipeline: Pipeline, week: date) -> list[TrainingFile]:
    """The files of the week by format: lines to train on, to validate on, and held out."""
    lines: dict[str, dict[str, int]] = {}
    for file in _written_files(pipeline, week):
        if file["layout"] is not None and file["format"] in FORMATS:
            counted = lines.setdefault(file["format"], {"train": 0, "validation": 0, "holdout": 0})
            counted[file["split"]] = counted.get(file["split"], 0) + file["lines"]
    return [
        TrainingFile(name, counted["train"], counted["validation"], counted["holdout"])
        for name, counted in sorted(lines.items())
    ]


def _training_advice(pipeline: Pipeline, week: date) -> str:
    found = costs.trainable(_written_files(pipeline, week), training_format(pipeline.settings))
    return costs.advice(found.examples, partial=found.partial).text


def _search(pipeline: Pipeline, week: date) -> SearchRecord | None:
    """What the week's search for causes looked at; None where it was not recorded."""
    path = search_file(pipeline, week)
    return SearchRecord.from_json(path.read_bytes()) if path.exists() else None


def _uses(pipeline: Pipeline, days: Sequence[date]) -> dict[str, int]:
    """General feedback (a survey's, where it is the own form) and exports of some days that follow each other."""
    return bulk.read_day(pipeline.database, "count_uses", days[0], days[-1]).row(0, named=True)


def _daily_counts(pipeline: Pipeline, days: Sequence[date]) -> pl.DataFrame:
    counted = pipeline.frames.scan(patterns.SLICE_COUNTS, days)
    return counted.filter(pl.col("second_dimension").is_null()).collect()


def _conservation(pipeline: Pipeline, days: Sequence[date]) -> list[cleaning.Conservation]:
    accounts = bulk.read_day(pipeline.database, "account_for_days", days[0], days[-1])
    return [cleaning.counted(row) for row in accounts.iter_rows(named=True)]


def _examples(pipeline: Pipeline, days: Sequence[date], ids: list[str]) -> pl.DataFrame:
    """The words to quote: the comment behind each example vote, else the prompt it was about."""
    votes = (
        of_ids(pipeline.frames.scan(CLEAN_FEEDBACK, days), "feedback_id", pl.Series(ids, dtype=pl.String))
        .select("feedback_id", "interaction_id", "interaction_day", "comment")
        .collect()
    )
    answered_on = votes["interaction_day"].unique().sort().to_list()
    scanned = of_ids(pipeline.frames.scan(CLEAN_INTERACTIONS, answered_on), "interaction_id", votes["interaction_id"])
    prompts = scanned.select("interaction_id", "prompt").collect()
    quoted = (
        votes.join(prompts, on="interaction_id", how="left")
        .select("feedback_id", "interaction_id", text=pl.coalesce("comment", "prompt"))
        .filter(pl.col("text").is_not_null())
        .sort("feedback_id")
    )
    return quoted if pipeline.names is None else quoted.with_columns(pipeline.names.redact(quoted["text"]))


def _replaced(pipeline: Pipeline, days: Sequence[date]) -> dict[str, int]:
    """Identifiers that were replaced in what people asked, were answered and said, by type."""
    counts: dict[str, int] = {}
    for table, texts in ((CLEAN_INTERACTIONS, ("prompt", "answer")), (CLEAN_FEEDBACK, ("comment", "correction"))):
        for kind, count in replaced(pipeline.frames.scan(table, days), texts).items():
            counts[kind] = counts.get(kind, 0) + count
    return counts


def _earlier(pipeline: Pipeline, name: str, partition: date) -> ReportDocument | None:
    path = pipeline.frames.root / name / f"{partition}.json"
    return read_json(path.read_bytes()) if path.exists() else None


def _published(
    pipeline: Pipeline, name: str, partition: date, content: ReportContent, subjects: pl.DataFrame | None
) -> Outcome:
    folder = pipeline.frames.root / name
    page = render_html(content).encode()
    note_tenants(pipeline.frames, content.period, page, () if subjects is None else subjects["tenant"].unique())
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
        "console": f"/console/reports/{content.period.kind}/{partition}",
        "page_bytes": len(page),
    }
    return Outcome(numbers=numbers)


def declarations() -> Iterator[object]:
    """The assets of this stage."""
    yield from (weekly_report, monthly_report)
