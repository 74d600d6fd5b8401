"""Who gets which arm: alone, stable, as GrowthBook's SDKs give it, and never an exception."""

import subprocess
import sys
import time

import pytest
from feedback_client.assignment import Arm, Context, Experiment, Held, decide, route_to_variant
from feedback_client.configuration import (
    ConfigurationError,
    content_of,
    experiment_from,
    growthbook_feature,
    read_configuration,
    write_configuration,
)
from feedback_client.hashing import chosen, ranges, share_of
from feedback_client.targeting import ConditionError, check, holds
from growthbook import GrowthBook
from growthbook.core import gbhash
from hypothesis import given
from hypothesis import strategies as st

HALVES = (Arm("v1", 0.5), Arm("v2", 0.5))


def experiment(**changes: object) -> Experiment:
    values: dict[str, object] = {"name": "tone", "version": 1, "arms": HALVES, "default": "v1", "seed": "tone"}
    return Experiment(**(values | changes))  # type: ignore[arg-type]


# GrowthBook's public vectors (specVersion 0.7.1): seed, value, hash of version 2
HASHES = [
    ("seed", "a", 0.0505),
    ("seed", "b", 0.2696),
    ("foo", "ab", 0.2575),
    ("foo", "def", 0.2019),
    ("89123klj", "8952klfjas09ujkasdf", 0.124),
    ("90850943850283058242805", "123", 0.7516),
    ("()**(%$##$%#$#", '___)((*":&', 0.0128),
]


@pytest.mark.parametrize(("seed", "value", "expected"), HASHES)
def test_growthbooks_hash_vectors(seed: str, value: str, expected: float) -> None:
    assert share_of(seed, value) == expected


RANGES = [
    ([0.5, 0.5], 1, [(0, 0.5), (0.5, 1)]),
    ([0.5, 0.5], 0.5, [(0, 0.25), (0.5, 0.75)]),
    ([0.5, 0.5], 0, [(0, 0), (0.5, 0.5)]),
    ([0.4, 0.6], 1, [(0, 0.4), (0.4, 1)]),
    ([0.2, 0.3, 0.5], 0.2, [(0, 0.04), (0.2, 0.26), (0.5, 0.6)]),
]


@pytest.mark.parametrize(("weights", "coverage", "expected"), RANGES)
def test_growthbooks_range_vectors(weights: list[float], coverage: float, expected: list[tuple[float, float]]) -> None:
    assert [pytest.approx(pair) for pair in expected] == ranges(weights, coverage)


CHOICES = [
    (0.2, [(0, 0.5), (0.5, 1)], 0), (0.5, [(0, 0.5), (0.5, 1)], 1), (0.4, [(0, 0.25), (0.5, 0.75)], None),
    (0.25, [(0, 0.25), (0.5, 0.75)], None), (0.5, [(0, 0.5), (0.5, 0.5), (0.5, 1)], 2),
]  # fmt: skip


@pytest.mark.parametrize(("share", "within", "expected"), CHOICES)
def test_growthbooks_choice_vectors(share: float, within: list[tuple[float, float]], expected: int | None) -> None:
    assert chosen(share, within) == expected


@given(st.text(min_size=1, max_size=30), st.text(max_size=10))
def test_the_same_arms_as_growthbooks_own_sdk(user: str, seed: str) -> None:
    assert share_of(seed, user) == gbhash(seed, user, 2)


def test_route_to_variant_alone() -> None:  # E4
    weights = {"v1": 0.8, "v2": 0.2}
    arms = [route_to_variant(f"user-{n}", weights) for n in range(10_000)]
    # 20 % of 10,000 with a standard error of 40
    assert 1_800 < arms.count("v2") < 2_200
    assert arms == [route_to_variant(f"user-{n}", weights) for n in range(10_000)]
    assert route_to_variant(7, weights) == route_to_variant("7", weights)


