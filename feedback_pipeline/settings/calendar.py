"""Days, weeks and when they are computed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from feedback_pipeline.environment import Derived, SettingsError, setting

Executor = Literal["in_process", "multiprocess", "k8s", "ray", "celery"]
Environment = Literal["development", "production"]

FIRST_DAY_FILE = "start"
"""Below the home folder: the Monday of the first week, where `FEEDBACK_START` does not say it."""


def _timezone(name: str, zone: str) -> str:
    """an IANA zone such as Europe/Berlin"""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SettingsError(f"{name} is {zone!r}, not an IANA zone such as Europe/Berlin") from error
    return zone


def _monday(name: str, text: str) -> date:
    """a date, a Monday"""
    try:
        found = date.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(f"{name} is {text!r}, expected a date such as 2025-01-06") from error
    if found.weekday() != 0:
        raise SettingsError(f"{name} is {text}, a {found:%A}; weeks start on Monday, so it must be one")
    return found


def _first_day(_: Mapping[str, str], values: dict[str, Any]) -> date:
    """The Monday that `first_day.follow` wrote down."""
    file = values["home"] / FIRST_DAY_FILE if "home" in values else None
    if file is None or not file.exists():
        return date(2025, 1, 6)
    return _monday(str(file), file.read_text().strip())


def _key_parts(name: str, text: str) -> tuple[str, ...]:
    """letters, digits and `_`, in parts separated by /"""
    found = tuple(text.strip("/").split("/"))
    if not all(re.fullmatch(r"[A-Za-z0-9_]+", part) for part in found):
        raise SettingsError(f"{name} is {text!r}, expected letters, digits and _, in parts separated by /")
    return found


@dataclass(frozen=True)
class CalendarSettings:
    """Days, weeks and when they are computed."""

    timezone: str = setting(
        "FEEDBACK_TIMEZONE", "UTC", "zone that days and weeks are cut in; fixed by the first migration", read=_timezone
    )
    start: date = setting(
        "FEEDBACK_START",
        Derived(_first_day, "the week of the first vote, kept in `start` below FEEDBACK_HOME; without it 2025-01-06"),
        "first day of the first week, a Monday",
        read=_monday,
    )
    lateness_days: int = setting("FEEDBACK_LATENESS", 3, "days after its end at which a week closes")
    quiet_seconds: int = setting(
        "FEEDBACK_QUIET", 15, "seconds without another change before a day or week is computed by itself"
    )
    longest_wait_seconds: int = setting(
        "FEEDBACK_LONGEST_WAIT", 300, "seconds after which a day is computed all the same; a week after six times"
    )
    automation: bool = setting("FEEDBACK_AUTOMATION", False, "sensors and schedules run from the first start")
    executor: Executor = setting("FEEDBACK_EXECUTOR", "in_process", "how the steps of one run are run")
    asset_prefix: tuple[str, ...] = setting(
        "FEEDBACK_ASSET_PREFIX",
        (),
        "what the keys of all assets begin with, parts separated by `/`: for two loops in one Dagster instance",
        read=_key_parts,
    )
    ui_hosts: frozenset[str] = setting(
        "FEEDBACK_UI_HOSTS", frozenset(), "names under which the Dagster UI is served besides this machine's own"
    )
    environment: Environment = setting(
        "FEEDBACK_ENV", "development", "production refuses to start where development makes keys up"
    )
