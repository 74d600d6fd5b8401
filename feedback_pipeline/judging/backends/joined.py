"""Repetitions and both orders of one question as one judgement."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from feedback_pipeline.judging.backends.questions import Verdict
from feedback_pipeline.judging.rubrics import SCALE
from feedback_pipeline.llm.endpoint import ChatReply


@dataclass(frozen=True)
class ReadVerdict:
    """A verdict with the reply it was read from and its criterion's share of what the reply cost."""

    verdict: Verdict
    reply: ChatReply
    share: float
    calls: int
    """Calls behind the reply, counted with the first of the criteria it covers."""


def rated(verdicts: Sequence[ReadVerdict]) -> dict[str, Any]:
    """Samples of one answer as one judgement: the mean of those that are usable, at least half of them."""
    values = [one.verdict.value for one in verdicts if one.verdict.status == "ok" and one.verdict.value is not None]
    record = _spent(verdicts)
    if 2 * len(values) < len(verdicts) or not values:
        return record | _unusable(verdicts)
    score = float(np.mean(values))
    rating = 1 + score * (len(SCALE) - 1)
    verdict = "up" if rating >= 3.5 else "down" if rating <= 2.5 else "neutral"
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
    rationale = next((one.verdict.rationale for one in verdicts if one.verdict.status == "ok"), None)
    known = {"status": "ok", "reason": None, "score": score, "rating": rating, "verdict": verdict}
    return record | known | {"deviation": spread, "rationale": rationale}


def compared(straight: Sequence[ReadVerdict], turned: Sequence[ReadVerdict], tie_band: float) -> dict[str, Any]:
    """Both orders as one judgement about the first answer; where the orders contradict each other, a tie."""
    record = _spent([*straight, *turned])
    orders = [rated(verdicts) for verdicts in (straight, turned)]
    if any(order["status"] != "ok" for order in orders):
        worst = next(order for order in orders if order["status"] != "ok")
        return record | {name: worst[name] for name in ("status", "reason", "score", "verdict")}
    forward, backward = orders[0]["score"], 1 - orders[1]["score"]
    score = (forward + backward) / 2
    consistent = bool(np.sign(round(forward - 0.5, 9)) == np.sign(round(backward - 0.5, 9)))
    if tie_band:
        verdict = "tie" if abs(score - 0.5) < tie_band else "this" if score > 0.5 else "other"
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


def _unusable(verdicts: Sequence[ReadVerdict]) -> dict[str, Any]:
    worst = next(one.verdict for one in verdicts if one.verdict.status != "ok")
    return {
        "status": worst.status,
        "reason": worst.reason,
        "score": None,
        "verdict": None,
        "rationale": worst.rationale,
    }


def _spent(verdicts: Sequence[ReadVerdict]) -> dict[str, Any]:
    """What the replies cost, by the criterion's share, and where they came from."""
    share = verdicts[0].share
    replies = [one.reply for one in verdicts]
    return {
        "model_returned": next((reply.model for reply in replies if reply.model), None),
        "input_tokens": round(share * sum(reply.input_tokens for reply in replies)),
        "output_tokens": round(share * sum(reply.output_tokens for reply in replies)),
        "cost_usd": share * sum(reply.cost_usd for reply in replies),
        "calls": sum(one.calls for one in verdicts),
        "content_hash": next((reply.content_hash for reply in replies if reply.content_hash), None),
    }
