"""The sections that close the loop: recommendations, past actions, training, engagement, data quality."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Literal, cast

import polars as pl

from feedback_pipeline.actions.evidence import Evidence
from feedback_pipeline.actions.recommendations import TITLES
from feedback_pipeline.actions.suggest import Suggestions
from feedback_pipeline.reports import wording
from feedback_pipeline.reports.content import ReportContent
from feedback_pipeline.reports.operations import (
    CurationStep,
    DataQuality,
    DayVotes,
    Engagement,
    ModelSuggestion,
    PastAction,
    PastActions,
    Recommendation,
    Recommendations,
    Training,
)
from feedback_pipeline.reports.parts import Condition, Count, Difference, NoResultPart, Rate
from feedback_pipeline.reports.sections.analysis import approval_of, conditions_of, negative_rate_of
from feedback_pipeline.reports.sections.estimates import NOT_COMPUTED, Row, report_difference
from feedback_pipeline.reports.sources import Sources
from feedback_pipeline.reports.summary import Period
from feedback_pipeline.stats import intervals

DAYS_SHOWN = 30
EXAMPLES = 3
"""Votes to look at, of one recommendation."""
TAKEN = ("accepted", "done")
"""What becomes of a recommendation that somebody took."""

ActionStatus = Literal["proposed", "accepted", "done", "dropped"]


def recommendations(sources: Sources) -> Recommendations | NoResultPart:
    """The recommendations by rank, with what people have decided about them."""
    frame = sources.recommendations
    if frame is None:
        return NOT_COMPUTED
    groups = _groups(sources.slice_findings)
    decided = _decisions(sources.actions)
    items = []
    for row in frame.sort("rank", "recommendation_id").iter_rows(named=True):
        finding = next((one for one in row["evidence"] if one in groups), None)
        decision = decided.get(row["recommendation_id"], {})
        conditions = groups[finding] if finding else _release(row["evidence"])
        about, votes = _to_open(sources, row["evidence"])
        items.append(
            Recommendation(
                recommendation_id=row["recommendation_id"],
                title=_title(row["kind"], conditions),
                evidence=row["text"],
                conditions=conditions,
                finding_id=finding,
                expected_gain=row["approval_gain"],
                evidence_grade=row["grade"],
                owner=decision.get("owner"),
                due=decision.get("due"),
                about=about,
                votes=votes,
            )
        )
    given = sources.suggestions
    if given is None or given.source == "rules":
        return Recommendations(tuple(items), "rules", None if given is None else given.note)
    return Recommendations(tuple(items), "model", given.note, _suggested(given, sources.evidence))


def _suggested(given: Suggestions, evidence: Sequence[Evidence]) -> tuple[ModelSuggestion, ...]:
    groups = {one.id: [Condition(dimension, value) for dimension, value in one.conditions] for one in evidence}
    return tuple(
        ModelSuggestion(
            title=item.title,
            action=item.action,
            why=item.why,
            conditions=tuple(dict.fromkeys(one for cited in item.evidence for one in groups.get(cited, ()))),
            evidence=item.evidence,
        )
        for item in given.items
    )


def _to_open(sources: Sources, evidence: list[str]) -> tuple[str | None, tuple[str, ...]]:
    """The topic's name, and examples, of what a recommendation is about: its own text outlives an erasure and has
    neither."""
    for frame, key in (
        (sources.slice_findings, pl.col("finding_id")),
        (sources.repeated_failures, pl.col("failure_id")),
        (sources.failure_topics, pl.format("topic:{}:{}", "taxonomy", "topic")),
    ):
        found = [] if frame is None else frame.filter(key.is_in(evidence)).head(1).to_dicts()
        if found:
            return found[0].get("name"), tuple(found[0]["example_feedback_ids"] or ())[:EXAMPLES]
    return None, ()


def _release(evidence: list[str]) -> tuple[Condition, ...]:
    """The release that evidence `first_seen:dimension:level` is about."""
    for one in evidence:
        if one.startswith("first_seen:"):
            _, dimension, level = one.split(":", 2)
            return (Condition(dimension, level),)
    return ()


def _title(kind: str, conditions: tuple[Condition, ...]) -> str:
    title = TITLES[kind]
    return f"{title}: {wording.group(conditions)}" if conditions else title


def _groups(slice_findings: pl.DataFrame | None) -> dict[str, tuple[Condition, ...]]:
    if slice_findings is None:
        return {}
    return {row["finding_id"]: conditions_of(row) for row in slice_findings.iter_rows(named=True)}


def _decisions(actions: pl.DataFrame | None) -> dict[str, Row]:
    if actions is None:
        return {}
    return {row["recommendation_id"]: row for row in actions.iter_rows(named=True)}


def past_actions(sources: Sources) -> PastActions | NoResultPart:
    """Recommendations of the report before that somebody took, and actions it still had open, with what became of their
    groups. What nobody took is counted: that it changed nothing is no news."""
    if sources.previous is None:
        return NoResultPart("there is no earlier report")
    now = _approval_now(sources.slice_findings)
    decided = _decisions(sources.actions)
    opened = [*_proposed(sources.previous.content), *_still_open(sources.previous.content)]
    followed = [_followed(action, now, decided.get(action.action_id, {})) for action in opened]
    taken = tuple(action for action in followed if action.status in TAKEN)
    return PastActions(taken, len(followed) - len(taken))


def _proposed(content: ReportContent) -> Iterable[PastAction]:
    if isinstance(content.recommendations, NoResultPart):
        return
    before = {}
    if not isinstance(content.causes, NoResultPart):
        before = {cause.finding_id: approval_of(cause.negative) for cause in content.causes.findings}
    for item in content.recommendations.items:
        yield PastAction(
            action_id=item.recommendation_id,
            title=item.title,
            owner=item.owner,
            status="proposed",
            finding_id=item.finding_id,
            then=before.get(item.finding_id or ""),
            now=None,
            difference=NOT_COMPUTED,
        )


def _still_open(content: ReportContent) -> Iterable[PastAction]:
    """Actions that people accepted and whose effect the report before could not tell yet."""
    if isinstance(content.past_actions, NoResultPart):
        return
    again = set()
    if not isinstance(content.recommendations, NoResultPart):
        again = {item.recommendation_id for item in content.recommendations.items}
    for action in content.past_actions.items:
        waiting = action.status == "accepted" or (action.status == "done" and action.outcome == "cannot say")
        if waiting and action.action_id not in again:
            yield action


def _approval_now(slice_findings: pl.DataFrame | None) -> dict[str, Rate]:
    if slice_findings is None:
        return {}
    rates = {row["finding_id"]: negative_rate_of(row) for row in slice_findings.iter_rows(named=True)}
    return {finding: approval_of(rate) for finding, rate in rates.items() if rate is not None}


def _followed(action: PastAction, now: dict[str, Rate], decision: Row) -> PastAction:
    rate = now.get(action.finding_id or "")
    return PastAction(
        action_id=action.action_id,
        title=action.title,
        owner=decision.get("owner") or action.owner,
        status=cast(ActionStatus, decision.get("status") or action.status),
        finding_id=action.finding_id,
        then=action.then,
        now=rate,
        difference=_since(action, rate),
    )


def _since(action: PastAction, now: Rate | None) -> Difference | NoResultPart:
    if action.finding_id is None or action.then is None:
        return NoResultPart("it is about no single group of answers")
    if now is None:
        return NoResultPart("its group of answers had too few votes")
    gap = intervals.difference(_plain(now), _plain(action.then))
    return report_difference(gap.estimate, gap.low, gap.high, gap.reason)


def _plain(rate: Rate) -> intervals.Rate:
    return intervals.Rate(rate.votes, round(rate.value * rate.votes), rate.people or 0, rate.value, rate.low, rate.high)


def training(sources: Sources) -> Training | NoResultPart:
    """The funnel of training examples, step by step, and the files written."""
    if sources.funnel is None:
        return NOT_COMPUTED
    examples = sources.funnel.filter(pl.col("stage") == "examples").sort("position")
    if examples.is_empty():
        return NoResultPart("no vote was considered for training")
    steps = tuple(
        CurationStep(row["step"], row["unit"], row["rows_in"], row["rows_dropped"], row["reason"])
        for row in examples.iter_rows(named=True)
    )
    return Training(steps, tuple(sources.training_files), sources.training_advice)


def engagement(sources: Sources, period: Period) -> Engagement | NoResultPart:
    """Votes a day over the last thirty days, and the words people left in the period."""
    if sources.feedback is None:
        return NOT_COMPUTED
    comments, corrections = (
        sources.feedback.select(
            pl.col("comment").is_not_null().sum().alias("comments"),
            pl.col("correction").is_not_null().sum().alias("corrections"),
        )
        .collect()
        .row(0)
    )
    totals = sources.daily_counts.filter(pl.col("first_dimension").is_null())
    counts = {day: (up, neutral, down) for day, up, neutral, down in totals["day", "up", "neutral", "down"].iter_rows()}
    days = [period.end - timedelta(days=DAYS_SHOWN - 1 - offset) for offset in range(DAYS_SHOWN)]
    return Engagement(
        days=tuple(_day(day, counts.get(day, (0, 0, 0))) for day in days),
        comments=comments,
        corrections=corrections,
        survey_responses=sources.survey_responses,
        exports=sources.exports,
    )


def _day(day: date, counts: tuple[int, int, int]) -> DayVotes:
    return DayVotes(day, *counts)


def data_quality(sources: Sources) -> DataQuality | NoResultPart:
    """The days' accounts added up."""
    if sources.conservation is None:
        return NOT_COMPUTED
    days = sources.conservation
    redacted = sorted((sources.redactions or {}).items())
    return DataQuality(
        events=sum(day.delivered for day in days),
        accounts=_added(day.parts.items() for day in days),
        refused=_added(day.quarantined_by_reason.items() for day in days),
        redactions=tuple(Count(name, count) for name, count in redacted if count),
    )


def _added(accounts: Iterable[Iterable[tuple[str, int]]]) -> tuple[Count, ...]:
    """Counts by name, in the order in which the names first come."""
    sums: dict[str, int] = {}
    for account in accounts:
        for name, count in account:
            sums[name] = sums.get(name, 0) + count
    return tuple(Count(name, count) for name, count in sums.items())
