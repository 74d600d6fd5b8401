"""The trained text classifier as a judge of single answers."""

from dataclasses import dataclass

import polars as pl

from feedback_pipeline.judging.local import NAME, LocalJudge
from feedback_pipeline.judging.tables import OVERALL


@dataclass(frozen=True)
class LocalBackend:
    """Judges satisfaction, the only thing votes have taught it."""

    judge: LocalJudge

    @property
    def name(self) -> str:
        return NAME

    @property
    def fingerprint(self) -> str:
        return self.judge.fingerprint

    @property
    def criteria(self) -> tuple[str, ...]:
        return (OVERALL,)

    def judge_answers(self, answers: pl.DataFrame) -> pl.DataFrame:
        return pl.concat([answers.select("interaction_id"), self.judge.score(answers)], how="horizontal").with_columns(
            pl.lit(OVERALL).alias("criterion"), pl.lit("ok").alias("status")
        )
