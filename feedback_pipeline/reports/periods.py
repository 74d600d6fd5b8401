"""The periods that reports are about: ISO weeks and calendar months."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from feedback_pipeline.calendar import days_of_month, week_label
from feedback_pipeline.reports.summary import Period


def week_of(monday: date, timezone: str, *, revision: int = 0, provisional: bool = False) -> Period:
    """The ISO week that starts on `monday`.

    Raises:
        ValueError: not a Monday.
    """
    if monday.weekday() != 0:
        raise ValueError(f"{monday} is a {monday:%A}; weeks start on Monday")
    end = monday + timedelta(days=6)
    return Period(
        "weekly", week_label(monday), monday, end, timezone, revision, provisional, _clock_change(monday, end, timezone)
    )


def month_of(first: date, timezone: str, *, revision: int = 0, provisional: bool = False) -> Period:
    """The calendar month that starts on `first`.

    Raises:
        ValueError: not the first of a month.
    """
    if first.day != 1:
        raise ValueError(f"{first} is not the first day of a month")
    end = days_of_month(first)[-1]
    return Period(
        "monthly", f"{first:%Y-%m}", first, end, timezone, revision, provisional, _clock_change(first, end, timezone)
    )


def _clock_change(start: date, end: date, timezone: str) -> float:
    """Hours by which the days together are longer or shorter than 24 hours each."""
    zone = ZoneInfo(timezone)
    before = datetime.combine(start, time(), zone).utcoffset()
    after = datetime.combine(end + timedelta(days=1), time(), zone).utcoffset()
    if before is None or after is None:
        return 0.0
    return (before - after) / timedelta(hours=1)
