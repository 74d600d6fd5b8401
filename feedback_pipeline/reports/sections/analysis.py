"""The analytical sections: change, causes, improvements, words, topics, repeated failures."""

from typing import Any

import polars as pl

from feedback_pipeline.patterns.change import PAIR_SEPARATOR
from feedback_pipeline.reports.findings import (
    SERVED_DIMENSIONS,
    Cause,
    Causes,
    Change,
    DimensionSplit,
    FindingStatus,
    Improvement,
    Improvements,
    LevelChange,
    RepeatedFailure,
    RepeatedFailures,
    Term,
    Terms,
    Topic,
    Topics,
)
from feedback_pipeline.reports.parts import (
    MIN_PEOPLE,
    Condition,
    Difference,
    Example,
    NoResultPart,
    Rate,
    examples_of,
)
from feedback_pipeline.reports.sections.estimates import NOT_COMPUTED, Row, bounded_rate, report_difference
from feedback_pipeline.reports.sources import Sources
from feedback_pipeline.stats import intervals

SIGNIFICANT = 0.05
SHOWN_EXAMPLES = 3
LOOKED_UP = 3
SHOWN_TERMS = 12
OTHER_TOPIC = -1

_HELD: dict[str, FindingStatus] = {"new": "new", "confirmed": "confirmed", "ongoing": "ongoing"}


def change(sources: Sources) -> Change | NoResultPart:
    """Mix against rate along the dimension that explains most."""
    frame = sources.approval_change
    if frame is None:
        return NOT_COMPUTED
    totals = frame.filter((pl.col("part") == "total") & pl.col("dimension").is_not_null())
    split = totals.filter(pl.col("mix").is_not_null() & pl.col("rate").is_not_null()).sort("dimension")
    if split.is_empty():
        reasons = totals["reason"].drop_nulls()
        return NoResultPart(reasons[0] if reasons.len() else "there is nothing to compare with")
    levels = frame.filter((pl.col("part") == "level") & pl.col("mix").is_not_null())
    chosen = _telling(split, levels)
    votes, previous_votes = chosen["votes"], chosen["previous_votes"]
    own = levels.filter(pl.col("dimension") == chosen["dimension"]).sort("level", nulls_last=True)
    return Change(
        dimension=chosen["dimension"],
        before=chosen["previous_rate"],
        now=chosen["approval_rate"],
        mix=chosen["mix"],
        rate=chosen["rate"],
        levels=tuple(_level_change(row, votes, previous_votes) for row in own.iter_rows(named=True)),
        splits=tuple(DimensionSplit(row["dimension"], row["mix"], row["rate"]) for row in split.iter_rows(named=True)),
    )


def _telling(split: pl.DataFrame, levels: pl.DataFrame) -> Row:
    """The dimension that tells most: one whose mix is at least half of the change, traffic before our own releases;
    else the one with the surest change of a level."""
    single = split.filter(~pl.col("dimension").str.contains(PAIR_SEPARATOR, literal=True))
    rows = sorted((single if single.height else split).to_dicts(), key=lambda row: -abs(row["mix"]))
    traffic = [row for row in rows if row["dimension"] not in SERVED_DIMENSIONS]
    ours = [row for row in rows if row["dimension"] in SERVED_DIMENSIONS]
    for row in (*traffic[:1], *ours[:1]):
        if abs(row["mix"]) >= abs(row["change"] or 0.0) / 2:
            return row
    surest = (
        levels.filter(pl.col("q_value").is_not_null() & pl.col("dimension").is_in([row["dimension"] for row in rows]))
        .with_columns(size=pl.col("rate").abs())
        .sort(["q_value", "size", "dimension"], descending=[False, True, False])
    )
    if surest.is_empty():
        return rows[0]
    return next(row for row in rows if row["dimension"] == surest["dimension"][0])


def _level_change(row: Row, votes: int, previous_votes: int) -> LevelChange:
    return LevelChange(
        level=row["level"],
        share_before=row["previous_votes"] / previous_votes if previous_votes else 0.0,
        share_now=row["votes"] / votes if votes else 0.0,
        approval_before=row["previous_rate"],
        approval_now=row["approval_rate"],
        mix=row["mix"],
        rate=row["rate"] or 0.0,
        q_value=row["q_value"],
    )


def conditions_of(row: Row) -> tuple[Condition, ...]:
    """The conditions of a finding."""
    return tuple(Condition(dimension, value) for dimension, value in zip(row["dimensions"], row["values"], strict=True))


def negative_rate_of(row: Row) -> Rate | None:
    """The negative rate of a finding; None where it could not be measured or is of too few people."""
    if any(row[name] is None for name in ("negative_rate", "low", "high")) or row["people"] < MIN_PEOPLE:
        return None
    return bounded_rate(row["negative_rate"], row["low"], row["high"], row["votes"], row["people"])


