"""The one layer that talks to a model: cache, budgets, concurrency, retries, deadlines, and what became of each call.

The SDK's own retries are off. A call ends in a `ChatReply` with a status; only what makes every further call
pointless (a bad key, an unknown model, no money left on the account) raises.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import httpx2
import openai
import orjson

from feedback_pipeline.judging.endpoint_refusal import EndpointRefusedError
from feedback_pipeline.judging.fingerprints import content_hash
from feedback_pipeline.judging.limits import AdaptiveConcurrency, MinuteBudget
from feedback_pipeline.judging.prices import FREE, CostLedger, Price, estimated_tokens
from feedback_pipeline.judging.reply_cache import MemoryCache, ReplyCache

CallStatus = Literal["ok", "refusal", "content_filter", "truncated", "parse_error", "api_error", "skipped_budget"]

RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})


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
class ChatCall:
    """One request body, without model and endpoint settings."""

    messages: tuple[dict[str, str], ...]
    output_tokens: int
    options: dict[str, Any] = field(default_factory=dict)
    sample: int = 0
    """Number of the repetition, where the same thing is asked several times."""
    repair: str | None = None
    """What to add, once, where the reply could not be read."""


@dataclass(frozen=True)
class ChatReply:
    """What became of a call."""

    status: CallStatus
    reason: str | None = None
    text: str = ""
    tokens: tuple[tuple[str, tuple[tuple[str, float], ...]], ...] = ()
    """Per generated token, the likeliest alternatives with their log-probabilities, where asked for."""
    model: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    calls: int = 0
    content_hash: str | None = None


Check = Callable[[ChatReply], str | None]
"""Why a reply cannot be used, as a code; None where it can."""


@dataclass
class CallStatistics:
    """What a run of calls did."""

    asked: int = 0
    cached: int = 0
    attempts: int = 0
    cost_usd: float = 0.0
    estimated_usd: float = 0.0


class CallLayer:
    """Makes calls to one endpoint. Not for use from several threads at once."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        cache: ReplyCache | None = None,
        cost_cap_usd: float | None = None,
        seed: int = 0,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Prepares the layer.

        Args:
            cost_cap_usd: no call is made that could take the run beyond it; None for no cap.
            seed: of the random pauses between retries.
            progress: told (done, all) after each call.
        """
        self.endpoint = endpoint
        self.cache: ReplyCache = MemoryCache() if cache is None else cache
        self.ledger = CostLedger(cost_cap_usd)
        self.statistics = CallStatistics()
        self._random = random.Random(seed)
        self._progress = progress

    def run(self, calls: Sequence[ChatCall], check: Check) -> list[ChatReply]:
        """Makes the calls that the cache does not answer; replies come back in the order of the calls.

        Raises:
            EndpointRefusedError: see there.
        """
        bodies = [self._body(call) for call in calls]
        keys = [self._key(call, body) for call, body in zip(calls, bodies, strict=True)]
        known = self.cache.get_many(list(dict.fromkeys(keys)))
        replies = {key: _read_cached(content) for key, content in known.items()}
        wanted = {key: (call, body) for key, call, body in zip(keys, calls, bodies, strict=True) if key not in replies}
        self.statistics.asked += len(calls)
        self.statistics.cached += len(calls) - len(wanted)
        if wanted:
            replies |= asyncio.run(self._run(wanted, check))
        return [replies[key] for key in keys]

    def estimate_usd(self, calls: Sequence[ChatCall]) -> float:
        """What the calls would cost at most without cache, retries and repairs."""
        return sum(self._estimate(call, self._body(call))[1] for call in calls)

    def _body(self, call: ChatCall) -> dict[str, Any]:
        limit = {self.endpoint.token_limit_field: call.output_tokens}
        base: dict[str, Any] = {"model": self.endpoint.model, "messages": list(call.messages)}
        return base | limit | call.options | self.endpoint.body

    def _key(self, call: ChatCall, body: dict[str, Any]) -> str:
        return content_hash([self.endpoint.base_url, body, call.sample])

    def _estimate(self, call: ChatCall, body: dict[str, Any]) -> tuple[int, float]:
        tokens = estimated_tokens(orjson.dumps(body).decode())
        return tokens + call.output_tokens, self.endpoint.price.cost(tokens, call.output_tokens)

    async def _run(self, wanted: dict[str, tuple[ChatCall, dict[str, Any]]], check: Check) -> dict[str, ChatReply]:
        endpoint = self.endpoint
        deadline = time.monotonic() + endpoint.run_seconds
        slots = AdaptiveConcurrency(endpoint.concurrency, time.monotonic)
        budgets = (
            MinuteBudget(endpoint.requests_per_minute, time.monotonic),
            MinuteBudget(endpoint.tokens_per_minute, time.monotonic),
        )
        pending = iter(wanted.items())
        replies: dict[str, ChatReply] = {}
        limits = httpx2.Limits(max_connections=endpoint.concurrency, max_keepalive_connections=endpoint.concurrency)
        async with openai.AsyncOpenAI(
            base_url=endpoint.base_url,
            api_key=endpoint.api_key,
            max_retries=0,
            timeout=endpoint.attempt_seconds,
            http_client=openai.DefaultAsyncHttpxClient(limits=limits),
        ) as client:

            async def worker() -> None:
                for key, (call, body) in pending:
                    replies[key] = await self._one(client, key, call, body, check, slots, budgets, deadline)
                    if self._progress is not None:
                        self._progress(len(replies), len(wanted))

            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(endpoint.concurrency, len(wanted))):
                        group.create_task(worker())
            except* EndpointRefusedError as refusals:
                raise refusals.exceptions[0] from None
        return replies

    async def _one(
        self,
        client: openai.AsyncOpenAI,
        key: str,
        call: ChatCall,
        body: dict[str, Any],
        check: Check,
        slots: AdaptiveConcurrency,
        budgets: tuple[MinuteBudget, MinuteBudget],
        deadline: float,
    ) -> ChatReply:
        """One call with its retries and, where the reply cannot be read, one repair; kept in the cache if usable."""
        reply = ChatReply("api_error", "no_attempt")
        spent = ChatReply("ok")
        attempts = iter(range(self.endpoint.attempts))
        bodies = [body]
        if call.repair is not None:
            bodies.append(body | {"messages": [*body["messages"], {"role": "user", "content": call.repair}]})
        for tried in bodies:
            reply = await self._with_retries(client, call, tried, slots, budgets, deadline, attempts)
            if reply.status == "ok" and (problem := check(reply)) is not None:
                reply = _failed(reply, "parse_error", problem)
            spent = _added(reply, spent)
            if reply.status != "parse_error":
                break
        if spent.status == "ok":
            self.cache.put(key, orjson.dumps(asdict(spent)))
        return spent

    async def _with_retries(
        self,
        client: openai.AsyncOpenAI,
        call: ChatCall,
        body: dict[str, Any],
        slots: AdaptiveConcurrency,
        budgets: tuple[MinuteBudget, MinuteBudget],
        deadline: float,
        attempts: Any,
    ) -> ChatReply:
        tokens, estimate = self._estimate(call, body)
        spent = ChatReply("api_error", "attempts_used_up")
        for attempt in attempts:
            if time.monotonic() >= deadline:
                return _failed(spent, "api_error", "run_deadline")
            async with slots:
                if not await self.ledger.reserve(estimate):
                    return _failed(spent, "skipped_budget", "cost_cap")
                self.statistics.estimated_usd += estimate
                reply, pause = ChatReply("api_error", "cancelled", cost_usd=estimate), None
                try:
                    await budgets[0].take(1)
                    await budgets[1].take(tokens)
                    reply, pause = await self._attempt(client, body, slots, deadline, estimate)
                finally:
                    self.ledger.settle(estimate, reply.cost_usd)
                    self.statistics.cost_usd += reply.cost_usd
                budgets[1].settle(tokens, reply.input_tokens + reply.output_tokens)
            spent = _added(reply, spent)
            if pause is None:
                return spent
            await self._pause(attempt, pause, deadline)
        return spent

    async def _pause(self, attempt: int, at_least: float, deadline: float) -> None:
        """Waits as long as the endpoint asked, and a random while that doubles with each attempt ("full jitter")."""
        longest = min(60.0, self.endpoint.backoff_seconds * 2**attempt)
        pause = at_least + self._random.uniform(0, longest)
        await asyncio.sleep(max(0.0, min(pause, deadline - time.monotonic())))

    async def _attempt(
        self,
        client: openai.AsyncOpenAI,
        body: dict[str, Any],
        slots: AdaptiveConcurrency,
        deadline: float,
        estimate_usd: float,
    ) -> tuple[ChatReply, float | None]:
        """One request: its reply, and the least pause before another attempt where there should be one.

        A call that may have been answered without our seeing it counts as paid for in full.
        """
        self.statistics.attempts += 1
        sent = content_hash(body["messages"])
        left = max(0.1, min(self.endpoint.attempt_seconds, deadline - time.monotonic()))
        try:
            async with asyncio.timeout(left):
                response = await client.post("/chat/completions", body=body, cast_to=httpx2.Response)
        except (TimeoutError, openai.APITimeoutError):
            return ChatReply("api_error", "timeout", cost_usd=estimate_usd, calls=1, content_hash=sent), 0.0
        except openai.APIConnectionError:
            return ChatReply("api_error", "connection", calls=1, content_hash=sent), 0.0
        except openai.APIStatusError as error:
            return self._refused(error, slots, sent)
        slots.succeeded()
        try:
            content = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            unread = ChatReply("api_error", "malformed_response", cost_usd=estimate_usd, calls=1, content_hash=sent)
            return unread, 0.0
        reply = read_completion(content, self.endpoint.price, estimate_usd, sent)
        return reply, 0.0 if reply.status == "api_error" else None

    def _refused(
        self, error: openai.APIStatusError, slots: AdaptiveConcurrency, sent: str
    ) -> tuple[ChatReply, float | None]:
        code = _error_code(error)
        if code == "insufficient_quota" or error.status_code in (401, 402, 403, 404):
            names = {401: "bad_api_key", 402: "payment_required", 403: "forbidden", 404: "unknown_model_or_path"}
            reason = "insufficient_quota" if code == "insufficient_quota" else names[error.status_code]
            raise EndpointRefusedError(reason, error.status_code)
        if code == "content_filter":
            return ChatReply("content_filter", "request_filtered", calls=1, content_hash=sent), None
        if code == "context_length_exceeded" or error.status_code == 413:
            return ChatReply("api_error", "text_too_long", calls=1, content_hash=sent), None
        if error.status_code in RETRIED:
            if error.status_code == 429:
                slots.limited()
            reply = ChatReply("api_error", f"http_{error.status_code}", calls=1, content_hash=sent)
            return reply, retry_after_seconds(error.response.headers)
        raise EndpointRefusedError("bad_request", error.status_code)


def read_completion(content: Any, price: Price, estimate_usd: float, sent: str) -> ChatReply:
    """A chat completion as a reply: why generation ended and refusals are looked at before the text is.

    Without usage figures the call costs what was estimated.
    """
    try:
        choice = content["choices"][0]
        message, finish = choice["message"], choice.get("finish_reason")
        usage = content.get("usage") or {}
        refusal, text = message.get("refusal"), message.get("content")
        tokens = _token_alternatives(choice.get("logprobs"))
    except (KeyError, IndexError, TypeError, AttributeError):
        return ChatReply("api_error", "not_a_completion", cost_usd=estimate_usd, calls=1, content_hash=sent)
    read, written = int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
    cached = int((usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0)
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
    model = content.get("model")
    return ChatReply(status, reason, usable, tokens, model, read, written, cost, 1, sent)


def _token_alternatives(logprobs: Any) -> tuple[tuple[str, tuple[tuple[str, float], ...]], ...]:
    positions = (logprobs or {}).get("content") or ()
    return tuple(
        (position["token"], tuple((other["token"], float(other["logprob"])) for other in position["top_logprobs"]))
        for position in positions
    )


def _read_cached(content: bytes) -> ChatReply:
    """A reply from the cache: it made no call and cost nothing this time."""
    fields = orjson.loads(content)
    tokens = tuple((token, tuple((name, value) for name, value in others)) for token, others in fields["tokens"])
    return ChatReply(**fields | {"tokens": tokens, "cost_usd": 0.0, "calls": 0})


def _failed(reply: ChatReply, status: CallStatus, reason: str) -> ChatReply:
    return ChatReply(**asdict(reply) | {"status": status, "reason": reason, "text": "", "tokens": ()})


def _added(reply: ChatReply, before: ChatReply) -> ChatReply:
    """A reply that carries the tokens, cost and calls of the attempts before it."""
    sums = {
        name: getattr(reply, name) + getattr(before, name)
        for name in ("input_tokens", "output_tokens", "cost_usd", "calls")
    }
    return ChatReply(**asdict(reply) | {"tokens": reply.tokens} | sums)


def _error_code(error: openai.APIStatusError) -> str | None:
    body = error.body
    code = body.get("code") if isinstance(body, dict) else None
    return code if isinstance(code, str) else None


def retry_after_seconds(headers: httpx2.Headers) -> float:
    """What `retry-after-ms` or `retry-after` (seconds) ask for; 0 where they ask for nothing readable."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "")
        if value.replace(".", "", 1).isdigit():
            return float(value) * unit
    return 0.0
