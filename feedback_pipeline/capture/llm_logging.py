"""Logging of model calls: a decorator for functions, and a wrapper for an `openai` client.

What is logged: the messages as sent, tools, output, model, prompt version, latency, tokens, cost. All of it is read
off and redacted in the background; the caller's thread only notes the time and queues references.
"""

import contextlib
import functools
import inspect
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast, overload
from uuid import uuid4

from feedback_pipeline.capture.client import INTERACTIONS, FeedbackClient, redacted
from feedback_pipeline.llm.call_prices import read_prices

F = TypeVar("F", bound=Callable[..., Any])
request_id: ContextVar[str | None] = ContextVar("feedback_request_id", default=None)
"""The id under which the latest call in this context was logged: what a vote on it names."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CallLog:
    """Where calls are logged to, and what is said of all of them.

    Attributes:
        client: the client that delivers.
        about: fields of every answer: project, intent, prompt_version, variant, tags …
        sampling: share of calls whose text is kept; of the others a row without text is.
    """

    client: FeedbackClient
    about: dict[str, Any] = field(default_factory=dict)
    sampling: float = 1.0

    def record(self, call: dict[str, Any], result: Any, started: float, identity: str) -> None:
        """Queues a call; whatever is wrong with it stays here."""
        try:
            answer = {
                "request_id": identity,
                "latency_ms": (time.perf_counter() - started) * 1000,
                "inclusion_probability": self.sampling,
                "_call": call,
                "_result": result,
                "_kept": random.random() < self.sampling,
                **self.about,
            }
            self.client._delivery.put(INTERACTIONS, answer, _read_off)
        except Exception as error:  # noqa: BLE001 - logging must never raise into the application
            _log.warning("a model call was not logged (%s)", type(error).__name__)


@overload
def log_llm_request(function: F, *, client: FeedbackClient, sampling: float = 1.0, **about: Any) -> F: ...
@overload
def log_llm_request(*, client: FeedbackClient, sampling: float = 1.0, **about: Any) -> Callable[[F], F]: ...
def log_llm_request(
    function: F | None = None, *, client: FeedbackClient, sampling: float = 1.0, **about: Any
) -> F | Callable[[F], F]:
    """Logs every call of a function that asks a model: its `messages`, `prompt`, `model` and `tools` arguments, and
    what it returns (a text, a dictionary or an OpenAI completion). Works on plain and async functions.

    The id of the latest call is in `request_id`, for the vote that may follow.
    """
    log = CallLog(client, about, sampling)

    def decorate(wrapped: F) -> F:
        signature = inspect.signature(wrapped)
        if inspect.iscoroutinefunction(wrapped):

            @functools.wraps(wrapped)
            async def logged_async(*args: Any, **kwargs: Any) -> Any:
                identity, started = _begin(), time.perf_counter()
                result = await wrapped(*args, **kwargs)
                log.record(_arguments(signature, args, kwargs), result, started, identity)
                return result

            return cast(F, logged_async)

        @functools.wraps(wrapped)
        def logged(*args: Any, **kwargs: Any) -> Any:
            identity, started = _begin(), time.perf_counter()
            result = wrapped(*args, **kwargs)
            log.record(_arguments(signature, args, kwargs), result, started, identity)
            return result

        return cast(F, logged)

    return decorate if function is None else decorate(function)


def log_openai(openai_client: Any, client: FeedbackClient, *, sampling: float = 1.0, **about: Any) -> Any:
    """Logs every chat completion of an `OpenAI` or `AsyncOpenAI` client, streamed ones when they end; returns it."""
    log = CallLog(client, about, sampling)
    completions = openai_client.chat.completions
    create = completions.create
    if inspect.iscoroutinefunction(inspect.unwrap(create)):

        @functools.wraps(create)
        async def create_async(*args: Any, **kwargs: Any) -> Any:
            identity, started = _begin(), time.perf_counter()
            result = await create(*args, **kwargs)
            if kwargs.get("stream"):
                return _AsyncStream(result, log, kwargs, started, identity)
            log.record(_copied(kwargs), result, started, identity)
            return result

        completions.create = create_async
    else:

        @functools.wraps(create)
        def create_logged(*args: Any, **kwargs: Any) -> Any:
            identity, started = _begin(), time.perf_counter()
            result = create(*args, **kwargs)
            if kwargs.get("stream"):
                return _Stream(result, log, kwargs, started, identity)
            log.record(_copied(kwargs), result, started, identity)
            return result

        completions.create = create_logged
    return openai_client


class _StreamLog:
    """Passes a stream on and logs its text when it ends; everything else is the stream's own."""

    def __init__(self, stream: Any, log: CallLog, call: dict[str, Any], started: float, identity: str) -> None:
        self._stream = stream
        self._log = log
        self._call = _copied(call)
        self._started = started
        self._identity = identity
        self._chunks: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _end(self) -> None:
        self._log.record(self._call, self._chunks, self._started, self._identity)


