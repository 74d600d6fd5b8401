"""A language model behind an OpenAI-compatible endpoint as a judge.

`schema`: structured verdicts with reasons, all criteria in one call. `probabilities`: one token per criterion, read
as a distribution (Liu et al. 2023, "G-Eval", section 2). Pairs are always asked in both orders.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np
import orjson
import polars as pl

from feedback_pipeline.judging.calls import CallLayer, ChatCall, ChatReply
from feedback_pipeline.judging.content import neutralised, nonce
from feedback_pipeline.judging.fingerprints import fingerprint
from feedback_pipeline.judging.prompts import render, sources
from feedback_pipeline.judging.rubrics import CANNOT_JUDGE, SCALE, Rubric

Mode = Literal["schema", "probabilities"]

REASON_TOKENS = 400
TOKENS_PER_CRITERION = 20
ALTERNATIVES = 20
MINIMUM_MASS = 0.5
"""Share of the token's probability that must be on the menu for the reading to mean anything."""

PAIR_MENU = ("A", "B", "tie", CANNOT_JUDGE)
TIE_BAND = 0.05
"""Distance from even within which a probability over both orders is a tie."""


@dataclass(frozen=True)
class Verdict:
    """One reply read for one criterion."""

    status: str
    reason: str | None = None
    value: float | None = None
    """0–1: the rating on the scale, or the chance that A is better."""
    rationale: str | None = None


@dataclass(frozen=True)
class _Question:
    """One thing asked: the row it belongs to, the criteria it covers, and whether the pair is turned round."""

    row: int
    rubric: Rubric
    turned: bool
    nonce: str


