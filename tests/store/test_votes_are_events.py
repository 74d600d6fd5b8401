"""Votes are events: changed, withdrawn (not zero), earlier than their answer, late; and no change of a day is lost."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import polars as pl
import psycopg
import pytest
from sqlalchemy import text

from feedback_pipeline.store import bulk, changes
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database
from tests.support.store_rows import DAY, MONDAY, answer_id, answers, keys, later, refusals, vote_id, votes


def states(database: Database, day: date = DAY) -> dict[str, str]:
    frame = bulk.read_day(database, "read_feedback", day)
    return dict(frame.select("feedback_id", "state").iter_rows())


def changed_days(database: Database) -> set[date]:
    before = changes.versions(database)
    changes.fold(database)
    return {day for day, version in changes.versions(database).items() if version != before.get(day, 0)}


def test_the_latest_vote_of_a_person_is_the_current_one(database: Database) -> None:
    bulk.file_batch(database, Batch(interactions=answers({"name": "a"})))
    bulk.file_batch(
        database,
        Batch(
            feedback=votes(
                {"name": "first", "on": "a", "user_key": "u"},
                {"name": "second", "on": "a", "user_key": "u", "thumb": False, "occurred_at": later(hours=1)},
                {"name": "other person", "on": "a", "user_key": "w"},
                {"name": "comment", "on": "a", "user_key": "u", "kind": "comment", "comment": "hm"},
            )
        ),
    )
    assert states(database) == {
        vote_id("first"): "superseded",
        vote_id("second"): "current",
        vote_id("other person"): "current",
        vote_id("comment"): "current",
    }


def test_an_older_vote_that_arrives_later_does_not_win(database: Database) -> None:
    bulk.file_batch(database, Batch(interactions=answers({"name": "a"})))
    newer = votes({"name": "newer", "on": "a", "user_key": "u", "occurred_at": later(hours=2)})
    older = votes({"name": "older", "on": "a", "user_key": "u", "received_at": later(hours=5)})
    bulk.file_batch(database, Batch(feedback=newer))
    bulk.file_batch(database, Batch(feedback=older))
    assert states(database) == {vote_id("newer"): "current", vote_id("older"): "superseded"}


def test_a_withdrawn_vote_is_no_vote_and_no_zero(database: Database) -> None:
    bulk.file_batch(database, Batch(interactions=answers({"name": "a"})))
    given = votes({"name": "vote", "on": "a", "user_key": "u"})
    taken_back = votes(
        {"name": "back", "on": "a", "user_key": "u", "withdrawn": True, "thumb": None, "occurred_at": later(days=2)}
    )
    bulk.file_batch(database, Batch(feedback=given))
    changed_days(database)
    bulk.file_batch(database, Batch(feedback=taken_back))
    assert states(database) == {vote_id("vote"): "superseded"}
    assert states(database, DAY + timedelta(days=2)) == {vote_id("back"): "withdrawn"}
    assert changed_days(database) == {DAY, DAY + timedelta(days=2)}


def test_anonymous_votes_count_one_by_one(database: Database) -> None:
    bulk.file_batch(database, Batch(interactions=answers({"name": "a"})))
    bulk.file_batch(database, Batch(feedback=votes({"name": "1", "on": "a"}, {"name": "2", "on": "a"})))
    assert set(states(database).values()) == {"current"}


def test_a_vote_before_its_answer_waits_and_its_day_changes_when_the_answer_comes(database: Database) -> None:
    bulk.file_batch(database, Batch(feedback=votes({"name": "early", "on": "a"})))
    assert states(database) == {vote_id("early"): "pending"}
    changed_days(database)
    bulk.file_batch(database, Batch(interactions=answers({"name": "a", "occurred_at": later(days=-3)})))
    assert states(database) == {vote_id("early"): "current"}
    assert changed_days(database) == {DAY, DAY - timedelta(days=3)}


def test_a_vote_under_the_callers_own_name_finds_its_answer_later(database: Database) -> None:
    by_request = votes({"name": "v", "key_kind": "request", "key_value": "req-1", "user_key": "u"})
    bulk.file_batch(database, Batch(feedback=by_request))
    assert states(database) == {vote_id("v"): "pending"}
    bulk.file_batch(database, Batch(interactions=answers({"name": "a"}), keys=keys(("req-1", "a"))))
    assert states(database) == {vote_id("v"): "current"}


def test_two_waiting_votes_of_one_person_are_settled_when_the_answer_comes(database: Database) -> None:
    waiting = [
        {"name": name, "key_kind": "request", "key_value": "req-1", "user_key": "u", "occurred_at": later(hours=hour)}
        for name, hour in (("first", 0), ("second", 1))
    ]
    bulk.file_batch(database, Batch(feedback=votes(*waiting)))
    bulk.file_batch(database, Batch(interactions=answers({"name": "a"}), keys=keys(("req-1", "a"))))
    assert states(database) == {vote_id("first"): "superseded", vote_id("second"): "current"}


def test_filing_the_same_rows_again_changes_nothing(database: Database) -> None:
    batch = Batch(
        interactions=answers({"name": "a"}),
        feedback=votes({"name": "v", "on": "a"}),
        refusals=refusals({"place": "f:3", "category": "quarantined"}),
    )
    assert bulk.file_batch(database, batch) == bulk.Filed(interactions=1, feedback=1, refusals=1)
    changed_days(database)
    assert bulk.file_batch(database, batch) == bulk.Filed()
    assert changed_days(database) == set()


def test_a_batch_that_has_a_row_twice_files_it_once(database: Database) -> None:
    named, voted = keys(("req-1", "a")), votes({"name": "v", "on": "a"})
    batch = Batch(
        answers({"name": "a"}, {"name": "a", "model": "other"}), pl.concat([named, named]), pl.concat([voted, voted])
    )
    assert bulk.file_batch(database, batch) == bulk.Filed(interactions=1, keys=1, feedback=1)
    assert bulk.read_day(database, "read_interactions", DAY)["model"].to_list() == ["m1"]


def test_rows_that_another_writer_files_at_the_same_moment_are_known_then(database: Database) -> None:
    with psycopg.connect(database.address()) as other, ThreadPoolExecutor(1) as filing:
        other.execute(
            "INSERT INTO interaction (id, tenant, context, occurred_at, source, source_id, provenance)"
            " VALUES (%s, 'default', 'partial', %s, 'other', 'a', 'import')",
            (answer_id("a"), MONDAY),
        )
        batch = Batch(answers({"name": "a"}, {"name": "b"}), None, votes({"name": "v", "on": "a"}))
        filed = filing.submit(bulk.file_batch, database, batch)
        with psycopg.connect(database.address(), autocommit=True) as looking:
            waiting = (
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            while looking.execute(waiting).fetchone() == (0,):
                assert not filed.done(), filed.result()
        other.commit()
        assert filed.result() == bulk.Filed(interactions=1, feedback=1)
    assert set(bulk.read_day(database, "read_interactions", DAY)["source"]) == {"other", "answers"}


def test_a_batch_with_one_impossible_row_leaves_nothing(database: Database) -> None:
    with pytest.raises(Exception, match="check constraint"):
        bulk.file_batch(
            database,
            Batch(interactions=answers({"name": "a"}), feedback=votes({"name": "v", "on": "a", "stars": 7})),
        )
    assert bulk.read_day(database, "read_interactions", DAY).is_empty()


def test_people_who_refuse_collection_are_counted_and_not_kept(database: Database) -> None:
    with psycopg.connect(database.address()) as connection:
        connection.execute("INSERT INTO consent (tenant, user_key, collect) VALUES ('default', 'u', false)")
    theirs = votes({"name": "v", "on": "a", "user_key": "u"})
    bulk.file_batch(database, Batch(interactions=answers({"name": "a"}), feedback=theirs))
    assert states(database) == {}
    assert bulk.read_day(database, "read_refusals", DAY)["category"].to_list() == ["opted_out"]
    assert bulk.count_events(database, [DAY])[DAY] == 1


def test_a_writer_that_commits_late_is_not_stepped_over(database: Database) -> None:
    """The obvious cursors (a sequence, updated_at) lose the slow writer's row; taking the rows away does not."""
    bulk.file_batch(database, Batch(interactions=answers({"name": "a"}, {"name": "b"})))
    changed_days(database)
    slow = psycopg.connect(database.address())
    slow.execute(
        "UPDATE interaction SET intent = 'slow', occurred_at = occurred_at + interval '1 day' WHERE source_id = 'a'"
    )
    with psycopg.connect(database.address()) as fast:
        fast.execute("UPDATE interaction SET intent = 'fast' WHERE source_id = 'b'")
    assert changed_days(database) == {DAY}
    slow.commit()
    slow.close()
    assert changed_days(database) == {DAY, DAY + timedelta(days=1)}


