"""Recommendations become actions that people decide on, and the register forgets no decision."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import psycopg
import pytest

from feedback_pipeline.actions import register
from feedback_pipeline.patterns.tables import RECOMMENDATIONS

WEEK = date(2026, 11, 2)
NOW = datetime(2026, 11, 10, 9, tzinfo=UTC)
TODAY = NOW.date()


def recommended(*ids: str, week: date = WEEK, text: str = "fix it") -> pl.DataFrame:
    rows = [
        {
            "week": week,
            "recommendation_id": identity,
            "rank": rank,
            "kind": "fix_slice",
            "text": text,
            "evidence": ["f1"],
            "grade": "adjusted",
            "negatives_avoided": 10.0,
            "negatives_avoided_low": 4.0,
            "approval_gain": 0.01,
        }
        for rank, identity in enumerate(ids, 1)
    ]
    return pl.DataFrame(rows, schema=RECOMMENDATIONS.schema)


def propose(database, *ids, **more):
    return register.propose(database, recommended(*ids, **more), now=NOW)


def decide(database, identity, status=None, **more):
    return register.decide(
        database, identity, person="Ada", now=NOW, today=more.pop("today", TODAY), status=status, **more
    )


def only(database):
    (action,) = register.actions(database)
    return action


def test_a_recommendation_is_proposed_once_however_often_its_week_is_computed(database):
    assert propose(database, "aa", "bb") == 2
    assert propose(database, "aa", "bb") == 0
    assert [action.status for action in register.actions(database)] == ["proposed", "proposed"]
    assert len(register.history(database, "aa")) == 1


def test_people_accept_do_and_drop(database):
    propose(database, "aa", "bb")
    accepted = decide(database, "aa", "accepted", owner="Prompts", due=date(2026, 11, 20), note="promised")
    assert (accepted.status, accepted.owner, accepted.due) == ("accepted", "Prompts", date(2026, 11, 20))
    done = decide(database, "aa", "done")
    assert (done.status, done.owner, done.done_on) == ("done", "Prompts", TODAY)
    decide(database, "bb", "dropped")
    assert [(event.status, event.decided_by, event.note) for event in register.history(database, "aa")] == [
        ("proposed", None, None), ("accepted", "Ada", "promised"), ("done", "Ada", None)
    ]  # fmt: skip
    frame = register.decisions(database)
    assert frame.rows() == [("aa", "done", "Prompts", date(2026, 11, 20)), ("bb", "dropped", None, None)]


def test_what_was_done_and_is_recommended_again_later_is_proposed_again(database):
    propose(database, "aa")
    decide(database, "aa", "done")
    propose(database, "aa", week=WEEK + timedelta(weeks=1))  # a week that began before it was done
    assert only(database).status == "done"
    propose(database, "aa", week=WEEK + timedelta(weeks=2), text="still bad")
    action = only(database)
    assert (action.status, action.done_on, action.statement) == ("proposed", None, "still bad")
    assert register.history(database, "aa")[-1].decided_by is None


def test_what_was_dropped_stays_dropped(database):
    propose(database, "aa")
    decide(database, "aa", "dropped")
    propose(database, "aa", week=WEEK + timedelta(weeks=5))
    assert only(database).status == "dropped"


def test_an_older_week_computed_later_only_moves_the_beginning(database):
    propose(database, "aa", text="new words")
    propose(database, "aa", week=WEEK - timedelta(weeks=3), text="old words")
    action = only(database)
    assert (action.first_week, action.last_week) == (WEEK - timedelta(weeks=3), WEEK)
    assert action.statement == "new words"


def test_a_beginning_that_is_unique_is_enough(database):
    propose(database, "aa11", "ab22")
    assert decide(database, "ab", "accepted").recommendation_id == "ab22"
    for start, said in (("a", "several"), ("x", "no action"), ("", "no action"), ("%", "no action")):
        with pytest.raises(register.UnknownActionError, match=said):
            decide(database, start, "accepted")


def test_a_note_is_short(database):
    propose(database, "aa")
    with pytest.raises(ValueError, match="500"):
        decide(database, "aa", note="x" * 501)


def test_outcomes_are_kept_with_their_week_and_not_overwritten_by_older_ones(database):
    propose(database, "aa")
    decide(database, "aa", "done")
    register.record_outcomes(database, WEEK + timedelta(weeks=1), {"aa": "helped", "unknown": "hurt"})
    register.record_outcomes(database, WEEK, {"aa": "cannot say"})
    assert (only(database).outcome, only(database).outcome_week) == ("helped", WEEK + timedelta(weeks=1))


def test_decisions_cannot_be_rewritten(database):
    propose(database, "aa")
    with psycopg.connect(database.address()) as connection, pytest.raises(psycopg.errors.RaiseException):
        connection.execute("DELETE FROM action_event")
