"""The rows of a sample: deterministic, well formed, and worded like people and models write."""

import hashlib
import json
from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from feedback_pipeline.sample import SampleBatch, generate, truth
from feedback_pipeline.sample.timeline import MAX_PART, Timeline
from feedback_pipeline.store.rows import INCOMING_FEEDBACK, INCOMING_INTERACTION, INCOMING_KEY
from feedback_pipeline.tables.vocabulary import KINDS

END = date(2026, 11, 21)


def fingerprint(batches: list[SampleBatch]) -> str:
    digest = hashlib.blake2b()
    for batch in batches:
        for frame in (batch.interactions, batch.keys, batch.feedback, batch.bad_rows):
            digest.update(frame.write_json().encode())
    return digest.hexdigest()


def test_the_same_arguments_give_the_same_rows_and_another_seed_others():
    first, again = (fingerprint(list(generate(500, 1, 3, END))) for _ in range(2))
    assert first == again
    assert first != fingerprint(list(generate(500, 1, 4, END)))


def test_the_truth_is_deterministic_and_survives_json(month):
    assert json.loads(json.dumps(month.truth)) == month.truth
    assert truth(500, 2, 3, END) == truth(500, 2, 3, END)


@pytest.mark.parametrize(("votes", "weeks", "seed"), [(0, 1, 1), (10, 0, 1), (10, 1, -1)])
def test_impossible_samples_are_refused_before_anything_is_drawn(votes, weeks, seed):
    with pytest.raises(ValueError, match="at least one vote and one week"):
        generate(votes, weeks, seed, END)
    with pytest.raises(ValueError, match="at least one vote and one week"):
        truth(votes, weeks, seed, END)


# Shrinking would take minutes: the arguments are small as they are.
@settings(max_examples=6, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(votes=st.integers(1, 300), weeks=st.integers(1, 2), seed=st.integers(0, 2**40))
def test_small_samples_hold_exactly_the_votes_asked_for_and_agree_with_their_truth(votes, weeks, seed):
    batches = list(generate(votes, weeks, seed, END))
    known = truth(votes, weeks, seed, END)
    feedback = pl.concat([batch.feedback for batch in batches])
    events = feedback.unique("id")
    explicit = events.filter((pl.col("kind") == "explicit") & ~pl.col("withdrawn")).height
    assert explicit - known["plants"]["changed_votes"]["events"] == votes == known["counts"]["first_votes"]
    assert feedback.height == known["counts"]["feedback_rows"]
    assert sum(batch.interactions.height for batch in batches) == known["counts"]["interactions"]


@given(votes=st.integers(1, 10**7), weeks=st.integers(1, 60), end=st.dates(date(2020, 1, 1), date(2030, 1, 1)))
def test_a_timeline_is_whole_weeks_up_to_the_last_sunday_and_its_parts_add_up(votes, weeks, end):
    timeline = Timeline(votes, weeks, 1, end)
    assert timeline.first_day.isoweekday() == 1
    assert timeline.last_day.isoweekday() == 7
    assert timedelta(0) <= end - timeline.last_day < timedelta(days=7)
    assert timeline.last_day - timeline.first_day == timedelta(days=7 * weeks - 1)
    parts = timeline.parts()
    assert sum(part.votes for part in parts) == votes
    assert max(part.votes for part in parts) <= MAX_PART
    # Quotas of 1 % add up to the rounded-up hundredth, however the days are cut.
    assert sum(part.quota(10_000) for part in parts) == -(-votes // 100)


def test_every_batch_has_the_declared_columns_and_values(month):
    for batch in month.batches:
        assert INCOMING_INTERACTION.problems(batch.interactions) == []
        assert INCOMING_KEY.problems(batch.keys) == []
        problems = INCOMING_FEEDBACK.problems(batch.feedback)
        assert [problem for problem in problems if "repeat the key" not in problem] == []


def test_ids_are_unique_over_the_whole_sample(month):
    assert month.interactions["id"].n_unique() == month.interactions.height
    assert month.interactions["source_id"].n_unique() == month.interactions.height
    assert month.keys.select("kind", "value").unique().height == month.keys.height
    assert month.events.select("source", "source_id").unique().height == month.events.height


def test_the_sample_stays_within_its_days(month):
    first, last = (date.fromisoformat(month.truth["parameters"][name]) for name in ("first_day", "last_day"))
    for frame, column in (
        (month.interactions, "occurred_at"),
        (month.events, "occurred_at"),
        (month.events, "received_at"),
    ):
        days = frame[column].dt.date()
        assert first <= days.min() <= days.max() <= last
    assert (month.events["received_at"] >= month.events["occurred_at"]).all()


def test_an_answer_is_given_before_it_is_voted_on(month):
    both = month.events.join(month.interactions.select(answer_id="id", answered="occurred_at"), on="answer_id")
    assert both.height > 20_000
    assert (both["occurred_at"] > both["answered"]).all()


def test_all_kinds_of_feedback_all_languages_and_all_intents_are_there(month):
    assert set(month.events["kind"]) == set(KINDS)
    assert set(month.interactions["language"]) == {"en", "de", "fr", "es", "ja"}
    assert month.interactions["intent"].n_unique() == 6
    assert 4 <= month.interactions["model"].n_unique() <= 8
    # The brief of a sample: 30–50 % more answers than votes.
    assert 1.3 <= month.interactions.height / 20_000 <= 1.5


def test_texts_are_complete_and_varied(month):
    for column in ("prompt", "output"):
        texts = month.interactions[column]
        assert texts.null_count() == 0
        assert texts.str.len_chars().min() >= 5  # a short Japanese sentence that was cut
        assert not texts.str.contains(r"\{[abnv]\}").any(), "a slot was left open"
        assert texts.n_unique() > 0.7 * len(texts), "people do not all write the same"
    sizes = month.interactions.select(pl.col("prompt", "output", "messages").str.len_bytes()).sum_horizontal()
    assert sizes.mean() < 750  # about 700 bytes of text a row keeps a million rows under a gigabyte


def test_messages_are_json_and_continue_the_conversation(month):
    full = month.interactions.filter(pl.col("context") == "full")
    assert month.interactions.filter(pl.col("context") == "partial")["messages"].null_count() > 1_000
    rows = {(row["conversation_id"], row["turn"]): row for row in full.to_dicts()}
    third_turns = [row for (_, turn), row in rows.items() if turn == 2][:200]
    assert len(third_turns) > 100
    for row in third_turns:
        messages = json.loads(row["messages"])
        before = rows.get((row["conversation_id"], 0)), rows.get((row["conversation_id"], 1))
        assert [message["role"] for message in messages] == ["system", *(["user", "assistant"] * 2), "user"]
        assert messages[-1]["content"] == row["prompt"]
        for earlier, (asked, answered) in zip(before, (messages[1:3], messages[3:5]), strict=True):
            # The first answer of a conversation may be the one that is never delivered, or the second of a pair.
            if earlier is not None and earlier["prompt"] == asked["content"]:
                assert answered["role"] == "assistant"
                assert answered["content"]


def test_batches_come_in_order_of_days(month):
    days = [batch.day for batch in month.batches]
    assert days == sorted(days)
    assert len(set(days)) == 28
