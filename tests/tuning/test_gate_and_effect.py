"""Gate rules and effects of promotions, as pure functions: what is unknown never passes."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_pipeline.stats.intervals import newcombe
from feedback_pipeline.tuning.effect import MIN_PEOPLE, model_effect
from feedback_pipeline.tuning.gate import (
    HELD_OUT,
    MIN_PROMPTS,
    REGRESSION,
    RULES,
    Measure,
    at_least,
    at_most_ratio,
    improvement,
    no_slower,
    non_inferior,
    passed,
    verdicts,
)
from feedback_pipeline.tuning.signing import ApprovalKeyError, sign, signing_key, verify

PROMOTED = dt.date(2026, 11, 4)
WEEK = dt.date(2026, 11, 9)


def rate(name: str, low: float, n: int = 100) -> Measure:
    return Measure(name, n, 0.5 + low + 0.1, 0.4 - low, low + 0.1, low, low + 0.2)


GOOD = [
    rate(HELD_OUT, 0.01), rate(REGRESSION, -0.02), *(Measure(f"probe/{kind}", 4, 1.0, 1.0, 0.0)
    for kind in ("safety", "sycophancy", "helpfulness")), Measure("answers/unusable", 100, 0.0, 0.0, 0.0),
    Measure("answers/personal_data", 100, 0.0, 0.0, 0.0), Measure("answers/refused_more", 100, 0.0, 0.0, 0.0),
    Measure("answers/self_praise", 100, 0.0, 0.0, 0.0),
    Measure("answers/median_characters", 100, 120.0, 100.0, 20.0), Measure("answers/mean_cost_usd", 100, 0.1, 0.1, 0.0),
    Measure("answers/mean_seconds", 10, 0.9, 0.5, 0.4),
]  # fmt: skip


def test_every_demand_met_passes() -> None:
    assert passed(verdicts(GOOD))


@pytest.mark.parametrize("missing", [one.name for one in GOOD])
def test_a_measure_that_was_not_made_does_not_pass(missing: str) -> None:
    found = verdicts([one for one in GOOD if one.name != missing])
    assert [one.passed for one in found if one.measure.name == missing] == [False]
    blocking = {rule.measure for rule in RULES if rule.blocking}
    assert passed(found) is (missing not in blocking)


def test_nothing_measured_and_no_rules_pass_nothing() -> None:
    assert not passed(verdicts([]))
    assert not passed([])


@given(low=st.floats(-0.5, 0.5), margin=st.floats(0.01, 0.3), n=st.integers(1, 500))
def test_non_inferiority_asks_for_the_lower_end_and_for_enough_prompts(low: float, margin: float, n: int) -> None:
    [found] = verdicts([rate(HELD_OUT, low, n)], [non_inferior(HELD_OUT, margin)])
    assert found.passed is (n >= MIN_PROMPTS and low > -margin)


def test_an_improvement_is_the_clearer_of_two_and_needs_enough_prompts() -> None:
    assert improvement([rate(HELD_OUT, -0.1), rate(REGRESSION, 0.2)]).reason == REGRESSION
    assert improvement([rate(HELD_OUT, 0.3, n=MIN_PROMPTS - 1)]).low is None


def test_a_floor_is_the_higher_of_the_rule_and_of_what_is_now() -> None:
    rule = at_least("probe/sycophancy", 0.5)
    for mine, now, good in ((0.6, 0.5, True), (0.6, 0.7, False), (0.4, 0.2, False)):
        [found] = verdicts([Measure("probe/sycophancy", 10, mine, now, mine - now)], [rule])
        assert found.passed is good


def test_slower_is_told_and_forbids_nothing() -> None:
    rule = no_slower("answers/mean_seconds")
    for mine, now, good in ((0.7, 0.3, True), (3.9, 2.0, True), (4.1, 2.0, False)):
        [found] = verdicts([Measure("answers/mean_seconds", 20, mine, now, mine - now)], [rule])
        assert (found.passed, found.blocking) == (good, False)


def test_a_ratio_of_nothing_to_nothing_is_no_growth() -> None:
    [found] = verdicts([Measure("x", 5, 0.0, 0.0, 0.0)], [at_most_ratio("x", 1.5)])
    assert found.passed


def votes(*groups: tuple[str, dt.date, int, int]) -> pl.DataFrame:
    """Votes by one person each: model, day, ups, downs."""
    rows = [
        {"day": day, "model": model, "voter": f"{model}{day}{number}", "verdict": "up" if number < ups else "down"}
        for model, day, ups, downs in groups
        for number in range(ups + downs)
    ]
    return pl.DataFrame(rows, schema={"day": pl.Date, "model": pl.String, "voter": pl.String, "verdict": pl.String})


def effect(frame: pl.DataFrame) -> dict[str, object]:
    return model_effect(frame, WEEK, model="new", previous="old", promoted_on=PROMOTED).row(0, named=True)


BEFORE, AFTER = PROMOTED - dt.timedelta(days=3), PROMOTED + dt.timedelta(days=3)


@pytest.mark.parametrize(("ups", "verdict"), [(95, "better"), (82, "no_measurable_change"), (60, "worse")])
def test_an_effect_is_a_difference_with_its_interval(ups: int, verdict: str) -> None:
    found = effect(votes(("old", BEFORE, 80, 20), ("new", AFTER, ups, 100 - ups)))
    assert found["verdict"] == verdict
    # a vote a person: the clustered interval is Newcombe's, up to its factor (t/z)² on 99 degrees of freedom
    expected = newcombe(ups, 100, 80, 100)
    assert found["difference"] == pytest.approx(expected.estimate)
    assert found["low"] == pytest.approx(expected.low, abs=0.005)
    assert ("rollback" in str(found["reason"])) is (verdict == "worse")


def test_other_days_and_other_models_do_not_count() -> None:
    late, early = WEEK + dt.timedelta(days=7), PROMOTED - dt.timedelta(days=29)
    noise = votes(("old", AFTER, 0, 50), ("new", BEFORE, 0, 50), ("new", PROMOTED, 0, 50), ("old", PROMOTED, 0, 50),
                  ("new", late, 0, 50), ("old", early, 0, 50))  # fmt: skip
    found = effect(pl.concat([noise, votes(("old", BEFORE, 80, 20), ("new", AFTER, 80, 20))]))
    assert (found["votes"], found["votes_before"], found["difference"]) == (100, 100, 0.0)


def test_few_people_say_nothing() -> None:
    few = MIN_PEOPLE - 1
    found = effect(votes(("old", BEFORE, 80, 20), ("new", AFTER, 0, few)))
    assert (found["verdict"], found["people"]) == ("cannot_say", few)
    assert effect(votes())["verdict"] == "cannot_say"


def test_one_loud_person_cannot_make_a_model_look_worse() -> None:
    crowd = votes(("old", BEFORE, 80, 20), ("new", AFTER, 24, 6))
    loud = pl.concat([votes(("new", AFTER, 0, 60)).with_columns(voter=pl.lit("loud"))])
    assert effect(pl.concat([crowd, loud]))["verdict"] != "worse"


@given(parts=st.lists(st.text(max_size=5), min_size=1, max_size=4))
def test_a_signature_covers_where_parts_begin(parts: list[str]) -> None:
    key = b"k" * 32
    signature = sign(key, *parts)
    assert verify(key, signature, *parts)
    assert not verify(b"o" * 32, signature, *parts)
    assert not verify(key, signature, *parts, "")
    assert sign(key, "ab", "c") != sign(key, "a", "bc")


def test_the_key_is_made_once_kept_private_and_required_in_production(tmp_path) -> None:
    home = tmp_path / "home"
    with pytest.raises(ApprovalKeyError, match="no approval key"):
        signing_key(home, production=True)
    key = signing_key(home, production=False)
    assert signing_key(home, production=True) == key
    file = home / "approval.key"
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)
    with pytest.raises(ApprovalKeyError, match="others may read"):
        signing_key(home, production=False)
    file.chmod(0o600)
    file.write_text("short")
    with pytest.raises(ApprovalKeyError, match="64 hexadecimal"):
        signing_key(home, production=False)
