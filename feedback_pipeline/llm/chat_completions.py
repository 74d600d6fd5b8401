"""Chat completions: `POST /chat/completions`, which every OpenAI-compatible endpoint has."""

from dataclasses import dataclass, field
from typing import Any

from feedback_pipeline.llm.endpoint import CallStatus, ChatReply, Endpoint
from feedback_pipeline.llm.prices import Price


@dataclass(frozen=True)
class ChatCall:
    """One request body, without model and endpoint settings."""

    messages: tuple[dict[str, str], ...]
    output_tokens: int
    options: dict[str, Any] = field(default_factory=dict)
    sample: int = 0
    """Number of the repetition, where the same thing is asked several times."""
    repair: str | None = None
    """What to add, once, where the reply could not be read."""

    @property
    def path(self) -> str:
        return "/chat/completions"

    def body(self, endpoint: Endpoint) -> dict[str, Any]:
        limit = {endpoint.token_limit_field: self.output_tokens}
        base: dict[str, Any] = {"model": endpoint.model, "messages": list(self.messages)}
        return base | limit | self.options | endpoint.body

    def content(self) -> Any:
        return list(self.messages)

    def repaired(self, body: dict[str, Any]) -> dict[str, Any] | None:
        if self.repair is None:
            return None
        return body | {"messages": [*body["messages"], {"role": "user", "content": self.repair}]}

    def read(self, response: Any, price: Price, estimate_usd: float, sent: str) -> ChatReply:
        return read_completion(response, price, estimate_usd, sent)


def read_completion(response: Any, price: Price, estimate_usd: float, sent: str) -> ChatReply:
    """A chat completion as a reply: why generation ended and refusals are looked at before the text is.

    Without usage figures the call costs what was estimated.
    """
    try:
        choice = response["choices"][0]
        message, finish = choice["message"], choice.get("finish_reason")
        usage = response.get("usage") or {}
        refusal, text = message.get("refusal"), message.get("content")
        tokens = _token_alternatives(choice.get("logprobs"))
        read, written = int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
        cached = int((usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError):
        return ChatReply("api_error", "not_a_completion", cost_usd=estimate_usd, calls=1, content_hash=sent)
    status: CallStatus = "ok"
    reason = None
    if refusal:
        status, reason = "refusal", "model_refused"
    elif finish == "content_filter":
        status, reason = "content_filter", "answer_filtered"
    elif finish == "length" and not tokens:
        status, reason = "truncated", "output_limit"
    elif not isinstance(text, str) or not text.strip():
        status, reason = "parse_error", "empty_completion"
    cost = price.cost(read, written, cached) if usage else estimate_usd
    usable = text if status == "ok" and isinstance(text, str) else ""
    model = response.get("model")
    return ChatReply(status, reason, usable, tokens, model, read, written, cost, 1, sent)


def _token_alternatives(logprobs: Any) -> tuple[tuple[str, tuple[tuple[str, float], ...]], ...]:
    positions = (logprobs or {}).get("content") or ()
    return tuple(
        (position["token"], tuple((other["token"], float(other["logprob"])) for other in position["top_logprobs"]))
        for position in positions
    )
