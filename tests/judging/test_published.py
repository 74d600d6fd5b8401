"""Published statistics of public votes, reproduced. Skipped where the data is not beside the repository."""

import numpy as np
import polars as pl
import pytest

from feedback_pipeline.judging.agreement import agreement
from feedback_pipeline.judging.backends.recorded import RecordedJudge
from feedback_pipeline.judging.judgements import judge_pairs
from feedback_pipeline.judging.preferences import (
    canonical_votes,
    pair_majority,
    preference_agreement,
    preference_ranking,
)
from feedback_pipeline.stats.estimates import Estimate
from tests.support import public_votes

JUDGES = {"gpt-4": "gpt4-crowd-comparisons.csv", "gpt-3": "gpt3-crowd-comparisons.csv"}


@pytest.fixture(scope="module")
def people() -> pl.DataFrame:
    return public_votes.llmfao_comparisons("crowd-comparisons.csv")


@pytest.fixture(scope="module")
def judged() -> pl.DataFrame:
    texts = public_votes.llmfao_texts()
    judges = [
        RecordedJudge(name, public_votes.llmfao_comparisons(file).rename({"preference": "verdict"}))
        for name, file in JUDGES.items()
    ]
    return pl.concat([judge_pairs(texts, judge) for judge in judges])


@pytest.fixture(scope="module")
def llmfao_agreement(people: pl.DataFrame, judged: pl.DataFrame) -> dict[tuple[str, str], float]:
    frame = preference_agreement(people, judged)
    return {(row["judge"], row["statistic"]): row["value"] for row in frame.iter_rows(named=True)}


def test_the_data_is_what_its_authors_describe(people: pl.DataFrame, judged: pl.DataFrame) -> None:
    # llmfao's README: 8,931 votes by 124 workers on 2,139 pairs of answers by 59 models.
    assert people.height == 8931
    assert people["voter"].n_unique() == 124
    assert judged.filter(pl.col("judge") == "gpt-4")["status"].to_list() == ["ok"] * 2139
    assert preference_ranking(people)["model"].n_unique() == 59


def test_ranking_by_people_correlates_with_gpt4_as_published(llmfao_agreement: dict[tuple[str, str], float]) -> None:
    # Published by the data set's author (Bradley–Terry, ties as half): Spearman 0.730918.
    assert llmfao_agreement["gpt-4", "rank_correlation"] == pytest.approx(0.730918, abs=5e-7)


def test_gpt4_agrees_with_the_majority_on_three_of_four_decided_pairs(
    llmfao_agreement: dict[tuple[str, str], float],
) -> None:
    assert llmfao_agreement["gpt-4", "agreement_without_ties"] == pytest.approx(0.746, abs=5e-4)


def test_people_tie_far_more_often_than_the_judge(llmfao_agreement: dict[tuple[str, str], float]) -> None:
    # 39 % of the crowd's votes and 3 % of GPT-4's verdicts are ties, which is what ruins agreement with ties.
    assert llmfao_agreement["", "people_tie_share"] == pytest.approx(0.39, abs=5e-3)
    assert llmfao_agreement["gpt-4", "judge_tie_share"] == pytest.approx(0.03, abs=5e-3)
    assert llmfao_agreement["gpt-4", "agreement_with_ties"] == pytest.approx(0.446, abs=5e-4)


def test_crowd_agreement_is_as_low_as_published(llmfao_agreement: dict[tuple[str, str], float]) -> None:
    assert llmfao_agreement["", "people_krippendorff_alpha"] == pytest.approx(0.29, abs=5e-3)


def test_no_judge_of_llmfao_may_replace_a_crowd_worker(llmfao_agreement: dict[tuple[str, str], float]) -> None:
    # With kappa under 0.2 the alternative annotator test has to fail, whatever the rank correlation says.
    assert llmfao_agreement["gpt-4", "alternative_annotator_winning_rate"] < 0.5


def test_best_and_worst_models_have_intervals_that_do_not_overlap(people: pl.DataFrame) -> None:
    ranking = preference_ranking(people)
    best, worst = ranking.row(0, named=True), ranking.row(-1, named=True)
    assert (best["model"], best["rank"]) == ("GPT 4", 1)
    assert best["low"] > worst["high"]


@pytest.mark.parametrize(
    ("pair", "published"), [((1, 2), 0.852), ((1, 3), 0.879), ((2, 3), 0.862)]
)  # PandaLM paper, table of inter-annotator agreement: kappa .85/.88/.86
def test_pandalm_annotators_agree_as_published(pair: tuple[int, int], published: float) -> None:
    rows = public_votes.pandalm("testset-v1.json")
    first, second = (np.array([int(str(row[f"annotator{number}"])) for row in rows]) for number in pair)
    kappa = agreement(first, second, 3).cohen_kappa
    assert isinstance(kappa, Estimate)
    assert kappa.value == pytest.approx(published, abs=5e-4)
    assert kappa.low < kappa.value < kappa.high


def pandalm_votes() -> pl.DataFrame:
    verdicts = {0: "tie", 1: "this", 2: "other"}
    rows = [
        (f"{row['idx']}-a", f"{row['idx']}-b", "one", "two", verdicts[int(str(row[f"annotator{number}"]))], str(number))
        for row in public_votes.pandalm("testset-v1.json")
        for number in (1, 2, 3)
    ]
    names = ["interaction_id", "other_interaction_id", "model", "other_model", "preference", "voter"]
    return pl.DataFrame(rows, schema=names, orient="row")


def test_pandalm_majorities_are_as_published() -> None:
    counts = pair_majority(canonical_votes(pandalm_votes()))["people"].value_counts().sort("people")
    assert dict(counts.iter_rows()) == {"other": 472, "this": 422, "tie": 105}


def test_recorded_verdicts_that_are_none_stay_unscored() -> None:
    # 25 rows of GPT-3.5's file hold no verdict; they must not become ties or losses.
    names = {"Tie": "tie", "1": "this", "2": "other"}
    recorded = pl.DataFrame(
        [
            (f"{row['idx']}-a", f"{row['idx']}-b", names.get(str(row["gpt_result"]).strip(), "(none)"))
            for row in public_votes.pandalm("gpt-3.5-turbo-testset-v1.json")
        ],
        schema=["interaction_id", "other_interaction_id", "verdict"],
        orient="row",
    )
    pairs = recorded.drop("verdict").with_columns(
        pl.lit("p").alias("prompt"), pl.lit("a").alias("answer"), pl.lit("b").alias("other_answer")
    )
    judged = judge_pairs(pairs, RecordedJudge("gpt-3.5", recorded))
    assert dict(judged["status"].value_counts().iter_rows()) == {"ok": 999 - 25, "off_menu": 25}
    assert judged.filter(pl.col("status") != "ok")["score"].null_count() == 25
