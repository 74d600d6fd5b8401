"""Readouts of experiments from units and signals."""

import datetime as dt
import time

import numpy as np
import polars as pl
import pytest
from feedback_client.assignment import Arm, Experiment

from feedback_pipeline.experiments.readout import SIGNALS, UNITS, Seen, read_experiment
from feedback_pipeline.experiments.registry import Plan, Registered
from feedback_pipeline.experiments.tables import EXPERIMENT_READOUT

START = dt.datetime(2026, 11, 2, tzinfo=dt.UTC)
DAY = dt.date(2026, 11, 20)
EXPERIMENT = Experiment("tone", 1, (Arm("v1", 0.5), Arm("v2", 0.5)), "v1", "tone")


def registered(**plan: object) -> Registered:
    return Registered("default", EXPERIMENT, "running", Plan(**plan), False, START, START, None, None)


def world(
    people: int = 2_000, rates: tuple[float, float] = (0.7, 0.8), *, share: float = 0.5, refused: float = 0.02,
    seed: int = 0, votes: int = 1,
) -> Seen:  # fmt: skip
    rng = np.random.default_rng(seed)
    arm = rng.random(people) < share
    units = pl.DataFrame({
        "unit": [f"p{n}" for n in range(people)], "version": 1, "leaf": None,
        "variant": np.where(arm, "v2", "v1"), "propensity": 0.5, "assigned_at": START,
        "exposed_at": START + dt.timedelta(hours=1),
    }, schema=UNITS)  # fmt: skip
    who = np.repeat(np.arange(people), votes)
    up = rng.random(who.size) < np.where(arm[who], rates[1], rates[0])
    bad = rng.random(who.size) < np.where(arm[who], refused, 0.02)
    at = START + dt.timedelta(days=2)
    signals = pl.concat([
        pl.DataFrame({"unit": units["unit"].gather(who), "at": at, "measure": name, "value": values.astype(float)},
                     schema=SIGNALS)
        for name, values in (("approval", up), ("refused", bad))
    ])  # fmt: skip
    return Seen(units, signals)


def read(seen: Seen, **plan: object) -> dict[str, dict]:
    rows = read_experiment(registered(**plan), {1: EXPERIMENT}, seen, DAY)
    assert EXPERIMENT_READOUT.problems(rows) == []
    return {row["measure"]: row for row in rows.to_dicts()}


def test_a_real_difference_is_better_and_shrunk() -> None:
    found = read(world())["approval"]
    assert found["verdict"] == "better"
    assert found["sequence_low"] > 0
    assert found["low"] > found["sequence_low"]
    assert 0 < found["expected"] < found["difference"]


def test_votes_before_the_exposure_are_history_and_no_outcome() -> None:
    seen = world(rates=(0.5, 0.5))
    early = seen.signals.filter(pl.col("measure") == "approval").with_columns(
        at=pl.lit(START - dt.timedelta(days=3)), value=pl.lit(1.0)
    )
    before = read(Seen(seen.units, pl.concat([seen.signals, early])))["approval"]
    plain = read(seen)["approval"]
    assert before["value"] == plain["value"]
    assert before["people"] == plain["people"]


def test_a_broken_split_says_so_and_nothing_else() -> None:
    found = read(world(people=20_000, share=0.55))["approval"]
    assert found["verdict"] == "broken_assignment"
    assert found["difference"] is None
    assert found["expected"] is None


def test_a_guardrail_stops_a_better_arm() -> None:
    assert read(world(refused=0.3))["approval"]["verdict"] == "guardrail"
    assert read(world(refused=0.02))["refused"]["role"] == "guardrail"


@pytest.mark.parametrize(
    "seen",
    [
        Seen(pl.DataFrame(schema=UNITS), pl.DataFrame(schema=SIGNALS)),
        world(people=40),
        Seen(world().units, pl.DataFrame(schema=SIGNALS)),
        Seen(world().units, world().signals.with_columns(unit=pl.lit("p1"))),
    ],
    ids=["nobody", "few", "no votes", "one person"],
)
def test_too_little_is_too_early(seen: Seen) -> None:
    found = read(seen)["approval"]
    assert found["verdict"] == "too_early"
    assert found["difference"] is None
    assert "fewer than" in found["reason"]


def test_one_dead_arm_is_a_broken_assignment() -> None:
    seen = world()
    alone = Seen(seen.units.with_columns(variant=pl.lit("v1")), seen.signals)
    assert read(alone)["approval"]["verdict"] == "broken_assignment"


def test_a_person_with_a_hundred_votes_is_one_person() -> None:
    seen = world(people=400, rates=(0.7, 0.7), votes=100)
    found = read(seen)["approval"]
    assert found["people"] + found["people_control"] == 400
    assert found["high"] - found["low"] < 0.05


def test_a_hundred_thousand_assignments_are_read_in_a_second() -> None:
    seen = world(people=100_000)
    started = time.process_time()
    found = read(seen)["approval"]
    used = time.process_time() - started
    assert found["people"] + found["people_control"] == 100_000
    assert used < 3, f"{used:.1f} s of CPU on a busy machine; a million in make bench"
