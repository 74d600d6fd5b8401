"""What is sent: an incident or a digest as a message, from templates in files."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TITLES = {
    "approval_under_target": "Approval is probably under its target",
    "approval_drift": "Approval has fallen under its target",
    "approval_fall": "Approval fell against the seven days before",
    "negative_count": "Unusually many votes down",
    "negative_rate": "Answers got worse today",
    "new_action_type": "A new action type gets many votes down",
    "votes_missing": "Fewer votes than usual: capture may be broken",
    "votes_late": "No new votes",
}
"""What each rule is about, in words."""


@dataclass(frozen=True)
class Message:
    """One message, said for chat, for mail and for a log."""

    subject: str
    """What it is about, for `notification`: `alert:<id>`, `weekly_report:<week>`."""
    headline: str
    """One line of our own words: no dimension values, so that it may be a mail's subject."""
    chat: str
    """Slack's mrkdwn, escaped."""
    plain: str
    line: str
    """For a log."""


def incident_message(
    identity: UUID, kind: str, severity: str, dimensions: Mapping[str, str], explanation: str, first: date, last: date
) -> Message:
    """An incident as a message."""
    values: dict[str, Any] = {
        "id": str(identity),
        "title": TITLES[kind],
        "severity": severity,
        "first_day": first.isoformat(),
        "last_day": last.isoformat(),
    }
    shown = ", ".join(f"{name} = {value}" for name, value in sorted(dimensions.items()))
    return Message(
        subject=f"alert:{identity}",
        headline=f"[feedback] {TITLES[kind]}",
        chat=_render("incident_chat", values | {"dimensions": for_chat(shown), "explanation": for_chat(explanation)}),
        plain=_render("incident_plain", values | {"dimensions": shown, "explanation": explanation}),
        line=" ".join(f"{TITLES[kind]}: {explanation} (incident {identity})".split()),
    )


def for_chat(text: str) -> str:
    """Text that Slack shows as it is: its three escapes, and nothing that starts formatting, a link or a mention."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join("'" if character in "*`~|" else " " if character in "\r\n" else character for character in escaped)


def _render(template: str, values: Mapping[str, Any]) -> str:
    return _environment().get_template(f"{template}.txt.jinja").render(values)


@cache
def _environment() -> Environment:
    # chat and plain text, no HTML: `for_chat` escapes what Slack interprets
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=False,  # noqa: S701
        undefined=StrictUndefined,
        keep_trailing_newline=False,
    )
