"""Which answers are compared, and by whose word."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from feedback_pipeline.training.files import write_files
from feedback_pipeline.training.pairs import Pairs, preference_pairs
from feedback_pipeline.training.tables import PREFERENCE_PAIRS
from tests.support.training_world import END, World, many


def pairs_of(world: World, reviewed: list[str] | None = None, **changes: Any) -> Pairs:
    return preference_pairs(
        world.curated(reviewed=reviewed or [], **changes),
        world.votes_frame,
        world.answers_frame,
        world.signatures,
        world.trust_frame,
        reviewed=pl.Series(reviewed or [], dtype=pl.String),
    )


def lost(found: Pairs, step: str) -> int:
    return int(found.funnel.filter(pl.col("step") == step)["rows_dropped"].item())


def test_nothing_in_gives_nothing_out_with_every_column() -> None:
    found = pairs_of(World())
    assert PREFERENCE_PAIRS.problems(found.pairs) == []


def test_approved_and_disapproved_answers_to_the_same_input_are_a_pair() -> None:
    world = World()
    good, bad = world.answer("why", "for a reason"), world.answer("why", "no idea whatsoever")
    world.vote(good, "up", "ann")
    world.vote(bad, "down", "bob")
    pair = pairs_of(world).pairs.row(0, named=True)
    assert (pair["origin"], pair["chosen"], pair["rejected"]) == ("same_prompt", "for a reason", "no idea whatsoever")
    assert pair["voters"] == ["ann", "bob"]


def test_the_same_question_after_another_history_is_another_input() -> None:
    world = World()
    history = '[{"role":"system","content":"Be %s."},{"role":"user","content":"why"}]'
    good = world.answer("why", "for a reason", messages=history % "kind")
    bad = world.answer("why", "no idea whatsoever", messages=history % "brief")
    world.vote(good, "up", "ann")
    world.vote(bad, "down", "bob")
    assert pairs_of(world).pairs.is_empty()


def test_a_second_try_in_the_same_conversation_is_a_regeneration() -> None:
    world = World()
    bad = world.answer("why", "no idea whatsoever", conversation_id="c")
    good = world.answer("why", "for a reason", conversation_id="c")
    world.vote(bad, "down", "ann")
    world.vote(good, "up", "ann")
    assert pairs_of(world).pairs["origin"].to_list() == ["regeneration"]


@pytest.mark.parametrize(
    ("this", "other", "ties", "chosen"),
    [
        (1, 0, 0, "A"),
        (0, 1, 0, "B"),
        (1, 1, 0, None),
        (0, 0, 3, None),  # ties count for nobody
        (3, 1, 5, "A"),
        (2, 1, 0, None),  # P(rate > 1/2) = 0.69: undecided
        (1, 4, 0, "B"),
    ],
)
def test_the_majority_of_people_decides_between_two_answers(
    this: int, other: int, ties: int, chosen: str | None
) -> None:
    world = World()
    a, b = world.answer("which", "A"), world.answer("which", "B")
    world.answers[0]["answer"], world.answers[1]["answer"] = "answer A", "answer B"
    said = ["this"] * this + ["other"] * other + ["tie"] * ties
    for number, winner in enumerate(said):
        if number % 2:  # the same opinion, seen from the other answer
            world.prefer(b, a, {"this": "other", "other": "this"}.get(winner, winner), f"p{number}")
        else:
            world.prefer(a, b, winner, f"p{number}")
    found = pairs_of(world).pairs
    assert found["chosen"].to_list() == ([f"answer {chosen}"] if chosen else [])


def test_a_person_compares_two_answers_once() -> None:
    world = World()
    a, b = world.answer("which", "answer A"), world.answer("which", "answer B")
    for day in range(5):
        world.prefer(a, b, "this", "ann", day=END - timedelta(days=20 - day))
    world.prefer(a, b, "other", "ann", day=END - timedelta(days=10))
    pair = pairs_of(world).pairs.row(0, named=True)
    assert (pair["chosen"], pair["votes_for"], pair["votes_against"]) == ("answer B", 1, 0)


def test_answers_to_different_prompts_cannot_be_compared() -> None:
    world = World()
    world.prefer(world.answer("one"), world.answer("two"), "this", "ann")
    found = pairs_of(world)
    assert found.pairs.is_empty()
    assert lost(found, "same prompt") == 1


def test_a_preference_never_crosses_tenants() -> None:
    world = World()
    world.prefer(world.answer("q", "answer A"), world.answer("q", "answer B", tenant="other"), "this", "ann")
    assert lost(pairs_of(world), "answers") == 1


def test_a_correction_beats_the_answer_it_corrects_unless_it_is_another_text() -> None:
    world = World()
    close = world.answer("capital of italy", "The capital of Italy is Milan, a city in the north.")
    far = world.answer("capital of spain", "I would rather talk about football today.")
    votes = [
        world.correct(close, "The capital of Italy is Rome, a city in the centre.", "ann"),
        world.correct(far, "Madrid.", "ann"),
    ]
    found = pairs_of(world, reviewed=votes).pairs
    assert found["origin"].to_list() == ["correction"]
    assert found["chosen"].to_list() == ["The capital of Italy is Rome, a city in the centre."]
    kinds = world.curated(reviewed=votes).examples.filter(pl.col("kind") == "correction")
    assert kinds.height == 2, "the other one is still a demonstration"


def test_no_text_is_both_chosen_and_rejected_for_one_input() -> None:
    world = World()
    a, b, c = (world.answer("which", f"answer {name}") for name in "ABC")
    world.prefer(a, b, "this", "ann")
    world.prefer(b, c, "this", "bob")
    world.prefer(c, a, "this", "eve")
    found = pairs_of(world)
    assert found.pairs.is_empty()
    assert lost(found, "contradictions") == 3


def test_pairs_share_no_prompt_with_the_other_side_of_the_examples_split() -> None:
    world = World()
    many(world, 300)
    for number in range(0, 300, 3):
        one = world.answer(f"question number {number}", f"an alternative {number}")
        other = world.answer(f"question number {number}", f"a third {number}")
        world.prefer(one, other, "this", f"person{number % 40}")
    curated = world.curated()
    found = pairs_of(world).pairs
    assert found.height > 20
    sides = {
        side: set(pl.concat([frame.filter((pl.col("split") == "train") == side)["cluster"]
                             for frame in (curated.examples, found)]))
        for side in (True, False)
    }  # fmt: skip
    assert not sides[True] & sides[False]


def test_pure_preferences_give_pairs_and_no_kto_line(shared_data: Path, tmp_path: Path) -> None:
    """Crowd workers compared answers of models: nobody said that any answer was good (public data: llmfao)."""
    crowd = pl.read_csv(shared_data / "llmfao" / "crowd-comparisons.csv")
    texts = pl.read_ndjson(shared_data / "llmfao" / "pairs-crowd.jsonl", infer_schema_length=None)
    world = World()
    sides: dict[int, tuple[str, str]] = {}
    for row in texts.sort("id").iter_rows(named=True):
        day = END - timedelta(days=4 + row["id"] % 70)  # the votes carry no time: spread over ten weeks
        sides[row["id"]] = tuple(
            world.answer(row["text"], row[f"result_{side}"], model=str(row[f"model_{side}"]), day=day) for side in "xy"
        )  # type: ignore[assignment]
    index = {row["interaction_id"]: row for row in world.answers}
    for number, row in enumerate(crowd.iter_rows(named=True)):
        this, other = sides[row["id"]]
        winner = {"left": "this", "right": "other", "tie": "tie"}[row["winner"]]
        day = index[this]["day"]
        world.votes.append(
            {"feedback_id": f"v{number}", "interaction_id": this, "other_interaction_id": other, "tenant": "acme",
             "day": day, "interaction_day": day, "occurred_at": index[this]["occurred_at"], "kind": "preference",
             "preference": winner, "counts": False, "disagrees": False, "user_key": str(row["worker"]),
             "voter": str(row["worker"]), "source": "llmfao", "provenance": "logged", "use_for_analysis": True,
             "use_for_training": True}
        )  # fmt: skip
    curated = world.curated()
    found = pairs_of(world)
    assert curated.examples.is_empty()
    assert found.pairs.height >= 50
    assert PREFERENCE_PAIRS.problems(found.pairs) == []
    written = write_files(curated, found, tmp_path)
    assert not [file for file in written if "kto" in file.format or "sft" in file.format]
    assert [file for file in written if file.format == "trl_dpo"]


HISTORY = json.dumps([
    {"role": "user", "content": "Whom do I write to?"},
    {"role": "assistant", "content": "Write to [EMAIL_1]."},
    {"role": "user", "content": "And then?"},
])  # fmt: skip


def test_placeholders_in_earlier_answers_are_dropped_as_in_the_last() -> None:
    world = World()
    a, b = (world.answer("And then?", f"Wait {n} days.", messages=HISTORY, conversation_id="c") for n in (2, 9))
    world.prefer(a, b, "this", "ann")
    world.vote(a, "up", "ann")
    assert pairs_of(world).pairs.is_empty()
    assert world.curated().examples.is_empty()


def test_placeholders_of_pairs_are_filled_alike_in_every_turn() -> None:
    world = World()
    a = world.answer("And then?", "Wait for [EMAIL_1].", messages=HISTORY, conversation_id="c")
    b = world.answer("And then?", "Call [PHONE_1].", messages=HISTORY, conversation_id="c")
    world.prefer(a, b, "this", "ann")
    [pair] = pairs_of(world, placeholders="fill").pairs.to_dicts()
    address = pair["chosen"].removeprefix("Wait for ").removesuffix(".")
    assert address.endswith("@example.com")
    assert f"Write to {address}." in pair["messages"]
    assert pair["rejected"].startswith("Call +1 202-555-01")
    assert "[" not in pair["chosen"] + pair["rejected"]
