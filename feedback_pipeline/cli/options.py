"""What several commands take: a day, a week."""

from datetime import date

from feedback_pipeline.settings import SettingsError


def day_of(option: str, text: str) -> date:
    """The day an option names.

    Raises:
        SettingsError: it is no date.
    """
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(f"{option} takes a date such as 2026-11-16, not {text!r}") from error


def week_of(text: str) -> date:
    """The Monday that `--week` names.

    Raises:
        SettingsError: it is no date, or another day of the week.
    """
    day = day_of("--week", text)
    if day.weekday() != 0:
        raise SettingsError(f"--week takes a Monday; {text} is a {day:%A}")
    return day


def week_over(start: date, today: date, text: str) -> date:
    """The Monday that `--week` names, of a week that can be computed.

    Raises:
        SettingsError: it is no Monday, lies before the first week, or is not over yet.
    """
    monday = week_of(text)
    if monday < start:
        raise SettingsError(f"--week {text} is before the first one, {start} (FEEDBACK_START)")
    if (today - monday).days < 7:
        raise SettingsError(f"--week {text} is not over yet: today is {today}")
    return monday
