"""One trouble is one incident, however many days it lasts and however often they are computed."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest

from feedback_pipeline.alerting import incidents
from feedback_pipeline.alerting.detectors import Alert, Reading

DAY = date(2026, 11, 9)
NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)


def fired(day, kind="negative_rate", severity="error", dimensions=()):
    return Reading(kind, day, Alert(kind, severity, day, f"bad on {day}", {"p_value": 1e-6}, dimensions))


def record(database, day, *readings):
    return incidents.record(database, readings, day=day, now=NOW)


def on(offset):
    return DAY + timedelta(days=offset)


def test_following_days_of_one_trouble_are_one_incident(database):  # D5
    assert record(database, DAY, fired(DAY)).opened == 1
    assert record(database, on(1), fired(on(1))).continued == 1
    assert record(database, on(5), fired(on(5))).continued == 1
    (one,) = incidents.incidents(database)
    assert (one.first_day, one.last_day, one.state) == (DAY, on(5), "open")
    assert one.explanation == f"bad on {on(5)}"


def test_a_day_computed_again_changes_nothing(database):
    for _ in range(3):
        record(database, DAY, fired(DAY))
    record(database, on(1), fired(on(1)))
    record(database, DAY, fired(DAY))
    (one,) = incidents.incidents(database)
    assert (one.first_day, one.last_day, one.explanation) == (DAY, on(1), f"bad on {on(1)}")


def told(database):
    return [(one.first_day, one.last_day, one.state, one.explanation) for one in incidents.incidents(database)]


@pytest.mark.parametrize(
    "bad", [{0, 1, 2}, {0, 8}, {0, 7, 14}, {0, 2, 10, 11, 20}, {0, 9, 17, 25}, set(range(0, 30, 9))]
)
def test_a_stretch_of_days_recorded_twice_is_recorded_once(database, bad):
    """Days that are computed in one pass are recorded before their files are written, and again where it fails."""

    def stretch():
        for offset in range(30):
            record(database, on(offset), *([fired(on(offset))] if offset in bad else []))

    stretch()
    once = told(database)
    stretch()
    assert told(database) == once


def test_a_day_computed_again_keeps_to_the_incident_that_a_person_closed(database):
    record(database, DAY, fired(DAY))
    record(database, on(1), fired(on(1)))
    (first,) = incidents.incidents(database)
    incidents.close(database, first.id, person="ada", now=NOW, today=on(1))
    assert record(database, on(2), fired(on(2))).opened == 1
    before = told(database)
    record(database, on(1), fired(on(1)))  # a late vote
    assert told(database) == before


def test_different_rules_and_dimensions_are_different_incidents(database):
    readings = [fired(DAY), fired(DAY, "approval_drift")]
    readings += [fired(DAY, "new_action_type", dimensions=(("action_type", name),)) for name in ("mail", "todo")]
    assert record(database, DAY, *readings).opened == 4
    assert {one.dimensions for one in incidents.incidents(database)} == {
        (), (("action_type", "mail"),), (("action_type", "todo"),)
    }  # fmt: skip


def test_quiet_days_close_an_incident_and_the_next_one_is_new(database):
    record(database, DAY, fired(DAY))
    assert record(database, on(7)).closed == 0  # exactly the quiet days
    assert record(database, on(8)).closed == 1
    assert record(database, on(9), fired(on(9))).opened == 1
    new, old = incidents.incidents(database)
    assert (old.state, old.closed_by, old.closed_on) == ("closed", None, on(7))
    assert new.state == "open"


def test_a_rule_that_cannot_look_closes_nothing(database):
    record(database, DAY, fired(DAY))
    assert record(database, on(20), Reading("negative_rate", on(20), reason="no votes")).closed == 0
    assert incidents.incidents(database)[0].state == "open"


def test_a_warning_that_becomes_an_error_stays_an_error(database):
    for offset, severity in enumerate(["warn", "error", "warn"]):
        record(database, on(offset), fired(on(offset), "approval_fall", severity))
    assert incidents.incidents(database)[0].severity == "error"


def test_people_acknowledge_and_close(database):
    record(database, DAY, fired(DAY))
    (one,) = incidents.incidents(database)
    incidents.acknowledge(database, one.id, person="Ada", now=NOW)
    record(database, on(1), fired(on(1)))
    (one,) = incidents.incidents(database)
    assert (one.state, one.acknowledged_by) == ("acknowledged", "Ada")
    incidents.close(database, one.id, person="Ada", now=NOW, today=on(2))
    # yesterday's readings come after the closing and are still the old trouble
    assert record(database, on(2), fired(on(2))).continued == 1
    assert record(database, on(3), fired(on(3))).opened == 1
    assert incidents.states(database, on(3), on(3)) == {one.incident: "open"}
    assert incidents.states(database, DAY, on(1)) == {one.incident: "closed"}


def test_an_unknown_or_closed_incident_is_refused(database):
    record(database, DAY, fired(DAY))
    (one,) = incidents.incidents(database)
    incidents.close(database, one.id, person="Ada", now=NOW, today=DAY)
    for change in (
        lambda: incidents.acknowledge(database, uuid4(), person="Ada", now=NOW),
        lambda: incidents.acknowledge(database, one.id, person="Ada", now=NOW),
        lambda: incidents.close(database, one.id, person="Ada", now=NOW, today=DAY),
    ):
        with pytest.raises(incidents.UnknownIncidentError, match="feedback alerts list"):
            change()


def test_days_older_than_a_known_incident_are_history(database):
    record(database, on(30), fired(on(30)))
    assert record(database, DAY, fired(DAY)).opened == 0
    new, old = incidents.incidents(database)
    assert (new.state, old.state, old.first_day) == ("open", "closed", DAY)


def test_the_evidence_of_drift_begins_anew_after_an_incident_was_closed(database):
    assert incidents.drift_since(database, DAY) is None
    record(database, DAY, fired(DAY, "approval_drift"))
    (one,) = incidents.incidents(database)
    incidents.close(database, one.id, person="Ada", now=NOW, today=on(2))
    assert incidents.drift_since(database, on(3)) == on(3)
    # a day computed again sees what was known on that day
    assert incidents.drift_since(database, on(2)) is None
