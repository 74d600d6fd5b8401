"""The Decisions endpoint: a distribution per criterion, all criteria in one call, without reasons."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from feedback_pipeline.judging.backends.questions import MIN_MASS, Question, Verdict, judged_message
from feedback_pipeline.judging.prompts import render
from feedback_pipeline.judging.rubrics import SCALE, Rubric
from feedback_pipeline.llm.decisions import DecisionCall
from feedback_pipeline.llm.endpoint import ChatReply

RATING_VALUES = {step: (int(step) - 1) / (len(SCALE) - 1) for step in SCALE}
PAIR_VALUES = {"A": 1.0, "tie": 0.5, "B": 0.0}


@dataclass(frozen=True)
class DecisionForm:
    """Asks one `score` question per criterion of an answer, one `choice` question per criterion of a pair."""

    all_criteria_at_once: bool = True
    tie_band: float = 0.05

    def call(self, row: dict[str, Any], question: Question, sample: int) -> DecisionCall:
        rubric = question.rubric.model_dump_json()
        messages = (
            {"role": "system", "content": _system_message(rubric, question.pairwise)},
            judged_message(row, question),
        )
        return DecisionCall(messages, _questions(rubric, question.pairwise), sample)

    def unusable(self, reply: ChatReply) -> str | None:
        return None

    def read(self, reply: ChatReply, criterion: str, question: Question) -> Verdict:
        answer = orjson.loads(reply.text)[question.rubric.names.index(criterion)]
        if answer.get("type") == "refusal":
            return Verdict("refusal", "model_refused")
        return read_decision(answer, criterion, question.pairwise)


def read_decision(answer: dict[str, Any], criterion: str, pairwise: bool) -> Verdict:
    """The expected value over the question's options; what is missing from them is divided out, up to one half."""
    values, option = (PAIR_VALUES, "value") if pairwise else (RATING_VALUES, "label")
    if answer.get("name") not in (None, criterion):
        return Verdict("off_menu", "answer_to_another_question")
    mass = dict.fromkeys(values, 0.0)
    try:
        for one in answer["probabilities"]:
            if one[option] in mass:
                mass[one[option]] += max(0.0, float(one["probability"]))
    except (KeyError, TypeError, ValueError):
        return Verdict("off_menu", "no_probabilities")
    total = sum(mass.values())
    if total < MIN_MASS:
        return Verdict("off_menu", "little_probability_on_the_menu")
    return Verdict("ok", None, sum(values[name] * share for name, share in mass.items()) / total)


@lru_cache(maxsize=64)
def _system_message(rubric: str, pairwise: bool) -> str:
    return render("decision_system", {"rubric": Rubric.model_validate_json(rubric), "pairwise": pairwise})


@lru_cache(maxsize=64)
def _questions(rubric: str, pairwise: bool) -> tuple[dict[str, Any], ...]:
    """Questions hold words of the rubric only: nothing a stranger wrote."""
    questions = []
    for criterion in Rubric.model_validate_json(rubric).criteria:
        asked: dict[str, Any] = {"name": criterion.name, "instructions": criterion.question}
        if pairwise:
            asked["instructions"] = f"Which of the two answers is better on this? {criterion.question}"
            questions.append(asked | {"type": "choice", "choices": [{"value": name} for name in PAIR_VALUES]})
        else:
            levels = [_level(step, criterion.anchors) for step in SCALE]
            questions.append(asked | {"type": "score", "levels": levels})
    return tuple(questions)


def _level(step: str, anchors: dict[str, str]) -> dict[str, str]:
    return {"label": step} | ({"description": anchors[step]} if step in anchors else {})
