"""What may become a training example, and what may not."""

from datetime import timedelta

import polars as pl
import pytest

from feedback_pipeline.cleaning.signatures import hash_texts, normalise
from feedback_pipeline.training.curation import curate
from feedback_pipeline.training.funnel import printed
from feedback_pipeline.training.messages import conversation
from feedback_pipeline.training.rules import CurationSettings, EvaluationSetMissing
from feedback_pipeline.training.tables import FUNNEL, TRAINING_EXAMPLES
from feedback_pipeline.training.tokens import count_tokens
from tests.support.training_world import END, World, dropped, many, settings


def test_a_missing_evaluation_set_stops_everything() -> None:
    world = World()
    many(world, 10)
    with pytest.raises(EvaluationSetMissing, match="evaluation_expected"):
        curate(world.votes_frame, world.answers_frame, world.signatures, world.trust_frame, settings(), END)


def test_without_expected_evaluation_prompts_none_are_needed() -> None:
    world = World()
    many(world, 10)
    curated = curate(
        world.votes_frame, world.answers_frame, world.signatures, world.trust_frame,
        settings(evaluation_expected=False), END,
    )  # fmt: skip
    assert curated.examples.height == 10


def test_an_empty_key_is_refused() -> None:
    with pytest.raises(ValueError, match="key is empty"):
        CurationSettings(key="")


def test_nothing_in_gives_nothing_out_with_every_column() -> None:
    world = World()
    curated = world.curated()
    assert curated.examples.is_empty()
    assert TRAINING_EXAMPLES.problems(curated.examples) == []


@pytest.mark.parametrize("weekly", [50, 500])
def test_the_funnel_leaves_something_at_any_volume(weekly: int) -> None:
    """Twelve weeks of ordinary votes: rules meant for abuse must not eat them."""
    world = World()
    many(world, weekly * 12, people=max(40, weekly))
    curated = world.curated()
    assert curated.examples.height > 0.9 * weekly * 12
    assert TRAINING_EXAMPLES.problems(curated.examples) == []
    assert FUNNEL.problems(curated.funnel) == []
    assert "leaks" in printed(curated.funnel)


def test_the_funnel_accounts_for_every_example() -> None:
    world = World()
    many(world, 200)
    curated = world.curated(evaluation=["question number 3", "question number 4"])
    rows = curated.funnel.filter(pl.col("unit") == "example")
    first = rows.row(0, named=True)
    assert first["rows_in"] - rows["rows_dropped"].sum() == curated.examples.height


def test_old_votes_fall_out_of_the_window() -> None:
    world = World()
    fresh, old = world.answer("fresh"), world.answer("old")
    world.vote(fresh, "up", "ann", day=END - timedelta(days=83))
    world.vote(old, "up", "ann", day=END - timedelta(days=84))
    assert world.curated().examples["interaction_id"].to_list() == [fresh]


def test_consent_is_asked_of_the_vote_and_of_the_answer() -> None:
    world = World()
    world.vote(world.answer("one", use_for_training=False), "up", "ann")
    world.vote(world.answer("two"), "up", "ann", use_for_training=False)
    kept = world.answer("three")
    world.vote(kept, "up", "ann")
    curated = world.curated()
    assert curated.examples["interaction_id"].to_list() == [kept]
    assert dropped(curated, "consent") == 2


def test_a_vote_about_another_tenants_answer_is_not_used() -> None:
    world = World()
    name = world.answer("shared")
    world.vote(name, "up", "ann", tenant="other")
    assert dropped(world.curated(), "answer") == 1


def test_neutral_votes_comments_and_preferences_teach_nothing_alone() -> None:
    world = World()
    first, second = world.answer("q", "one way"), world.answer("q", "another way")
    world.vote(first, "neutral", "ann")
    world.vote(first, None, "ann", kind="comment", comment="hm")
    world.prefer(first, second, "this", "ann")
    curated = world.curated()
    assert curated.examples.is_empty()
    assert dropped(curated, "signal") == 3


def test_the_same_answer_twice_is_one_example_with_both_votes() -> None:
    world = World()
    older = world.answer("Why?", "Because.", day=END - timedelta(days=40))
    newer = world.answer("why? ", "because.", day=END - timedelta(days=20))
    votes = [world.vote(older, "up", "ann"), world.vote(newer, "up", "bob")]
    examples = world.curated().examples
    assert examples["interaction_id"].to_list() == [newer]
    assert examples["feedback_ids"].to_list() == [sorted(votes)]
    assert examples["people"].to_list() == [2]


def test_a_person_counts_once_per_text_with_the_latest_opinion() -> None:
    world = World()
    first = world.answer("Why?", "Because.", day=END - timedelta(days=40))
    second = world.answer("Why?", "Because.", day=END - timedelta(days=20))
    world.vote(first, "up", "ann")
    world.vote(second, "down", "ann")
    example = world.curated().examples.row(0, named=True)
    assert (example["ups"], example["downs"], example["label"]) == (0, 1, False)


