"""Weeks and months: labels at the turn of the year, clock changes."""

from datetime import date

import pytest

from feedback_pipeline.calendar import week_label
from feedback_pipeline.reports.periods import month_of, week_of
from feedback_pipeline.reports.wording import days_between, period_name


@pytest.mark.parametrize(
    ("day", "label"),
    [
        (date(2026, 11, 16), "2026-W47"),
        (date(2026, 12, 28), "2026-W53"),  # 2026 has 53 ISO weeks
        (date(2027, 1, 1), "2026-W53"),  # a Friday of that week
        (date(2024, 12, 30), "2025-W01"),
    ],
)
def test_iso_weeks_around_the_new_year(day, label):
    assert week_label(day) == label


def test_a_week_starts_on_monday_and_a_month_on_its_first():
    with pytest.raises(ValueError, match="weeks start on Monday"):
        week_of(date(2026, 11, 17), "UTC")
    with pytest.raises(ValueError, match="not the first day of a month"):
        month_of(date(2026, 11, 2), "UTC")


@pytest.mark.parametrize(
    ("monday", "zone", "hours"),
    [
        (date(2026, 10, 19), "Europe/Berlin", 1.0),  # summer time ends on Sunday 25 October 2026
        (date(2026, 3, 23), "Europe/Berlin", -1.0),  # and began on Sunday 29 March
        (date(2026, 10, 19), "UTC", 0.0),
        (date(2026, 9, 28), "Australia/Lord_Howe", -0.5),  # clocks change by half an hour there, on 4 October
        (date(2026, 11, 16), "Europe/Berlin", 0.0),
    ],
)
def test_a_clock_change_is_known(monday, zone, hours):
    assert week_of(monday, zone).clock_change_hours == hours


def test_months_end_where_they_end():
    february = month_of(date(2028, 2, 1), "UTC")
    assert (february.label, february.end) == ("2028-02", date(2028, 2, 29))
    assert month_of(date(2026, 12, 1), "UTC").end == date(2026, 12, 31)


def test_periods_are_named_as_people_name_them():
    assert period_name(week_of(date(2026, 12, 28), "UTC")) == "Week 53 of 2026"
    assert period_name(month_of(date(2026, 11, 1), "UTC")) == "November 2026"
    assert days_between(date(2026, 11, 16), date(2026, 11, 22)) == "16–22 Nov 2026"
    assert days_between(date(2026, 11, 30), date(2026, 12, 6)) == "30 Nov – 6 Dec 2026"
    assert days_between(date(2026, 12, 28), date(2027, 1, 3)) == "28 Dec 2026 – 3 Jan 2027"
