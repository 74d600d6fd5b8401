"""One token per criterion, read as a distribution (Liu et al. 2023, "G-Eval", section 2): needs log-probabilities."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from feedback_pipeline.judging.backends.questions import MIN_MASS, Question, Verdict, judged_message
from feedback_pipeline.judging.backends.schema_form import system_message
from feedback_pipeline.judging.rubrics import SCALE
from feedback_pipeline.llm.chat_completions import ChatCall
from feedback_pipeline.llm.endpoint import ChatReply

ALTERNATIVES = 20


@dataclass(frozen=True)
class ProbabilityForm:
    """Asks for a digit, or for A or B, and reads how likely each was."""

    all_criteria_at_once: bool = False
    tie_band: float = 0.05

    def call(self, row: dict[str, Any], question: Question, sample: int) -> ChatCall:
        system = system_message(question.rubric.model_dump_json(), question.pairwise, structured=False)
        messages = ({"role": "system", "content": system}, judged_message(row, question))
        return ChatCall(messages, 1, {"logprobs": True, "top_logprobs": ALTERNATIVES}, sample)

    def unusable(self, reply: ChatReply) -> str | None:
        return None if reply.tokens else "no_token_probabilities"

    def read(self, reply: ChatReply, criterion: str, question: Question) -> Verdict:
        return read_probabilities(reply, ("A", "B") if question.pairwise else SCALE)


def read_probabilities(reply: ChatReply, menu: Sequence[str]) -> Verdict:
    """The expected value over the menu's tokens at the last position where one of them was likely.

    Tokens that differ by white space only count together; what is missing from the menu is divided out, unless it is
    more than half.
    """
    steps = {token: position / (len(menu) - 1) for position, token in enumerate(menu)}
    if menu == ("A", "B"):
        steps = {"A": 1.0, "B": 0.0}
    for _, alternatives in reversed(reply.tokens):
        mass = dict.fromkeys(menu, 0.0)
        for token, logarithm in alternatives:
            if token.strip() in mass:
                mass[token.strip()] += math.exp(logarithm)
        total = sum(mass.values())
        if total >= MIN_MASS:
            return Verdict("ok", None, sum(steps[token] * share for token, share in mass.items()) / total)
    return Verdict("off_menu", "little_probability_on_the_menu")
