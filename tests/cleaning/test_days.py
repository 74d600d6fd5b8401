"""A day of the store becomes a clean day, and every event is accounted for."""

import json

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.cleaning import days
from feedback_pipeline.cleaning.conversations import with_whole_prompts
from feedback_pipeline.cleaning.facts import vote_facts
from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK, QUARANTINED_FEEDBACK, VOTE_FACTS
from feedback_pipeline.store import bulk
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database
from tests.support.store_rows import DAY, answers, later, refusals, votes


def day_of(database: Database):
    raw = bulk.read_day(database, "read_feedback", DAY)
    refused = bulk.read_day(database, "read_refusals", DAY)
    return raw, refused, days.clean_feedback(raw)


def test_every_kind_of_event_is_accounted_for(database: Database) -> None:
    bulk.file_batch(database, Batch(interactions=answers({"name": "a"}, {"name": "b"})))
    bulk.file_batch(
        database,
        Batch(
            feedback=votes(
                {"name": "old", "on": "a", "user_key": "u"},
                {"name": "new", "on": "a", "user_key": "u", "thumb": False, "occurred_at": later(hours=1)},
                {"name": "gone", "on": "b", "user_key": "u", "withdrawn": True},
                {"name": "early", "on": "never"},
            ),
            refusals=refusals({"place": "f:1", "category": "quarantined"}, {"place": "f:2", "category": "duplicate"}),
        ),
    )
    raw, refused, clean = day_of(database)
    account = days.account(bulk.count_events(database, [DAY])[DAY], raw, refused, clean.height)
    assert account.delivered == 6
    assert account.parts == {
        "current": 1, "superseded": 1, "withdrawn": 1, "duplicate": 1, "opted_out": 0, "pending": 1, "subject": 0,
        "quarantined": 1,
    }  # fmt: skip
    assert account.missing == 0
    assert account.quarantined_by_reason == {"out_of_range": 1}
    assert CLEAN_FEEDBACK.problems(clean) == []
    assert QUARANTINED_FEEDBACK.problems(days.quarantined_feedback(refused)) == []


def test_a_lost_row_is_seen_by_the_account(database: Database) -> None:
    bulk.file_batch(database, Batch(interactions=answers({"name": "a"}), feedback=votes({"name": "v", "on": "a"})))
    raw, refused, clean = day_of(database)
    account = days.account(bulk.count_events(database, [DAY])[DAY], raw, refused, clean.height - 1)
    assert account.missing == 1
    assert "1 missing" in account.described()


def test_one_verdict_counts_for_a_person_and_answer(database: Database) -> None:
    bulk.file_batch(database, Batch(interactions=answers({"name": "a"})))
    bulk.file_batch(
        database,
        Batch(
            feedback=votes(
                {"name": "outcome", "on": "a", "user_key": "u", "kind": "outcome", "value": '{"task_succeeded": true}'},
                {"name": "implicit", "on": "a", "user_key": "u", "kind": "implicit", "value": '{"signal": "copy"}'},
                {"name": "correction", "on": "a", "user_key": "u", "kind": "correction", "correction": "Better."},
                {"name": "comment", "on": "a", "user_key": "u", "kind": "comment", "comment": "fine"},
                {"name": "thumb", "on": "a", "user_key": "u", "occurred_at": later(days=3)},
            )
        ),
    )
    _, _, clean = day_of(database)
    assert clean.filter("counts").is_empty()  # the thumb, three days later, gives the verdict
    raw = bulk.read_day(database, "read_feedback", later(days=3).date())
    facts = vote_facts(days.clean_feedback(raw))
    assert facts["verdict"].to_list() == [1]
    assert VOTE_FACTS.problems(facts) == []


def test_a_preference_is_no_approval(database: Database) -> None:
    both = answers({"name": "a"}, {"name": "b", "model": "m2"})
    bulk.file_batch(database, Batch(interactions=both))
    preferred = votes(
        {"name": "p", "on": "a", "kind": "preference", "preference": "this", "other_interaction_id": both["id"][1]}
    )
    bulk.file_batch(database, Batch(feedback=preferred))
    _, _, clean = day_of(database)
    assert clean.select("preference", "other_model", "verdict", "counts").rows() == [("this", "m2", None, False)]
    assert vote_facts(clean).is_empty()


def test_another_tenants_answer_is_not_found(database: Database) -> None:
    bulk.file_batch(database, Batch(interactions=answers({"name": "a", "tenant": "one"})))
    bulk.file_batch(database, Batch(feedback=votes({"name": "v", "on": "a", "tenant": "two"})))
    raw, _, _ = day_of(database)
    assert raw["state"].to_list() == ["pending"]


def test_a_large_day_is_read_in_parts(database: Database) -> None:
    """Forty answers of a megabyte, where frames are of sixteen: the first came when the last was in memory."""
    said = "some words, " * 85_000
    bulk.file_batch(database, Batch(interactions=answers(*({"name": f"a{one}", "output": said} for one in range(40)))))
    parts = list(bulk.read_day_batches(database, "read_interactions", DAY))
    assert len(parts) > 1
    assert pl.concat(parts).equals(bulk.read_day(database, "read_interactions", DAY))


names = st.lists(st.none() | st.lists(st.none() | st.text(max_size=3), max_size=4), max_size=12)


@given(names)
def test_names_are_sorted_as_each_list_by_itself(lists: list[list[str | None] | None]) -> None:
    column = pl.Series("tags", lists, dtype=pl.List(pl.String))
    assert days.sorted_names(column).equals(column.fill_null([]).list.unique().list.sort(), check_names=True)


roles = st.sampled_from(["user", "assistant", "system", "tool"])
messages = st.lists(
    st.fixed_dictionaries(
        {"content": st.sampled_from(["hello", 'she said "role": "assistant"', "", "role"]), "role": roles},
        optional={"args": st.sampled_from([["role"], {"role": "user"}, {"role": 7}])},
    ),
    max_size=3,
)


@given(st.lists(st.tuples(messages, st.booleans(), st.none() | st.just("hello")), max_size=6))
def test_the_answer_at_the_end_is_found_wherever_the_word_role_stands(
    rows: list[tuple[list[dict[str, object]], bool, str | None]],
) -> None:
    """Messages that end with the answer are those before it."""
    said = [json.dumps(messages, indent=1 if spaced else None) for messages, spaced, _ in rows]
    whole = with_whole_prompts(
        pl.DataFrame(
            {"messages": said, "prompt": ["p"] * len(rows), "answer": [answer for *_, answer in rows]},
            schema={"messages": pl.String, "prompt": pl.String, "answer": pl.String},
        )
    )
    for (messages, _, answer), text in zip(rows, whole["messages"], strict=True):
        last = messages[-1] if messages else {}
        # a role named behind the last message's own is its: that row is left as it is
        shadowed = last.get("args") == {"role": "user"} and list(last)[-1] == "args"
        is_answer = len(messages) > 1 and (last["content"], last["role"]) == ("hello", "assistant") and not shadowed
        assert json.loads(text) == (messages[:-1] if is_answer and answer == "hello" else messages)
