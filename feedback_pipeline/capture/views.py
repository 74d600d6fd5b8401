"""How rows of the store look on the wire."""

from datetime import datetime
from typing import Any

import orjson
from asyncpg import Record

SUBJECTS = ("session", "conversation", "tool_call", "step")
"""What can be voted on beside answers."""
_OWN = ("id", "event_id", "kind", "rating", "feedback", "thumb", "stars", "value", "comment", "correction", "reasons",
        "preference", "content_type", "content_id", "created_at", "updated_at")  # fmt: skip
"""What a browser reads of its own vote: what the person gave, and nothing that the server knows of the answer."""


def own_vote(row: Record, identity: Any = None, first_at: datetime | None = None) -> dict[str, Any]:
    """One vote as the browser that gave it may read it."""
    found = vote(row, identity, first_at)
    return {name: found[name] for name in _OWN}


def vote(row: Record, identity: Any = None, first_at: datetime | None = None) -> dict[str, Any]:
    """One vote with the answer it is about; `rating` and `feedback` repeat the thumb in the words of older clients."""
    kind, _, name = (row["key_value"] or "").partition("/") if row["key_kind"] == "content" else ("", "", "")
    thumb = row["thumb"]
    return {
        "id": str(identity or row["id"]),
        "event_id": str(row["id"]),
        "interaction_id": _text(row["interaction_id"]),
        "kind": row["kind"],
        "rating": None if thumb is None else 1 if thumb else -1,
        "feedback": None if thumb is None else "up" if thumb else "down",
        "thumb": thumb,
        "stars": row["stars"],
        "value": _json(row["value"]),
        "comment": row["comment"],
        "correction": row["correction"],
        "reasons": row["reasons"],
        "preference": row["preference"],
        "other_interaction_id": _text(row["other_interaction_id"]),
        "content_type": row["content_type"] or kind or None,
        "content_id": name or None,
        "subject": {"kind": row["key_kind"], "id": row["key_value"]} if row["key_kind"] in SUBJECTS else None,
        "request_id": row["key_value"] if row["key_kind"] == "request" else None,
        "message_id": row["key_value"] if row["key_kind"] == "message" else None,
        "query": row["prompt"],
        "response": row["output"],
        "content_snapshot": _json(row["content_snapshot"]),
        "model": row["model"],
        "intent": row["intent"],
        "project": row["project"],
        "prompt_version": row["prompt_version"],
        "framework": row["framework"],
        "action_type": row["action_type"],
        "tools_called": row["tools_called"] or [],
        "tags": row["tags"] or [],
        "memory_used": row["memory_used"],
        "metadata": _json(row["vote_metadata"] or row["metadata"]),
        "shown": _json(row["shown"]),
        "shown_differently": row["shown_differently"],
        "provenance": row["provenance"],
        "user_id": row["user_key"],
        "session_id": row["session_key"],
        "created_at": (first_at or row["occurred_at"]).isoformat(),
        "updated_at": row["occurred_at"].isoformat(),
    }


def verdict(shown: dict[str, Any]) -> str:
    """What a vote or an event of its history says, in a word."""
    if shown["thumb"] is not None:
        return "up" if shown["thumb"] else "down"
    if shown["stars"]:
        return f"{shown['stars']} of 5"
    signal = (shown.get("value") or {}).get("signal")
    return shown.get("preference") or (signal if isinstance(signal, str) else "–")


def event(row: Record) -> dict[str, Any]:
    """One event of a vote's history."""
    return {
        "id": str(row["id"]),
        "kind": row["kind"],
        "thumb": row["thumb"],
        "stars": row["stars"],
        "comment": row["comment"],
        "correction": row["correction"],
        "reasons": row["reasons"],
        "withdrawn": row["withdrawn"],
        "occurred_at": row["occurred_at"].isoformat(),
        "received_at": row["received_at"].isoformat(),
    }


def share(part: int, whole: int) -> float | None:
    """A percentage with two decimals; None of nothing."""
    return round(100 * part / whole, 2) if whole else None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _json(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)
