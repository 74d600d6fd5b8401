"""The verbs of older designs, with the client that the environment describes."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Callable, Protocol, Union

from feedback_client.client import FeedbackClient
from feedback_client.errors import NoServiceError

URL = "FEEDBACK_API_URL"
KEY = "FEEDBACK_API_KEY"
SPOOL = "FEEDBACK_SPOOL"


class Sender(Protocol):
    """Whatever files votes and answers: a client of a service, or a store on this machine."""

    def send(self, vote: dict[str, Any], idempotency_key: str | None = None) -> str | None: ...

    def log_later(self, call: dict[str, Any], read: Callable[[dict[str, Any]], dict[str, Any] | None]) -> bool: ...


AnySender = Union[Sender, FeedbackClient]
_default: AnySender | None = None
_making = threading.Lock()
_fallback: Callable[[], AnySender] | None = None


def default_client() -> Any:
    """The client that verbs use where none is given: of the service that FEEDBACK_API_URL and FEEDBACK_API_KEY name,
    with the spool that FEEDBACK_SPOOL names; else this machine's store, where feedback_pipeline has one.

    Raises:
        NoServiceError: there is neither.
    """
    global _default
    with _making:
        if _default is None:
            _default = _made()
        return _default


def set_default_client(client: AnySender | None) -> None:
    """Makes a client the one that verbs use; None to read the environment again."""
    global _default
    with _making:
        _default = client


def set_fallback(make: Callable[[], AnySender]) -> None:
    """What makes the client where the environment names no service; feedback_pipeline sets it."""
    global _fallback
    _fallback = make


def _made() -> AnySender:
    url, key = os.environ.get(URL), os.environ.get(KEY)
    if url and key:
        return FeedbackClient(url, key, spool=os.environ.get(SPOOL) or None)
    if url or key:
        raise NoServiceError(f"{URL} and {KEY} belong together: {KEY if url else URL} is not set")
    if _fallback is None:
        raise NoServiceError(
            f"no client was given, and nothing says where the service is: set {URL} and {KEY}, "
            "or pass client=FeedbackClient(…)"
        )
    return _fallback()


def capture_feedback(
    prompt: str,
    output: str,
    rating: int | None = None,
    thumbs_up: bool | None = None,
    tags: Sequence[str] | None = None,
    context: Mapping[str, Any] | None = None,
    notes: str | None = None,
    *,
    user_id: str | None = None,
    client: AnySender | None = None,
) -> str | None:
    """Files a rating of a prompt's output (stars 1 to 5, a thumb, or both); returns its id, None if the person refused
    collection.

    `context` may hold framework, model, confidence, techniques and execution_time (seconds); what else it holds is kept
    as metadata. Tags are normalised where they arrive.

    Raises:
        DeliveryError: the service refused it, or was not reached in four attempts.
        NoServiceError: no client was given, and there is no default one.
    """
    about = dict(context or {})
    seconds = about.pop("execution_time", None)
    known: dict[str, Any] = {
        name: about.pop(name) for name in ("framework", "model", "confidence", "techniques") if name in about
    }
    answer: dict[str, Any] = {"prompt": prompt, "output": output, "tags": list(tags or ()), **known}
    if seconds is not None:
        answer["latency_ms"] = float(seconds) * 1000
    if about:
        answer["metadata"] = about
    vote: dict[str, Any] = {
        "kind": "explicit" if rating is not None or thumbs_up is not None else "comment",
        "stars": rating, "thumb": thumbs_up, "comment": notes, "user_id": user_id, "answer": answer,
    }  # fmt: skip
    return _client(client).send({name: value for name, value in vote.items() if value is not None})


def collect_explicit_feedback(
    request_id: str,
    rating: bool | int | str,
    comment: str | None = None,
    *,
    user_id: str | None = None,
    client: AnySender | None = None,
) -> str | None:
    """Files a rating of a request: true, false, "up", "down", −1, or 1 to 5 stars. Raises as `capture_feedback`."""
    vote = {
        "feedback_type": "explicit", "feedback_value": {"rating": rating}, "request_id": request_id,
        "comment": comment, "user_id": user_id,
    }  # fmt: skip
    return _client(client).send({name: value for name, value in vote.items() if value is not None})


def insert_feedback(
    conversation_id: str | None = None,
    turn_id: int | str | None = None,
    request_id: str | None = None,
    input_text: str | None = None,
    output_text: str | None = None,
    prompt_version: str | None = None,
    model: str | None = None,
    feedback_type: str = "explicit",
    feedback_value: Mapping[str, Any] | None = None,
    *,
    user_id: str | None = None,
    client: AnySender | None = None,
) -> str | None:
    """Files a signal of any type (explicit, implicit, outcome) with the turn it is about. Raises as
    `capture_feedback`."""
    vote = {
        "conversation_id": conversation_id, "turn_id": turn_id, "request_id": request_id, "input_text": input_text,
        "output_text": output_text, "prompt_version": prompt_version, "model": model, "feedback_type": feedback_type,
        "feedback_value": dict(feedback_value or {}), "user_id": user_id,
    }  # fmt: skip
    return _client(client).send({name: value for name, value in vote.items() if value is not None})


def log_ab_test(
    request_id: str,
    user_id: str | None,
    variant: str,
    result: Mapping[str, Any] | bool | float | str | None,
    *,
    experiment: str = "ab_test",
    client: AnySender | None = None,
) -> str | None:
    """Files how a request of an A/B test ended, as an outcome that names its variant: `result` is a mapping such as
    `{"task_succeeded": True}`, or true or false for that. That the person saw it is filed as an exposure of the
    experiment. Raises as `capture_feedback`."""
    if isinstance(result, Mapping):
        value = dict(result)
    elif isinstance(result, bool):
        value = {"task_succeeded": result}
    else:
        value = {"result": result}
    vote: dict[str, Any] = {
        "feedback_type": "outcome", "feedback_value": {**value, "variant": variant}, "request_id": request_id,
    }  # fmt: skip
    sender = _client(client)
    if isinstance(sender, FeedbackClient) and user_id is not None:
        sender.exposed(experiment, variant, request_id, user_id)
    return sender.send(vote if user_id is None else {**vote, "user_id": user_id})


def _client(client: AnySender | None) -> AnySender:
    found: AnySender = default_client() if client is None else client
    return found