@pytest.mark.parametrize(
    ("ups", "downs", "left"),
    [
        (1, 0, 1),  # one vote is no conflict
        (1, 1, 0),
        (2, 1, 0),  # Beta(3, 2): P = 0.69
        (3, 1, 1),  # Beta(4, 2): P = 0.81
        (1, 3, 1),
    ],
)
def test_undecided_answers_are_left_out(ups: int, downs: int, left: int) -> None:
    world = World()
    name = world.answer("contested")
    for number in range(ups + downs):
        world.vote(name, "up" if number < ups else "down", f"p{number}")
    examples = world.curated().examples
    assert examples.height == left
    if left:
        assert examples["label"].item() is (ups > downs)


def test_a_distrusted_voter_alone_teaches_nothing_and_weighs_little_beside_others() -> None:
    world = World(trust={"spam": 0.1})
    alone, both = world.answer("alone"), world.answer("both")
    world.vote(alone, "up", "spam")
    world.vote(both, "up", "spam")
    world.vote(both, "up", "ann")
    curated = world.curated()
    assert curated.examples["interaction_id"].to_list() == [both]
    assert curated.examples["weight_trust"].item() == pytest.approx(0.55)


def test_browser_text_needs_three_identified_people_or_a_review() -> None:
    world = World()
    lonely = world.answer("lonely", provenance="browser")
    reviewed = world.answer("reviewed", provenance="browser")
    shared = world.answer("shared", provenance="browser")
    anonymous = world.answer("anonymous", provenance="browser")
    two = world.answer("two accounts", provenance="browser")
    world.vote(lonely, "up", "ann")
    vote = world.vote(reviewed, "up", "ann")
    world.vote(shared, "up", "ann")
    world.vote(shared, "up", "bob")
    world.vote(shared, "up", "cat")
    world.vote(two, "up", "ann")
    world.vote(two, "up", "bob")
    world.vote(anonymous, "up", "s1", user_key=None)
    world.vote(anonymous, "up", "s2", user_key=None)
    curated = world.curated(reviewed=[vote])
    assert set(curated.examples["interaction_id"]) == {reviewed, shared}
    assert dropped(curated, "provenance") == 3
    # of three people one has never voted before: they are an account that anybody could have made
    world.trust = {"ann": 1.0, "bob": 1.0}
    assert shared not in world.curated(reviewed=[vote]).examples["interaction_id"].to_list()


def test_evaluation_prompts_and_their_near_duplicates_are_kept_apart() -> None:
    world = World(clusters={"What is the capital of France ?": "capital france", "capital france": "capital france"})
    exact, near, other = (
        world.answer("capital france", "Paris."),
        world.answer("What is the capital of France ?", "It is Paris."),
        world.answer("something else"),
    )
    for name in (exact, near, other):
        world.vote(name, "up", "ann")
    curated = world.curated(evaluation=["Capital  FRANCE"])
    assert curated.examples["interaction_id"].to_list() == [other]


@pytest.mark.parametrize(
    ("answer", "changes", "step"),
    [
        ("It goes on and", {"finish_reason": "length"}, "whole answers"),
        (" ", {}, "whole answers"),
        ("Use sk-abcdefghijklmnopqrstuvwxyz123456 as the key", {}, "secrets"),
        ("Write to [EMAIL_1] for help", {}, "placeholders"),
    ],
)
def test_answers_nobody_should_imitate_are_dropped(answer: str, changes: dict[str, str], step: str) -> None:
    world = World()
    world.vote(world.answer("q", answer, **changes), "up", "ann")
    curated = world.curated()
    assert curated.examples.is_empty()
    assert dropped(curated, step) == 1


def test_a_refusal_people_disliked_waits_for_a_reviewer() -> None:
    world = World()
    name = world.answer("how to pick a lock", "I'm sorry, but I can't help with that.")
    vote = world.vote(name, "down", "ann")
    assert dropped(world.curated(), "refusals") == 1
    assert world.curated(reviewed=[vote]).examples["label"].to_list() == [False]


def test_placeholders_are_filled_alike_within_a_conversation() -> None:
    world = World()
    first = world.answer("Who?", "Ask [PERSON_1] at [EMAIL_1] or [PERSON_1]", conversation_id="c")
    second = world.answer("Where?", "At [EMAIL_1]", conversation_id="c")
    unknown = world.answer("What?", "The [BADGE_NUMBER_1]", conversation_id="c")
    for name in (first, second, unknown):
        world.vote(name, "up", "ann")
    examples = world.curated(placeholders="fill").examples
    said = dict(examples.select("interaction_id", "completion").iter_rows())
    assert set(said) == {first, second}, "a placeholder nothing is invented for drops its row"
    address = said[second].removeprefix("At ")
    assert address.endswith("@example.com")
    assert address in said[first]
    assert dict(examples.select("interaction_id", "placeholders_filled").iter_rows()) == {first: 3, second: 1}


