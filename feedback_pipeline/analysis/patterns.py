"""`analyze_patterns`: what goes wrong, what goes well, and what to do."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import polars as pl

from feedback_pipeline.actions.recommendations import recommend
from feedback_pipeline.analysis.content_cache import cache
from feedback_pipeline.analysis.performance import LISTED, SLICED, Performance, performance
from feedback_pipeline.analysis.vote_frames import like
from feedback_pipeline.analysis.vote_stretches import Stretch, stretch_of
from feedback_pipeline.patterns.change import approval_change
from feedback_pipeline.patterns.slices import find_slices
from feedback_pipeline.patterns.term_findings import find_terms
from feedback_pipeline.patterns.tracking import parse_slice
from feedback_pipeline.reports.parts import MIN_PEOPLE
from feedback_pipeline.settings import Settings
from feedback_pipeline.stats.intervals import Rate, wilson


@dataclass(frozen=True)
class PatternAnalysis:
    """What a stretch of feedback says. Rates are shares, 0–1."""

    total_feedback: int
    """Votes: up, neutral and down."""
    positive_count: int
    negative_count: int
    success_rate: float | None
    """Share of successful answers (thumb up, else four stars or more, else a successful outcome) where known, else
    approval."""
    common_positive_patterns: list[Performance]
    """Groups and words that go with votes up beyond chance: `text`, `votes`, `people`, `share` (of votes up) and that
    `elsewhere`, `q_value`; `low` and `high` are of the `difference` for groups, of the share for words."""
    common_negative_patterns: list[Performance]
    tag_performance: dict[str, Performance]
    """By tag with enough votes: `success_rate` (approval), its interval `low` and `high`, `votes`, `people`, and
    `limit` where something limits what it says (votes of one person have no interval)."""
    framework_performance: dict[str, Performance]
    recommendations: list[str]
    people: int
    approval_rate: float | None
    """Share of up among up and down."""
    approval_low: float | None
    """Lower end of approval's 95 % interval, clustered by person."""
    approval_high: float | None
    limits: list[str]
    """What limits these numbers: few people, no vote up or down, no word of frameworks."""
    left_out: dict[str, int]
    """Rows of the table that are no vote, by what they are."""
    findings: Any
    """`slice_findings`, as the kind of table that was given."""
    first_day: date | None = None
    """First day that was looked at; None for a table without times."""
    last_day: date | None = None


def analyze_patterns(
    data: Any = None,
    days: int = 7,
    min_samples: int = 5,
    *,
    db: Any = None,
    until: date | None = None,
    settings: Settings | None = None,
) -> PatternAnalysis:
    """What goes wrong, what goes well, and what to do.

        analyze_patterns(days=7, min_samples=5)
        analyze_patterns(frame).common_negative_patterns[0]["text"]

    Args:
        data: a table of feedback; by default the pipeline's own votes. A number is taken for `days`, so that
            `analyze_patterns(7, 5)` works, too.
        days: length of the stretch.
        min_samples: fewest votes to say anything, in all and of a tag or framework.
        db: another name for `data`; also a file (.csv, .jsonl, .parquet, .db) or an SQLite connection.
        until: its last day; by default the day of the newest vote, or the last computed one for the pipeline's own.
        settings: where the pipeline's own tables are; by default those of the environment.

    Raises:
        InsufficientFeedbackError: fewer than `min_samples` votes.
        FeedbackFrameError: the table is not one of feedback.
    """
    if isinstance(data, int):
        data, days, min_samples = None, data, days if days != DAYS else min_samples
    data = data if db is None else db
    stretch = stretch_of(data, days, until, settings)
    stretch.require(min_samples)
    key = stretch.digest("analyze_patterns", min_samples)
    found = cache.get(key, lambda: _analysis(stretch, min_samples))
    return replace(found, findings=like(found.findings, data))


DAYS = 7


