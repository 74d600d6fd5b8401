"""One day of raw rows becomes one day of clean ones, with an account of every event."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from feedback_pipeline.cleaning.conversations import with_whole_prompts
from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK, CLEAN_INTERACTIONS, QUARANTINED_FEEDBACK
from feedback_pipeline.cleaning.verdicts import DEFAULT_POLICY, VerdictPolicy, add_verdicts

PARTS = ("current", "superseded", "withdrawn", "duplicate", "opted_out", "pending", "subject", "quarantined")
"""What can become of an event."""


@dataclass(frozen=True)
class Conservation:
    """Where the events delivered for one day went. Nothing is silently lost: the parts add up to `delivered`."""

    delivered: int
    parts: Mapping[str, int]
    quarantined_by_reason: Mapping[str, int]

    @property
    def missing(self) -> int:
        """Events delivered that are in no part (negative: more came out than went in)."""
        return self.delivered - sum(self.parts.values())

    def described(self) -> str:
        parts = " + ".join(f"{count} {name}" for name, count in self.parts.items() if count)
        return f"{self.delivered} delivered = {parts or '0'}" + (f", {self.missing} missing" if self.missing else "")


def clean_interactions(raw: pl.DataFrame) -> pl.DataFrame:
    """A day of answers (`read_interactions`) as CLEAN_INTERACTIONS; people who opted out of analysis are left out."""
    kept = with_whole_prompts(raw.filter("use_for_analysis"))
    kept = kept.with_columns(sorted_names(kept["tags"]), sorted_names(kept["tools"]))
    return CLEAN_INTERACTIONS.conform(kept).sort("interaction_id")


def clean_feedback(raw: pl.DataFrame, policy: VerdictPolicy = DEFAULT_POLICY) -> pl.DataFrame:
    """A day of events (`read_feedback`) as CLEAN_FEEDBACK: the current ones, each with its verdict."""
    current = add_verdicts(raw.filter(pl.col("state") == "current"), policy)
    current = current.with_columns(
        sorted_names(current["tags"]),
        sorted_names(current["tools"]),
        counts=pl.col("verdict").is_not_null() & ~pl.col("outranked"),
        use_for_analysis=pl.lit(value=True),
    )
    return CLEAN_FEEDBACK.conform(current).sort("feedback_id")


def quarantined_feedback(refusals: pl.DataFrame) -> pl.DataFrame:
    """A day of refusals (`read_refusals`) as QUARANTINED_FEEDBACK: those that were refused for what they held."""
    return QUARANTINED_FEEDBACK.conform(refusals.filter(pl.col("category") == "quarantined")).sort("refusal_id")


def account(
    delivered: int, raw: pl.DataFrame, refusals: pl.DataFrame, clean_rows: int, *, after_seal: int = 0
) -> Conservation:
    """Where the events of a day went, from the rows read and the rows kept.

    Args:
        delivered: events counted in the store without looking at what became of them.
        raw: the day's events (`read_feedback`).
        refusals: the day's refusals (`read_refusals`).
        clean_rows: rows written to `clean_feedback`.
        after_seal: current events that came after the day was sealed, whose text may no longer be taken in.
    """
    states = dict(raw.group_by("state").len().iter_rows())
    categories = dict(refusals.group_by("category").len().iter_rows())
    reasons = refusals.filter(pl.col("category") == "quarantined").group_by("reason").len().sort("reason")
    return Conservation(
        delivered=delivered,
        parts={
            "current": clean_rows,
            "superseded": states.get("superseded", 0),
            "withdrawn": states.get("withdrawn", 0),
            "duplicate": categories.get("duplicate", 0),
            "opted_out": states.get("opted_out", 0) + categories.get("opted_out", 0),
            "pending": states.get("pending", 0),
            "subject": states.get("subject", 0),
            "quarantined": categories.get("quarantined", 0),
            **({"after_seal": after_seal} if after_seal else {}),
        },
        quarantined_by_reason=dict(reasons.iter_rows()),
    )


def counted(row: Mapping[str, Any]) -> Conservation:
    """A row of `account_for_days`: what became of a day's events, as the store counts them."""
    return Conservation(
        delivered=row["delivered"],
        parts={name: row[name] for name in PARTS},
        quarantined_by_reason=dict(sorted(Counter(row["reasons"] or ()).items())),
    )


def sorted_names(lists: pl.Series) -> pl.Series:
    """Lists of names, each sorted and without repeats; no list is an empty one.

    Lists of one name are sorted: Polars would sort them too, each for itself, at 5 µs.
    """
    lists = lists.cast(pl.List(pl.String)).fill_null([])
    several = (lists.list.len() > 1).arg_true()
    if several.is_empty():
        return lists
    told = pl.DataFrame({"row": several, "name": lists.gather(several)}).explode("name").unique().sort("row", "name")
    ordered = told.group_by("row", maintain_order=True).agg("name")["name"]
    rows = pl.int_range(len(lists), dtype=pl.UInt32, eager=True)
    places = pl.int_range(len(lists), len(lists) + len(several), dtype=pl.UInt32, eager=True)
    return pl.concat([lists, ordered.alias(lists.name)]).gather(rows.scatter(several, places))