@dataclass(frozen=True)
class ChatJudge:
    """Judges through `calls`; settings that could change a verdict are in the fingerprint."""

    calls: CallLayer
    rubric: Rubric
    mode: Mode = "schema"
    samples: int = 1
    echo_nonce: bool = True
    """Require the nonce back; leave off for models too small to copy it."""
    occasion: int = 0
    """Number of the first repetition. No part of the fingerprint: the same judge asked again, past the cache."""

    @property
    def name(self) -> str:
        return f"{self.calls.endpoint.model}/{self.rubric.name}-{self.rubric.version}/{self.mode}"

    @cached_property
    def fingerprint(self) -> str:
        endpoint = self.calls.endpoint
        settings = [self.mode, self.samples, self.echo_nonce, endpoint.model, endpoint.base_url, endpoint.body]
        return fingerprint(["chat", settings, self.rubric.fingerprint, sources()])

    @property
    def criteria(self) -> tuple[str, ...]:
        return self.rubric.names

    def judge_answers(self, answers: pl.DataFrame) -> pl.DataFrame:
        """As the protocol says; a `reference` column is shown to the judge where there is one.

        Raises:
            EndpointRefusedError: see `calls`.
        """
        rows = answers.to_dicts()
        questions = [
            _Question(number, rubric, False, _nonce(row)) for number, row in enumerate(rows) for rubric in self._asked
        ]
        collected = self._ask(rows, questions, "pointwise_system")
        records = []
        for number, row in enumerate(rows):
            for criterion in self.criteria:
                replies = collected[number, criterion, False]
                records.append({"interaction_id": row["interaction_id"], "criterion": criterion} | _rated(replies))
        return pl.DataFrame(records, infer_schema_length=None)

    def judge_pairs(self, pairs: pl.DataFrame) -> pl.DataFrame:
        """As the protocol says, each pair in both orders: verdicts that change with the order are ties.

        Raises:
            EndpointRefusedError: see `calls`.
        """
        rows = pairs.to_dicts()
        questions = [
            _Question(number, rubric, turned, _nonce(row))
            for number, row in enumerate(rows)
            for rubric in self._asked
            for turned in (False, True)
        ]
        collected = self._ask(rows, questions, "pairwise_system")
        records = []
        for number, row in enumerate(rows):
            ids = {name: row[name] for name in ("interaction_id", "other_interaction_id")}
            for criterion in self.criteria:
                orders = (collected[number, criterion, False], collected[number, criterion, True])
                compared = _compared(*orders, even=TIE_BAND if self.mode == "probabilities" else 0.0)
                records.append(ids | {"criterion": criterion} | compared)
        return pl.DataFrame(records, infer_schema_length=None)

    def planned_cost_usd(self, answers: pl.DataFrame) -> float:
        """The most judging these answers could cost without retries."""
        rows = answers.to_dicts()
        return sum(
            self.calls.estimate_usd([self._call(row, _Question(0, rubric, False, _nonce(row)), "pointwise_system", 0)])
            * self.samples
            for row in rows
            for rubric in self._asked
        )

    @cached_property
    def _asked(self) -> tuple[Rubric, ...]:
        if self.mode == "schema":
            return (self.rubric,)
        return tuple(self.rubric.only(name) for name in self.rubric.names)

    def _ask(
        self, rows: Sequence[dict[str, Any]], questions: Sequence[_Question], template: str
    ) -> dict[tuple[int, str, bool], list[tuple[Verdict, ChatReply, float]]]:
        """Every verdict by row, criterion and order, with the reply and the criterion's share of its cost.

        A call that covers several criteria is counted with the first of them.
        """
        pairwise = template == "pairwise_system"
        repetitions = range(self.occasion, self.occasion + self.samples)
        repeated = [(question, sample) for question in questions for sample in repetitions]
        calls = [self._call(rows[question.row], question, template, sample) for question, sample in repeated]
        replies = self.calls.run(calls, self._usable)
        collected: dict[tuple[int, str, bool], list[tuple[Verdict, ChatReply, float]]] = {}
        for (question, _), reply in zip(repeated, replies, strict=True):
            names = question.rubric.names
            share = 1 / len(names)
            for position, criterion in enumerate(names):
                verdict = self._read(reply, criterion, question, pairwise)
                key = (question.row, criterion, question.turned)
                counted = reply if position == 0 else replace(reply, calls=0)
                collected.setdefault(key, []).append((verdict, counted, share))
        return collected

    def _call(self, row: dict[str, Any], question: _Question, template: str, sample: int) -> ChatCall:
        structured = self.mode == "schema"
        system = _system_message(template, question.rubric.model_dump_json(), structured)
        user = render("data_user", {"nonce": question.nonce, "content": _content(row, question.turned)})
        messages = ({"role": "system", "content": system}, {"role": "user", "content": user})
        if not structured:
            return ChatCall(messages, 1, {"logprobs": True, "top_logprobs": ALTERNATIVES}, sample)
        menu = PAIR_MENU if template == "pairwise_system" else (*SCALE, CANNOT_JUDGE)
        schema = _schema(question.rubric.names, menu)
        tokens = REASON_TOKENS + TOKENS_PER_CRITERION * len(question.rubric.names)
        form = {"type": "json_schema", "json_schema": {"name": "verdict", "strict": True, "schema": schema}}
        return ChatCall(messages, tokens, {"response_format": form}, sample, render("repair", {}))

    def _usable(self, reply: ChatReply) -> str | None:
        if self.mode == "probabilities":
            return None if reply.tokens else "no_token_probabilities"
        return None if isinstance(_parsed(reply.text), dict) else "not_json"

    def _read(self, reply: ChatReply, criterion: str, question: _Question, pairwise: bool) -> Verdict:
        if reply.status != "ok":
            return Verdict(reply.status, reply.reason)
        if self.mode == "probabilities":
            return read_probabilities(reply, ("A", "B") if pairwise else SCALE)
        parsed = _parsed(reply.text)
        if self.echo_nonce and parsed.get("nonce") != question.nonce:
            return Verdict("tampered", "nonce_missing")
        return read_verdict(parsed, criterion, pairwise)


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
        if total >= MINIMUM_MASS:
            return Verdict("ok", None, sum(steps[token] * share for token, share in mass.items()) / total)
    return Verdict("off_menu", "little_probability_on_the_menu")


def _parsed(text: str) -> Any:
    """The JSON of a reply, also where a model put a code fence round it."""
    stripped = text.strip().removeprefix("```json").removeprefix("```").removesuffix("```")
    try:
        return orjson.loads(stripped)
    except orjson.JSONDecodeError:
        return None


@lru_cache(maxsize=64)
def _system_message(template: str, rubric: str, structured: bool) -> str:
    """The same for every answer, so that endpoints can cache it and we render it once."""
    return render(template, {"rubric": Rubric.model_validate_json(rubric), "structured": structured})


