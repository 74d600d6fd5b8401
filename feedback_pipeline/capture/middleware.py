"""Logging for FastAPI and Starlette: answers that routes give as JSON are logged with the request they answer.

    app.add_middleware(FeedbackMiddleware, client=feedback, paths=("/chat",))

The answer goes to the user first and unchanged; the response carries `X-Request-ID`, which a vote can name.
"""

import json
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol
from uuid import uuid4

from feedback_pipeline.capture.client import FeedbackClient
from feedback_pipeline.capture.llm_logging import CallLog, request_id

HEADER = b"x-request-id"
LARGEST_BODY = 256 * 1024
_log = logging.getLogger(__name__)
_PROMPTS = ("prompt", "query", "question", "input", "message", "user_message", "input_text")


class Application(Protocol):
    """An ASGI application."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


class FeedbackMiddleware:
    """Logs JSON requests to `paths` (prefixes) and their answers up to 256 KB; everything else passes untouched."""

    def __init__(
        self,
        app: Application,
        client: FeedbackClient,
        paths: Iterable[str] = ("/",),
        sampling: float = 1.0,
        user_of: Callable[[Any], str | None] = lambda scope: None,
        **about: Any,
    ) -> None:
        """`user_of` names the user of a request (its ASGI scope); the service stores a pseudonym."""
        self._app = app
        self._log = CallLog(client, about, sampling)
        self._paths = tuple(paths)
        self._user_of = user_of

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].startswith(self._paths):
            await self._app(scope, receive, send)
            return
        identity = uuid4().hex
        request_id.set(identity)
        exchange = _Exchange()
        started = time.perf_counter()

        async def heard() -> Any:
            message = await receive()
            if message["type"] == "http.request":
                exchange.asked(message.get("body", b""))
            return message

        async def said(message: Any) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message = {**message, "headers": [*message.get("headers", []), (HEADER, identity.encode())]}
            elif message["type"] == "http.response.body":
                exchange.answered(message.get("body", b""))
            await send(message)

        await self._app(scope, heard, said)
        self._record(scope, exchange, started, identity)

    def _record(self, scope: Any, exchange: "_Exchange", started: float, identity: str) -> None:
        try:
            call, result = exchange.read()
            if result is None:
                return
            about = {
                name: call[name] for name in ("prompt_version", "conversation_id") if isinstance(call.get(name), str)
            }
            user = self._user_of(scope)
            log = CallLog(
                self._log.client, self._log.about | about | ({"user_id": user} if user else {}), self._log.sampling
            )
            log.record(call, result, started, identity)
        except Exception as error:  # noqa: BLE001 - logging must never raise into the application
            _log.warning("a request was not logged (%s)", type(error).__name__)


class _Exchange:
    """What was asked and answered, as far as it is small enough to keep."""

    def __init__(self) -> None:
        self.status = 0
        self._question = bytearray()
        self._answer = bytearray()

    def asked(self, body: bytes) -> None:
        if len(self._question) <= LARGEST_BODY:
            self._question += body

    def answered(self, body: bytes) -> None:
        if len(self._answer) <= LARGEST_BODY:
            self._answer += body

    def read(self) -> tuple[dict[str, Any], Any]:
        """The call and its result; no result where this was no JSON exchange that succeeded."""
        if self.status != 200 or max(len(self._question), len(self._answer)) > LARGEST_BODY:
            return {}, None
        try:
            question, answer = json.loads(self._question), json.loads(self._answer)
        except ValueError:
            return {}, None
        if not isinstance(question, dict) or not isinstance(answer, str | dict):
            return {}, None
        prompt = next((question[name] for name in _PROMPTS if isinstance(question.get(name), str)), None)
        return {**question, "prompt": prompt}, answer
