"""A model endpoint, one request to it, and what became of the request."""

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from feedback_pipeline.llm.prices import FREE, Price

CallStatus = Literal["ok", "refusal", "content_filter", "truncated", "parse_error", "api_error", "skipped_budget"]


@dataclass(frozen=True)
class Endpoint:
    """An OpenAI-compatible endpoint and what may be asked of it."""

    base_url: str
    model: str
    api_key: str = field(repr=False)
    price: Price = FREE
    concurrency: int = 16
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    attempts: int = 5
    attempt_seconds: float = 60.0
    run_seconds: float = 3600.0
    backoff_seconds: float = 0.5
    """Longest pause before the first retry; doubles with each, up to a minute, and is drawn at random."""
    body: dict[str, Any] = field(default_factory=dict)
    """Further fields of every request (temperature, reasoning_effort, seed, store …)."""
    token_limit_field: str = "max_completion_tokens"  # noqa: S105 (a field's name)


@dataclass(frozen=True)
class ChatReply:
    """What became of a call."""

    status: CallStatus
    reason: str | None = None
    text: str = ""
    """The completion; of a decision its answers, as JSON."""
    tokens: tuple[tuple[str, tuple[tuple[str, float], ...]], ...] = ()
    """Per generated token, the likeliest alternatives with their log-probabilities, where asked for."""
    model: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    calls: int = 0
    content_hash: str | None = None


class Call(Protocol):
    """One thing asked of an endpoint, and how its answer is read."""

    @property
    def path(self) -> str:
        """Where it is posted, below the base URL."""
        ...

    @property
    def output_tokens(self) -> int:
        """The most it may generate."""
        ...

    @property
    def sample(self) -> int:
        """Number of the repetition, where the same thing is asked several times."""
        ...

    def body(self, endpoint: Endpoint) -> dict[str, Any]:
        """The request's body."""
        ...

    def content(self) -> Any:
        """What of it are words to be judged: what left the machine."""
        ...

    def repaired(self, body: dict[str, Any]) -> dict[str, Any] | None:
        """What to ask, once, where the reply could not be read; None for nothing."""
        ...

    def read(self, response: Any, price: Price, estimate_usd: float, sent: str) -> ChatReply:
        """The reply in a response's JSON. Without usage figures it cost what was estimated."""
        ...
