"""Whether a new wording of a rubric replaces the old one: only where people's own verdicts say that it is better."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from feedback_pipeline.judging.backends.protocol import AnswerJudge
from feedback_pipeline.judging.judgements import judge_answers
from feedback_pipeline.judging.labels import human_labels
from feedback_pipeline.judging.rubrics import Rubric
from feedback_pipeline.judging.tables import OVERALL
from feedback_pipeline.judging.versions import Comparison, paired_comparison
from feedback_pipeline.stats.estimates import cluster_codes
from feedback_pipeline.stats.no_result import NoResult

MIN_LABELS = 50
"""Six more right and none less is the least that is significant (p = 0.03): with fewer, a gain under 12 % never is."""

LEVEL = 0.05


@dataclass(frozen=True)
class RubricTest:
    """Agreement with people of the rubric in use (A) and of the candidate (B) on the same held-out answers."""

    agreement: Comparison | NoResult
    accepted: bool


def held_out(answers: pl.DataFrame, *rubrics: Rubric) -> pl.DataFrame:
    """The answers whose prompts none of the rubrics shows as an example."""
    shown = {example.prompt.strip() for rubric in rubrics for example in rubric.examples}
    return answers.filter(~pl.col("prompt").fill_null("").str.strip_chars().is_in(list(shown)))


def accept_rubric(
    current: AnswerJudge,
    candidate: AnswerJudge,
    answers: pl.DataFrame,
    verdicts: pl.DataFrame,
    criterion: str = OVERALL,
) -> RubricTest:
    """Judges labelled answers with both and accepts the candidate on a significant gain.

    An answer that a judge gives no verdict on counts as a disagreement: a rubric cannot win by silence. The test is
    McNemar's where every answer is a conversation of its own, else a t-test clustered by conversation.

    Args:
        current: a judge with the rubric in use.
        candidate: the same judge with the other.
        answers: `interaction_id`, `prompt`, `answer`, where known `conversation_id`; none of them may have been used
            to write either rubric (see `held_out`).
        verdicts: people's verdicts on them.
        criterion: what is compared.
    """
    people = human_labels(verdicts).filter((pl.col("criterion") == criterion) & (pl.col("human_verdict") != "neutral"))
    labelled = answers.join(people.select("interaction_id", "human_verdict"), on="interaction_id").sort(
        "interaction_id"
    )
    if labelled.height < MIN_LABELS:
        return RubricTest(NoResult("not_enough_labels", labelled.height), accepted=False)
    before, after = (_right(judge, labelled, criterion) for judge in (current, candidate))
    conversation = "conversation_id" if "conversation_id" in labelled.columns else "interaction_id"
    clusters, _ = cluster_codes(labelled[conversation].fill_null(labelled["interaction_id"]).to_numpy())
    compared = paired_comparison(before, after, clusters)
    gained = isinstance(compared, Comparison) and compared.difference.value > 0 and compared.p_value < LEVEL
    return RubricTest(compared, accepted=bool(gained))


def _right(judge: AnswerJudge, labelled: pl.DataFrame, criterion: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """1 where the judge says what people say, in the order of the answers."""
    judged = judge_answers(labelled.select("interaction_id", "prompt", "answer"), judge)
    verdicts = judged.filter((pl.col("criterion") == criterion) & (pl.col("status") == "ok"))
    both = labelled.join(verdicts.select("interaction_id", "verdict"), on="interaction_id", how="left")
    agreed = (pl.col("verdict") == pl.col("human_verdict")).fill_null(value=False).cast(pl.Float64)
    return both.sort("interaction_id").select(agreed.alias("agreed"))["agreed"].to_numpy()
