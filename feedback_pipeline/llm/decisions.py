"""Decisions: `POST /decisions`, where an endpoint has it: probabilities of answers to given questions, no words.

One request carries up to 400 questions about one input; each gets an answer or a refusal of its own.
"""

from dataclasses import dataclass
from typing import Any

import orjson

from feedback_pipeline.llm.endpoint import ChatReply, Endpoint
from feedback_pipeline.llm.prices import Price


@dataclass(frozen=True)
class DecisionCall:
    """Questions about one input."""

    messages: tuple[dict[str, str], ...]
    questions: tuple[dict[str, Any], ...]
    sample: int = 0

    @property
    def path(self) -> str:
        return "/decisions"

    @property
    def output_tokens(self) -> int:
        return 0

    def body(self, endpoint: Endpoint) -> dict[str, Any]:
        asked = {"model": endpoint.model, "input": list(self.messages), "questions": list(self.questions)}
        return asked | endpoint.body

    def content(self) -> Any:
        return list(self.messages)

    def repaired(self, body: dict[str, Any]) -> dict[str, Any] | None:
        return None

    def read(self, response: Any, price: Price, estimate_usd: float, sent: str) -> ChatReply:
        """The answers as JSON, if there is one for every question, in the order of the questions."""
        try:
            answers = response["answers"]
            usage = response.get("usage") or {}
            complete = len(answers) == len(self.questions) and all(isinstance(one, dict) for one in answers)
            read, written = int(usage.get("input_tokens") or 0), int(usage.get("output_tokens") or 0)
            cached = int((usage.get("input_tokens_details") or {}).get("cached_tokens") or 0)
        except (KeyError, TypeError, AttributeError, ValueError):
            return ChatReply("api_error", "not_a_decision", cost_usd=estimate_usd, calls=1, content_hash=sent)
        cost = price.cost(read, written, cached) if usage else estimate_usd
        model = response.get("model")
        if not complete:
            return ChatReply("parse_error", "answers_missing", "", (), model, read, written, cost, 1, sent)
        return ChatReply("ok", None, orjson.dumps(answers).decode(), (), model, read, written, cost, 1, sent)
