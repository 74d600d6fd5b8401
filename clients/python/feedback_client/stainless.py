"""Logging of the clients of OpenAI and Anthropic, which are made by the same generator.

All of their methods (create, parse, stream, raw responses, options of one's own) send through `client.request`, so that
one place sees every call once. What it gives back stays what it was: streams are tapped inside, not wrapped.
"""

from __future__ import annotations

import functools
import inspect
import logging
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, Callable

from feedback_client.context import begin_call, call_context, current_about
from feedback_client.logging_calls import MAX_EVENTS, CallLog, copied

_MARK = "_feedback_logged"
_log = logging.getLogger("feedback_client")


def instrument(
    sdk_client: Any, log: CallLog, endpoints: tuple[str, ...], resources: tuple[tuple[str, ...], ...]
) -> Any:
    """Logs the calls of a client to `endpoints` (ends of their paths); returns the client.

    The methods of `resources` (paths of attributes) take one more argument, `feedback`: what is said of that call, as
    `call_context` does. Instrumenting a client again changes nothing.
    """
    if getattr(sdk_client, _MARK, False):
        return sdk_client
    try:
        request = sdk_client.request
        asynchronous = inspect.iscoroutinefunction(inspect.unwrap(request))
        sdk_client.request = (_async_request if asynchronous else _request)(request, log, endpoints)
        for path in resources:
            _take_feedback(sdk_client, path)
        for name in ("copy", "with_options"):
            _instrument_copies(sdk_client, name, log, endpoints, resources)
        setattr(sdk_client, _MARK, True)
    except Exception as error:  # noqa: BLE001 - a client of another make works on, unlogged
        _log.warning("the calls of this client cannot be logged (%s)", type(error).__name__)
    return sdk_client


def _instrument_copies(
    sdk_client: Any, name: str, log: CallLog, endpoints: tuple[str, ...], resources: tuple[tuple[str, ...], ...]
) -> None:
    original = getattr(sdk_client, name, None)
    if original is None:
        return

    @functools.wraps(original)
    def copy(*args: Any, **kwargs: Any) -> Any:
        return instrument(original(*args, **kwargs), log, endpoints, resources)

    setattr(sdk_client, name, copy)


def _take_feedback(sdk_client: Any, path: tuple[str, ...]) -> None:
    owner = sdk_client
    for name in path[:-1]:
        owner = getattr(owner, name, None)
    original = getattr(owner, path[-1], None)
    if original is None:
        return

    @functools.wraps(original)
    def method(*args: Any, feedback: dict[str, Any] | None = None, **kwargs: Any) -> Any:
        if not feedback:
            return original(*args, **kwargs)
        with call_context(**feedback):
            result = original(*args, **kwargs)
        return _within(result, feedback) if inspect.isawaitable(result) else result

    setattr(owner, path[-1], method)


async def _within(result: Any, feedback: dict[str, Any]) -> Any:
    with call_context(**feedback):
        return await result


class _Call:
    """One request under way."""

    def __init__(self, log: CallLog, options: Any) -> None:
        body = getattr(options, "json_data", None)
        self.log = log
        self.body = copied(body) if isinstance(body, dict) else {}
        self.started = time.perf_counter()
        self.identity = begin_call()
        self.about = current_about()
        self.done = False

    def end(self, result: Any, error: BaseException | None = None) -> None:
        if not self.done:
            self.done = True
            self.log.record(self.body, result, self.started, self.identity, error, self.about)


def _logged(options: Any, endpoints: tuple[str, ...]) -> bool:
    url = str(getattr(options, "url", "")).partition("?")[0].rstrip("/")
    return str(getattr(options, "method", "")).lower() == "post" and url.endswith(endpoints)


