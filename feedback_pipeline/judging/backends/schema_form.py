"""Structured verdicts with reasons: a JSON schema, all criteria in one call. Any capable endpoint has it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import orjson

from feedback_pipeline.judging.backends.questions import Question, Verdict, judged_message
from feedback_pipeline.judging.prompts import render
from feedback_pipeline.judging.rubrics import CANNOT_JUDGE, SCALE, Rubric
from feedback_pipeline.llm.chat_completions import ChatCall
from feedback_pipeline.llm.endpoint import ChatReply

REASON_TOKENS = 400
TOKENS_PER_CRITERION = 20
PAIR_MENU = ("A", "B", "tie", CANNOT_JUDGE)


@dataclass(frozen=True)
class SchemaForm:
    """Asks for reasons, then a verdict per criterion, and the nonce back."""

    echo_nonce: bool = True
    """Require the nonce back; leave off for models too small to copy it."""
    all_criteria_at_once: bool = True
    tie_band: float = 0.0

    def call(self, row: dict[str, Any], question: Question, sample: int) -> ChatCall:
        system = system_message(question.rubric.model_dump_json(), question.pairwise, structured=True)
        menu = PAIR_MENU if question.pairwise else (*SCALE, CANNOT_JUDGE)
        schema = verdict_schema(question.rubric.names, menu)
        tokens = REASON_TOKENS + TOKENS_PER_CRITERION * len(question.rubric.names)
        form = {"type": "json_schema", "json_schema": {"name": "verdict", "strict": True, "schema": schema}}
        messages = ({"role": "system", "content": system}, judged_message(row, question))
        return ChatCall(messages, tokens, {"response_format": form}, sample, _repair())

    def unusable(self, reply: ChatReply) -> str | None:
        return None if isinstance(_parsed(reply.text), dict) else "not_json"

    def read(self, reply: ChatReply, criterion: str, question: Question) -> Verdict:
        parsed = _parsed(reply.text)
        if self.echo_nonce and parsed.get("nonce") != question.nonce:
            return Verdict("tampered", "nonce_missing")
        return read_verdict(parsed, criterion, question.pairwise)


def read_verdict(parsed: dict[str, Any], criterion: str, pairwise: bool) -> Verdict:
    """The verdict from its structured field, never from free text."""
    verdicts = parsed.get("verdicts")
    raw = verdicts.get(criterion) if isinstance(verdicts, dict) else None
    chosen = str(raw) if isinstance(raw, str | int) and not isinstance(raw, bool) else None
    rationale = parsed.get("reasons")
    rationale = rationale if isinstance(rationale, str) else None
    if chosen == CANNOT_JUDGE:
        return Verdict("unscored", "judge_could_not_judge", rationale=rationale)
    if pairwise:
        values: dict[str, float] = {"A": 1.0, "tie": 0.5, "B": 0.0}
    else:
        values = {step: (int(step) - 1) / (len(SCALE) - 1) for step in SCALE}
    if chosen not in values:
        return Verdict("off_menu", "verdict_off_the_menu", rationale=rationale)
    return Verdict("ok", None, values[chosen], rationale)


@lru_cache(maxsize=64)
def system_message(rubric: str, pairwise: bool, structured: bool) -> str:
    """The same for every answer, so that endpoints can cache it and we render it once.

    Args:
        rubric: as JSON, which can be hashed.
    """
    template = "pairwise_system" if pairwise else "pointwise_system"
    return render(template, {"rubric": Rubric.model_validate_json(rubric), "structured": structured})


@cache
def _repair() -> str:
    return render("repair", {})


def _parsed(text: str) -> Any:
    """The JSON of a reply, also where a model put a code fence round it."""
    stripped = text.strip().removeprefix("```json").removeprefix("```").removesuffix("```")
    try:
        return orjson.loads(stripped)
    except orjson.JSONDecodeError:
        return None


def verdict_schema(criteria: Sequence[str], menu: Sequence[str]) -> dict[str, Any]:
    """Reasons before verdicts, so that the verdict follows from them; no length limits, which cut words in two."""
    verdicts = {
        "type": "object",
        "properties": {name: {"type": "string", "enum": list(menu)} for name in criteria},
        "required": list(criteria),
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"nonce": {"type": "string"}, "reasons": {"type": "string"}, "verdicts": verdicts},
        "required": ["nonce", "reasons", "verdicts"],
        "additionalProperties": False,
    }
