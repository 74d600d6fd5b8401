"""A language model behind an OpenAI-compatible endpoint as a judge, in whichever form it can be asked.

`schema`: structured verdicts with reasons. `probabilities`: one token per criterion, read as a distribution.
`decisions`: the Decisions endpoint. Pairs are always asked in both orders.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import polars as pl

from feedback_pipeline.judging.backends.decision_form import DecisionForm
from feedback_pipeline.judging.backends.joined import ReadVerdict, compared, rated
from feedback_pipeline.judging.backends.probability_form import ProbabilityForm
from feedback_pipeline.judging.backends.questions import Form, Question, Verdict, question_nonce
from feedback_pipeline.judging.backends.schema_form import SchemaForm
from feedback_pipeline.judging.prompts import sources
from feedback_pipeline.judging.rubrics import Rubric
from feedback_pipeline.llm.calls import CallLayer
from feedback_pipeline.llm.endpoint import Call, ChatReply
from feedback_pipeline.llm.fingerprints import fingerprint

Mode = Literal["schema", "probabilities", "decisions"]


@dataclass(frozen=True)
class ModelJudge:
    """Judges through `calls`; settings that could change a verdict are in the fingerprint."""

    calls: CallLayer
    rubric: Rubric
    mode: Mode = "schema"
    samples: int = 1
    """How often each thing is asked; the score is the mean, and its spread is kept."""
    echo_nonce: bool = True
    """Require the nonce back from `schema`; leave off for models too small to copy it."""
    occasion: int = 0
    """Number of the first repetition. No part of the fingerprint: the same judge asked again, past the cache."""

    @property
    def name(self) -> str:
        return f"{self.calls.endpoint.model}/{self.rubric.name}-{self.rubric.version}/{self.mode}"

    @cached_property
    def fingerprint(self) -> str:
        endpoint = self.calls.endpoint
        settings = [self.mode, self.samples, self.echo_nonce, endpoint.model, endpoint.base_url, endpoint.body]
        return fingerprint(["model", settings, self.rubric.fingerprint, sources()])

    @property
    def criteria(self) -> tuple[str, ...]:
        return self.rubric.names

    def judge_answers(self, answers: pl.DataFrame) -> pl.DataFrame:
        """As the protocol says; a `reference` column is shown to the judge where there is one.

        Raises:
            EndpointRefusedError: see `calls`.
        """
        rows = answers.to_dicts()
        verdicts = self._ask(rows, self._questions(rows, pairwise=False))
        records = []
        for number, row in enumerate(rows):
            for criterion in self.criteria:
                identity = {"interaction_id": row["interaction_id"], "criterion": criterion}
                records.append(identity | rated(verdicts[number, criterion, False]))
        return pl.DataFrame(records, infer_schema_length=None)

    def judge_pairs(self, pairs: pl.DataFrame) -> pl.DataFrame:
        """As the protocol says, each pair in both orders: verdicts that change with the order are ties.

        Raises:
            EndpointRefusedError: see `calls`.
        """
        rows = pairs.to_dicts()
        verdicts = self._ask(rows, self._questions(rows, pairwise=True))
        records = []
        for number, row in enumerate(rows):
            ids = {name: row[name] for name in ("interaction_id", "other_interaction_id")}
            for criterion in self.criteria:
                orders = (verdicts[number, criterion, False], verdicts[number, criterion, True])
                records.append(ids | {"criterion": criterion} | compared(*orders, tie_band=self._form.tie_band))
        return pl.DataFrame(records, infer_schema_length=None)

    @cached_property
    def _form(self) -> Form:
        forms: dict[Mode, Callable[[], Form]] = {
            "schema": lambda: SchemaForm(self.echo_nonce),
            "probabilities": ProbabilityForm,
            "decisions": DecisionForm,
        }
        return forms[self.mode]()

    def _questions(self, rows: Sequence[dict[str, Any]], *, pairwise: bool) -> list[Question]:
        once = self._form.all_criteria_at_once
        rubrics = (self.rubric,) if once else tuple(self.rubric.only(name) for name in self.rubric.names)
        return [
            Question(number, rubric, pairwise, turned, question_nonce(row))
            for number, row in enumerate(rows)
            for rubric in rubrics
            for turned in ((False, True) if pairwise else (False,))
        ]

    def _calls(self, rows: Sequence[dict[str, Any]], questions: Sequence[Question]) -> Iterator[Call]:
        """The calls of a question follow each other, one for each repetition."""
        for question in questions:
            for sample in range(self.occasion, self.occasion + self.samples):
                yield self._form.call(rows[question.row], question, sample)

    def _ask(
        self, rows: Sequence[dict[str, Any]], questions: Sequence[Question]
    ) -> dict[tuple[int, str, bool], list[ReadVerdict]]:
        """What was said by row, criterion and order."""
        replies = iter(self.calls.run(self._calls(rows, questions), self._form.unusable))
        verdicts: dict[tuple[int, str, bool], list[ReadVerdict]] = {}
        for question in questions:
            names = question.rubric.names
            for _ in range(self.samples):
                reply = next(replies)
                for position, criterion in enumerate(names):
                    verdict = self._read(reply, criterion, question)
                    one = ReadVerdict(verdict, reply, 1 / len(names), reply.calls if position == 0 else 0)
                    verdicts.setdefault((question.row, criterion, question.turned), []).append(one)
        return verdicts

    def _read(self, reply: ChatReply, criterion: str, question: Question) -> Verdict:
        if reply.status != "ok":
            return Verdict(reply.status, reply.reason)
        return self._form.read(reply, criterion, question)
