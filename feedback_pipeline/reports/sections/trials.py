"""The sections about experiments and about the answers nobody chose to vote on."""

from typing import Any

import polars as pl

from feedback_pipeline.reports.parts import Difference, NoResultPart, Rate
from feedback_pipeline.reports.sections.estimates import Row
from feedback_pipeline.reports.sources import Sources
from feedback_pipeline.reports.trials import AllAnswers, Trial, Trials


def trials(sources: Sources) -> Trials | NoResultPart:
    """Every arm of the experiments of the period, as of its last day that was computed."""
    rows = sources.experiments
    if rows is None or rows.is_empty():
        return NoResultPart("no experiment ran")
    primary = rows.filter(pl.col("role") == "primary").sort("day")
    latest = primary.unique(["tenant", "experiment", "arm"], keep="last", maintain_order=True)
    return Trials(tuple(_trial(row) for row in latest.sort("experiment", "arm").iter_rows(named=True)))


def all_answers(sources: Sources) -> AllAnswers | NoResultPart:
    """Approval of all answers of the tenants together; each weighs as much as it has answers."""
    rows = sources.all_answers
    if rows is None or rows.is_empty():
        return NoResultPart("this was not computed")
    known = rows.drop_nulls("estimate").sort("answers", descending=True)
    if known.is_empty():
        return NoResultPart(str(rows.sort("answers", descending=True)["reason"][0]))
    # one tenant: its own interval; several are not pooled, the largest speaks
    return _all_answers(known.row(0, named=True))


def _trial(row: Row) -> Trial:
    reason = NoResultPart(row["reason"] or "the arms' shares of people are not those asked for")
    return Trial(
        row["experiment"], row["arm"], row["control"], row["people"] + row["people_control"],
        _difference(row, "sequence_low", "sequence_high") or reason, _difference(row, "low", "high") or reason,
        row["expected"], row["verdict"], row["beyond"], row["advice"],
    )  # fmt: skip


def _difference(row: Row, low: str, high: str) -> Difference | None:
    if row["difference"] is None or row[low] is None or row[high] is None:
        return None
    return Difference(row["difference"], row[low], row[high])


def _all_answers(row: dict[str, Any]) -> AllAnswers:
    voters: Rate | NoResultPart = NoResultPart("nobody voted unasked")
    if row["plain"] is not None and row["plain_low"] is not None:
        voters = Rate(row["plain"], row["plain_low"], row["plain_high"], row["voted"])
    return AllAnswers(
        Rate(row["estimate"], min(row["low"], row["estimate"]), max(row["high"], row["estimate"]), row["answered"]),
        voters, row["asked"], row["if_worse"],
    )  # fmt: skip
