"""What is known of a model call apart from the call: whose it is, and under which id its answer is logged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import uuid4

request_id: ContextVar[str | None] = ContextVar("feedback_request_id", default=None)
"""The id under which the latest call in this context was logged: what a vote on it names."""
_about: ContextVar[dict[str, Any] | None] = ContextVar("feedback_about", default=None)
_exchange: ContextVar[Exchange | None] = ContextVar("feedback_exchange", default=None)


class Exchange:
    """A request or a function around model calls: it is logged itself only where none of them is."""

    def __init__(self) -> None:
        self.identity = uuid4().hex
        self.calls = 0


@contextmanager
def call_context(**about: Any) -> Iterator[None]:
    """Says of every model call inside whose it is: `user_id`, `session_id`, `conversation_id`, `turn`, `content_type`
    and `content_id`, `intent`, `tags`, `metadata` … An erasure finds what carries a `user_id`.

    Inner contexts add to outer ones.

    Example:
        >>> with call_context(user_id="ada", conversation_id="c-1"):
        ...     current_about()
        {'user_id': 'ada', 'conversation_id': 'c-1'}
    """
    token = _about.set({**(_about.get() or {}), **about})
    try:
        yield
    finally:
        _about.reset(token)


def current_about() -> dict[str, Any]:
    """What the contexts around say."""
    return dict(_about.get() or {})


@contextmanager
def around_calls() -> Iterator[Exchange]:
    """Opens an exchange: model calls logged inside are counted, and the latest of them gives it its id."""
    exchange = Exchange()
    token = _exchange.set(exchange)
    try:
        yield exchange
    finally:
        _exchange.reset(token)


def begin_call() -> str:
    """The id of a model call that begins now."""
    identity = uuid4().hex
    request_id.set(identity)
    exchange = _exchange.get()
    if exchange is not None:
        exchange.identity = identity
        exchange.calls += 1
    return identity