def _analysis(stretch: Stretch, min_samples: int) -> PatternAnalysis:
    facts = stretch.facts
    worse = find_slices(facts, SLICED, week=stretch.last)
    better = find_slices(facts.with_columns(verdict=-pl.col("verdict")), SLICED, week=stretch.last)
    change = approval_change(facts, stretch.before, SLICED, week=stretch.last)
    advice = recommend(
        week=stretch.last, slice_findings=worse.findings, approval_change=change.table, noun=stretch.noun
    )
    terms = find_terms(stretch.terms, week=stretch.last)
    approval = worse.negative_rate.complement
    success = facts["success"].drop_nulls().mean()
    return PatternAnalysis(
        total_feedback=facts.height,
        positive_count=int((facts["verdict"] == 1).sum()),
        negative_count=int((facts["verdict"] == -1).sum()),
        success_rate=approval.estimate if success is None else float(success),  # type: ignore[arg-type]
        common_positive_patterns=[*_groups(better.findings, "up"), *_words(terms, "up")],
        common_negative_patterns=[*_groups(worse.findings, "down"), *_words(terms, "down")],
        tag_performance=performance(facts, "tags", min_samples),
        framework_performance=performance(facts, "framework", min_samples),
        recommendations=advice.sort("rank")["text"].to_list(),
        people=approval.people,
        approval_rate=approval.estimate,
        approval_low=approval.low,
        approval_high=approval.high,
        limits=list(_limits(facts, approval, worse.reason, min_samples)),
        left_out=dict(stretch.left_out),
        findings=worse.findings,
        first_day=stretch.first if stretch.dated else None,
        last_day=stretch.last if stretch.dated else None,
    )


def _limits(facts: pl.DataFrame, approval: Rate, reason: str | None, least: int) -> Iterator[str]:
    """Why there is less to see than one might expect."""
    if approval.n == 0:
        yield f"all {facts.height:,} votes are neutral: there is no approval rate without votes up or down"
    elif approval.people < MIN_PEOPLE:
        who = "one person" if approval.people == 1 else f"{approval.people} people"
        yield f"votes of {who}: they hold for them; reports for others show rates of {MIN_PEOPLE} people or more"
    if reason is not None and approval.n:
        yield f"no search for causes: {reason}"
    for dimension, name in (("framework", "framework"), ("tags", "tag")):
        levels = facts[dimension].list.explode() if dimension == "tags" else facts[dimension]
        counts = levels.drop_nulls().value_counts()
        if counts.is_empty():
            yield f"no vote names a {name}"
        elif (counts["count"] < least).all():
            yield f"no {name} has {least} votes"


def _groups(findings: pl.DataFrame, side: str) -> list[Performance]:
    return [
        {
            "text": f"{' and '.join(f'{name} = {value}' for name, value in parse_slice(row['slice']))}: "
            f"{100 * row['negative_rate']:.0f} % of {row['votes']} votes {side}, "
            f"{100 * row['rest_negative_rate']:.0f} % elsewhere",
            "kind": "group",
            "conditions": dict(parse_slice(row["slice"])),
            "share": row["negative_rate"],
            "elsewhere": row["rest_negative_rate"],
            "difference": row["difference"],
            "low": row["difference_low"],
            "high": row["difference_high"],
            "votes": row["votes"],
            "people": row["people"],
            "q_value": row["q_value"],
        }
        for row in findings.filter("discovered").sort("rank").head(LISTED).iter_rows(named=True)
    ]


def _words(terms: pl.DataFrame, side: str) -> list[Performance]:
    found = terms.filter(pl.col("side") == side).sort("rank", "field", "term").head(LISTED)
    lines = []
    for row in found.iter_rows(named=True):
        rate = wilson(row[f"{side}_documents"], row["down_documents"] + row["up_documents"], people=row["people"])
        base = row["base_negative_rate"] if side == "down" else 1.0 - row["base_negative_rate"]
        lines.append(
            {
                "text": f"“{row['term']}” in the {row['field']}",
                "kind": "words",
                "term": row["term"],
                "field": row["field"],
                "share": rate.estimate,
                "elsewhere": base,
                "low": rate.low,
                "high": rate.high,
                "votes": rate.n,
                "people": row["people"],
                "q_value": row["q_value"],
            }
        )
    return lines
