"""The metrics that people and dashboards read: accuracy, statistics, summaries. All from rollups; see the migration."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from math import sqrt
from typing import Any

from asyncpg import Record

from feedback_pipeline.calendar import monday_of
from feedback_pipeline.capture.connections import Store
from feedback_pipeline.capture.views import share

_Z = 1.959963984540054  # 97.5 % point of the normal distribution


async def accuracy(
    store: Store, tenant: str, model: str | None, intent: str | None, project: str | None
) -> dict[str, Any]:
    """Thumbs by model, intent and project, and in all; `accuracy` is the percentage of thumbs up with its 95 % Wilson
    interval."""
    rows = await store.fetch(tenant, "read_accuracy", model, intent, project)
    return {
        "overall": _rate(rows),
        "by_model": _grouped(rows, "model"),
        "by_intent": _grouped(rows, "intent"),
        "by_project": _grouped(rows, "project"),
        "groups": [
            {"model": row["model"] or None, "intent": row["intent"] or None, "project": row["project"] or None}
            | _rate([row])
            for row in rows
        ],
    }


async def stats(
    store: Store, tenant: str, days: int, model: str | None, intent: str | None, project: str | None
) -> dict[str, Any]:
    """Totals, shares, distinct people and daily numbers of the `days` days that end today."""
    today: date = (await store.fetch(tenant, "read_today"))[0]["today"]
    since = today - timedelta(days=days - 1)
    rows = await store.fetch(tenant, "read_stats", since, model, intent, project)
    people = await _people(store, tenant, since, model=model, intent=intent, project=project)
    total = {
        name: sum(row[name] for row in rows) for name in ("votes", "stars", "stars_sum", "comments", "corrections")
    }
    up, down = sum(row["up"] for row in rows), sum(row["down"] for row in rows)
    memories = sum(row["memories"] for row in rows)
    return {
        "days": days,
        "since": since.isoformat(),
        "until": today.isoformat(),
        "total_feedback": total["votes"],
        "positive": up,
        "negative": down,
        "positive_percentage": share(up, up + down),
        "negative_percentage": share(down, up + down),
        "approval": _rate(rows),
        "average_stars": round(total["stars_sum"] / total["stars"], 3) if total["stars"] else None,
        "comments": total["comments"],
        "corrections": total["corrections"],
        "unique_users": people.users,
        "unique_sessions": people.sessions,
        "people_error_percentage": people.error,
        "average_memory_used": round(sum(row["memory_sum"] for row in rows) / memories, 4) if memories else None,
        "daily": [
            {"day": row["day"].isoformat(), "total": row["votes"], "positive": row["up"], "negative": row["down"]}
            for row in rows
        ],
        "weekly_negative": _weekly(rows),
    }


@dataclass(frozen=True)
class People:
    """How many different users and sessions voted. `error` is the standard error in per cent of the number: 0 if they
    were counted."""

    users: int
    sessions: int
    error: float = 0.0


async def _people(store: Store, tenant: str, since: date, **wanted: str | None) -> People:
    """The people of votes on answers of a `model`, `intent` or `project`; of all if none is given."""
    given = [(dimension, value) for dimension, value in wanted.items() if value is not None]
    if not given:
        found = {row["kind"]: row["people"] for row in await store.fetch(tenant, "read_people", since)}
        return People(found.get("user", 0), found.get("session", 0))
    if len(given) == 1:
        for row in await store.fetch(tenant, "read_people_sketches", since, *given[0]):
            return _estimated(row["users"], row["sessions"])
    (row,) = await store.fetch(tenant, "read_filtered_people", since, *wanted.values())
    return People(row["users"], row["sessions"])


def _estimated(users: bytes, sessions: bytes) -> People:
    from feedback_pipeline.stats import cardinality  # NumPy: the service starts without it

    return People(
        cardinality.distinct(cardinality.merged(users)),
        cardinality.distinct(cardinality.merged(sessions)),
        round(100 * cardinality.RELATIVE_ERROR, 1),
    )


async def summary(store: Store, tenant: str, since: date | None = None) -> list[dict[str, Any]]:
    """Thumbs by action type."""
    rows = [row for row in await store.fetch(tenant, "read_summary", since) if row["action_type"]]
    return [
        {
            "action_type": action,
            "total_feedback": sum(row["votes"] for row in rows if row["action_type"] == action),
            "thumbs_up": (up := sum(row["up"] for row in rows if row["action_type"] == action)),
            "thumbs_down": (down := sum(row["down"] for row in rows if row["action_type"] == action)),
            "approval_rate": share(up, up + down),
        }
        for action in dict.fromkeys(row["action_type"] for row in rows)
    ]


async def uses(store: Store, tenant: str, days: int) -> dict[str, int]:
    """Pieces of general feedback, and exports, of the `days` days that end today."""
    today: date = (await store.fetch(tenant, "read_today"))[0]["today"]
    (row,) = await store.fetch(tenant, "read_uses", today - timedelta(days=days - 1))
    return {"general": row["general"], "exports": row["exports"]}


def _grouped(rows: Iterable[Record], name: str) -> list[dict[str, Any]]:
    groups: dict[str, list[Record]] = {}
    for row in rows:
        groups.setdefault(row[name], []).append(row)
    found = [{name: value or None} | _rate(members) for value, members in groups.items()]
    return sorted(found, key=lambda group: (-group["total"], str(group[name])))


def _rate(rows: Iterable[Record]) -> dict[str, Any]:
    members = list(rows)
    up, down = sum(row["up"] for row in members), sum(row["down"] for row in members)
    if up + down == 0:
        return {"total": 0, "positive": 0, "negative": 0, "accuracy": None, "interval": None}
    low, high = wilson(up, up + down)
    return {
        "total": up + down,
        "positive": up,
        "negative": down,
        "accuracy": share(up, up + down),
        "interval": [round(100 * low, 2), round(100 * high, 2)],
    }


def _weekly(rows: Iterable[Record]) -> list[dict[str, Any]]:
    weeks: dict[date, list[Record]] = {}
    for row in rows:
        weeks.setdefault(monday_of(row["day"]), []).append(row)
    return [
        {"week": monday.isoformat(), "negative_percentage": share(sum(r["down"] for r in days), _thumbs(days))}
        for monday, days in sorted(weeks.items())
    ]


def _thumbs(rows: Iterable[Record]) -> int:
    return sum(row["up"] + row["down"] for row in rows)


def wilson(up: int, total: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927, JASA 22:209); `total` is positive."""
    share_up, spread = up / total, _Z * _Z / total
    middle = (share_up + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * sqrt(share_up * (1 - share_up) / total + spread / (4 * total))
    return max(0.0, middle - half), min(1.0, middle + half)
