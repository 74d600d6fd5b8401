"""The one layer that talks to a model: cache, budgets, concurrency, retries, deadlines, and what became of each call.

The SDK's own retries are off. A call ends in a `ChatReply` with a status; only what makes every further call
pointless (a bad key, an unknown model, no money left on the account) raises.
"""

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import httpx2
import orjson

from feedback_pipeline.llm.chat_completions import ChatCall
from feedback_pipeline.llm.endpoint import Call, CallStatus, ChatReply, Endpoint
from feedback_pipeline.llm.endpoint_refusal import EndpointRefusedError
from feedback_pipeline.llm.fingerprints import content_hash
from feedback_pipeline.llm.limits import AdaptiveConcurrency, MinuteBudget
from feedback_pipeline.llm.prices import CostLedger, estimated_tokens
from feedback_pipeline.llm.reply_cache import MemoryCache, ReplyCache

if TYPE_CHECKING:
    import openai  # half a second, spared to every process that asks no model

__all__ = ["CallLayer", "CallStatistics", "ChatCall", "ChatReply", "Endpoint", "EndpointRefusedError"]

RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})

LOOKED_UP = 100
"""Calls made ready and looked up in the cache at a time, while the ones before are under way."""

Check = Callable[[ChatReply], str | None]
"""Why a reply cannot be used, as a code; None where it can."""


@dataclass
class CallStatistics:
    """What a run of calls did."""

    asked: int = 0
    cached: int = 0
    answered: int = 0
    """By the endpoint, well or badly."""
    attempts: int = 0
    cost_usd: float = 0.0
    estimated_usd: float = 0.0


@dataclass(frozen=True)
class _Request:
    """One call made ready: its key, its body as it is sent, and what that would use."""

    key: str
    call: Call
    body: bytes
    sent: str
    tokens: int
    estimate_usd: float


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

    def run(self, calls: Iterable[Call], check: Check) -> list[ChatReply]:
        """Makes the calls that the cache does not answer; replies come back in the order of the calls.

        Args:
            calls: may be made as they are taken: the first are under way before the last is made.
            check: see `Check`.

        Raises:
            EndpointRefusedError: see there.
        """
        keys: list[str] = []
        replies: dict[str, ChatReply] = {}
        wanted = self._wanted(calls, keys, replies)
        first = next(wanted, None)
        if first is not None:
            asyncio.run(_Run(self, check, replies).all(itertools.chain([first], wanted)))
        return [replies[key] for key in keys]

    def _wanted(self, calls: Iterable[Call], keys: list[str], replies: dict[str, ChatReply]) -> Iterator[_Request]:
        """The calls that the cache does not answer, each once; fills in the keys of all and the replies it knows."""
        made = iter(calls)
        seen: set[str] = set()
        while requests := [self._request(call) for call in itertools.islice(made, LOOKED_UP)]:
            known = self.cache.get_many(list(dict.fromkeys(request.key for request in requests)))
            replies |= {key: _read_cached(content) for key, content in known.items() if key not in seen}
            self.statistics.asked += len(requests)
            for request in requests:
                keys.append(request.key)
                if request.key in seen or request.key in known:
                    self.statistics.cached += 1
                else:
                    seen.add(request.key)
                    yield request

    def estimate_usd(self, calls: Iterable[Call]) -> float:
        """What the calls would cost at most without cache, retries and repairs."""
        return sum(self._request(call).estimate_usd for call in calls)

    def _request(self, call: Call) -> _Request:
        body = call.body(self.endpoint)
        return self.prepared(call, body, content_hash([self.endpoint.base_url, body, call.sample]))

    def prepared(self, call: Call, body: dict[str, Any], key: str) -> _Request:
        """A body with what it would use, in tokens and money, at most."""
        content = orjson.dumps(body)
        tokens = estimated_tokens(content)
        estimate = self.endpoint.price.cost(tokens, call.output_tokens)
        return _Request(key, call, content, content_hash(call.content()), tokens + call.output_tokens, estimate)

    def pause_seconds(self, attempt: int, at_least: float) -> float:
        """As long as the endpoint asked, and a random while that doubles with each attempt ("full jitter")."""
        longest = min(60.0, self.endpoint.backoff_seconds * 2**attempt)
        return at_least + self._random.uniform(0, longest)

    def report(self) -> None:
        """Tells how many of the calls taken so far are answered."""
        self.statistics.answered += 1
        if self._progress is not None:
            self._progress(self.statistics.answered, self.statistics.asked - self.statistics.cached)