def _request(request: Callable[..., Any], log: CallLog, endpoints: tuple[str, ...]) -> Callable[..., Any]:
    @functools.wraps(request)
    def logged(cast_to: Any, options: Any, *args: Any, **kwargs: Any) -> Any:
        if not _logged(options, endpoints):
            return request(cast_to, options, *args, **kwargs)
        call = _Call(log, options)
        try:
            result = request(cast_to, options, *args, **kwargs)
        except BaseException as error:
            call.end(None, error)
            raise
        _watch(result, call)
        return result

    return logged


def _async_request(request: Callable[..., Any], log: CallLog, endpoints: tuple[str, ...]) -> Callable[..., Any]:
    @functools.wraps(request)
    async def logged(cast_to: Any, options: Any, *args: Any, **kwargs: Any) -> Any:
        if not _logged(options, endpoints):
            return await request(cast_to, options, *args, **kwargs)
        call = _Call(log, options)
        try:
            result = await request(cast_to, options, *args, **kwargs)
        except BaseException as error:
            call.end(None, error)
            raise
        _watch(result, call)
        return result

    return logged


def _watch(result: Any, call: _Call) -> None:
    """Logs a result now, or a stream when it ends, is closed, or is left."""
    try:
        if hasattr(result, "_iterator") and hasattr(result, "response"):
            _tap(result, call)
        elif hasattr(result, "http_response") and hasattr(result, "parse"):
            _watch_raw(result, call)
        else:
            call.end(result)
    except Exception as error:  # noqa: BLE001 - logging must never raise into the application
        _log.warning("a model call was not logged (%s)", type(error).__name__)


def _watch_raw(response: Any, call: _Call) -> None:
    """A raw response: read in the background where its body is there; tapped where the application reads it."""
    http = response.http_response
    if getattr(http, "is_stream_consumed", False) or getattr(http, "is_closed", False):
        call.end(http.json)
        return
    parse = response.parse

    def after(parsed: Any) -> Any:
        if hasattr(parsed, "_iterator"):
            _tap(parsed, call)
        else:
            call.end(parsed)
        return parsed

    if inspect.iscoroutinefunction(parse):

        @functools.wraps(parse)
        async def parse_async(*args: Any, **kwargs: Any) -> Any:
            return after(await parse(*args, **kwargs))

        response.parse = parse_async
    else:

        @functools.wraps(parse)
        def parse_sync(*args: Any, **kwargs: Any) -> Any:
            return after(parse(*args, **kwargs))

        response.parse = parse_sync


def _tap(stream: Any, call: _Call) -> None:
    """Notes the events of a stream as they pass. A stream that is left in the middle is logged as far as it came."""
    events: list[Any] = []
    iterator = stream._iterator
    tap = _tapped_async if hasattr(iterator, "__anext__") else _tapped
    stream._iterator = tap(iterator, call, events)
    close = getattr(stream, "close", None)
    if inspect.iscoroutinefunction(close):

        @functools.wraps(close)
        async def close_async(*args: Any, **kwargs: Any) -> Any:
            call.end(events)
            return await close(*args, **kwargs)

        stream.close = close_async
    elif close is not None:

        @functools.wraps(close)
        def close_sync(*args: Any, **kwargs: Any) -> Any:
            call.end(events)
            return close(*args, **kwargs)

        stream.close = close_sync


def _tapped(iterator: Iterator[Any], call: _Call, events: list[Any]) -> Iterator[Any]:
    error: BaseException | None = None
    try:
        for event in iterator:
            if len(events) < MAX_EVENTS:
                events.append(event)
            yield event
    except GeneratorExit:
        raise
    except BaseException as problem:
        error = problem
        raise
    finally:
        call.end(events, error)


async def _tapped_async(iterator: AsyncIterator[Any], call: _Call, events: list[Any]) -> AsyncIterator[Any]:
    error: BaseException | None = None
    try:
        async for event in iterator:
            if len(events) < MAX_EVENTS:
                events.append(event)
            yield event
    except GeneratorExit:
        raise
    except BaseException as problem:
        error = problem
        raise
    finally:
        call.end(events, error)
