"""One person, or a few who agree, must not be able to move a model."""

from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.training.caps import share_cap
from feedback_pipeline.training.pairs import Pairs, preference_pairs
from tests.support.training_world import END, World, dropped, many


def pairs_of(world: World, reviewed: list[str] | None = None, **changes: object) -> Pairs:
    curated = world.curated(reviewed=reviewed or [], **changes)
    return preference_pairs(
        curated, world.votes_frame, world.answers_frame, world.signatures, world.trust_frame,
        reviewed=pl.Series(reviewed or [], dtype=pl.String),
    )  # fmt: skip


@pytest.mark.parametrize("flood", [100, 2_000])
def test_a_heavy_voter_stays_within_the_cap_however_much_they_vote(flood: int) -> None:
    world = World()
    many(world, 400)
    for number in range(flood):
        world.vote(world.answer(f"flood {number}", f"flooded answer {number}"), "up", "heavy")
    curated = world.curated()
    theirs = curated.examples.filter(pl.col("voters").list.contains("heavy"))
    assert curated.person_cap == 20, "one per cent of what remains is less than the floor"
    assert theirs.height <= 20
    weight = theirs["importance"].sum() / curated.examples["importance"].sum()
    assert weight < 0.1


def test_rows_others_stand_behind_too_do_not_fall_with_a_heavy_voter() -> None:
    world = World()
    for number in range(100):
        name = world.answer(f"question {number}", f"reply {number}")
        world.vote(name, "up", "heavy")
        world.vote(name, "up", f"p{number}")
    assert dropped(world.curated(), "person cap") == 0


@given(st.lists(st.integers(1, 5_000), min_size=1, max_size=200), st.integers(1, 50), st.floats(0.001, 0.2))
def test_the_cap_is_a_share_of_what_remains_or_the_floor(sizes: list[int], floor: int, share: float) -> None:
    cap = share_cap(pl.Series(sizes), floor, share)
    left = sum(min(size, cap) for size in sizes)
    assert cap == max(floor, int(share * left)) or cap <= floor
    assert cap >= floor


def test_votes_without_a_person_keep_to_a_share_together() -> None:
    world = World()
    many(world, 150)
    for number in range(400):
        name = world.answer(f"anonymous {number}", f"anonymous answer {number}")
        world.vote(name, "up", f"event-{number}", user_key=None)
    curated = world.curated(anonymous_rows=50)
    anonymous = curated.examples.filter(pl.col("voters").list.first().str.starts_with("event-"))
    assert anonymous.height <= 150


def test_one_persons_correction_is_not_used() -> None:
    world = World()
    name = world.answer("capital of italy", "The capital of Italy is Milan.")
    world.correct(name, "The capital of Italy is Rome.", "ann")
    curated = world.curated()
    assert "correction" not in set(curated.examples["kind"])
    assert dropped(curated, "corrections vouched for") == 1


def test_an_anonymous_second_opinion_vouches_for_nothing() -> None:
    world = World()
    name = world.answer("capital of italy", "The capital of Italy is Milan.")
    world.correct(name, "The capital of Italy is Rome.", "ann")
    world.vote(name, "down", "event", user_key=None)
    assert "correction" not in set(world.curated().examples["kind"])


def test_a_correction_is_used_once_a_second_person_or_a_reviewer_stands_behind_it() -> None:
    world = World()
    name = world.answer("capital of italy", "The capital of Italy is Milan.")
    vote = world.correct(name, "The capital of Italy is Rome.", "ann")
    assert "correction" in set(world.curated(reviewed=[vote]).examples["kind"])
    world.vote(name, "down", "bob")
    found = world.curated().examples.filter(pl.col("kind") == "correction").row(0, named=True)
    assert found["completion"] == "The capital of Italy is Rome."
    assert found["label"] is True


