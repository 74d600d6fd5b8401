"""Logging for FastAPI and Starlette (any ASGI application): what routes answer is logged with the request.

    app.add_middleware(FeedbackMiddleware, client=feedback, paths=("/chat",))

The answer goes to the user first and unchanged; the response carries `X-Request-ID`, which a vote can name.
"""

from __future__ import annotations

import json
import logging
import time
import zlib
from collections import Counter
from collections.abc import Iterable
from typing import Any, Callable, Protocol

from feedback_client.context import Exchange, around_calls, call_context, request_id
from feedback_client.logging_calls import AnyClient, CallLog
from feedback_client.reading import PIECES, read_result

HEADER = b"x-request-id"
MAX_BODY = 256 * 1024
MAX_ID = 200
PROMPTS = ("prompt", "query", "question", "input", "message", "user_message", "input_text", "text", "content")
"""Fields of a request that may hold what was asked, in this order."""
ANSWERS = ("answer", "result", "content", "reply", "message", "response", "output", "output_text", "text", "completion",
           "data")  # fmt: skip
"""Fields of an answer that may hold the text, in this order; each may hold an object that holds one of them."""
_log = logging.getLogger("feedback_client")


class Application(Protocol):
    """An ASGI application."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


class FeedbackMiddleware:
    """Logs requests to `paths` (prefixes) and their answers up to 256 KB: JSON, streams of events (SSE) and of lines
    (NDJSON), and plain text; everything else passes untouched.

    Where a model's client inside is logged by itself, that call stands for the request. What could not be read is
    counted in `unread`, by reason, and said once in the log.
    """

    def __init__(
        self,
        app: Application,
        client: AnyClient | None = None,
        paths: Iterable[str] = ("/",),
        sampling: float = 1.0,
        user_of: Callable[[Any], str | None] = lambda scope: None,
        answer: str | None = None,
        prompt: str | None = None,
        about_of: Callable[[Any, dict[str, Any]], dict[str, Any]] | None = None,
        **about: Any,
    ) -> None:
        """Args:
        app: the application.
        client: where requests are logged to; by default the one of the environment.
        paths: what is logged: beginnings of paths.
        sampling: share of requests whose text is kept.
        user_of: names the user of a request (its ASGI scope); the service stores a pseudonym.
        answer: a JSON Pointer (RFC 6901) to the text in an answer, such as `/data/0/text`, where no usual field has it.
        prompt: the same for the request.
        about_of: makes more fields of a request's scope and body. What visitors write is not believed by itself: no
            field of the body but the prompt is logged otherwise.
        about: fields of every answer.
        """
        self._app = app
        self._client = client
        self._about = about
        self._sampling = sampling
        self._paths = tuple(paths)
        self._user_of = user_of
        self._answer = answer
        self._prompt = prompt
        self._about_of = about_of
        self.unread: Counter[str] = Counter()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].startswith(self._paths):
            await self._app(scope, receive, send)
            return
        user = self._user(scope)
        bodies = _Bodies()
        started = time.perf_counter()
        with around_calls() as exchange, call_context(**({"user_id": user} if user else {})):
            request_id.set(exchange.identity)

            async def asked() -> Any:
                message = await receive()
                if message["type"] == "http.request":
                    bodies.asked(message.get("body", b""))
                return message

            async def answered(message: Any) -> None:
                if message["type"] == "http.response.start":
                    bodies.start(message)
                    headers = [*message.get("headers", []), (HEADER, exchange.identity.encode())]
                    message = {**message, "headers": headers}
                elif message["type"] == "http.response.body":
                    bodies.answered(message.get("body", b""))
                await send(message)

            try:
                await self._app(scope, asked, answered)
            finally:
                self._record(scope, bodies, started, exchange, user)

    def _user(self, scope: Any) -> str | None:
        try:
            user = self._user_of(scope)
        except Exception as error:  # noqa: BLE001 - the application's own function; its request goes on
            self._unread(f"user_of: {type(error).__name__}")
            return None
        return None if user is None else str(user)[:MAX_ID]

    def _record(self, scope: Any, bodies: _Bodies, started: float, exchange: Exchange, user: str | None) -> None:
        if exchange.calls or not 200 <= bodies.status < 300:
            return
        try:
            question = bodies.question()
            result, reason = bodies.answer(self._answer)
            if result is None:
                self._unread(reason)
                return
            about = {**self._about, **({} if user is None else {"user_id": user})}
            if self._about_of is not None:
                about.update(self._about_of(scope, question if isinstance(question, dict) else {}))
            from feedback_client.verbs import default_client

            client = default_client() if self._client is None else self._client
            call = _call(question, self._prompt)
            CallLog(client, about, self._sampling).record(call, result, started, exchange.identity, about={})
        except Exception as error:  # noqa: BLE001 - logging must never raise into the application
            self._unread(type(error).__name__)

    def _unread(self, reason: str) -> None:
        self.unread[reason] += 1
        if self.unread[reason] == 1:
            _log.warning(
                "answers of this kind are not logged: %s (said once; counted in FeedbackMiddleware.unread)", reason
            )


class _Bodies:
    """What was asked and answered, as far as it is small enough to keep."""

    def __init__(self) -> None:
        self.status = 0
        self._kind = ""
        self._encoding = ""
        self._question = bytearray()
        self._answer = bytearray()

    def start(self, message: Any) -> None:
        self.status = message["status"]
        headers = {bytes(name).lower(): bytes(value).decode("latin-1") for name, value in message.get("headers", [])}
        self._kind = headers.get(b"content-type", "").partition(";")[0].strip().lower()
        self._encoding = headers.get(b"content-encoding", "").strip().lower()

    def asked(self, body: bytes) -> None:
        if len(self._question) <= MAX_BODY:
            self._question += body

    def answered(self, body: bytes) -> None:
        if len(self._answer) <= MAX_BODY:
            self._answer += body

    def question(self) -> Any:
        """What was asked: a JSON value, or nothing that can be read."""
        try:
            return json.loads(self._question) if len(self._question) <= MAX_BODY else None
        except ValueError:
            return None

    def answer(self, pointer: str | None) -> tuple[Any, str]:
        """What was answered, or why that cannot be read."""
        if len(self._answer) > MAX_BODY:
            return None, f"larger than {MAX_BODY} bytes"
        try:
            text = _unpacked(bytes(self._answer), self._encoding).decode()
        except (ValueError, zlib.error):
            return None, f"content-encoding {self._encoding or 'none'}, not UTF-8 text"
        if self._kind == "text/event-stream":
            return _streamed(_events(text), pointer)
        if self._kind in {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/json-lines"}:
            return _streamed(text.splitlines(), pointer)
        if self._kind == "text/plain":
            return (text, "") if text else (None, "an empty answer")
        if self._kind == "application/json" or self._kind.endswith("+json"):
            return _whole(text, pointer)
        return None, f"content-type {self._kind or 'none'}"


def _unpacked(body: bytes, encoding: str) -> bytes:
    if encoding in {"", "identity"}:
        return body
    if encoding in {"gzip", "deflate"}:
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, 8 * MAX_BODY)
    raise ValueError(encoding)


def _events(text: str) -> list[str]:
    """The data of the events of a stream (HTML Living Standard, section 9.2)."""
    found = []
    for block in text.replace("\r\n", "\n").replace("\r", "\n").split("\n\n"):
        data = [line[5:].removeprefix(" ") for line in block.split("\n") if line.startswith("data:")]
        if data:
            found.append("\n".join(data))
    return found


def _streamed(pieces: list[str], pointer: str | None) -> tuple[Any, str]:
    read: list[Any] = []
    for piece in pieces:
        if not piece.strip() or piece.strip() == "[DONE]":
            continue
        try:
            value: Any = json.loads(piece)
        except ValueError:
            value = piece
        if pointer is not None:
            value = at_pointer(value, pointer)
        elif isinstance(value, dict) and "choices" not in value and "type" not in value:
            pieces_of_it = (value[name] for name in PIECES if isinstance(value.get(name), str))
            value = {"output": next(pieces_of_it, None) or text_in(value), "model": value.get("model")}
        if value is not None:
            read.append(value)
    if not read or (read_result(read).get("output") is None and not read_result(read).get("tools_called")):
        return None, "a stream without a text in a known field"
    return read, ""


def _whole(text: str, pointer: str | None) -> tuple[Any, str]:
    try:
        value = json.loads(text)
    except ValueError:
        return None, "an answer that is not the JSON it says it is"
    if pointer is not None:
        found = at_pointer(value, pointer)
        return (found, "") if isinstance(found, str) else (None, f"nothing at {pointer}")
    if isinstance(value, str):
        return value, ""
    if isinstance(value, dict):
        read = read_result(value)
        if read.get("output") is not None or read.get("tools_called"):
            return value, ""
        if (output := text_in(value)) is not None:
            return {**value, "output": output}, ""
    return None, "no text in a known field (name it with answer=)"


def text_in(value: Any, depth: int = 0) -> str | None:
    """The text in the usual fields of an answer."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and depth:
        return text_in(value[0], depth + 1)
    if not isinstance(value, dict) or depth > 4:
        return None
    for name in ANSWERS:
        if name in value and (found := text_in(value[name], depth + 1)) is not None:
            return found
    return None


def at_pointer(value: Any, pointer: str) -> Any:
    """The value at a JSON Pointer (RFC 6901); None where there is none."""
    for part in pointer.lstrip("/").split("/") if pointer else []:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.lstrip("-").isdigit() and -len(value) <= int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def _call(question: Any, pointer: str | None) -> dict[str, Any]:
    """What was asked, of a request's body: messages, or a prompt. Nothing else in it is believed."""
    if isinstance(question, str):
        return {"prompt": question}
    if pointer is not None:
        found = at_pointer(question, pointer)
        return {"messages": found} if isinstance(found, list) else {"prompt": found if isinstance(found, str) else None}
    if not isinstance(question, dict):
        return {}
    if isinstance(question.get("messages"), list):
        return {"messages": question["messages"]}
    return {"prompt": next((question[name] for name in PROMPTS if isinstance(question.get(name), str)), None)}
