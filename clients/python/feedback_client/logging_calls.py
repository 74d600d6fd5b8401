"""Logging of functions that ask a model, and what every kind of logging shares.

What is logged: the messages as sent, tools, output, model, prompt version, latency, tokens. All of it is read off and
redacted in the background; the caller's thread only notes the time and queues references.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, TypeVar, Union, cast, overload

from feedback_client.context import around_calls, begin_call, current_about
from feedback_client.draws import DRAW
from feedback_client.reading import read_call, read_result

if TYPE_CHECKING:
    from feedback_client.client import AsyncFeedbackClient, FeedbackClient

F = TypeVar("F", bound=Callable[..., Any])
AnyClient = Union["FeedbackClient", "AsyncFeedbackClient"]
MAX_EVENTS = 100_000
_MARK = "_feedback_logged"
_NAMES = (
    "messages", "prompt", "output", "model", "input_tokens", "output_tokens", "finish_reason", "tools_called",
    "user_id",
)  # fmt: skip
_log = logging.getLogger("feedback_client")


@dataclass(frozen=True)
class CallLog:
    """Where calls are logged to, and what is said of all of them.

    Attributes:
        client: the client that delivers.
        about: fields of every answer: project, intent, prompt_version, variant, tags …
        sampling: share of calls whose text is kept; of the others a row without text is.
    """

    client: AnyClient
    about: dict[str, Any] = field(default_factory=dict)
    sampling: float = 1.0

    def record(
        self, call: dict[str, Any], result: Any, started: float, identity: str, error: BaseException | None = None,
        about: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        """Queues a call; whatever is wrong with it stays here."""
        try:
            item = {
                "request_id": identity,
                "latency_ms": (time.perf_counter() - started) * 1000,
                "inclusion_probability": self.sampling,
                "_call": call,
                "_result": result,
                "_error": None if error is None else _described(error),
                "_kept": DRAW.random() < self.sampling,
                "_about": {**self.about, **(current_about() if about is None else about)},
            }
            self.client.log_later(item, read_off)
        except Exception as problem:  # noqa: BLE001 - logging must never raise into the application
            _log.warning("a model call was not logged (%s)", type(problem).__name__)


def _described(error: BaseException) -> dict[str, Any]:
    """An error by its kind and status; its message may quote what was asked."""
    status = getattr(error, "status_code", None)
    return {"type": type(error).__name__, **({"status": status} if isinstance(status, int) else {})}


def read_off(item: dict[str, Any]) -> dict[str, Any]:
    """The fields of an answer, read off a call and its result; run in the background."""
    answer = {name: value for name, value in item.items() if not name.startswith("_")}
    result = item["_result"]
    read = read_result(result() if callable(result) else result)
    asked = read_call(item["_call"])
    metadata = {**(asked.pop("metadata", None) or {}), **(read.pop("metadata", None) or {})}
    if item["_error"] is not None:
        metadata["error"] = item["_error"]
        read["finish_reason"] = read.get("finish_reason") or "error"
    for fields in (asked, read):
        answer.update({name: fields[name] for name in _NAMES if fields.get(name) is not None})
    about = dict(item["_about"])
    metadata.update(about.pop("metadata", None) or {})
    answer.update({name: value for name, value in about.items() if value is not None})
    if not item["_kept"]:
        for name in ("messages", "prompt", "output"):
            answer.pop(name, None)
        metadata = {}
    if metadata:
        answer["metadata"] = metadata
    return answer


@overload
def log_llm_request(function: F, *, client: AnyClient | None = None, sampling: float = 1.0, **about: Any) -> F: ...
@overload
def log_llm_request(*, client: AnyClient | None = None, sampling: float = 1.0, **about: Any) -> Callable[[F], F]: ...
def log_llm_request(
    function: F | None = None, *, client: AnyClient | None = None, sampling: float = 1.0, **about: Any
) -> F | Callable[[F], F]:
    """Logs every call of a function that asks a model: its `messages`, `prompt`, `model` and `tools` arguments, and
    what it returns (a text, a dictionary, or a completion of any provider) or yields. Works on plain and async
    functions and generators. What raises is logged, and raises on.

    Where a call inside is logged by itself (see `log_openai`), that one stands for it. The id of the latest call is in
    `request_id`, for the vote that may follow. Without `client` the default one is used; see `default_client`.
    """

    def decorate(wrapped: F) -> F:
        if getattr(wrapped, _MARK, False):
            return wrapped
        signature = inspect.signature(wrapped)

        def log() -> CallLog:
            from feedback_client.verbs import default_client

            return CallLog(default_client() if client is None else client, about, sampling)

        if inspect.isasyncgenfunction(wrapped):
            logged = _async_generator(wrapped, signature, log)
        elif inspect.isgeneratorfunction(wrapped):
            logged = _generator(wrapped, signature, log)
        elif inspect.iscoroutinefunction(wrapped):
            logged = _async_function(wrapped, signature, log)
        else:
            logged = _function(wrapped, signature, log)
        functools.update_wrapper(logged, wrapped)
        setattr(logged, _MARK, True)
        return cast("F", logged)

    return decorate if function is None else decorate(function)


class _Call:
    """One call of a function while it runs."""

    def __init__(self, log: Callable[[], CallLog], call: dict[str, Any]) -> None:
        self._log = log
        self._call = call
        self._started = time.perf_counter()

    def end(self, exchange: Any, result: Any, error: BaseException | None = None) -> None:
        if exchange.calls:
            return  # logged by what was called
        try:
            self._log().record(self._call, result, self._started, begin_call(), error)
        except Exception as problem:  # noqa: BLE001 - logging must never raise into the application
            _log.warning("a model call was not logged (%s)", type(problem).__name__)


def _function(wrapped: Any, signature: inspect.Signature, log: Callable[[], CallLog]) -> Any:
    def logged(*args: Any, **kwargs: Any) -> Any:
        call = _Call(log, arguments(signature, args, kwargs))
        with around_calls() as exchange:
            try:
                result = wrapped(*args, **kwargs)
            except BaseException as error:
                call.end(exchange, None, error)
                raise
        call.end(exchange, result)
        return result

    return logged


def _async_function(wrapped: Any, signature: inspect.Signature, log: Callable[[], CallLog]) -> Any:
    async def logged(*args: Any, **kwargs: Any) -> Any:
        call = _Call(log, arguments(signature, args, kwargs))
        with around_calls() as exchange:
            try:
                result = await wrapped(*args, **kwargs)
            except BaseException as error:
                call.end(exchange, None, error)
                raise
        call.end(exchange, result)
        return result

    return logged


def _generator(wrapped: Any, signature: inspect.Signature, log: Callable[[], CallLog]) -> Any:
    def logged(*args: Any, **kwargs: Any) -> Iterator[Any]:
        call = _Call(log, arguments(signature, args, kwargs))
        pieces: list[Any] = []
        error: BaseException | None = None
        with around_calls() as exchange:
            inner = wrapped(*args, **kwargs)
        try:
            for piece in inner:
                pieces.append(piece)
                yield piece
        except GeneratorExit:
            inner.close()
            raise
        except BaseException as problem:
            error = problem
            raise
        finally:
            call.end(exchange, pieces, error)

    return logged


def _async_generator(wrapped: Any, signature: inspect.Signature, log: Callable[[], CallLog]) -> Any:
    async def logged(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        call = _Call(log, arguments(signature, args, kwargs))
        pieces: list[Any] = []
        error: BaseException | None = None
        with around_calls() as exchange:
            inner = wrapped(*args, **kwargs)
        try:
            async for piece in inner:
                pieces.append(piece)
                yield piece
        except GeneratorExit:
            raise
        except BaseException as problem:
            error = problem
            raise
        finally:
            call.end(exchange, pieces, error)

    return logged


def arguments(signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call by name, as they are now: an application goes on appending to its list of messages."""
    with contextlib.suppress(TypeError):
        bound = signature.bind_partial(*args, **kwargs)
        bound.apply_defaults()
        return copied({**bound.arguments, **kwargs})
    return copied(kwargs)


def copied(call: dict[str, Any]) -> dict[str, Any]:
    """A call whose lists of messages are copies."""
    lists = {name: list(call[name]) for name in ("messages", "input") if isinstance(call.get(name), list)}
    return {**call, **lists}
