"""What a model is asked about one answer or pair, and what it said: shared by every form of asking."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from feedback_pipeline.judging.prompts import render
from feedback_pipeline.judging.rubrics import Rubric
from feedback_pipeline.llm.content import neutralised, nonce
from feedback_pipeline.llm.endpoint import Call, ChatReply

MIN_MASS = 0.5
"""Share of the probability that must be on the menu for the reading to mean anything."""


@dataclass(frozen=True)
class Verdict:
    """One reply read for one criterion."""

    status: str
    reason: str | None = None
    value: float | None = None
    """0–1: the rating on the scale, or the chance that A is better."""
    rationale: str | None = None


@dataclass(frozen=True)
class Question:
    """One thing asked: the row it belongs to, the criteria it covers, and whether the pair is turned round."""

    row: int
    rubric: Rubric
    pairwise: bool
    turned: bool
    nonce: str


class Form(Protocol):
    """A way of asking and of reading what comes back."""

    @property
    def all_criteria_at_once(self) -> bool:
        """One call covers every criterion of the rubric."""
        ...

    @property
    def tie_band(self) -> float:
        """Distance from even within which a pair's score over both orders is a tie; 0 where ties are verdicts."""
        ...

    def call(self, row: dict[str, Any], question: Question, sample: int) -> Call:
        """The call that asks a question."""
        ...

    def unusable(self, reply: ChatReply) -> str | None:
        """Why a reply cannot be read at all, as a code; None where it can."""
        ...

    def read(self, reply: ChatReply, criterion: str, question: Question) -> Verdict:
        """The verdict of a usable reply on one of the question's criteria."""
        ...


def question_nonce(row: dict[str, Any]) -> str:
    return nonce(*(str(row.get(name) or "") for name in ("prompt", "answer", "other_answer", "reference")))


def judged_message(row: dict[str, Any], question: Question) -> dict[str, str]:
    """The user's message: the judged texts as JSON, neutralised, between tags with the nonce."""
    content = orjson.dumps({name: neutralised(text) for name, text in _shown(row, question.turned).items()}).decode()
    return {"role": "user", "content": render("data_user", {"nonce": question.nonce, "content": content})}


def _shown(row: dict[str, Any], turned: bool) -> dict[str, str]:
    """The texts by what they are; the answers change places where the order is turned."""
    shown = {"request": str(row["prompt"] or "")}
    if "other_answer" in row:
        answers: Sequence[str] = (str(row["answer"] or ""), str(row["other_answer"] or ""))
        shown["answer A"], shown["answer B"] = reversed(answers) if turned else answers
    else:
        shown["answer"] = str(row["answer"] or "")
    if row.get("reference"):
        shown["reference answer"] = str(row["reference"])
    return shown