def test_folding_in_two_processes_at_once_loses_no_day(database: Database) -> None:
    bulk.file_batch(database, Batch(interactions=answers({"name": "a"})))
    changed_days(database)
    stop = threading.Event()

    def fold() -> None:
        while not stop.is_set():
            changes.fold(database)

    folders = [threading.Thread(target=fold) for _ in range(2)]
    for folder in folders:
        folder.start()
    writes = 30
    with psycopg.connect(database.address(), autocommit=True) as connection:
        for number in range(writes):
            connection.execute("UPDATE interaction SET turn = %s", (number,))
    stop.set()
    for folder in folders:
        folder.join()
    changes.fold(database)
    with psycopg.connect(database.address()) as connection:
        assert connection.execute("SELECT count(*) FROM change").fetchone() == (0,)
    assert changes.versions(database)[DAY] >= 2


def test_an_update_that_changes_nothing_wakes_no_day(database: Database) -> None:
    bulk.file_batch(database, Batch(interactions=answers({"name": "a"})))
    changed_days(database)
    with psycopg.connect(database.address()) as connection:
        connection.execute("UPDATE interaction SET intent = intent")
    assert changed_days(database) == set()


def due(offset: int, *, alone: bool = False) -> changes.DueDay:
    return changes.DueDay(DAY + timedelta(days=offset), 1, int(alone), alone)


