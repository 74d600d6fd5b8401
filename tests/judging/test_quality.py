"""Calibration, corrected quality and version comparison on a world whose truth is known."""

import numpy as np
import polars as pl
import pytest

from feedback_pipeline.judging.calibration import calibrate
from feedback_pipeline.judging.correction import accuracy
from feedback_pipeline.judging.quality import judged_quality
from feedback_pipeline.judging.tables import JUDGE_CALIBRATION, JUDGED_QUALITY, VERSION_COMPARISON
from feedback_pipeline.judging.versions import (
    Comparison,
    averages_by_version,
    compare_versions,
    judge_prompt_versions,
    mcnemar_exact,
    paired_comparison,
)
from tests.support.judged_world import EMPTY_VERDICTS, RATES, World, world


@pytest.fixture(scope="module")
def honest() -> World:
    return world()


def quality(of: World, **settings: object) -> dict[str, dict[str, object]]:
    frame = judged_quality(of.sample, of.judgements, of.verdicts, **settings)  # type: ignore[arg-type]
    assert JUDGED_QUALITY.problems(frame) == []
    return {row["slice"]: row for row in frame.iter_rows(named=True)}


def statistics(of: World) -> dict[str, dict[str, object]]:
    frame = calibrate(of.judgements, of.verdicts)
    assert JUDGE_CALIBRATION.problems(frame) == []
    return {row["statistic"]: row for row in frame.iter_rows(named=True)}


def test_the_raw_rate_is_wrong_and_the_corrected_interval_holds_the_truth(honest: World) -> None:
    row = quality(honest)["all"]
    # The judge says up to 0.75·0.7 + 0.1·0.3 ≈ 0.555 where people say 0.7.
    assert row["raw_high"] < honest.true_rate
    assert row["low"] < honest.true_rate < row["high"]
    assert row["method"] == "ppi++"
    assert row["reason"] is None


def test_corrected_rates_of_slices_cover_their_truths() -> None:
    covered = total = 0
    for seed in range(25):
        rows = quality(world(seed, 3000, size=900))
        for version, truth in RATES.items():
            covered += rows[version]["low"] <= truth <= rows[version]["high"]
            total += 1
    # Nominal 47.5 of 50; four binomial standard deviations are 6.
    assert covered / total >= 0.85


def test_without_labels_nothing_is_corrected_and_the_row_says_so(honest: World) -> None:
    row = quality(World(honest.sample, honest.judgements, EMPTY_VERDICTS, 0.0))["all"]
    assert row["corrected_rate"] is row["low"] is row["high"] is None
    assert row["reason"] == "not_enough_labels"
    assert row["raw_rate"] is not None


def test_labels_of_one_class_correct_nothing() -> None:
    row = quality(world(only_ups_vote=True))["all"]
    assert (row["corrected_rate"], row["reason"]) == (None, "labels_of_one_class_only")


@pytest.mark.parametrize(("sensitivity", "specificity"), [(0.5, 0.5), (0.3, 0.4)])
def test_a_judge_no_better_than_chance_corrects_nothing(sensitivity: float, specificity: float) -> None:
    useless = world(sensitivity=sensitivity, specificity=specificity)
    for row in quality(useless).values():
        assert (row["corrected_rate"], row["reason"]) == (None, "judge_no_better_than_chance")
    for row in compare(useless).filter(pl.col("measure") == "corrected_up_rate").iter_rows(named=True):
        assert (row["difference"], row["reason"]) == (None, "judge_no_better_than_chance")


def test_unscored_answers_bound_the_rate_and_never_count_as_down(honest: World) -> None:
    lost = honest.judgements.with_columns(
        pl.when(pl.int_range(pl.len()) % 4 == 0).then(pl.lit("api_error")).otherwise("status").alias("status")
    )
    row = quality(World(honest.sample, lost, honest.verdicts, honest.true_rate))["all"]
    full = quality(honest)["all"]
    assert row["unscored"] == pytest.approx(honest.sample.height / 4, abs=1)
    assert row["worst_rate"] < full["raw_rate"] < row["best_rate"]
    # A quarter is missing at random: the rate stays where it was.
    assert row["raw_rate"] == pytest.approx(full["raw_rate"], abs=0.05)


