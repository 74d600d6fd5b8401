"""A small world with a known truth: answers, a judge with known error rates, and votes from some of the people."""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from feedback_pipeline.judging.backends.recorded import RecordedJudge
from feedback_pipeline.judging.judgements import judge_answers
from feedback_pipeline.judging.sample import draw_sample

RATES = {"v1": 0.60, "v2": 0.80}
"""Share of answers a person would vote up, per prompt version."""

EMPTY_VERDICTS = pl.DataFrame(schema={"interaction_id": pl.String, "voter": pl.String, "verdict": pl.String})


@dataclass(frozen=True)
class World:
    sample: pl.DataFrame
    judgements: pl.DataFrame
    verdicts: pl.DataFrame
    true_rate: float
    truth: pl.DataFrame = field(default_factory=pl.DataFrame)
    """`interaction_id` and what a person would say (`human`), of every answer."""


def world(
    seed: int = 1,
    answers: int = 4000,
    *,
    sensitivity: float = 0.75,
    specificity: float = 0.9,
    vote_share: float = 0.3,
    size: int = 1200,
    only_ups_vote: bool = False,
) -> World:
    random = np.random.default_rng(seed)
    version = random.choice(list(RATES), answers)
    good = random.random(answers) < np.array([RATES[name] for name in version])
    votes = random.random(answers) < vote_share
    if only_ups_vote:
        votes &= good
    judged_up = random.random(answers) < np.where(good, sensitivity, 1 - specificity)
    frame = pl.DataFrame(
        {
            "interaction_id": [f"{number:06}" for number in range(answers)],
            "conversation_id": [f"c{number // 3}" for number in range(answers)],
            "model": random.choice(["m1", "m2"], answers),
            "prompt_version": version,
            "intent": np.array(["code", "chat", None])[random.integers(0, 3, answers)].tolist(),
            "has_vote": votes,
            "prompt": [f"prompt {number % 50}" for number in range(answers)],
            "answer": [f"answer {number}" for number in range(answers)],
            "verdict": np.where(judged_up, "up", "down"),
            "human": np.where(good, "up", "down"),
        }
    )
    sample = draw_sample(frame, size, f"seed {seed}")
    texts = sample.select("interaction_id").join(frame, on="interaction_id")
    judgements = judge_answers(texts, RecordedJudge("recorded", frame.select("interaction_id", "verdict")))
    verdicts = frame.filter("has_vote").select(
        "interaction_id",
        "conversation_id",
        pl.format("p{}", "interaction_id").alias("voter"),
        pl.col("human").alias("verdict"),
        pl.col("answer").str.len_chars().alias("answer_chars"),
    )
    return World(sample, judgements, verdicts, float(good.mean()), frame.select("interaction_id", "human"))