class _Run:
    """The calls of one `CallLayer.run` under way."""

    def __init__(self, layer: CallLayer, check: Check, replies: dict[str, ChatReply]) -> None:
        import openai

        endpoint = layer.endpoint
        self.layer = layer
        self.replies = replies
        self.endpoint = endpoint
        self.check = check
        self.deadline = time.monotonic() + endpoint.run_seconds
        self.slots = AdaptiveConcurrency(endpoint.concurrency, time.monotonic)
        self.requests = MinuteBudget(endpoint.requests_per_minute, time.monotonic)
        self.tokens = MinuteBudget(endpoint.tokens_per_minute, time.monotonic)
        limits = httpx2.Limits(max_connections=endpoint.concurrency, max_keepalive_connections=endpoint.concurrency)
        self.client = openai.AsyncOpenAI(
            base_url=endpoint.base_url,
            api_key=endpoint.api_key,
            max_retries=0,
            timeout=endpoint.attempt_seconds,
            http_client=openai.DefaultAsyncHttpxClient(limits=limits),
        )

    async def all(self, requests: Iterator[_Request]) -> None:
        """Fills in every reply by its key."""

        async def worker() -> None:
            for request in requests:
                self.replies[request.key] = await self._one(request)
                self.layer.report()

        refusals: list[BaseException] = []
        async with self.client:
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(self.endpoint.concurrency):
                        group.create_task(worker())
            except* EndpointRefusedError as refused:
                refusals += refused.exceptions
            if refusals:  # raised out here: inside, some versions of Python 3.11 wrap it in a group
                raise refusals[0] from None

    async def _one(self, request: _Request) -> ChatReply:
        """One call with its retries and, where the reply cannot be read, one repair; kept in the cache if usable."""
        spent = ChatReply("ok")
        attempts = iter(range(self.endpoint.attempts))
        for tried in self._versions(request):
            reply = await self._with_retries(tried, attempts)
            if reply.status == "ok" and (problem := self.check(reply)) is not None:
                reply = _failed(reply, "parse_error", problem)
            spent = _added(reply, spent)
            if reply.status != "parse_error":
                break
        if spent.status == "ok":
            await self.layer.cache.keep(request.key, orjson.dumps(asdict(spent)))
        return spent

    def _versions(self, request: _Request) -> Iterator[_Request]:
        yield request
        repaired = request.call.repaired(request.call.body(self.endpoint))
        if repaired is not None:
            yield self.layer.prepared(request.call, repaired, request.key)

    async def _with_retries(self, request: _Request, attempts: Iterator[int]) -> ChatReply:
        estimate, statistics, ledger = request.estimate_usd, self.layer.statistics, self.layer.ledger
        spent = ChatReply("api_error", "attempts_used_up")
        for attempt in attempts:
            if time.monotonic() >= self.deadline:
                return _failed(spent, "api_error", "run_deadline")
            async with self.slots:
                if not await ledger.reserve(estimate):
                    return _failed(spent, "skipped_budget", "cost_cap")
                statistics.estimated_usd += estimate
                reply, pause = ChatReply("api_error", "cancelled", cost_usd=estimate), None
                try:
                    await self.requests.take(1)
                    await self.tokens.take(request.tokens)
                    reply, pause = await self._attempt(request)
                finally:
                    ledger.settle(estimate, reply.cost_usd)
                    statistics.cost_usd += reply.cost_usd
                self.tokens.settle(request.tokens, reply.input_tokens + reply.output_tokens)
            spent = _added(reply, spent)
            if pause is None:
                return spent
            seconds = self.layer.pause_seconds(attempt, pause)
            await asyncio.sleep(max(0.0, min(seconds, self.deadline - time.monotonic())))
        return spent

    async def _attempt(self, request: _Request) -> tuple[ChatReply, float | None]:
        """One request: its reply, and the least pause before another attempt where there should be one.

        A call that may have been answered without our seeing it counts as paid for in full.
        """
        import openai

        self.layer.statistics.attempts += 1
        sent, estimate = request.sent, request.estimate_usd
        left = max(0.1, min(self.endpoint.attempt_seconds, self.deadline - time.monotonic()))
        try:
            async with asyncio.timeout(left):
                response = await self.client.post(request.call.path, content=request.body, cast_to=httpx2.Response)
        except (TimeoutError, openai.APITimeoutError):
            return ChatReply("api_error", "timeout", cost_usd=estimate, calls=1, content_hash=sent), 0.0
        except openai.APIConnectionError:
            return ChatReply("api_error", "connection", calls=1, content_hash=sent), 0.0
        except openai.APIStatusError as error:
            return self._refused(error, sent)
        self.slots.succeeded()
        try:
            content = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            unread = ChatReply("api_error", "malformed_response", cost_usd=estimate, calls=1, content_hash=sent)
            return unread, 0.0
        reply = request.call.read(content, self.endpoint.price, estimate, sent)
        return reply, 0.0 if reply.status == "api_error" else None

    def _refused(self, error: "openai.APIStatusError", sent: str) -> tuple[ChatReply, float | None]:
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
                self.slots.limited()
            reply = ChatReply("api_error", f"http_{error.status_code}", calls=1, content_hash=sent)
            return reply, retry_after_seconds(error.response.headers)
        raise EndpointRefusedError("bad_request", error.status_code)


def _read_cached(content: bytes) -> ChatReply:
    """A reply from the cache: it made no call and cost nothing this time."""
    fields = orjson.loads(content)
    tokens = tuple((token, tuple((name, value) for name, value in others)) for token, others in fields["tokens"])
    return ChatReply(**fields | {"tokens": tokens, "cost_usd": 0.0, "calls": 0})


def _failed(reply: ChatReply, status: CallStatus, reason: str) -> ChatReply:
    return replace(reply, status=status, reason=reason, text="", tokens=())


def _added(reply: ChatReply, before: ChatReply) -> ChatReply:
    """A reply that carries the tokens, cost and calls of the attempts before it."""
    return replace(
        reply,
        input_tokens=reply.input_tokens + before.input_tokens,
        output_tokens=reply.output_tokens + before.output_tokens,
        cost_usd=reply.cost_usd + before.cost_usd,
        calls=reply.calls + before.calls,
    )


def _error_code(error: "openai.APIStatusError") -> str | None:
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
