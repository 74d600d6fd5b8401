"""What votes and numbers are called on the pages."""

import re
from math import floor, log10
from typing import Any

SIGNALS = {
    "copy": "Copied the answer",
    "copied": "Copied the answer",
    "regenerate": "Asked for another answer",
    "regenerated": "Asked for another answer",
    "retry": "Asked for another answer",
    "edit": "Edited the answer",
    "share": "Shared the answer",
    "abandon": "Left without using the answer",
    "abandoned": "Left without using the answer",
}
PREFERENCES = {"this": "Preferred this answer", "other": "Preferred another answer", "tie": "Found both answers equal"}
SUBJECTS = {"session": "session", "conversation": "conversation", "tool_call": "tool call", "step": "step"}
KINDS = {
    "explicit": "Thumbs and stars",
    "implicit": "Signals",
    "outcome": "Outcomes",
    "correction": "Corrections",
    "preference": "Preferences",
    "comment": "Comments",
}
FORMATS = {
    "feedback_export": "Fine-tuning (API)",
    "finetuning": "Fine-tuning",
    "positive": "Approved answers",
    "promptfoo": "promptfoo tests",
    "json": "JSON",
    "jsonl": "JSON lines",
}
"""What the formats of exports are called."""


def said(item: dict[str, Any]) -> str:
    """What a vote, or an event of its history, says, as one would say it: "Thumb down, with a comment"."""
    parts = [_verdict(item)]
    if item.get("comment") and item["kind"] != "comment":
        parts.append("with a comment")
    text = ", ".join(parts)
    subject = item.get("subject")
    return f"{text}, on the {SUBJECTS.get(subject['kind'], subject['kind'])}" if subject else text


def _verdict(item: dict[str, Any]) -> str:
    kind, value = item["kind"], item.get("value") or {}
    if kind == "correction":
        return "Corrected the answer"
    if kind == "comment":
        return "General feedback" if item.get("content_type") == "general" else "Comment"
    if kind == "preference":
        return PREFERENCES.get(item.get("preference") or "", "Compared two answers")
    rated = []
    if item["thumb"] is not None:
        rated.append("Thumb up" if item["thumb"] else "Thumb down")
    if item["stars"]:
        rated.append(f"{item['stars']} of 5 stars")
    if rated:
        return ", ".join(rated)
    return _signal(value) if isinstance(value, dict) and value else "Nothing said"


def _signal(value: dict[str, Any]) -> str:
    name = value.get("signal") or value.get("name")
    if isinstance(name, str):
        return SIGNALS.get(name, _words(name))
    outcomes = [f"{_words(key)}: {'yes' if given else 'no'}" for key, given in value.items() if isinstance(given, bool)]
    return ", ".join(outcomes) or ", ".join(_words(key) for key in value)


def _words(name: str) -> str:
    """`task_succeeded` as "Task succeeded"."""
    text = re.sub(r"[_-]+", " ", name).strip()[:80]
    return text[:1].upper() + text[1:]


def first_line(text: str | None, length: int = 140) -> str:
    """The first line of a text that holds something, cut to a length."""
    line = next((line.strip() for line in (text or "").splitlines() if line.strip()), "")
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def percent(value: float | None) -> str:
    """A percentage, whole between 10 and 90 where nobody could act on a decimal."""
    if value is None:
        return "–"
    return f"{value:.0f} %" if 10 <= value <= 90 or value in (0, 100) else f"{value:.1f} %"


def interval(ends: list[float] | None) -> str:
    """An interval of percentages, both ends with as many decimals."""
    if not ends:
        return ""
    digits = 0 if ends[1] - ends[0] >= 1 else 1
    return f"{ends[0]:.{digits}f}–{ends[1]:.{digits}f} %"


def seconds(milliseconds: float | None) -> str:
    """How long something took."""
    if milliseconds is None:
        return ""
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


def dollars(amount: float | None) -> str:
    """A cost in US dollars, with two figures that say something."""
    if amount is None:
        return ""
    if amount >= 0.1 or amount == 0:
        return f"${amount:,.2f}"
    digits = min(8, 1 - floor(log10(amount)))
    return f"${amount:.{digits}f}"


def number(value: float | None) -> str:
    """A number with three figures that say something."""
    return "" if value is None else f"{value:.3g}"


def person(pseudonym: str | None) -> str:
    """Enough of a pseudonym to tell people apart on a page."""
    return "" if not pseudonym else pseudonym.rpartition(":")[2][:6]