def test_it_needs_no_service_no_database_and_no_heavy_library() -> None:
    code = (
        "import sys; from feedback_pipeline import route_to_variant; route_to_variant('a', {'v1': 1.0});"
        "heavy = {'polars', 'numpy', 'scipy', 'sqlalchemy', 'dagster', 'pandas', 'orjson'} & set(sys.modules);"
        "sys.exit(bool(heavy))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "weights",
    [{"v1": 0.8, "v2": 0.3}, {"v1": -0.2, "v2": 1.2}, {"v1": float("nan"), "v2": 0.5}, {"v1": "x"}, {"v1": True}, {}],
)
def test_bad_weights_give_the_named_default(weights: dict[str, float]) -> None:
    assert route_to_variant("ada", weights, default="v9") == "v9"
    assert route_to_variant("ada", weights) == next(iter(weights), "default")


@pytest.mark.parametrize("user", [None, "", "x" * 10_240, True, 1.5, ["ada"]])
def test_an_id_that_is_none_gives_the_default(user: object) -> None:
    assert route_to_variant(user, {"v1": 0.0, "v2": 1.0}) == "v1"  # type: ignore[arg-type]
    assert decide(experiment(), user).reason in ("no_unit", "unit_too_long")  # type: ignore[arg-type]


def test_a_ramp_moves_nobody() -> None:
    before: dict[int, str] = {}
    for coverage in (0.01, 0.05, 0.25, 1.0):
        now = {
            n: found.variant for n in range(4_000)
            if (found := decide(experiment(coverage=coverage), f"u{n}")).takes_part
        }  # fmt: skip
        assert before.items() <= now.items()
        assert abs(len(now) / 4_000 - coverage) < 0.03
        before = now
    assert decide(experiment(coverage=0.0), "u1").reason == "ramp"


def test_layers_are_mutually_exclusive() -> None:
    one = experiment(name="one", seed="one", layer="prompts", layer_range=(0.0, 0.5))
    two = experiment(name="two", seed="two", layer="prompts", layer_range=(0.5, 1.0))
    for n in range(2_000):
        assert decide(one, f"u{n}").takes_part != decide(two, f"u{n}").takes_part


def test_the_same_people_are_held_out_of_everything() -> None:
    one, two = experiment(seed="one", holdout=0.1), experiment(name="b", seed="two", holdout=0.1)
    held = {n for n in range(3_000) if decide(one, f"u{n}").reason == "holdout"}
    assert 200 < len(held) < 400
    assert held == {n for n in range(3_000) if decide(two, f"u{n}").reason == "holdout"}
    assert all(decide(one, f"u{n}").variant == "v1" for n in held)


def test_sticky_while_the_arm_is_there() -> None:
    held = Held("v2", 0.5)
    kept = decide(experiment(arms=(Arm("v1", 1.0), Arm("v2", 0.0))), "ada", held=held)
    assert (kept.variant, kept.reason, kept.propensity) == ("v2", "sticky", 0.5)
    gone = decide(experiment(arms=(Arm("v1", 1.0),)), "ada", held=held)
    assert (gone.variant, gone.reason) == ("v1", "assigned")


def test_the_propensity_is_that_of_the_leaf() -> None:
    contexts = (Context(0, {"plan": "pro"}, (0.1, 0.9)), Context(1, {"plan": "free"}, (0.9, 0.1)))
    adaptive = experiment(contexts=contexts)
    found = {decide(adaptive, f"u{n}", {"plan": "pro"}).propensity for n in range(200)}
    assert found == {0.1, 0.9}
    assert decide(adaptive, "ada", {}).leaf == -1