class _Stream(_StreamLog):
    def __iter__(self) -> Iterator[Any]:
        for chunk in self._stream:
            self._chunks.append(chunk)
            yield chunk
        self._end()

    def __enter__(self) -> "_Stream":
        self._stream.__enter__()
        return self

    def __exit__(self, *error: Any) -> Any:
        return self._stream.__exit__(*error)


class _AsyncStream(_StreamLog):
    async def __aiter__(self) -> AsyncIterator[Any]:
        async for chunk in self._stream:
            self._chunks.append(chunk)
            yield chunk
        self._end()

    async def __aenter__(self) -> "_AsyncStream":
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> Any:
        return await self._stream.__aexit__(*error)


def _begin() -> str:
    identity = uuid4().hex
    request_id.set(identity)
    return identity


def _arguments(signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    with contextlib.suppress(TypeError):
        bound = signature.bind_partial(*args, **kwargs)
        bound.apply_defaults()
        return _copied(dict(bound.arguments) | kwargs)
    return _copied(kwargs)


def _copied(call: dict[str, Any]) -> dict[str, Any]:
    """The arguments as they are now: an application goes on appending to its list of messages."""
    found = dict(call)
    if isinstance(found.get("messages"), list):
        found["messages"] = list(found["messages"])
    return found


def _read_off(item: dict[str, Any]) -> dict[str, Any]:
    """The fields of an answer, read off a call and its result; run in the background."""
    answer = dict(item)
    call, result, kept = answer.pop("_call"), answer.pop("_result"), answer.pop("_kept")
    answer |= {name: value for name, value in read_result(result).items() if value is not None}
    if "model" not in answer and isinstance(call.get("model"), str):
        answer["model"] = call["model"]
    cost = read_prices().cost(answer.get("model"), answer.get("input_tokens"), answer.get("output_tokens"))
    if cost is not None:
        answer.setdefault("cost_usd", cost)
    if call.get("tools"):
        answer["metadata"] = {**answer.get("metadata", {}), "tools": [_plain(tool) for tool in call["tools"]]}
    if not kept:
        for name in ("output", "metadata"):
            answer.pop(name, None)
        return answer
    if isinstance(call.get("messages"), list):
        answer["messages"] = [_plain(message) for message in call["messages"]]
    elif isinstance(call.get("prompt"), str):
        answer["prompt"] = call["prompt"]
    return redacted(answer)


def read_result(result: Any) -> dict[str, Any]:
    """Output, model, tokens, tool names and finish reason of what a model call gave back."""
    if isinstance(result, str):
        return {"output": result}
    if isinstance(result, list):
        return _read_chunks(result)
    value = _plain(result)
    if not isinstance(value, dict):
        return {}
    choice = (value.get("choices") or [{}])[0]
    message, usage = choice.get("message") or {}, value.get("usage") or {}
    output = message.get("content") or value.get("output") or value.get("response") or value.get("text")
    tools = [(call.get("function") or {}).get("name") for call in message.get("tool_calls") or []]
    return {
        "output": output if isinstance(output, str) else None,
        "model": value.get("model"),
        "finish_reason": choice.get("finish_reason"),
        "input_tokens": usage.get("prompt_tokens", usage.get("input_tokens")),
        "output_tokens": usage.get("completion_tokens", usage.get("output_tokens")),
        "tools_called": [name for name in tools if name] or None,
    }


def _read_chunks(chunks: list[Any]) -> dict[str, Any]:
    values = [_plain(chunk) for chunk in chunks]
    choices = [choice for value in values for choice in value.get("choices") or []]
    usage: dict[str, Any] = next((value["usage"] for value in reversed(values) if value.get("usage")), {})
    return {
        "output": "".join((choice.get("delta") or {}).get("content") or "" for choice in choices) or None,
        "model": next((value["model"] for value in values if value.get("model")), None),
        "finish_reason": next((c["finish_reason"] for c in reversed(choices) if c.get("finish_reason")), None),
        "input_tokens": usage.get("prompt_tokens"),
        "output_tokens": usage.get("completion_tokens"),
    }


def _plain(value: Any) -> Any:
    """A pydantic object as a dictionary; everything else as it is."""
    dump = getattr(value, "model_dump", None)
    return dump(mode="json", exclude_none=True) if callable(dump) else value
