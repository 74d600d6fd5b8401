"""What suggestions may rest on: one entry per finding, with its numbers and the group of answers it is about."""

import json
from dataclasses import dataclass
from typing import Any

import polars as pl

from feedback_pipeline.patterns.tracking import HELD, parse_slice

Conditions = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Evidence:
    """One finding as it may be cited."""

    id: str
    what: str
    conditions: Conditions
    """Dimension values of the group; empty where it is about no single group."""
    numbers: dict[str, float]
    """Rates as shares 0–1, counts as they are."""
    grade: str = "associational"

    def as_data(self) -> dict[str, Any]:
        """As a model is shown it: rates in percent, to one decimal."""
        shown = {
            f"{name}_percent" if name.endswith("rate") else name: round(100 * value, 1)
            if name.endswith("rate")
            else round(value, 1)
            for name, value in self.numbers.items()
        }
        return {"id": self.id, "what": self.what, "group": dict(self.conditions), "grade": self.grade, **shown}


def gather(
    slice_findings: pl.DataFrame,
    approval_change: pl.DataFrame | None = None,
    failure_topics: pl.DataFrame | None = None,
    repeated_failures: pl.DataFrame | None = None,
) -> list[Evidence]:
    """The findings of a week that hold, largest first. Words of people (names of topics) are left out."""
    held = slice_findings.filter(pl.col("status").is_in(HELD) & pl.col("covered_by").is_null())
    found = [_slice(row) for row in held.sort("rank", "finding_id", nulls_last=True).iter_rows(named=True)]
    if approval_change is not None:
        releases = approval_change.filter((pl.col("part") == "first_seen") & pl.col("approval_rate").is_not_null())
        found += [_release(row) for row in releases.sort("dimension", "level").iter_rows(named=True)]
    if failure_topics is not None:
        topics = failure_topics.filter((pl.col("topic") >= 0) & pl.col("share").is_not_null())
        found += [_topic(row) for row in topics.sort("topic").iter_rows(named=True)]
    if repeated_failures is not None:
        ordered = repeated_failures.sort("down", "failure_id", descending=[True, False])
        found += [_repeat(row) for row in ordered.iter_rows(named=True)]
    return found


def _numbers(row: dict[str, Any], *names: str) -> dict[str, float]:
    return {name: float(row[name]) for name in names if row[name] is not None}


def _slice(row: dict[str, Any]) -> Evidence:
    numbers = _numbers(
        row, "votes", "people", "down", "negative_rate", "rest_negative_rate", "excess_negatives", "weeks_seen"
    )
    adjusted = row["adjusted_low"] is not None and row["adjusted_low"] > 0
    conditions = tuple(parse_slice(row["slice"]))
    return Evidence(
        row["finding_id"], "group with more votes down than the rest", conditions, numbers,
        "adjusted" if adjusted else "associational",
    )  # fmt: skip


def _release(row: dict[str, Any]) -> Evidence:
    identity = f"first_seen:{row['dimension']}:{row['level']}"
    conditions = ((row["dimension"], row["level"] or ""),)
    return Evidence(identity, "new this week", conditions, _numbers(row, "votes", "people", "approval_rate"))


def _topic(row: dict[str, Any]) -> Evidence:
    numbers = _numbers(row, "documents", "people") | {"share_rate": float(row["share"])}
    return Evidence(f"topic:{row['taxonomy']}:{row['topic']}", "topic of texts with votes down", (), numbers)


def _repeat(row: dict[str, Any]) -> Evidence:
    conditions = (("action_type", row["action_type"]),) if row["action_type"] else ()
    return Evidence(
        row["failure_id"], "one answer voted down again and again", conditions, _numbers(row, "down", "votes", "people")
    )


def as_json(evidence: list[Evidence]) -> str:
    """The findings as a model is shown them."""
    return json.dumps([one.as_data() for one in evidence], ensure_ascii=False)
