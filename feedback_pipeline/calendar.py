"""Days, weeks and months of the calendar, in whatever zone the days were cut in.

A week starts on Monday and its key is that Monday's date; people read it as an ISO week (`2026-W47`). A month's key is
its first day.
"""

from datetime import date, timedelta

WEEK = timedelta(weeks=1)


def monday_of(day: date) -> date:
    """The Monday of a day's week."""
    return day - timedelta(days=day.weekday())


def week_label(day: date) -> str:
    """The ISO week of a day: 2026-W47."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"


def days_of(week: date) -> list[date]:
    """The seven days of the week that starts on this Monday."""
    return [week + timedelta(days=offset) for offset in range(7)]


def days_between(first: date, last: date) -> list[date]:
    """The days from the first to the last, both included."""
    return [first + timedelta(days=offset) for offset in range((last - first).days + 1)]


def window(week: date, weeks: int) -> list[date]:
    """The days of the `weeks` weeks that end with this one."""
    first = week - timedelta(weeks=weeks - 1)
    return [first + timedelta(days=offset) for offset in range(7 * weeks)]


def weeks_before(week: date, count: int) -> list[date]:
    """The Mondays of the `count` weeks before this one, oldest first."""
    return [week - timedelta(weeks=back) for back in range(count, 0, -1)]


def first_of_month(day: date) -> date:
    """The first day of a day's month."""
    return day.replace(day=1)


def month_before(first: date) -> date:
    """The first day of the month before the one that starts on this day."""
    return first_of_month(first - timedelta(days=1))


def month_after(first: date) -> date:
    """The first day of the month after the one that starts on this day."""
    return first_of_month(first + timedelta(days=31))


def days_of_month(first: date) -> list[date]:
    """The days of the month that starts on this day."""
    return [first + timedelta(days=offset) for offset in range((month_after(first) - first).days)]
