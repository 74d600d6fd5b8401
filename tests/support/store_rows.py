"""Rows for tests of the store: complete frames from the few values a test cares about."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from feedback_pipeline.store.rows import (
    INCOMING_FEEDBACK,
    INCOMING_INTERACTION,
    INCOMING_KEY,
    INCOMING_REFUSAL,
    derived_id,
)
from feedback_pipeline.tables.schema import Table

MONDAY = datetime(2026, 9, 7, 8, tzinfo=UTC)
DAY = MONDAY.date()


def rows(table: Table, given: list[dict[str, Any]], defaults: dict[str, Any]) -> pl.DataFrame:
    """The given rows with every declared column; what is neither given nor a default is null."""
    names = table.names
    return pl.DataFrame(
        [{name: row.get(name, defaults.get(name)) for name in names} for row in given], schema=table.schema
    )


def answer_id(name: str) -> str:
    return derived_id("default", "answers", name)


def vote_id(name: str) -> str:
    return derived_id("default", "votes", name)


def answers(*given: dict[str, Any]) -> pl.DataFrame:
    """Answers by `name`; everything else has a plausible value."""
    defaults = {
        "tenant": "default",
        "model": "m1",
        "prompt": "How do I cancel?",
        "output": "In the settings.",
        "context": "partial",
        "occurred_at": MONDAY,
        "source": "answers",
        "provenance": "import",
        "inclusion_probability": 1.0,
    }
    named = [{"id": answer_id(row["name"]), "source_id": row["name"], **row} for row in given]
    return rows(INCOMING_INTERACTION, named, defaults)


def votes(*given: dict[str, Any]) -> pl.DataFrame:
    """Votes by `name` on the answer called `on`, thumbs up unless they say otherwise."""
    defaults = {
        "tenant": "default",
        "kind": "explicit",
        "occurred_at": MONDAY,
        "withdrawn": False,
        "source": "votes",
    }
    named = []
    for row in given:
        row = {"id": vote_id(row["name"]), "source_id": row["name"], **row}
        if "on" in row:
            row["interaction_id"] = answer_id(row["on"])
        if row.get("kind", "explicit") == "explicit" and "stars" not in row:
            row.setdefault("thumb", True)
        row.setdefault("received_at", row.get("occurred_at", MONDAY))
        named.append(row)
    return rows(INCOMING_FEEDBACK, named, defaults)


def keys(*given: tuple[str, str], kind: str = "request") -> pl.DataFrame:
    """Request ids of answers, or names of another kind: (value, answer's name)."""
    named = [{"value": value, "interaction_id": answer_id(name)} for value, name in given]
    return rows(INCOMING_KEY, named, {"tenant": "default", "kind": kind})


def refusals(*given: dict[str, Any]) -> pl.DataFrame:
    named = [{"id": derived_id("default", "refusals", row["place"]), **row} for row in given]
    return rows(
        INCOMING_REFUSAL,
        named,
        {"tenant": "default", "day": MONDAY.date(), "source": "votes", "reason": "out_of_range"},
    )


def later(**delta: float) -> datetime:
    return MONDAY + timedelta(**delta)