def _nonce(row: dict[str, Any]) -> str:
    return nonce(*(str(row.get(name) or "") for name in ("prompt", "answer", "other_answer", "reference")))


def _content(row: dict[str, Any], turned: bool) -> str:
    """The judged texts as JSON, neutralised; the answers change places where the order is turned."""
    shown = {"request": row["prompt"]}
    if "other_answer" in row:
        first, second = (row["answer"], row["other_answer"])
        shown |= {"answer A": second, "answer B": first} if turned else {"answer A": first, "answer B": second}
    else:
        shown["answer"] = row["answer"]
    if row.get("reference"):
        shown["reference answer"] = row["reference"]
    return orjson.dumps({name: neutralised(str(text or "")) for name, text in shown.items()}).decode()


def _schema(criteria: Sequence[str], menu: Sequence[str]) -> dict[str, Any]:
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


def _rated(replies: Sequence[tuple[Verdict, ChatReply, float]]) -> dict[str, Any]:
    """Samples of one answer as one judgement: the mean of those that are usable, at least half of them."""
    values = [verdict.value for verdict, _, _ in replies if verdict.status == "ok" and verdict.value is not None]
    record = _spent(replies)
    if 2 * len(values) < len(replies) or not values:
        return record | _unusable(replies)
    score = float(np.mean(values))
    rating = 1 + score * (len(SCALE) - 1)
    verdict = "up" if rating >= 3.5 else "down" if rating <= 2.5 else "neutral"
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
    rationale = next((read.rationale for read, _, _ in replies if read.status == "ok"), None)
    known = {"status": "ok", "reason": None, "score": score, "rating": rating, "verdict": verdict}
    return record | known | {"deviation": spread, "rationale": rationale}


def _compared(
    straight: Sequence[tuple[Verdict, ChatReply, float]],
    turned: Sequence[tuple[Verdict, ChatReply, float]],
    even: float,
) -> dict[str, Any]:
    """Both orders as one judgement about the first answer; where the orders contradict each other, a tie."""
    record = _spent([*straight, *turned])
    orders = [_rated(replies) for replies in (straight, turned)]
    if any(order["status"] != "ok" for order in orders):
        worst = next(order for order in orders if order["status"] != "ok")
        return record | {name: worst[name] for name in ("status", "reason", "score", "verdict")}
    forward, backward = orders[0]["score"], 1 - orders[1]["score"]
    score = (forward + backward) / 2
    consistent = bool(np.sign(round(forward - 0.5, 9)) == np.sign(round(backward - 0.5, 9)))
    if even:
        verdict = "tie" if abs(score - 0.5) < even else "this" if score > 0.5 else "other"
    else:
        verdict = "tie" if not consistent or score == 0.5 else "this" if score > 0.5 else "other"
    return record | {
        "status": "ok",
        "reason": None,
        "score": score,
        "verdict": verdict,
        "consistent": consistent,
        "first_slot": (forward + 1 - backward) / 2,
        "rationale": orders[0]["rationale"],
    }


def _unusable(replies: Sequence[tuple[Verdict, ChatReply, float]]) -> dict[str, Any]:
    worst = next(verdict for verdict, _, _ in replies if verdict.status != "ok")
    return {
        "status": worst.status,
        "reason": worst.reason,
        "score": None,
        "verdict": None,
        "rationale": worst.rationale,
    }


def _spent(replies: Sequence[tuple[Verdict, ChatReply, float]]) -> dict[str, Any]:
    """What the replies cost, by the criterion's share, and where they came from."""
    share = replies[0][2]
    distinct = [reply for _, reply, _ in replies]
    return {
        "model_returned": next((reply.model for reply in distinct if reply.model), None),
        "input_tokens": round(share * sum(reply.input_tokens for reply in distinct)),
        "output_tokens": round(share * sum(reply.output_tokens for reply in distinct)),
        "cost_usd": share * sum(reply.cost_usd for reply in distinct),
        "calls": sum(reply.calls for reply in distinct),
        "content_hash": next((reply.content_hash for reply in distinct if reply.content_hash), None),
    }
