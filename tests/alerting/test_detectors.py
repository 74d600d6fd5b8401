"""Alerts fire for what is there, hold their tongue otherwise, and say why when they cannot look."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from feedback_pipeline.alerting.detectors import (
    Expected,
    approval_drift,
    approval_fall,
    approval_under_target,
    count_days,
    evidence_against,
    expect,
    negative_count,
    negative_rate,
    new_action_types,
    votes_late,
    votes_missing,
    was_real,
)
from feedback_pipeline.stats.intervals import Difference, newcombe, wilson

DAY = dt.date(2026, 11, 9)


def daily(up, down, last=DAY):
    """Days up to `last` on which everyone votes once."""
    days = [last - dt.timedelta(days=len(up) - 1 - place) for place in range(len(up))]
    votes = [u + d for u, d in zip(up, down, strict=True)]
    columns = {"day": days, "votes": votes, "people": votes, "people_up": up, "people_down": down}
    schema = {"day": pl.Date, "votes": pl.Int64, "people": pl.Int64, "people_up": pl.Float64, "people_down": pl.Float64}
    return pl.DataFrame({k: list(v) for k, v in columns.items()}, schema=schema)


EMPTY = daily([], [])


def test_no_votes_are_a_reason_for_every_check():
    readings = [
        approval_under_target(EMPTY, day=DAY, target=0.8),
        approval_drift(EMPTY, day=DAY, target=0.8),
        negative_count(EMPTY, day=DAY),
        negative_rate(EMPTY, day=DAY),
        votes_missing(EMPTY, day=DAY),
        votes_late(EMPTY, today=DAY),
        approval_fall(newcombe(0, 0, 5, 10), wilson(0, 0), wilson(5, 10), day=DAY),
        *new_action_types(
            pl.DataFrame(schema={"verdict": pl.Int8, "day": pl.Date, "action_type": pl.String, "person": pl.UInt64}),
            {},
            day=DAY,
        ),
    ]
    assert all(reading.alert is None and reading.reason for reading in readings)


# Approval under its target


def test_low_approval_over_a_week_warns_with_its_numbers():
    reading = approval_under_target(daily([13] * 7, [7] * 7), day=DAY, target=0.8)
    assert reading.alert.severity == "warn"
    assert reading.alert.numbers["approval_rate"] == pytest.approx(0.65)
    assert "65.0 %" in reading.alert.explanation


def test_one_bad_day_of_few_votes_does_not_warn():
    assert approval_under_target(daily([17, 17, 1], [3, 3, 3]), day=DAY, target=0.8).alert is None


def test_a_person_counts_once_a_day():
    rows = [(DAY, person, 1 if person % 5 else -1) for person in range(100)] + [(DAY, 4, -1)] * 900
    rows += [(DAY, 0, 1), (DAY, 7, 0)]
    facts = pl.DataFrame(rows, schema={"day": pl.Date, "person": pl.UInt64, "verdict": pl.Int8}, orient="row")
    counted = count_days(facts)
    # 80 of 100 are up; person 4 adds 900 votes down to one up, person 0 one up to one down; neutral does not count.
    up = 80 - 1 + 1 / 901 + 1 / 2
    assert counted.row(0) == (DAY, 1001, 100, pytest.approx(up), pytest.approx(100 - up))
    assert approval_under_target(counted, day=DAY, target=0.7).alert is None


def test_days_outside_the_window_are_not_seen():
    frame = daily([0] * 10 + [18] * 7, [20] * 10 + [2] * 7)
    assert approval_under_target(frame, day=DAY, target=0.8).alert is None


def test_the_detector_alarms_after_a_fall_and_rarely_before():
    rng = np.random.default_rng(3)
    early, delays = 0, []
    for _ in range(60):
        up = rng.binomial(50, [0.83] * 45 + [0.70] * 45)
        trail = evidence_against(daily(up, 50 - up), target=0.8)
        early += bool((trail[:45] >= 365).any())
        delays.append(int(np.argmax(trail[45:] >= 365)) + 1)
    assert early <= 2
    assert 2 <= np.median(delays) <= 7  # calibration: 5 days at 50 votes a day


def test_the_detector_keeps_its_run_length_at_exactly_the_target():
    rng = np.random.default_rng(4)
    alarms = sum(
        bool((evidence_against(daily(up, 20 - up), target=0.8) >= 365).any())
        for up in rng.binomial(20, 0.8, (100, 365))
    )
    # Average run length of at least 365 days allows up to 63 % of years with an alarm (exponential); bets waste much.
    assert alarms <= 63


def test_the_detector_starts_again_where_the_incident_was_closed():
    frame = daily([5] * 5 + [18] * 5, [15] * 5 + [2] * 5)
    assert approval_drift(frame, day=DAY, target=0.8).alert.severity == "error"
    assert approval_drift(frame, day=DAY, target=0.8, since=DAY - dt.timedelta(days=4)).alert is None


@pytest.mark.parametrize("target", [0.0, 1.0, 1.5])
def test_an_impossible_target_is_refused(target):
    with pytest.raises(ValueError, match="nothing to detect"):
        evidence_against(daily([1], [1]), target=target)


def test_years_of_disaster_do_not_overflow():
    assert np.isfinite(evidence_against(daily([0] * 800, [1_000] * 800), target=0.8)).all()


# Falls


@pytest.mark.parametrize(
    ("now", "before", "severity"),
    [((56, 100), (78, 100), "warn"), ((60, 100), (75, 100), None),
     ((500, 1000), (800, 1000), "error"), ((72, 100), (80, 100), None),
     ((6, 10), (8, 10), None), ((90, 100), (60, 100), None)],
)  # fmt: skip
def test_a_fall_of_more_than_ten_points_with_its_interval(now, before, severity):
    reading = approval_fall(newcombe(*now, *before), wilson(*now), wilson(*before), day=DAY)
    assert (reading.alert.severity if reading.alert else None) == severity


def test_a_fall_without_an_interval_says_why():
    reading = approval_fall(Difference(-0.5, None, None, "all votes are from one person"), wilson(1, 2), wilson(2, 2),
                            day=DAY)  # fmt: skip
    assert (reading.alert, reading.reason) == (None, "all votes are from one person")


# Spikes


@given(st.integers(0, 80), st.floats(0.5, 60), st.floats(0.5, 50))
@settings(max_examples=60, deadline=None)
def test_the_forecast_tail_is_the_negative_binomials(count, mean, k):
    expected = Expected(mean, k)
    tail = stats.nbinom.sf(count - 1, k, k / (k + mean))
    assert expected.upper_p(count) == pytest.approx(tail, rel=1e-6, abs=1e-12)
    assert expected.lower_p(count) == pytest.approx(stats.nbinom.cdf(count, k, k / (k + mean)), abs=1e-9)


def test_a_count_without_spread_is_a_poisson_forecast():
    assert Expected(5.0, np.inf).upper_p(9) == pytest.approx(stats.poisson.sf(8, 5.0))


def weeks(rng, mean=20.0, days=57, k=8.0):
    weekday = np.array([1.2, 1.1, 1.0, 1.0, 1.0, 0.5, 0.5])
    means = mean * np.array([weekday[(DAY - dt.timedelta(days=days - 1 - i)).weekday()] for i in range(days)])
    return rng.negative_binomial(k, k / (k + means))


def test_a_spike_of_negatives_is_seen_and_an_ordinary_monday_is_not():
    down = weeks(np.random.default_rng(1)).tolist()
    assert negative_count(daily([80] * 57, [*down[:-1], 25]), day=DAY).alert is None
    spike = negative_count(daily([80] * 57, [*down[:-1], 120]), day=DAY)
    assert spike.alert.severity == "warn"
    assert "120 votes down" in spike.alert.explanation


def test_overdispersed_counts_rarely_alarm():
    rng = np.random.default_rng(2)
    false = sum(negative_count(daily([80] * 57, weeks(rng).tolist()), day=DAY).alert is not None for _ in range(400))
    assert false <= 5  # 0.43 per 100 as calibrated is 1.7 of 400; 6 or more happen in 1 % of such runs


def test_a_short_or_gappy_history_is_a_reason():
    assert "only 5 days" in expect(daily([1] * 6, [1] * 6), "people_down", DAY)
    weekdays_only = daily([1] * 57, [1] * 57).filter(pl.col("day").dt.weekday() != DAY.isoweekday())
    assert "fewer than two such days" in expect(weekdays_only, "people_down", DAY)


def test_more_traffic_is_no_rise_of_the_rate_and_worse_answers_are():
    usual = ([80] * 28, [20] * 28)
    assert negative_rate(daily([*usual[0], 400], [*usual[1], 100]), day=DAY).alert is None
    worse = negative_rate(daily([*usual[0], 60], [*usual[1], 40]), day=DAY)
    assert worse.alert.severity == "error"
    assert negative_rate(daily([*usual[0], 1], [*usual[1], 1]), day=DAY).alert is None


def test_a_rate_that_always_jumps_about_needs_a_larger_rise():
    jumpy = ([95, 65] * 14, [5, 35] * 14)
    assert negative_rate(daily([*jumpy[0], 60], [*jumpy[1], 40]), day=DAY).alert is None


def test_a_history_without_negatives_does_not_divide_by_zero():
    reading = negative_rate(daily([20] * 28 + [19], [0] * 28 + [1]), day=DAY)
    assert reading.alert is None
    assert reading.numbers["p_value"] > 1e-3


def test_silence_after_steady_votes_is_missing_votes():
    rng = np.random.default_rng(5)
    up = rng.poisson(100, 56).tolist()
    until_yesterday = daily(up, [20] * 56, last=DAY - dt.timedelta(days=1))
    assert votes_missing(until_yesterday, day=DAY).alert is not None
    assert votes_missing(daily([*up, 95], [20] * 57), day=DAY).alert is None


def test_a_silence_is_late_only_where_it_is_rare():
    """Twenty votes a day never miss a day; one vote a day (of a Poisson's) misses three in a row once a month."""
    busy = daily([20] * 56, [2] * 56)
    assert votes_late(busy, today=DAY + dt.timedelta(days=2)).alert is None
    assert "3 days ago" in votes_late(busy, today=DAY + dt.timedelta(days=3)).alert.explanation
    there = np.random.default_rng(1).poisson(1.0, 56) > 0
    there[-1] = True
    sparse = daily([1] * 56, [0] * 56).filter(pl.Series(there))
    assert votes_late(sparse, today=DAY + dt.timedelta(days=5)).alert is None
    assert votes_late(sparse, today=DAY + dt.timedelta(days=15)).alert is not None
    weekdays = busy.filter(pl.col("day").dt.weekday() <= 5)
    assert votes_late(weekdays, today=DAY + dt.timedelta(days=3)).alert is None


def test_one_vote_and_four_people_are_no_incident():
    one = approval_under_target(daily([0], [1]), day=DAY, target=0.8)
    assert (one.alert, one.reason) == (None, "votes of 1 person over 7 days; an incident needs 5")
    four = approval_under_target(daily([0] * 7, [4] * 7), day=DAY, target=0.8, voters=4)
    assert (four.alert, four.reason) == (None, "votes of 4 people over 7 days; an incident needs 5")
    assert approval_under_target(daily([0] * 7, [4] * 7), day=DAY, target=0.8, voters=5).alert is not None


# New action types


def actions(**types):
    rows = [
        (DAY, name, -1 if place < down else 1, place % people)
        for name, (votes, down, people) in types.items()
        for place in range(votes)
    ]
    return pl.DataFrame(
        rows, schema={"day": pl.Date, "action_type": pl.String, "verdict": pl.Int8, "person": pl.UInt64}, orient="row"
    )


ESTABLISHED = {"mail": (300, 45, 100), "todo": (400, 70, 100), "search": (250, 50, 90)}


def test_a_new_action_type_with_many_negatives_is_an_error_and_names_it():
    facts = actions(**ESTABLISHED, shop=(40, 30, 20))
    (reading,) = new_action_types(facts, {"shop": DAY - dt.timedelta(days=3)}, day=DAY)
    assert reading.alert.severity == "error"
    assert reading.alert.dimensions == (("action_type", "shop"),)


@pytest.mark.parametrize(
    ("shop", "first"),
    [((2, 2, 2), DAY), ((40, 30, 2), DAY), ((40, 8, 20), DAY), ((40, 30, 20), DAY - dt.timedelta(days=15))],
    ids=["two of two", "two people", "ordinary rate", "not new"],
)
def test_no_alarm_for_few_votes_few_people_ordinary_rates_or_old_types(shop, first):
    facts = actions(**ESTABLISHED, shop=shop)
    assert all(reading.alert is None for reading in new_action_types(facts, {"shop": first}, day=DAY))


# Incidents


def test_an_incident_is_the_same_on_later_days_and_differs_by_dimension():
    def fired(day, name):
        facts = actions(**ESTABLISHED, **{name: (40, 30, 20)})
        return new_action_types(facts, {name: DAY}, day=day)[0].alert.incident

    assert fired(DAY, "shop") == fired(DAY + dt.timedelta(days=1), "shop")
    assert fired(DAY, "shop") != fired(DAY, "shop2")


def test_an_alert_is_scored_by_the_votes_it_had_not_seen():
    frame = daily([5] * 3 + [15] * 7, [15] * 3 + [5] * 7)
    fallen = DAY - dt.timedelta(days=7)
    assert was_real(fallen, frame, target=0.8) is True
    assert was_real(fallen, frame, target=0.7) is False
    assert was_real(DAY, frame, target=0.8) is None