def test_days_are_few_runs_and_those_that_failed_stay_alone() -> None:
    days = [due(0), due(1), due(2, alone=True), due(3), due(5)]
    assert [[(one.day - DAY).days for one in each.days] for each in changes.batches(days, longest=30)] == [
        [0, 1, 3, 5],
        [2],
    ]
    assert [len(each.days) for each in changes.batches([due(one) for one in range(7)], longest=3)] == [3, 3, 1]
    gap = changes.MAX_GAP.days
    assert [len(each.days) for each in changes.batches([due(0), due(gap), due(2 * gap + 1)], longest=30)] == [2, 1]


def test_a_run_names_no_more_stretches_than_a_tag_holds() -> None:
    apart = [due(2 * one) for one in range(changes.MAX_STRETCHES + 1)]
    assert [len(each.stretches) for each in changes.batches(apart, longest=366)] == [changes.MAX_STRETCHES, 1]


def test_a_failed_day_is_tried_alone_and_given_up_until_it_changes(database: Database) -> None:
    for offset in range(3):
        name = str(offset)
        bulk.file_batch(database, Batch(interactions=answers({"name": name, "occurred_at": later(days=offset)})))
    changes.fold(database)
    days = [DAY + timedelta(days=offset) for offset in range(3)]
    bad = changes.DueBatch((changes.DueDay(days[1], 1, 0, alone=False),))
    for attempt in range(changes.MAX_ATTEMPTS):
        assert changes.claim(database, bad, f"run {attempt}")
        assert not changes.claim(database, bad, "another daemon")
        changes.count_attempt(database, f"run {attempt}", "code 1")
        changes.take_back(database, f"run {attempt}")
        alone = [(day.day, day.alone) for day in changes.due(database)]
        given_up = attempt + 1 == changes.MAX_ATTEMPTS
        assert alone == [(days[0], False), *([] if given_up else [(days[1], True)]), (days[2], False)]
    assert [day.day for day in changes.due(database)] == [days[0], days[2]]
    assert changes.failed_days(database) == {days[1]: "code 1"}
    with psycopg.connect(database.address()) as connection:
        connection.execute("UPDATE interaction SET intent = 'new' WHERE source_id = '1'")
    changes.fold(database)
    assert [day.day for day in changes.due(database)] == days


def test_settling_one_answer_looks_up_its_events_and_no_others(database: Database) -> None:
    """A late vote must not cost more where there are more votes."""
    with database.engine.begin() as connection:
        connection.execute(
            text("""
            INSERT INTO feedback (id, tenant, interaction_id, kind, thumb, user_key, occurred_at, source, source_id)
            SELECT gen_random_uuid(), 'default', gen_random_uuid(), 'explicit', true, 'k1:' || n, now(), 'api', n::text
            FROM generate_series(1, 20000) n""")
        )
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE feedback"))
    read = text("SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'feedback'")
    with database.engine.begin() as connection:
        some = connection.execute(text("SELECT interaction_id FROM feedback LIMIT 1")).scalar_one()
        before = connection.execute(read).scalar_one()
        connection.execute(text("SELECT settle_votes(ARRAY[CAST(:one AS uuid)])"), {"one": some})
        assert connection.execute(read).scalar_one() - before < 100


def test_an_answer_that_is_waited_for_reads_no_votes_and_names_of_others(database: Database) -> None:
    """It was a scan of both tables for each batch: a load of a million votes took longer with every batch."""
    with database.engine.begin() as connection:
        connection.execute(
            text("""
            INSERT INTO feedback (id, tenant, interaction_id, kind, thumb, user_key, occurred_at, source, source_id)
            SELECT gen_random_uuid(), 'default', gen_random_uuid(), 'explicit', true, 'k1:' || n, now(), 'api', n::text
            FROM generate_series(1, 20000) n""")
        )
        connection.execute(
            text("""
            INSERT INTO interaction_key (tenant, kind, value, interaction_id)
            SELECT 'default', 'request', n::text, gen_random_uuid() FROM generate_series(1, 20000) n""")
        )
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE feedback, interaction_key"))
    waiting = {"name": "waiting", "key_kind": "request", "key_value": "r", "user_key": "u"}
    bulk.file_batch(database, Batch(interactions=answers({"name": "a"}), feedback=votes(waiting)))
    read = text("""
        SELECT sum(seq_tup_read + COALESCE(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables
        WHERE relname IN ('feedback', 'interaction_key')""")
    with database.engine.begin() as connection:
        before = connection.execute(read).scalar_one()
        name = {"id": answer_id("a")}
        connection.execute(
            text("INSERT INTO interaction_key VALUES ('default', 'request', 'r', CAST(:id AS uuid))"), name
        )
        assert connection.execute(read).scalar_one() - before < 100
    with database.engine.connect() as connection:
        bound = connection.execute(
            text("SELECT interaction_id::text FROM feedback WHERE source_id = 'waiting'")
        ).scalar_one()
    assert bound == answer_id("a")