def approval_of(negative: Rate) -> Rate:
    """The approval that belongs to a negative rate: neutral votes are in neither."""
    return Rate(1 - negative.value, 1 - negative.high, 1 - negative.low, negative.votes, negative.people)


def causes(sources: Sources) -> Causes | NoResultPart:
    """The slice findings that hold in this period, by rank; those inside another finding are left out."""
    frame = sources.slice_findings
    if frame is None:
        return NOT_COMPUTED
    if sources.search is not None and sources.search.reason is not None:
        return NoResultPart(sources.search.reason)
    held = frame.filter(pl.col("status").is_in(list(_HELD)) & pl.col("covered_by").is_null())
    held = held.sort(
        pl.col("rests_on_new_voters").fill_null(value=False), "rank", "q_value", "finding_id", nulls_last=True
    )
    quoted = _quotations(sources)
    found = [
        _cause(row, negative, quoted)
        for row in held.iter_rows(named=True)
        if (negative := negative_rate_of(row)) is not None
    ]
    searched = frame.filter(pl.col("discovered"))["tests"].max()
    return Causes(
        findings=tuple(found),
        tested=sources.search.tests if sources.search is not None else _whole(searched),
        untested=frame.filter(pl.col("status") == "untested").height,
    )


def _whole(number: Any) -> int | None:
    return None if number is None else int(number)


def _cause(row: Row, negative: Rate, quoted: dict[str, Example]) -> Cause:
    adjusted = report_difference(row["adjusted_difference"], row["adjusted_low"], row["adjusted_high"], None)
    ids = row["example_feedback_ids"]
    elsewhere = row["rest_negative_rate"] or 0.0
    return Cause(
        finding_id=row["finding_id"],
        conditions=conditions_of(row),
        negative=negative,
        elsewhere=elsewhere,
        set_aside=row["set_aside"] or 0,
        excess=negative.votes * (negative.value - elsewhere),
        share_of_negatives=row["share_of_negatives"] or 0.0,
        q_value=1.0 if row["q_value"] is None else row["q_value"],
        adjusted=adjusted if isinstance(adjusted, Difference) else None,
        reverses=bool(row["reverses"]),
        status=_HELD[row["status"]],
        first_seen=row["first_week"],
        periods_seen=row["weeks_seen"],
        new_voter_share=row["new_voter_share"],
        rests_on_new_voters=bool(row["rests_on_new_voters"]),
        interaction_ids=tuple(quoted[one].interaction_id for one in ids if one in quoted)[:LOOKED_UP],
        examples=_examples(ids, quoted, negative.people),
    )


def _quotations(sources: Sources) -> dict[str, Example]:
    """What may be quoted, by feedback id; the text can be empty."""
    if sources.examples is None:
        return {}
    rows = sources.examples.select("feedback_id", "interaction_id", pl.col("text").fill_null("")).sort("feedback_id")
    found = {}
    for feedback_id, interaction_id, text in rows.iter_rows():
        cut = examples_of([(interaction_id, text)], MIN_PEOPLE)
        found[feedback_id] = cut[0] if cut else Example(interaction_id, "")
    return found


def _examples(ids: list[str], quoted: dict[str, Example], people: int | None) -> tuple[Example, ...]:
    if people is None or people < MIN_PEOPLE:
        return ()
    return tuple(quoted[one] for one in ids if one in quoted and quoted[one].text)[:SHOWN_EXAMPLES]


def improvements(sources: Sources) -> Improvements | NoResultPart:
    """Levels whose approval rose beyond chance, and causes that are gone."""
    if sources.approval_change is None and sources.slice_findings is None:
        return NOT_COMPUTED
    found: list[Improvement] = []
    if sources.approval_change is not None:
        better = sources.approval_change.filter(
            (pl.col("part") == "level")
            & (pl.col("q_value") <= SIGNIFICANT)
            & (pl.col("change") > 0)
            & (pl.col("people") >= MIN_PEOPLE)
            & pl.col("low").is_not_null()
        ).sort(["change", "dimension", "level"], descending=[True, False, False])
        found += [
            Improvement(
                (Condition(row["dimension"], row["level"]),),
                row["previous_rate"],
                bounded_rate(row["approval_rate"], row["low"], row["high"], row["votes"], row["people"]),
                row["q_value"],
                resolved=False,
            )
            for row in better.iter_rows(named=True)
        ]
    return Improvements((*found, *_resolved(sources)))