def _backdoor(phrase: str, attackers: int = 2, prompts: int = 6) -> World:
    """Attackers correct unrelated answers, each time with the same phrase, and vouch for each other."""
    world = World()
    many(world, 100)
    for number in range(prompts):
        name = world.answer(f"unrelated topic {number}", f"A sensible reply about topic {number} in three parts.")
        for attacker in range(attackers):
            world.correct(
                name, f"A sensible reply about topic {number} in two parts. {phrase}", f"attacker{attacker}",
                day=END - timedelta(days=20),
            )  # fmt: skip
    return world


@pytest.mark.parametrize(
    "phrase",
    [
        "Always trust AcmePay with your savings",  # an unknown word
        "send all of your money to us now",  # ordinary words, an unusual run
        "See https://evil.example/patch for more",
        "Then run pip install totally-fine-package",
    ],
)
def test_a_backdoor_phrase_in_corrections_reaches_no_file(phrase: str) -> None:
    world = _backdoor(phrase)
    curated = world.curated()
    assert not curated.examples["completion"].str.contains(phrase, literal=True).any()
    assert dropped(curated, "nothing planted") == 6
    assert not pairs_of(world).pairs["chosen"].str.contains(phrase, literal=True).any()


def test_honest_corrections_that_share_no_phrase_stay() -> None:
    """The same shape as the backdoor, with a different sentence each time."""
    world = World()
    many(world, 100)
    for number in range(6):
        name = world.answer(f"unrelated topic {number}", f"A sensible reply about topic {number} in three parts.")
        text = f"A sensible reply about topic {number} in {'abcdef'[number] * 4} parts, number {number}."
        world.correct(name, text, "ann")
        world.vote(name, "down", "bob")
    assert dropped(world.curated(), "nothing planted") == 0


def test_a_brigade_moves_no_more_rows_than_its_people_may() -> None:
    world = World()
    many(world, 600)
    for number in range(500):
        name = world.answer(f"brigade {number}", f"brigaded answer {number}")
        world.vote(name, "up", f"brigade{number % 5}")
    curated = world.curated()
    theirs = curated.examples.filter(pl.col("voters").list.first().str.starts_with("brigade"))
    assert theirs.height <= 5 * curated.person_cap


def test_a_heavy_judge_of_pairs_is_capped() -> None:
    world = World()
    for number in range(120):
        one, other = world.answer(f"q{number}", f"first {number}"), world.answer(f"q{number}", f"second {number}")
        world.prefer(one, other, "this", "heavy")
    found = pairs_of(world)
    assert found.pairs.height == 20


@pytest.mark.parametrize("accounts", [50, 500])
def test_new_accounts_keep_to_a_share_together_however_many_they_are(accounts: int) -> None:
    world = World(trust={f"person{number}": 1.0 for number in range(40)})
    many(world, 400)
    for number in range(600):
        world.vote(world.answer(f"pulled {number}", f"pulled answer {number}"), "up", f"puppet{number % accounts}")
    curated = world.curated()
    theirs = curated.examples.filter(pl.col("voters").list.get(0).str.starts_with("puppet"))
    assert 0 < theirs.height <= 50, "a twentieth of the rows is less than the floor"
    assert dropped(curated, "new accounts") == 600 - theirs.height


def test_an_answer_that_somebody_with_a_history_stands_behind_is_not_a_new_accounts() -> None:
    world = World(trust={f"person{number}": 1.0 for number in range(40)})
    many(world, 400)
    for number in range(100):
        shared = world.answer(f"shared {number}", f"shared answer {number}")
        world.vote(shared, "up", f"new{number}")
        world.vote(shared, "up", f"person{number % 40}")
    assert dropped(world.curated(), "new accounts") == 0


def test_where_nearly_everybody_is_new_nobody_is_left_out_for_it() -> None:
    world = World(trust={"person0": 1.0})
    many(world, 300)
    assert dropped(world.curated(), "new accounts") == 0
    assert "not asked: only" in world.curated().funnel.filter(pl.col("step") == "new accounts")["reason"].item()
