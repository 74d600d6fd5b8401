"""What changed: an exact split into mix and rate, tests that know who voted, and no claim beyond the votes."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_pipeline.patterns.change import approval_change, kitagawa, repeated_failures, sensitivity
from feedback_pipeline.patterns.tables import APPROVAL_CHANGE, REPEATED_FAILURES
from feedback_pipeline.stats.intervals import wilson

DIMENSIONS = ["model", "prompt_version", "language", "intent"]
LAST = dt.date(2026, 11, 2)


def total(change, dimension=None):
    part = change.table.filter((pl.col("part") == "total") & pl.col("dimension").eq_missing(dimension))
    return part.to_dicts()[0]


def level(change, dimension, name):
    return change.table.filter(
        (pl.col("part") == "level") & (pl.col("dimension") == dimension) & (pl.col("level") == name)
    ).to_dicts()[0]


counts = st.lists(
    st.tuples(st.integers(0, 200), st.integers(0, 200)).flatmap(
        lambda n: st.tuples(st.just(n[0]), st.integers(0, n[0]), st.just(n[1]), st.integers(0, n[1]))
    ),
    min_size=1,
    max_size=8,
).filter(lambda rows: sum(r[0] for r in rows) > 0 and sum(r[2] for r in rows) > 0)


@given(counts)
@settings(max_examples=100, deadline=None)
def test_mix_and_rate_add_up_exactly_whatever_comes_or_goes(rows):
    votes, up, before, up_before = np.array(rows, dtype=float).T
    parts = kitagawa(votes, up, before, up_before)
    change = up.sum() / votes.sum() - up_before.sum() / before.sum()
    assert parts.mix.sum() + parts.rate.sum() == pytest.approx(change, abs=1e-12)
    gone = (votes == 0) | (before == 0)
    assert parts.rate[gone] == pytest.approx(np.zeros(gone.sum()))


def test_a_pure_mix_shift_is_all_mix():
    parts = kitagawa(np.array([20.0, 80.0]), np.array([18.0, 40.0]), np.array([80.0, 20.0]), np.array([72.0, 10.0]))
    assert parts.rate == pytest.approx([0.0, 0.0])
    assert parts.mix.sum() == pytest.approx(0.58 - 0.82)


@pytest.mark.parametrize(("now", "before", "reason"), [
    (0, 0, "no votes"), (0, 500, "no votes"), (500, 0, "no votes the week before"),
])  # fmt: skip
def test_a_missing_week_gives_no_change_but_the_reason(make_facts, week, now, before, reason):
    change = approval_change(make_facts(now), make_facts(before, day=LAST), DIMENSIONS, week=week)
    assert change.reason == reason
    assert change.change.estimate is None
    assert APPROVAL_CHANGE.problems(change.table) == []
    assert total(change)["change"] is None
    assert (total(change)["approval_rate"] is None) == (now == 0)


def test_one_vote_and_one_voter_give_no_interval(make_facts, week):
    change = approval_change(make_facts(1), make_facts(10_000, people=1, day=LAST), DIMENSIONS, week=week)
    assert change.reason == "all votes are from one person"
    assert (change.change.low, total(change)["p_value"]) == (None, None)


def test_weeks_that_are_all_up_give_no_test_and_no_division_by_zero(make_facts, week):
    up = pl.lit(1, dtype=pl.Int8).alias("verdict")
    change = approval_change(
        make_facts(300).with_columns(up), make_facts(300, day=LAST).with_columns(up), DIMENSIONS, week=week
    )
    assert change.change.estimate == 0.0
    assert change.reason == "every vote of both weeks is the same"
    assert total(change)["sensitivity"] is None


def test_a_level_that_fell_is_found_and_the_others_are_not(make_facts, week):
    now = make_facts(8_000, seed=1, planted=(({"model": "model_1"}, 0.15),))
    change = approval_change(now, make_facts(8_000, seed=2, day=LAST), DIMENSIONS, week=week)
    assert APPROVAL_CHANGE.problems(change.table) == []
    moved = change.table.filter((pl.col("part") == "level") & (pl.col("q_value") <= 0.05))
    assert moved.filter(~pl.col("dimension").str.contains("×"))["level"].to_list() == ["model_1"]
    fallen = level(change, "model", "model_1")
    assert fallen["change_low"] < -0.15 < fallen["change_high"]


def test_the_parts_of_each_dimension_are_the_whole_change(make_facts, week):
    change = approval_change(
        make_facts(3_000, seed=1), make_facts(2_000, seed=2, base=0.3, day=LAST), DIMENSIONS, week=week
    )
    for row in change.table.filter((pl.col("part") == "total") & pl.col("dimension").is_not_null()).to_dicts():
        assert row["mix"] + row["rate"] == pytest.approx(total(change)["change"], abs=1e-12)
        levels = change.table.filter((pl.col("part") == "level") & (pl.col("dimension") == row["dimension"]))
        assert levels["mix"].sum() == pytest.approx(row["mix"])
        assert levels["rate"].sum() == pytest.approx(row["rate"])


def test_the_pair_that_explains_a_joint_shift_is_named(make_facts, week):
    # Shares of model and language alone stay; together they move towards the bad corner.
    rng = np.random.default_rng(0)

    def facts(seed, together):
        base = make_facts(8_000, seed=seed)
        model = rng.integers(0, 2, 8_000)
        same = rng.random(8_000) < together
        language = np.where(same, model, 1 - model)
        down = rng.random(8_000) < np.where(model == language, 0.5, 0.1)
        return base.with_columns(
            model=pl.Series([f"m{x}" for x in model]),
            language=pl.Series([f"l{x}" for x in language]),
            verdict=pl.Series(np.where(down, -1, 1), dtype=pl.Int8),
        )

    change = approval_change(facts(1, 0.7), facts(2, 0.3), ["model", "language", "intent"], week=week)
    pair = total(change, "language × model")
    assert pair["mix"] == pytest.approx(-0.16, abs=0.03)
    assert abs(total(change, "model")["mix"]) < 0.01


def test_releases_are_first_appearances(make_facts, week):
    last = make_facts(2_000, seed=1, day=LAST).filter(pl.col("model").cast(pl.String) != "model_5")
    now = pl.concat([make_facts(1_000, seed=2), make_facts(1_000, seed=3, day=week + dt.timedelta(days=3))])
    now = now.filter((pl.col("model").cast(pl.String) != "model_5") | (pl.col("day") > week))
    change = approval_change(now, last, DIMENSIONS, week=week)
    releases = change.table.filter(pl.col("part") == "first_seen")
    assert releases.select("dimension", "level", "first_seen").rows() == [
        ("model", "model_5", week + dt.timedelta(days=3))
    ]
    known = approval_change(now, last, DIMENSIONS, week=week, seen_before={"model": ["model_5"]})
    assert known.table.filter(pl.col("part") == "first_seen").is_empty()


def test_a_null_level_is_a_level_of_its_own(make_facts, week):
    gone = pl.when(pl.col("model").cast(pl.String) == "model_0").then(None).otherwise(pl.col("model")).alias("model")
    change = approval_change(
        make_facts(2_000, seed=1).with_columns(gone), make_facts(2_000, seed=2, day=LAST), DIMENSIONS, week=week
    )
    unknown = change.table.filter(
        (pl.col("dimension") == "model") & pl.col("level").is_null() & (pl.col("part") == "level")
    )
    assert unknown["previous_votes"].to_list() == [0]
    assert unknown["rate"].to_list() == [0.0]


def test_tags_have_level_tests_but_no_mix(make_facts, week):
    tags = pl.Series("tags", [["a", "b"]] * 1_000)
    change = approval_change(
        make_facts(1_000).with_columns(tags), make_facts(1_000, seed=1).with_columns(tags), ["tags"], week=week
    )
    assert change.table.filter(pl.col("part") == "level")["mix"].null_count() == 2
    assert level(change, "tags", "a")["votes"] == 1_000


def test_two_week_test_holds_its_level_for_people_who_vote_often(week):
    rng = np.random.default_rng(1)
    false = 0
    for _ in range(150):
        leaning = 1 / (1 + np.exp(-(1.4 + rng.normal(0, 1, 200))))
        frames = []
        for day in (week, LAST):
            person = np.repeat(np.arange(200), np.minimum(rng.zipf(1.8, 200), 40))
            up = rng.random(person.size) < leaning[person]
            frames.append(
                pl.DataFrame(
                    {
                        "interaction_id": [str(i) for i in range(person.size)],
                        "day": [day] * person.size,
                        "person": pl.Series(person, dtype=pl.UInt64),
                        "verdict": pl.Series(np.where(up, 1, -1), dtype=pl.Int8),
                    }
                )
            )
        false += approval_change(frames[0], frames[1], [], week=week).table["p_value"][0] <= 0.05
    assert false <= 15  # 5 % of 150 is 7.5; 15 lies 2.8 standard errors above


def test_response_rates_and_sensitivity_stand_beside_the_rate(make_facts, week):
    now, last = make_facts(1_000, seed=1, base=0.3), make_facts(1_000, seed=2, base=0.2, day=LAST)
    answers = pl.DataFrame(
        {"dimension": [None, "model"], "level": [None, "model_1"], "answers": [20_000, 4_000]},
        schema={"dimension": pl.String, "level": pl.String, "answers": pl.Int64},
    )
    before = answers.with_columns(answers=pl.col("answers") * 2)
    change = approval_change(now, last, DIMENSIONS, week=week, answers=answers, previous_answers=before)
    whole = total(change)
    assert (whole["response_rate"], whole["previous_response_rate"]) == (0.05, 0.025)
    assert "more than 20 %" in whole["reason"]
    inside = now.filter(pl.col("model").cast(pl.String) == "model_1").height
    assert level(change, "model", "model_1")["response_rate"] == pytest.approx(inside / 4_000)
    assert level(change, "model", "model_2")["response_rate"] is None


def test_sensitivity_solves_the_response_formula():
    # True approval 0.8 in both weeks; the unhappy answer 1 × as readily as the happy before, 2 × now.
    previous, now = wilson(800, 1_000), wilson(800, 1_200)
    assert sensitivity(now, previous) == pytest.approx(2.0)
    assert sensitivity(wilson(10, 10), previous) is None
    assert sensitivity(wilson(0, 0), previous) is None


def test_order_of_rows_changes_nothing(make_facts, week):
    now, last = make_facts(2_000, seed=1), make_facts(2_000, seed=2, day=LAST)
    straight = approval_change(now, last, DIMENSIONS, week=week).table
    now, last = (frame.sample(fraction=1.0, shuffle=True, seed=5) for frame in (now, last))
    turned = approval_change(now, last, DIMENSIONS[::-1], week=week).table
    assert straight.equals(turned)


# Repeated failures


def failures(*rows):
    schema = {"feedback_id": pl.String, "prompt_key": pl.String, "answer_key": pl.String, "action_type": pl.String,
              "verdict": pl.Int8, "person": pl.UInt64}  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def test_the_same_failure_more_than_twice_is_reported(week):
    rows = [(f"f{i}", "p", "a", "todo", -1, i // 2) for i in range(4)]
    rows += [(f"g{i}", "p", "a", "mail", -1, i) for i in range(2)] + [("h", "p", "a", "todo", 1, 9)]
    rows += [(f"n{i}", None, "a", "todo", -1, i) for i in range(9)]
    repeated = repeated_failures(failures(*rows), week=week)
    assert REPEATED_FAILURES.problems(repeated) == []
    assert repeated.drop("week", "failure_id").rows() == [("todo", 4, 5, 2, ["f0", "f2"])]


def test_repeated_failures_are_the_twenty_most_frequent_and_keep_their_id(week):
    rows = [(f"{p}-{i}", f"p{p:02d}", "a", None, -1, i) for p in range(25) for i in range(3 + p)]
    repeated = repeated_failures(failures(*rows), week=week)
    assert repeated.height == 20
    assert repeated["down"].to_list() == sorted(repeated["down"].to_list(), reverse=True)
    again = repeated_failures(failures(*rows[::-1]), week=week)
    assert repeated.equals(again)


def test_no_votes_are_no_failures(week):
    assert repeated_failures(failures(), week=week).schema == REPEATED_FAILURES.schema
