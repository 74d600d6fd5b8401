"""The judge without a key: learns what is there, refuses where there is too little, and cannot be bought."""

import numpy as np
import polars as pl
import pytest

from feedback_pipeline.judging.backends.local import LocalBackend
from feedback_pipeline.judging.judgements import judge_answers
from feedback_pipeline.judging.local import LocalJudge, NotEnoughLabels, train_local
from feedback_pipeline.judging.tables import JUDGEMENTS
from feedback_pipeline.stats.estimates import Estimate

WORDS = np.array([f"word{number}" for number in range(300)])


def votes(count: int, *, noise: float = 0.1, informative: bool = True, seed: int = 1) -> pl.DataFrame:
    """People dislike answers that say "sorry"."""
    random = np.random.default_rng(seed)
    sorry = random.random(count) < 0.4
    up = np.where(random.random(count) < noise, sorry, ~sorry) if informative else random.random(count) < 0.6
    texts = [" ".join(random.choice(WORDS, 25)) for _ in range(count)]
    return pl.DataFrame(
        {
            "prompt": [f"question {number % 80}" for number in range(count)],
            "answer": [f"sorry {text}" if regret else text for text, regret in zip(texts, sorry, strict=True)],
            "verdict": np.where(up, "up", "down"),
            "voter": [f"person {number % 60}" for number in range(count)],
        }
    )


@pytest.fixture(scope="module")
def trained() -> LocalJudge:
    judge = train_local(votes(1200))
    assert isinstance(judge, LocalJudge)
    return judge


def test_too_few_votes_or_one_kind_only_train_nothing() -> None:
    assert train_local(votes(0)) == NotEnoughLabels(0, 0, 0)
    assert isinstance(train_local(votes(120)), NotEnoughLabels)
    ups = votes(500).with_columns(pl.lit("up").alias("verdict"))
    refused = train_local(ups)
    assert isinstance(refused, NotEnoughLabels)
    assert refused.reason == "labels_of_one_class_only"


def test_one_prompt_only_trains_nothing_because_nothing_can_be_held_out() -> None:
    refused = train_local(votes(800).with_columns(pl.lit("the same").alias("prompt")))
    assert isinstance(refused, NotEnoughLabels)
    assert refused.reason == "too_few_prompts"


def test_it_learns_what_people_dislike(trained: LocalJudge) -> None:
    fresh = votes(500, noise=0.0, seed=2)
    agreed = (trained.score(fresh)["verdict"] == fresh["verdict"]).mean()
    # A tenth of the labels it learnt from were noise; the word that matters is in every answer that has it.
    assert agreed is not None
    assert agreed > 0.9


def test_its_own_claim_holds_on_votes_it_never_saw(trained: LocalJudge) -> None:
    assert trained.held_out is not None
    claimed = trained.held_out.agreement
    assert isinstance(claimed, Estimate)
    fresh = votes(3000, seed=3)
    actual = (trained.score(fresh)["verdict"] == fresh["verdict"]).mean()
    assert isinstance(actual, float)
    assert claimed.low - 0.03 < actual < claimed.high + 0.03


def test_noise_teaches_it_nothing_and_it_says_so() -> None:
    judge = train_local(votes(1500, informative=False))
    assert isinstance(judge, LocalJudge)
    assert judge.held_out is not None
    youden = judge.held_out.accuracy.youden
    assert isinstance(youden, Estimate)
    # The best cut is chosen on the same margins, which flatters J by a few points at most.
    assert youden.low < 0.05


def test_scores_are_probabilities(trained: LocalJudge) -> None:
    fresh = votes(3000, seed=4)
    scored = pl.concat([trained.score(fresh).drop("verdict"), fresh], how="horizontal")
    for low, high in ((0.0, 0.5), (0.5, 1.0)):
        bucket = scored.filter(pl.col("score").is_between(low, high, closed="left"))
        assert (bucket["verdict"] == "up").mean() == pytest.approx(bucket["score"].mean(), abs=0.1)


def test_the_order_of_votes_does_not_matter(trained: LocalJudge) -> None:
    shuffled = train_local(votes(1200).sample(fraction=1, shuffle=True, seed=5))
    assert isinstance(shuffled, LocalJudge)
    assert shuffled.fingerprint == trained.fingerprint


def test_it_survives_being_written_and_read_without_pickle(trained: LocalJudge) -> None:
    again = LocalJudge.from_bytes(trained.to_bytes())
    fresh = votes(50, seed=6)
    assert again.fingerprint == trained.fingerprint
    assert again.score(fresh).equals(trained.score(fresh))
    assert trained.to_bytes() == trained.to_bytes()


def test_one_person_cannot_teach_it() -> None:
    honest = votes(1200)
    attack = pl.DataFrame(
        {
            "prompt": [f"question {number % 80}" for number in range(1200)],
            "answer": [f"sorry {' '.join(WORDS[number % 200 : number % 200 + 20])}" for number in range(1200)],
            "verdict": "up",
            "voter": "mallory",
        }
    )
    judge = train_local(pl.concat([honest, attack]))
    assert isinstance(judge, LocalJudge)
    fresh = votes(500, noise=0.0, seed=7)
    agreed = (judge.score(fresh)["verdict"] == fresh["verdict"]).mean()
    assert agreed is not None
    assert agreed > 0.9


def test_as_a_backend_it_judges_every_answer_or_says_why_not(trained: LocalJudge) -> None:
    answers = pl.DataFrame(
        {"interaction_id": ["1", "2", "3"], "prompt": ["p", None, "p"], "answer": ["sorry word1", " ", None]}
    )
    judged = judge_answers(answers, LocalBackend(trained))
    assert JUDGEMENTS.problems(judged) == []
    assert judged["status"].to_list() == ["ok", "ok", "unscored"]
    assert judged["reason"].to_list() == [None, "empty_answer", "no_text"]
    assert judged["verdict"].to_list() == ["down", "down", None]