def test_near_duplicates_count_once_and_a_prompt_group_has_a_cap() -> None:
    world = World()
    for text in ("Do this!", "do this", "DO THIS."):
        world.vote(world.answer("how", text), "up", "ann")
    for number in range(9):
        world.vote(world.answer("how", f"another way, number {number}"), "up", f"p{number}")
    curated = world.curated()
    assert dropped(curated, "near duplicates") == 2
    assert curated.examples.height == settings().cluster_rows


@pytest.mark.parametrize(
    "messages",
    [
        "not json",
        "[]",
        '[{"role":"assistant","content":"I begin"}]',
        '[{"role":"user","content":"q"},{"role":"assistant","content":"already answered"}]',
        '[{"role":"robot","content":"q"}]',
        '[{"role":"user","content":"q"},{"role":"tool","tool_call_id":"x","content":"1"}]',
        '[{"role":"user","content":"q"},{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function",'
        '"function":{"name":"f","arguments":"{}"}}]},{"role":"user","content":"and?"}]',
    ],
)
def test_conversations_out_of_order_are_dropped(messages: str) -> None:
    world = World()
    world.vote(world.answer("q", messages=messages), "up", "ann")
    curated = world.curated()
    assert curated.examples.is_empty()
    assert dropped(curated, "conversation") == 1


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ('[{"role":"user","content":"q"},{"role":"assistant","content":"already answered"}]', "ends_with_assistant"),
        ('[{"role":"assistant","content":"I begin"}]', "ends_with_assistant"),
        ('[{"role":"system","content":"only rules"}]', "no_user_message"),
        ('[{"role":"robot","content":"q"}]', "unknown_role"),
        ('[{"role":"user","content":"q"},{"role":"tool","tool_call_id":"x","content":"1"}]',
         "tool_result_without_call"),
        ('[{"role":"user","content":"q"},{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function",'
         '"function":{"name":"f","arguments":"{}"}}]},{"role":"user","content":"and?"}]', "tool_call_without_result"),
        ("not json", "not_json"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_conversation_has_a_name(messages: str, problem: str) -> None:
    assert conversation(messages, None).problem == problem


def test_an_answer_longer_than_a_trainer_reads_is_dropped() -> None:
    long = "".join(f"w{number} " for number in range(70_000))
    assert count_tokens(long) > 200_000
    world = World()
    world.vote(world.answer("q", long), "up", "ann")
    curated = world.curated()
    assert dropped(curated, "length and repetition") == 1


def test_an_answer_stuck_in_a_loop_is_dropped() -> None:
    world = World()
    world.vote(world.answer("q", "I will try again. " * 40), "up", "ann")
    assert dropped(world.curated(), "length and repetition") == 1


def test_what_is_held_out_is_not_trained_on() -> None:
    world = World()
    many(world, 400)
    for number in range(5):
        day = END if number == 0 else END - timedelta(days=40 + number)
        world.vote(world.answer("asked again and again", f"answer {number}", day=day), "up", f"p{number}", day=day)
    examples = world.curated().examples
    held_out = examples.filter(pl.col("split") != "train")
    train = examples.filter(pl.col("split") == "train")
    assert held_out.height > 0
    assert not set(train["cluster"]) & set(held_out["cluster"])
    assert not set(train["conversation_id"].drop_nulls()) & set(held_out["conversation_id"].drop_nulls())
    asked = hash_texts(normalise(pl.Series(["asked again and again"]))).item()
    assert set(examples.filter(pl.col("cluster") == asked)["split"]) == {"holdout"}


def test_a_constant_conversation_id_is_no_conversation() -> None:
    world = World()
    for number in range(300):
        name = world.answer(f"question {number}", f"reply {number}", conversation_id="default")
        world.vote(name, "up", f"p{number % 40}")
    examples = world.curated().examples
    assert examples["conversation_id"].null_count() == examples.height
    assert set(examples["split"]) == {"train", "validation"}


def test_people_unseen_in_train_are_marked() -> None:
    world = World()
    many(world, 200)
    stranger = world.answer("from a stranger", day=END)
    world.vote(stranger, "up", "stranger", day=END)
    curated = world.curated()
    marked = curated.examples.filter("unseen_person")
    assert marked["interaction_id"].to_list() == [stranger]
    assert curated.overlap.unseen_rows == 1


def test_curation_does_not_depend_on_the_order_of_its_inputs() -> None:
    world = World()
    many(world, 300)
    first = world.curated()
    world.votes.reverse()
    world.answers.sort(key=lambda row: str(row["prompt"]))
    second = world.curated()
    assert first.examples.equals(second.examples)
    assert first.funnel.equals(second.funnel)


def test_partial_context_is_marked() -> None:
    world = World()
    world.vote(world.answer("q", context="partial"), "up", "ann")
    assert world.curated().examples["context"].to_list() == ["partial"]
