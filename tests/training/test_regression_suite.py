"""The regression suite grows by each confirmed failure, and forgets one only with its votes."""

from datetime import date, timedelta
from typing import Any

import orjson
import polars as pl

from feedback_pipeline.cleaning.signatures import hash_texts
from feedback_pipeline.training.curation import Curated, curate
from feedback_pipeline.training.files import write_files
from feedback_pipeline.training.manifest import lineage
from feedback_pipeline.training.pairs import Pairs
from feedback_pipeline.training.regression import new_cases, regression_cases
from feedback_pipeline.training.tables import FUNNEL, PREFERENCE_PAIRS, REGRESSION_CASES
from feedback_pipeline.training.weights import RECOMMENDED
from tests.support.training_world import END, World, many, settings

BEFORE = END - timedelta(days=7)
NO_PAIRS = Pairs(PREFERENCE_PAIRS.empty(), FUNNEL.empty())


def curated_until(world: World, end: date, **changes: Any) -> Curated:
    return curate(
        world.votes_frame.filter(pl.col("day") <= end), world.answers_frame, world.signatures, world.trust_frame,
        settings(**changes), end, evaluation_hashes=hash_texts(pl.Series([], dtype=pl.String)),
    )  # fmt: skip


def two_weeks(world: World, **changes: Any) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The suites of two weeks in turn."""
    first = new_cases(curated_until(world, BEFORE))
    return first, regression_cases(curated_until(world, END, **changes), first, world.votes_frame)


def failing(world: World, number: int, day: date) -> str:
    name = world.answer(f"failing {number}", f"wrong answer {number}", day=day)
    world.vote(name, "down", f"p{number}", day=day)
    return name


def test_a_failure_of_last_week_is_tested_beside_those_of_this_week() -> None:
    world = World()
    old, new = failing(world, 1, BEFORE - timedelta(days=10)), failing(world, 2, END - timedelta(days=2))
    first, second = two_weeks(world)
    assert first["interaction_id"].to_list() == [old]
    assert set(second["interaction_id"]) == {old, new}
    assert REGRESSION_CASES.problems(second) == []
    since = dict(second.select("interaction_id", "since").iter_rows())
    assert since == {old: date(2026, 11, 2), new: date(2026, 11, 9)}


def test_a_failure_that_training_drops_stays_in_the_suite() -> None:
    """A cap on rows is there for training; a test that is there does not go because of it."""
    world = World()
    for number in range(30):
        failing(world, number, BEFORE - timedelta(days=10))
    first = new_cases(curated_until(world, BEFORE))
    world.votes = [{**vote, "voter": "one", "user_key": "one"} for vote in world.votes]
    capped = curated_until(world, END)
    assert capped.examples.height == 20
    suite = regression_cases(capped, first, world.votes_frame)
    assert suite.height == first.height == 30


def test_a_withdrawn_an_erased_and_a_forbidden_vote_take_their_cases_along() -> None:
    world = World()
    for number in range(3):
        failing(world, number, BEFORE - timedelta(days=10))
    first = new_cases(curated_until(world, BEFORE))
    kept, forbidden, _ = world.votes
    world.votes = [kept, {**forbidden, "use_for_training": False}]
    suite = regression_cases(curated_until(world, END), first, world.votes_frame)
    assert suite["feedback_ids"].to_list() == [[kept["feedback_id"]]]


def test_an_answer_people_came_to_approve_of_is_no_failure_any_more() -> None:
    world = World()
    name = failing(world, 1, BEFORE - timedelta(days=10))
    first = new_cases(curated_until(world, BEFORE))
    for number in range(6):
        world.vote(name, "up", f"fan{number}", day=END)
    assert first.height == 1
    assert regression_cases(curated_until(world, END), first, world.votes_frame).is_empty()


def test_tests_and_their_lineage_hold_the_cases_of_earlier_weeks(tmp_path: Any) -> None:
    world = World()
    many(world, 60)
    first, suite = two_weeks(world, holdout_days=0)
    curated = curated_until(world, END, cluster_rows=1)
    carried = set(suite["example_id"])
    files = write_files(curated, NO_PAIRS, tmp_path, ["promptfoo_jsonl"], cases=suite)
    tests = [orjson.loads(line) for line in (tmp_path / "promptfoo" / "tests.jsonl").read_bytes().splitlines()]
    assert {test["metadata"]["example_id"] for test in tests} == carried >= set(first["example_id"])
    assert {test["metadata"]["since"] for test in tests} == {"2026-11-02", "2026-11-09"}
    lines = pl.concat(lineage("d", files, curated, NO_PAIRS, RECOMMENDED, suite).frames())
    assert set(lines["row_id"]) == carried
    assert lines["feedback_ids"].list.len().min() == 1