CONDITIONS = [
    ({"$not": {"name": "hello"}}, {"name": "world"}, True),
    ({"$not": {"name": "hello"}}, {"name": "hello"}, False),
    ({"pets.dog.name": {"$exists": False}}, {"pets": {"dog": {"name": "fido"}}}, False),
    ({"num": {"$in": [1, 2, 3]}}, {"num": 4}, False),
    ({"num": {"$in": 1}}, {"num": 1}, False),
    ({"tags": {"$in": ["a", "b"]}}, {"tags": ["d", "e", "a"]}, True),
    ({"tags": {"$nin": ["a", "b"]}}, {"tags": []}, True),
    ({"age": {"$gt": -10, "$lt": 10, "$gte": -9, "$lte": 9, "$ne": 10}}, {}, True),
    ({"n": {"$gt": "5", "$lt": "10"}}, {"n": 8}, True),
    ({"$or": []}, {"hello": "world"}, True),
    ({"word": {"$gt": "alphabet", "$lt": "zebra"}}, {"word": "AZL"}, False),
    ({"address.state": "CA"}, {"address": 123}, False),
    ({"name": {"$regx": "hello"}}, {"name": "hello"}, False),
    ({"$nor": [{"name": "john"}, {"age": {"$lt": 30}}]}, {"name": "jim", "age": 40}, True),
    ({"userId": None}, {}, True),
    ({"userId": False}, {}, False),
    ({"$or": [{"foo": 1}, {"bar": 1}], "baz": 2}, {"foo": 1, "bar": 2, "baz": 1}, False),
]


@pytest.mark.parametrize(("condition", "attributes", "expected"), CONDITIONS)
def test_growthbooks_condition_vectors(condition: dict, attributes: dict, expected: bool) -> None:
    assert holds(condition, attributes) is expected


@pytest.mark.parametrize("condition", [[], {"a": {"$regex": "("}}, {"$where": "1"}, {"$and": {}}, {"a": {"$in": 3}}])
def test_conditions_that_are_not_understood_are_refused(condition: object) -> None:
    with pytest.raises(ConditionError):
        check(condition)


def test_kept_on_disk_and_read_back(tmp_path) -> None:
    found = experiment(condition={"plan": "pro"}, contexts=(Context(0, {}, (0.5, 0.5)),))
    path = tmp_path / "deep" / "experiments.json"
    write_configuration(path, [found])
    assert read_configuration(path) == [found]
    path.write_text("{ no")
    assert read_configuration(path) == []
    assert experiment_from(content_of(found)) == found


@pytest.mark.parametrize(
    "changes",
    [
        {"arms": []}, {"arms": [{"name": "a", "weight": 0.5}]}, {"arms": [{"name": "a", "weight": 0.5}] * 2},
        {"default": "v9"}, {"coverage": 2}, {"unit": "team"}, {"layer_range": [0.5, 0.2]}, {"name": ""},
        {"condition": {"a": {"$regex": "x"}}}, {"contexts": [{"leaf": 0, "condition": {}, "weights": [1.0]}]},
        {"arms": [{"name": "a", "weight": 1.0, "payload": "x" * 30_000}]},
    ],
)  # fmt: skip
def test_configurations_that_cannot_be_used_are_refused(changes: dict) -> None:
    with pytest.raises(ConfigurationError):
        experiment_from(content_of(experiment()) | changes)


def test_growthbooks_sdk_gives_the_same_people_the_same_arms() -> None:
    ours = experiment(condition={"plan": "pro"}, coverage=0.6)
    for n in range(300):
        theirs = GrowthBook(
            attributes={"id": f"u{n}", "plan": "pro"}, features={"tone": growthbook_feature(ours)}
        ).get_feature_value("tone", None)
        assert theirs == decide(ours, f"u{n}", {"plan": "pro"}).variant


def test_a_decision_takes_less_than_50_microseconds() -> None:
    ours = experiment(condition={"plan": "pro"}, layer="prompts", layer_range=(0.0, 1.0), holdout=0.05)
    started = time.process_time()
    for n in range(2_000):
        decide(ours, f"user-{n}@example", {"plan": "pro"})
    assert (time.process_time() - started) / 2_000 < 50e-6
