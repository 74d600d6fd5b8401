"""A judge that changes is noticed, one that does not is left in peace; a rubric wins only by people's verdicts."""

import numpy as np
import polars as pl
import pytest

from feedback_pipeline.judging.acceptance import RubricTest, accept_rubric, held_out
from feedback_pipeline.judging.backends.recorded import RecordedJudge
from feedback_pipeline.judging.drift import ANCHORS, MIN_SHIFT, choose_anchors, judge_drift
from feedback_pipeline.judging.rubrics import Example, read_rubric
from feedback_pipeline.judging.tables import JUDGE_ANCHORS
from feedback_pipeline.judging.versions import Comparison
from feedback_pipeline.stats.no_result import NoResult

FloatArray = np.ndarray[tuple[int], np.dtype[np.float64]]


def anchors(scores: FloatArray, family: str = "f", model: str = "m-1") -> pl.DataFrame:
    """A week's anchors with these scores."""
    frame = pl.DataFrame({"score": np.clip(scores, 0, 1)}).with_columns(
        pl.format("a{}", pl.int_range(pl.len())).alias("interaction_id"),
        pl.lit(family).alias("family"),
        pl.lit("judge").alias("judge"),
        pl.lit(f"{family}/{model}").alias("fingerprint"),
        pl.lit("satisfaction").alias("criterion"),
        pl.lit("ok").alias("status"),
        pl.lit(model).alias("model_returned"),
        pl.lit(0.5).alias("human_value"),
    )
    return JUDGE_ANCHORS.conform(frame)


def test_a_shift_of_all_scores_is_drift_and_names_the_models() -> None:
    random = np.random.default_rng(1)
    before = random.uniform(0.2, 0.7, 50)
    now = anchors(before + 0.15 + random.normal(0, 0.05, 50), model="m-2")
    [found] = judge_drift(now, [anchors(before)])
    assert found.drifted
    assert found.models == ("m-1", "m-2")


def test_the_same_scores_and_a_shift_too_small_to_matter_are_none() -> None:
    before = np.linspace(0.2, 0.7, 50)
    for shift in (0.0, MIN_SHIFT / 2):
        [found] = judge_drift(anchors(before + shift), [anchors(before)])
        assert not found.drifted


def test_a_noisy_judge_that_never_changes_is_rarely_ever_called_drifted() -> None:
    random = np.random.default_rng(2)
    alarms = 0
    for _ in range(100):
        level = random.uniform(0.3, 0.7, 50)
        weeks = [anchors(level + random.normal(0, 0.15, 50)) for _ in range(13)]
        alarms += any(judge_drift(weeks[week], weeks[:week])[0].drifted for week in range(1, 13))
    # 5 % are allowed; 12 of 100 or more would happen once in 200 times.
    assert alarms <= 11


def test_another_rubric_is_another_judge_and_is_not_compared() -> None:
    before = np.linspace(0.2, 0.7, 50)
    assert judge_drift(anchors(before + 0.3, family="g"), [anchors(before)]) == []


def test_too_few_anchors_cannot_say() -> None:
    before = np.linspace(0.2, 0.7, 19)
    [found] = judge_drift(anchors(before + 0.3), [anchors(before)])
    assert not found.drifted
    assert found.shift == NoResult("not_enough_anchors", 19, 19)


def test_the_anchors_hardly_change_when_labels_are_added() -> None:
    labels = pl.DataFrame({"interaction_id": [f"i{n}" for n in range(400)]}).with_columns(
        criterion=pl.lit("satisfaction"), voter=pl.lit("me"), verdict=pl.lit("up")
    )
    first = set(choose_anchors(labels.head(380))["interaction_id"])
    second = set(choose_anchors(labels)["interaction_id"])
    assert len(first) == len(second) == ANCHORS
    # One in twenty labels is new, so one in twenty anchors is expected to be.
    assert len(first & second) >= ANCHORS - 10


def _judges(count: int, right_before: int, right_after: int) -> RubricTest:
    """Two judges that agree with people on so many answers, the second on all that the first does."""
    names = [f"i{n:03}" for n in range(count)]
    answers = pl.DataFrame({"interaction_id": names, "prompt": names, "answer": names})
    people = pl.DataFrame({"interaction_id": names, "voter": names, "verdict": ["up", "down"] * (count // 2)})

    def judge(right: int) -> RecordedJudge:
        wrong = pl.col("verdict").replace({"up": "down", "down": "up"})
        said = pl.when(pl.int_range(pl.len()) < right).then("verdict").otherwise(wrong).alias("verdict")
        return RecordedJudge("r", people.select("interaction_id", said))

    return accept_rubric(judge(right_before), judge(right_after), answers, people)


@pytest.mark.parametrize(
    ("before", "after", "accepted"),
    # McNemar exact: 6 against 0 has p = 0.031, 5 against 0 p = 0.0625.
    [(70, 76, True), (70, 75, False), (70, 70, False), (76, 70, False)],
)
def test_a_rubric_is_accepted_on_a_significant_gain_only(before: int, after: int, accepted: bool) -> None:
    tested = _judges(100, before, after)
    assert tested.accepted == accepted
    assert isinstance(tested.agreement, Comparison)
    assert tested.agreement.difference.value == pytest.approx((after - before) / 100)


def test_a_few_labels_accept_nothing() -> None:
    assert _judges(48, 0, 48) == RubricTest(NoResult("not_enough_labels", 48), accepted=False)


def test_a_rubric_cannot_win_by_silence() -> None:
    names = [f"i{n:03}" for n in range(60)]
    answers = pl.DataFrame({"interaction_id": names, "prompt": names, "answer": names})
    people = pl.DataFrame({"interaction_id": names, "voter": names, "verdict": ["up"] * 60})
    always = RecordedJudge("r", people.select("interaction_id", "verdict"))
    silent = RecordedJudge("r", people.select("interaction_id", "verdict").head(5))
    tested = accept_rubric(always, silent, answers, people)
    assert not tested.accepted
    assert isinstance(tested.agreement, Comparison)
    assert tested.agreement.value_b == pytest.approx(5 / 60)


def test_answers_shown_as_examples_are_no_test() -> None:
    rubric = read_rubric().model_copy(
        update={"examples": (Example(prompt="asked?", answer="x", ratings={"clarity": 5}, why="y"),)}
    )
    answers = pl.DataFrame({"interaction_id": ["a", "b"], "prompt": [" asked? ", "other?"], "answer": ["", ""]})
    assert held_out(answers, rubric)["interaction_id"].to_list() == ["b"]
