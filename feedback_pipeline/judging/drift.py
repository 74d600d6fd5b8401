"""Has the judge changed? It judges the same answers, which people have judged too, again each week.

A provider may change a model behind its name, so that a week's scores rise while the answers stay what they were. The
anchors' answers cannot change: a shift of their scores is the judge's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from feedback_pipeline.judging.backends.protocol import AnswerJudge
from feedback_pipeline.judging.judgements import judge_answers, separated_by_model
from feedback_pipeline.judging.labels import human_labels
from feedback_pipeline.judging.stable_hash import text_hash
from feedback_pipeline.judging.tables import JUDGE_ANCHORS
from feedback_pipeline.judging.versions import paired_comparison
from feedback_pipeline.stats.estimates import Estimate, Result
from feedback_pipeline.stats.no_result import NoResult

ANCHORS = 50
MIN_ANCHORS = 20
FALSE_ALARM = 0.05
"""Chance that a judge that never changes is ever called drifted."""

MIN_SHIFT = 0.02
"""A smaller shift of the mean score (0–1) changes no conclusion."""


@dataclass(frozen=True)
class Drift:
    """One judge and criterion: the mean score of the anchors now less the first time they were judged."""

    judge: str
    criterion: str
    shift: Result
    p_value: float | None
    level: float
    """What the p-value has to be below this week."""
    models: tuple[str, ...]
    """Every model that answered, now or then."""

    @property
    def drifted(self) -> bool:
        significant = self.p_value is not None and self.p_value < self.level
        return significant and isinstance(self.shift, Estimate) and abs(self.shift.value) >= MIN_SHIFT


def choose_anchors(labels: pl.DataFrame, size: int = ANCHORS) -> pl.DataFrame:
    """Answers with a human label to judge each week: those with the lowest hashes, so that the set hardly changes.

    Args:
        labels: audit labels of earlier weeks: `interaction_id`, `criterion`, `voter`, `verdict`.

    Returns:
        `interaction_id`, `criterion`, `human_value`; at most `size` answers.
    """
    people = human_labels(labels)
    answers = people.select("interaction_id").unique()
    drawn = answers.with_columns(pl.Series("_hash", text_hash(answers["interaction_id"], "anchors")))
    kept = drawn.sort("_hash", "interaction_id").head(size)
    return (
        people.join(kept, on="interaction_id", how="semi")
        .select("interaction_id", "criterion", "human_value")
        .sort("interaction_id", "criterion")
    )


def judge_anchors(judge: AnswerJudge, anchors: pl.DataFrame, texts: pl.DataFrame) -> pl.DataFrame:
    """Judges the anchors anew.

    Args:
        judge: asked past its cache of earlier weeks (see `backends.model.ModelJudge.occasion`).
        anchors: from `choose_anchors`.
        texts: `interaction_id`, `prompt`, `answer` of those whose text is still kept.

    Returns:
        `judge_anchors`.
    """
    shown = texts.join(anchors, on="interaction_id", how="semi")
    if shown.is_empty():
        return JUDGE_ANCHORS.empty()
    judged = separated_by_model(judge_answers(shown, judge)).with_columns(family=pl.lit(judge.fingerprint))
    rows = judged.join(anchors, on=["interaction_id", "criterion"])
    return JUDGE_ANCHORS.conform(rows).sort(JUDGE_ANCHORS.key)


def judge_drift(now: pl.DataFrame, earlier: Sequence[pl.DataFrame]) -> list[Drift]:
    """Compares the anchors' scores with the first each judge gave them.

    Looking every week would sooner or later find something in a judge that never changes: the k-th look spends
    α/(k(k+1)) of the false alarms allowed, which sum to α over all weeks (Foster and Stine 2008, α-spending).

    Args:
        now: `judge_anchors` of the week.
        earlier: `judge_anchors` of each week before, oldest first.

    Returns:
        One result per judge as configured and criterion that was judged before.
    """
    keys = ["family", "judge", "criterion"]
    usable = pl.col("status") == "ok"
    before = pl.concat([JUDGE_ANCHORS.empty(), *earlier])
    first = before.filter(usable).unique([*keys, "interaction_id"], keep="first", maintain_order=True)
    pairs = now.filter(usable).join(first, on=[*keys, "interaction_id"], suffix="_then").sort(*keys, "interaction_id")
    found = []
    for (family, judge, criterion), rows in pairs.group_by(keys, maintain_order=True):
        looks = sum(family in week["family"] for week in earlier)
        level = FALSE_ALARM / (looks * (looks + 1))
        models = pl.concat([rows["model_returned"], rows["model_returned_then"]]).drop_nulls().unique().sort()
        shift, p_value = _shift(rows)
        found.append(Drift(str(judge), str(criterion), shift, p_value, level, tuple(models)))
    return found


def _shift(rows: pl.DataFrame) -> tuple[Result, float | None]:
    if rows.height < MIN_ANCHORS:
        return NoResult("not_enough_anchors", rows.height, rows.height), None
    compared = paired_comparison(rows["score_then"].to_numpy(), rows["score"].to_numpy())
    if isinstance(compared, NoResult):
        return compared, None
    return compared.difference, compared.p_value