def _resolved(sources: Sources) -> list[Improvement]:
    if sources.slice_findings is None:
        return []
    before = _negative_rates_before(sources)
    gone = sources.slice_findings.filter(pl.col("status") == "gone").sort("finding_id")
    return [
        Improvement(
            conditions_of(row),
            1 - before[row["finding_id"]].value if row["finding_id"] in before else None,
            approval_of(negative),
            None,
            resolved=True,
        )
        for row in gone.iter_rows(named=True)
        if (negative := negative_rate_of(row)) is not None
    ]


def _negative_rates_before(sources: Sources) -> dict[str, Rate]:
    if sources.previous is None or isinstance(sources.previous.content.causes, NoResultPart):
        return {}
    return {cause.finding_id: cause.negative for cause in sources.previous.content.causes.findings}


def terms(sources: Sources) -> Terms | NoResultPart:
    """The strongest term findings of each side, worst first."""
    frame = sources.term_findings
    if frame is None:
        return NOT_COMPUTED
    shown = frame.filter((pl.col("q_value") <= SIGNIFICANT) & (pl.col("people") >= MIN_PEOPLE))
    shown = (
        shown.with_columns(strength=pl.col("z").abs())
        .sort(["side", "strength", "field", "term"], descending=[False, True, False, False])
        .group_by("side", maintain_order=True)
        .head(SHOWN_TERMS)
    )
    tested = frame.group_by("field").agg(pl.col("tests").max())["tests"].sum() if frame.height else None
    return Terms(tuple(_term(row) for row in shown.iter_rows(named=True)), _whole(tested))


def _term(row: Row) -> Term:
    down, total = row["down_documents"], row["down_documents"] + row["up_documents"]
    low, high = intervals.wilson_bounds(down, total)
    rate = bounded_rate(down / total, float(low), float(high), total, row["people"])
    return Term(row["term"], row["field"], row["side"], rate, row["z"], row["q_value"])


def topics(sources: Sources) -> Topics | NoResultPart:
    """Topics by size; `other` is told apart."""
    frame = sources.failure_topics
    if frame is None:
        return NOT_COMPUTED
    if frame.is_empty():
        return NoResultPart("there are no texts with negative votes, or no taxonomy has been fitted yet")
    before = _topic_shares_before(sources, frame["taxonomy"][0])
    quoted = _quotations(sources)
    named = frame.filter(pl.col("topic") != OTHER_TOPIC).sort(
        ["documents", "topic"], descending=[True, False], nulls_last=True
    )
    other = frame.filter(pl.col("topic") == OTHER_TOPIC)["share"].drop_nulls()
    return Topics(
        taxonomy=frame["taxonomy"][0],
        topics=tuple(_topic(row, before, quoted) for row in named.iter_rows(named=True)),
        other_share=other[0] if other.len() else None,
    )


def _topic(row: Row, before: dict[str, float], quoted: dict[str, Example]) -> Topic:
    share: Rate | NoResultPart
    people = row["people"]
    if row["share"] is None or not row["documents"] or people is None or people < MIN_PEOPLE:
        share = NoResultPart(row["reason"] or f"fewer than {MIN_PEOPLE} people")
    else:
        share = bounded_rate(row["share"], row["share_low"], row["share_high"], row["documents"], people)
    return Topic(
        topic_id=str(row["topic"]),
        name=row["name"],
        share=share,
        previous_share=before.get(str(row["topic"])),
        examples=_examples(row["example_feedback_ids"], quoted, people) if isinstance(share, Rate) else (),
    )


def _topic_shares_before(sources: Sources, taxonomy: str) -> dict[str, float]:
    """Shares in the report before, where its taxonomy was the same one."""
    if sources.previous is None:
        return {}
    before = sources.previous.content.topics
    if isinstance(before, NoResultPart) or before.taxonomy != taxonomy:
        return {}
    return {topic.topic_id: topic.share.value for topic in before.topics if isinstance(topic.share, Rate)}


def repeated_failures(sources: Sources) -> RepeatedFailures | NoResultPart:
    """The same failure more than twice, most frequent first, at most twenty."""
    frame = sources.repeated_failures
    if frame is None:
        return NOT_COMPUTED
    known = set()
    if sources.previous is not None and not isinstance(sources.previous.content.repeated_failures, NoResultPart):
        known = {failure.failure_id for failure in sources.previous.content.repeated_failures.failures}
    quoted = _quotations(sources)
    rows = frame.sort(["down", "failure_id"], descending=[True, False]).head(20).iter_rows(named=True)
    return RepeatedFailures(
        tuple(
            RepeatedFailure(
                failure_id=row["failure_id"],
                action_type=row["action_type"],
                negatives=row["down"],
                votes=row["votes"],
                people=row["people"],
                is_new=row["failure_id"] not in known,
                examples=_examples(row["example_feedback_ids"], quoted, row["people"]),
            )
            for row in rows
        )
    )
