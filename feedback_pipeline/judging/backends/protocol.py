"""What the rest of this package knows of a judge."""

from typing import Protocol

import polars as pl


class AnswerJudge(Protocol):
    """Judges single answers."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes with anything that could change a verdict."""
        ...

    @property
    def criteria(self) -> tuple[str, ...]:
        """What it judges; `satisfaction` is what votes speak about."""
        ...

    def judge_answers(self, answers: pl.DataFrame) -> pl.DataFrame:
        """Judges answers.

        Args:
            answers: `interaction_id`, `prompt`, `answer`, sometimes `reference`; ids do not repeat, answers are neither
                null nor blank.

        Returns:
            At most one row per answer and criterion: `interaction_id`, `criterion`, `status`, and whichever other
            columns of `judgements` it knows.
        """
        ...


class PairJudge(Protocol):
    """Judges which of two answers to the same prompt is better."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def criteria(self) -> tuple[str, ...]: ...

    def judge_pairs(self, pairs: pl.DataFrame) -> pl.DataFrame:
        """Judges pairs.

        Args:
            pairs: `interaction_id`, `other_interaction_id`, `prompt`, `answer`, `other_answer`, sometimes `reference`;
                pairs do not repeat.

        Returns:
            At most one row per pair and criterion, as in `AnswerJudge.judge_answers`; a verdict of `this` means the
            answer of `interaction_id`.
        """
        ...
