"""Logging of the clients of providers: OpenAI (and whatever speaks its format), Anthropic, LiteLLM."""

from __future__ import annotations

import logging
import time
from typing import Any, TypeVar

from feedback_client.context import begin_call
from feedback_client.logging_calls import AnyClient, CallLog
from feedback_client.stainless import instrument

Sdk = TypeVar("Sdk")
_OPENAI = ("/chat/completions", "/responses", "/completions")
_OPENAI_METHODS = (
    ("chat", "completions", "create"), ("chat", "completions", "parse"), ("chat", "completions", "stream"),
    ("responses", "create"), ("responses", "parse"), ("responses", "stream"), ("completions", "create"),
)  # fmt: skip
_ANTHROPIC = ("/messages",)
_ANTHROPIC_METHODS = (("messages", "create"), ("messages", "stream"), ("messages", "parse"))
_log = logging.getLogger("feedback_client")


def log_openai(openai_client: Sdk, client: AnyClient | None = None, *, sampling: float = 1.0, **about: Any) -> Sdk:
    """Logs the calls of an `OpenAI` or `AsyncOpenAI` client (Azure's too) and returns it: chat completions, responses
    and completions; created, parsed or streamed; raw responses, clients made by `with_options`, and errors.

    Nothing that the application gets changes. A stream is logged when it ends, is closed or is left, as far as it came.
    Images and files are logged by their hash.

    Args:
        openai_client: the client.
        client: where calls are logged to; by default the one of the environment (see `default_client`).
        sampling: share of calls whose text is kept; of the others a row without text is.
        about: said of every call: prompt_version, project, intent … What differs from call to call is said with
            `call_context(user_id=…)` around it or `feedback={"user_id": …}` as an argument of the call.
    """
    return _instrumented(openai_client, client, sampling, about, _OPENAI, _OPENAI_METHODS)


def log_anthropic(
    anthropic_client: Sdk, client: AnyClient | None = None, *, sampling: float = 1.0, **about: Any
) -> Sdk:
    """Logs the messages of an `Anthropic` or `AsyncAnthropic` client and returns it; see `log_openai`."""
    return _instrumented(anthropic_client, client, sampling, about, _ANTHROPIC, _ANTHROPIC_METHODS)


def _instrumented(
    sdk_client: Sdk, client: AnyClient | None, sampling: float, about: dict[str, Any], endpoints: tuple[str, ...],
    methods: tuple[tuple[str, ...], ...],
) -> Sdk:  # fmt: skip
    from feedback_client.verbs import default_client

    log = CallLog(default_client() if client is None else client, about, sampling)
    instrumented: Sdk = instrument(sdk_client, log, endpoints, methods)
    return instrumented


def log_litellm(client: AnyClient | None = None, *, sampling: float = 1.0, **about: Any) -> Any:
    """Logs every call of LiteLLM in this process, streamed ones when they end, and errors; returns the callback.

    What differs from call to call is said in the call's `metadata`: `{"feedback": {"user_id": …}}`. Calling it again
    changes nothing.

    Raises:
        ImportError: LiteLLM is not installed.
    """
    import litellm
    from litellm.integrations.custom_logger import CustomLogger

    from feedback_client.verbs import default_client

    log = CallLog(default_client() if client is None else client, about, sampling)

    class FeedbackLogger(CustomLogger):  # type: ignore[misc]  # untyped where LiteLLM is not installed
        """What LiteLLM calls when a request has ended."""

        def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
            _record_litellm(log, kwargs, response_obj, start_time, end_time, None)

        def log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
            _record_litellm(log, kwargs, None, start_time, end_time, kwargs.get("exception") or RuntimeError())

        async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
            _record_litellm(log, kwargs, response_obj, start_time, end_time, None)

        async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
            _record_litellm(log, kwargs, None, start_time, end_time, kwargs.get("exception") or RuntimeError())

    known = [callback for callback in litellm.callbacks if getattr(callback, "_feedback_logged", False)]
    if known:
        return known[0]
    callback = FeedbackLogger()
    callback._feedback_logged = True
    litellm.callbacks.append(callback)
    return callback


def _record_litellm(
    log: CallLog, kwargs: dict[str, Any], result: Any, start: Any, end: Any, error: BaseException | None
) -> None:
    seen = kwargs.setdefault("litellm_params", {})
    if seen.get("_feedback_logged"):
        return  # both the plain and the async callback are called for some calls
    seen["_feedback_logged"] = True
    streamed = kwargs.get("complete_streaming_response") or kwargs.get("async_complete_streaming_response")
    metadata = (kwargs.get("litellm_params") or {}).get("metadata") or {}
    said = metadata.get("feedback")
    about: dict[str, Any] = dict(said) if isinstance(said, dict) else {}
    body = {name: kwargs.get(name) for name in ("messages", "input", "model", "user") if kwargs.get(name) is not None}
    body.update({name: value for name, value in (kwargs.get("optional_params") or {}).items() if name == "tools"})
    seconds = (end - start).total_seconds() if start is not None and end is not None else 0.0
    identity = about.pop("request_id", None) or begin_call()
    log.record(body, streamed or result, time.perf_counter() - seconds, str(identity), error, about)
