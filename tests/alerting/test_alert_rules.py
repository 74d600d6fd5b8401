"""The rules on real days, as the asset reads them; a bad day is seen, told once, and stops nothing."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from assets import alerts as assets_alerts
from feedback_pipeline.alerting import incidents, rules
from feedback_pipeline.alerting.tables import ALERT_READINGS, DAILY_APPROVAL, KINDS
from feedback_pipeline.cleaning.tables import VOTE_FACTS
from feedback_pipeline.pipeline import Pipeline

FIRST = date(2026, 9, 7)
DAYS = 63
TURN = 56
"""Day from which approval is 50 % instead of 90 %, and a new action appears."""


def facts(day: date, number: int, *, good: bool = False) -> pl.DataFrame:
    random = np.random.default_rng(number)
    bad = number >= TURN and not good
    votes = 60
    rate = 0.5 if bad else 0.9
    action = np.where(random.random(votes) < 0.4, "shred", "todo") if bad else np.full(votes, "todo")
    frame = pl.DataFrame(
        {
            "feedback_id": [f"{number:03d}-{row:03d}" for row in range(votes)],
            "interaction_id": [f"a{number:03d}-{row:03d}" for row in range(votes)],
            "day": [day] * votes,
            "person": random.integers(0, 10_000, votes).astype(np.uint64),
            "verdict": np.where(random.random(votes) < np.where(action == "shred", 0.1, rate), 1, -1).astype(np.int8),
            "strength": np.ones(votes, dtype=np.float32),
            "action_type": action,
        }
    )
    missing = [pl.lit(None, dtype=kind).alias(name) for name, kind in VOTE_FACTS.schema.items() if name not in frame]
    return VOTE_FACTS.conform(frame.with_columns(missing))


def on(number: int) -> date:
    return FIRST + timedelta(days=number)


def trailing(upto: int, *, good: bool = False) -> rules.Trailing:
    days = [facts(on(number), number, good=good) for number in range(upto + 1)]
    return rules.Trailing(pl.concat([rules.daily_approval(day) for day in days]), pl.concat(days[-rules.FACTS_DAYS :]))


def fired(upto: int, **more) -> set[str]:
    readings = rules.read_rules(trailing(upto, **more), day=on(upto), target=0.8)
    return {reading.kind for reading in readings if reading.alert}


def test_good_weeks_fire_nothing_and_every_rule_could_look():
    readings = rules.read_rules(trailing(DAYS - 1, good=True), day=on(DAYS - 1), target=0.8)
    assert not [reading for reading in readings if reading.alert or reading.reason]
    # no action type is new, so that rule has nothing to say
    assert {reading.kind for reading in readings} == set(KINDS) - {"new_action_type"}


def test_a_fall_and_a_bad_new_action_are_seen_within_days():  # D5, C6
    assert not fired(TURN - 1)
    # 90 % to under 40 %: the day's own rate shows at once, evidence over days within the week
    assert "negative_rate" in fired(TURN)
    assert fired(TURN + 6) >= {"approval_under_target", "approval_drift", "approval_fall", "new_action_type"}


def test_no_votes_at_all_are_reasons():
    nothing = rules.Trailing(DAILY_APPROVAL.empty(), VOTE_FACTS.empty())
    readings = rules.read_rules(nothing, day=FIRST, target=0.8)
    assert {reading.kind for reading in readings} == set(KINDS)
    assert all(reading.reason and not reading.alert for reading in readings)


def test_action_types_of_the_first_week_are_not_called_new():
    readings = rules.read_rules(trailing(3), day=on(3), target=0.8)
    assert "new_action_type" not in {reading.kind for reading in readings}


def test_each_person_counts_once_a_day_in_all_and_by_action():
    day = facts(FIRST, TURN)
    frame = rules.daily_approval(pl.concat([day, day.with_columns(feedback_id=pl.col("feedback_id") + "x")]))
    assert not DAILY_APPROVAL.problems(frame)
    whole = frame.filter(pl.col("action_type").is_null()).row(0, named=True)
    assert (whole["votes"], whole["people"]) == (120, day["person"].n_unique())
    assert whole["people_up"] + whole["people_down"] == pytest.approx(whole["people"])
    assert frame.drop_nulls("action_type")["votes"].sum() == 120


def test_readings_survive_their_table():
    readings = rules.read_rules(trailing(TURN + 6), day=on(TURN + 6), target=0.8)
    frame = rules.readings_frame(readings)
    assert not ALERT_READINGS.problems(frame)
    assert sorted(rules.readings_of(frame), key=repr) == sorted(readings, key=repr)
    incident = {reading.alert.incident for reading in readings if reading.alert}
    assert set(frame["incident"].drop_nulls()) == incident


@pytest.fixture
def pipeline(settings, database, webhook) -> Pipeline:
    from dataclasses import replace

    made = Pipeline(
        replace(settings, alert_webhook=webhook.url), _clock=datetime.combine(on(DAYS), datetime.min.time(), UTC)
    )
    for number in range(DAYS):
        made.frames.write(VOTE_FACTS, on(number), facts(on(number), number))
    return made


def test_the_asset_reads_days_opens_incidents_and_tells_once(pipeline, database, webhook):
    outcomes = []
    for number in range(DAYS):
        pipeline.frames.write(DAILY_APPROVAL, on(number), assets_alerts.daily_approval.function(pipeline, on(number)))
        if number >= TURN - 1:
            outcome = assets_alerts.alert_readings.function(pipeline, on(number))
            assert not ALERT_READINGS.problems(outcome.rows)
            outcomes.append(outcome)
    assert all(check.passed for check in outcomes[0].checks)
    last = {check.name: check for check in outcomes[-1].checks}
    assert set(last) == set(assets_alerts.alert_readings.warning)  # none of them blocks
    assert (last["approval_drift"].passed, last["approval_drift"].severity) == (False, "error")
    assert (last["approval_under_target"].passed, last["approval_under_target"].severity) == (False, "warn")
    assert last["told"].passed
    open_now = incidents.incidents(database)
    assert {one.kind for one in open_now} >= {"approval_drift", "approval_under_target", "new_action_type"}
    assert len(webhook.received) == len(open_now)
    # computed again, nothing is told again
    again = assets_alerts.alert_readings.function(pipeline, on(DAYS - 1))
    assert again.numbers["messages"] == 0
    assert again.rows.equals(outcomes[-1].rows)


def test_a_webhook_that_is_down_fails_no_day(pipeline, webhook):
    webhook.status = 500
    for number in range(DAYS):
        pipeline.frames.write(DAILY_APPROVAL, on(number), rules.daily_approval(facts(on(number), number)))
    checks = {check.name: check for check in assets_alerts.alert_readings.function(pipeline, on(DAYS - 1)).checks}
    assert (checks["told"].passed, checks["told"].severity) == (False, "warn")
    assert webhook.url not in checks["told"].description


def test_alerts_are_decided_by_the_days_that_follow(database):
    frames = trailing(DAYS - 1)
    daily = frames.daily.filter(pl.col("action_type").is_null())
    readings = rules.read_rules(frames, day=on(TURN + 3), target=0.8)
    incidents.record(database, readings, day=on(TURN + 3), now=datetime(2026, 12, 1, tzinfo=UTC))
    assert incidents.decide(database, daily, day=on(TURN + 5), target=0.8) == 0  # its week has not passed
    longer = trailing(TURN + 11).daily.filter(pl.col("action_type").is_null())
    decided = incidents.decide(database, longer, day=on(TURN + 11), target=0.8)
    assert decided >= 1
    assert {one.real for one in incidents.incidents(database) if one.kind == "approval_under_target"} == {True}