def test_accuracy_of_earlier_weeks_corrects_all_answers_but_no_slice(honest: World) -> None:
    random = np.random.default_rng(1)
    truth = random.random(2000) < 0.7
    judged = random.random(2000) < np.where(truth, 0.75, 0.1)
    mark = str(honest.judgements["fingerprint"][0])
    rows = quality(
        World(honest.sample, honest.judgements, EMPTY_VERDICTS, 0.0), earlier={mark: accuracy(judged, truth)}
    )
    assert rows["all"]["method"] == "rogan_gladen"
    assert rows["all"]["low"] < honest.true_rate < rows["all"]["high"]
    assert rows["v1"]["reason"] == "not_enough_labels"


def test_calibration_recovers_the_judges_error_rates(honest: World) -> None:
    measured = statistics(honest)
    for name, truth in (("sensitivity", 0.75), ("specificity", 0.9), ("youden", 0.65), ("unscored_share", 0.0)):
        assert measured[name]["low"] <= truth <= measured[name]["high"], name
    assert measured["cohen_kappa"]["low"] > 0.3
    assert measured["alternative_annotator_winning_rate"]["reason"] == "no_annotator_shares_enough_items"


def test_calibration_without_labels_gives_reasons_not_numbers(honest: World) -> None:
    measured = statistics(World(honest.sample, honest.judgements, EMPTY_VERDICTS, 0.0))
    for name in ("cohen_kappa", "sensitivity", "specificity", "youden", "length_bias", "people_up_rate"):
        assert measured[name]["value"] is None
        assert measured[name]["reason"]
    assert measured["unscored_share"]["value"] == 0.0


def test_votes_of_a_criterion_never_calibrate_another(honest: World) -> None:
    about_tone = honest.verdicts.with_columns(pl.lit("tone").alias("criterion"))
    measured = statistics(World(honest.sample, honest.judgements, about_tone, 0.0))
    assert measured["observed_agreement"]["reason"] == "not_enough_labels"


def test_people_of_several_votes_are_measured_against_each_other_and_the_judge() -> None:
    base = world(3, sensitivity=0.55, specificity=0.6)
    votes = [
        base.verdicts.with_columns(
            pl.lit(f"annotator {number}").alias("voter"),
            pl.when(pl.int_range(pl.len()) % 10 == number)
            .then(pl.col("verdict").replace({"up": "down", "down": "up"}))
            .otherwise("verdict")
            .alias("verdict"),
        )
        for number in range(3)
    ]
    measured = statistics(World(base.sample, base.judgements, pl.concat(votes), base.true_rate))
    # Each pair of annotators differs on 2 of 10 answers: alpha about 1 − 0.2/0.42 = 0.5.
    assert measured["people_krippendorff_alpha"]["value"] == pytest.approx(0.5, abs=0.1)
    # People agree with each other on 80 %, the judge with them on about 55 %: it may replace none of them.
    assert measured["alternative_annotator_winning_rate"]["value"] == 0.0


def compare(of: World, prompts: pl.DataFrame | None = None) -> pl.DataFrame:
    frame = compare_versions(of.sample, of.judgements, of.verdicts, prompts=prompts)
    assert VERSION_COMPARISON.problems(frame) == []
    return frame


def test_a_better_version_is_found_and_its_corrected_gain_covers_the_truth(honest: World) -> None:
    rows = {row["measure"]: row for row in compare(honest).iter_rows(named=True)}
    gain = RATES["v2"] - RATES["v1"]
    assert rows["corrected_up_rate"]["low"] < gain < rows["corrected_up_rate"]["high"]
    assert rows["up_rate"]["q_value"] < 0.05
    assert rows["up_rate"]["detectable"] < gain
    # The judge shrinks the difference by Youden's J = 0.65.
    assert rows["up_rate"]["difference"] == pytest.approx(0.65 * gain, abs=0.08)


def test_equal_versions_are_rarely_told_apart() -> None:
    found = 0
    for seed in range(30):
        of = world(seed, 1500, size=500)
        shuffled = of.sample.with_columns(
            pl.Series("prompt_version", np.random.default_rng(seed).choice(["v1", "v2"], of.sample.height))
        )
        frame = compare(World(shuffled, of.judgements, of.verdicts, 0.0))
        found += int((frame.filter(pl.col("measure") == "up_rate")["p_value"] < 0.05).sum())
    # Nominal 1.5 of 30; four binomial standard deviations are 5.
    assert found <= 6


def test_versions_that_answered_the_same_prompts_are_compared_in_pairs(honest: World) -> None:
    keys = honest.sample.select(
        "interaction_id", (pl.col("interaction_id").cast(pl.Int64) % 50).cast(pl.String).alias("prompt_key")
    )
    paired = compare(honest, keys).filter(pl.col("design") == "paired")
    assert paired["difference"].null_count() == 0
    few = keys.with_columns(pl.lit("the same").alias("prompt_key"))
    reasons = compare(honest, few).filter(pl.col("design") == "paired")["reason"]
    assert reasons.unique().to_list() == ["not_enough_shared_prompts"]


def test_paired_outcomes_are_tested_exactly() -> None:
    a = np.array([1.0] * 3 + [0.0] * 12 + [1.0] * 20)
    b = np.array([0.0] * 3 + [1.0] * 12 + [1.0] * 20)
    compared = paired_comparison(a, b)
    # 3 against 12 discordant: two-sided binomial tail 2·P(X ≤ 3 | 15, ½) = 1152/32768.
    assert mcnemar_exact(3, 12) == pytest.approx(1152 / 32768)
    assert getattr(compared, "p_value") == pytest.approx(1152 / 32768)  # noqa: B009


def test_evaluating_prompt_versions_gives_the_averages_of_the_old_contract() -> None:
    class Rater:
        name = fingerprint = "rater"
        criteria = ("clarity", "usefulness")

        def judge_answers(self, answers: pl.DataFrame) -> pl.DataFrame:
            asked = answers.join(pl.DataFrame({"criterion": list(self.criteria)}), how="cross")
            good = pl.col("answer").str.starts_with("good")
            return asked.select(
                "interaction_id",
                "criterion",
                pl.lit("ok").alias("status"),
                pl.when(good).then(1.0).otherwise(0.25).alias("score"),
                pl.when(good).then(5.0).otherwise(2.0).alias("rating"),
                pl.when(good).then(pl.lit("up")).otherwise(pl.lit("down")).alias("verdict"),
            )

    logged = pl.DataFrame(
        {
            "interaction_id": ["1", "2", "3", "4"],
            "prompt": ["p"] * 4,
            "answer": ["good", "bad", "good", "good"],
            "prompt_version": ["v1", "v1", "v2", "v2"],
        }
    )
    averages = averages_by_version(judge_prompt_versions(logged, Rater()))
    assert averages == {
        "v1": {"avg_clarity": 3.5, "avg_usefulness": 3.5},
        "v2": {"avg_clarity": 5.0, "avg_usefulness": 5.0},
    }


def test_the_same_input_in_another_order_gives_the_same_rows(honest: World) -> None:
    shuffled = World(
        honest.sample.sample(fraction=1, shuffle=True, seed=1),
        honest.judgements.sample(fraction=1, shuffle=True, seed=2),
        honest.verdicts.sample(fraction=1, shuffle=True, seed=3),
        honest.true_rate,
    )
    assert judged_quality(honest.sample, honest.judgements, honest.verdicts).equals(
        judged_quality(shuffled.sample, shuffled.judgements, shuffled.verdicts)
    )
    assert calibrate(honest.judgements, honest.verdicts).equals(calibrate(shuffled.judgements, shuffled.verdicts))
    assert compare(honest).equals(compare(shuffled))


def test_a_judge_that_gives_all_answers_one_score_tells_no_versions_apart() -> None:
    """0.1 + 0.2 is not 0.3: means over different numbers of answers differ by rounding, which is no difference."""
    of = world(7, 1500, size=500)
    alike = of.judgements.with_columns(score=pl.lit(0.1 + 0.2), verdict=pl.lit("up"))
    keys = of.sample.select(
        "interaction_id", (pl.col("interaction_id").cast(pl.Int64) % 50).cast(pl.String).alias("prompt_key")
    )
    frame = compare(World(of.sample, alike, EMPTY_VERDICTS, 0.0), keys).filter(pl.col("p_value").is_not_null())
    assert frame.height == 4
    assert frame["p_value"].to_list() == [1.0] * 4
    assert ((frame["low"] < 0) & (frame["high"] > 0)).all()


def test_versions_without_any_spread_are_told_apart_only_as_far_as_their_number_allows() -> None:
    """20 answers all up against 20 all down: 2·½^20 on either side, and an interval that is not a point."""
    a, b = np.zeros(20), np.ones(20)
    compared = paired_comparison(a, b + 1e-16)
    assert isinstance(compared, Comparison)
    assert compared.p_value == pytest.approx(2 * 0.5**20)
    assert compared.difference.low == pytest.approx(1 - (1 - 0.05 ** (1 / 20)))
