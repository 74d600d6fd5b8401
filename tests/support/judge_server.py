"""An OpenAI-compatible server for tests: real HTTP on loopback, no network, no model.

Chat completions (JSON schema, token probabilities, refusals, truncation), decisions, files and fine-tuning jobs, a
script of faults and a journal of every request. What it answers is a function given by the test.

    with OpenAITestServer(answer=rate) as server:
        client = openai.OpenAI(base_url=server.base_url, api_key="test")

As a program it serves fixed verdicts with a latency: python judge_server.py --latency 0.2
"""

import argparse
import asyncio
import http.client
import json
import math
import re
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

JOB_STATES = ("validating_files", "queued", "running", "succeeded")


@dataclass(frozen=True)
class Answer:
    """What a chat completion shall contain."""

    text: str = ""
    finish_reason: str = "stop"
    refusal: str | None = None
    probabilities: dict[str, float] | None = None
    """Of the first token."""
    usage: bool = True


@dataclass(frozen=True)
class Fault:
    """One request answered wrongly: with a status, a broken body, a cut connection or late."""

    status: int = 200
    code: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    disconnect: bool = False
    delay: float = 0.0


@dataclass(frozen=True)
class Entry:
    """One request in the journal."""

    method: str
    path: str
    body: dict[str, Any]
    status: int
    at: float


Answering = Callable[[dict[str, Any]], Answer | str]
Deciding = Callable[[dict[str, Any]], list[dict[str, Any]]]
"""The answers to a decision request's questions."""


class OpenAITestServer:
    """The server, in a thread of its own for as long as the `with` block lasts."""

    def __init__(
        self, answer: Answering | None = None, *, latency: float = 0.0, api_key: str = "test", model: str = "judge-1"
    ) -> None:
        self.answer = answer or fixed_verdicts
        self.decide: Deciding = even_decisions
        self.latency = latency
        self.api_key = api_key
        self.model = model
        self.journal: list[Entry] = []
        self.faults: deque[Fault | None] = deque()
        self.busy = 0
        self.most_busy = 0
        self.capacity: int | None = None
        """Requests in flight beyond this get a 429."""
        self.holds_after: int | None = None
        """After so many answers the others wait, until this is None again."""
        self.files: dict[str, dict[str, Any]] = {}
        self.contents: dict[str, bytes] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.base_url = f"http://127.0.0.1:{self.port}/v1"
        config = uvicorn.Config(self._app(), log_level="error", lifespan="off", timeout_keep_alive=60)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def script(self, faults: Iterable[Fault | None]) -> None:
        """The next requests, one after the other, meet these faults; None lets one pass."""
        self.faults.extend(faults)

    def chats(self) -> list[Entry]:
        """Chat completions and decisions asked for."""
        return [entry for entry in self.journal if entry.path in ("/v1/chat/completions", "/v1/decisions")]

    def answered(self) -> int:
        """Chat requests answered with 200."""
        return sum(entry.status == 200 for entry in self.chats())

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(5)

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])

    def _app(self) -> Starlette:
        one_job = "/v1/fine_tuning/jobs/{id}"
        return Starlette(
            routes=[
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
                Route("/v1/decisions", self._chat, methods=["POST"]),
                Route("/v1/models", self._models),
                Route("/v1/files", self._create_file, methods=["POST"]),
                Route("/v1/files", self._list_files),
                Route("/v1/files/{id}", self._file, methods=["GET", "DELETE"]),
                Route("/v1/files/{id}/content", self._file_content),
                Route("/v1/fine_tuning/jobs", self._create_job, methods=["POST"]),
                Route("/v1/fine_tuning/jobs", self._list_jobs),
                Route(one_job, self._job),
                Route(f"{one_job}/cancel", self._cancel_job, methods=["POST"]),
                Route(f"{one_job}/events", self._job_events),
            ]
        )

    def _note(self, request: Request, body: dict[str, Any], response: Response) -> Response:
        self.journal.append(Entry(request.method, request.url.path, body, response.status_code, time.monotonic()))
        return response

    def _gate(self, request: Request) -> Response | None:
        """A missing or wrong key is refused before anything else."""
        if request.headers.get("authorization") != f"Bearer {self.api_key}":
            return error(401, "invalid_api_key")
        return None

    async def _chat(self, request: Request) -> Response:
        body = await request.json()
        if refused := self._gate(request):
            return self._note(request, body, refused)
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        try:
            if self.capacity is not None and self.busy > self.capacity:
                return self._note(request, body, error(429, "rate_limit_exceeded", {"retry-after-ms": "20"}))
            fault = self.faults.popleft() if self.faults else None
            if fault is not None:
                return self._note(request, body, await self._faulty(request, fault))
            if self.latency:
                await asyncio.sleep(self.latency)
            while self.holds_after is not None and self.answered() >= self.holds_after:
                await asyncio.sleep(0.005)
            return self._note(request, body, JSONResponse(self._completion(body)))
        finally:
            self.busy -= 1

    async def _faulty(self, request: Request, fault: Fault) -> Response:
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if fault.disconnect:
            return _CutConnection()
        if fault.body is not None:
            return PlainTextResponse(fault.body, fault.status, fault.headers, media_type="application/json")
        if fault.status == 200:
            return JSONResponse(self._completion(await request.json()))
        return error(fault.status, fault.code or "server_error", fault.headers)

    def _completion(self, body: dict[str, Any]) -> dict[str, Any]:
        if "questions" in body:
            return self._decision(body)
        answer = self.answer(body)
        if isinstance(answer, str):
            answer = Answer(answer)
        message = {"role": "assistant", "content": None if answer.refusal else answer.text, "refusal": answer.refusal}
        choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": answer.finish_reason}
        choice["logprobs"] = None
        if answer.probabilities is not None and body.get("logprobs"):
            choice["logprobs"] = token_probabilities(answer.probabilities)
        read = sum(len(part["content"]) for part in body["messages"]) // 4 + 1
        written = len(answer.text) // 4 + 1
        completion = {"id": f"chatcmpl-{len(self.journal)}", "object": "chat.completion", "created": 0}
        completion |= {"model": self.model, "choices": [choice]}
        if answer.usage:
            usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
            completion["usage"] = usage
        return completion

    def _decision(self, body: dict[str, Any]) -> dict[str, Any]:
        read = sum(len(part["content"]) for part in body["input"]) // 4 + 1
        details = {"cached_tokens": 0, "cache_write_tokens": 0}
        usage = {"input_tokens": read, "input_tokens_details": details, "output_tokens": 0, "total_tokens": read}
        usage["output_tokens_details"] = {"reasoning_tokens": 0}
        return {"answers": self.decide(body), "model": self.model, "usage": usage}

    async def _models(self, request: Request) -> Response:
        entry = {"id": self.model, "object": "model", "created": 0, "owned_by": "test"}
        return self._gate(request) or JSONResponse({"object": "list", "data": [entry]})

    async def _create_file(self, request: Request) -> Response:
        if refused := self._gate(request):
            return refused
        form = await request.form()
        upload = form["file"]
        content = upload.encode() if isinstance(upload, str) else await upload.read()
        name = "upload" if isinstance(upload, str) else upload.filename
        number = f"file-{len(self.files) + 1}"
        self.contents[number] = content
        self.files[number] = {
            "id": number,
            "object": "file",
            "bytes": len(content),
            "created_at": 0,
            "filename": name,
            "purpose": form["purpose"],
            "status": "processed",
        }
        return self._note(request, {"purpose": form["purpose"]}, JSONResponse(self.files[number]))

    async def _list_files(self, request: Request) -> Response:
        listing = {"object": "list", "data": list(self.files.values()), "has_more": False}
        return self._gate(request) or JSONResponse(listing)

    async def _file(self, request: Request) -> Response:
        number = request.path_params["id"]
        if refused := self._gate(request) or (None if number in self.files else error(404, "not_found")):
            return refused
        if request.method == "GET":
            return JSONResponse(self.files[number])
        del self.files[number], self.contents[number]
        return self._note(request, {}, JSONResponse({"id": number, "object": "file", "deleted": True}))

    async def _file_content(self, request: Request) -> Response:
        number = request.path_params["id"]
        if refused := self._gate(request) or (None if number in self.files else error(404, "not_found")):
            return refused
        return Response(self.contents[number])

    async def _create_job(self, request: Request) -> Response:
        body = await request.json()
        if refused := self._gate(request):
            return refused
        if body.get("training_file") not in self.files:
            return self._note(request, body, error(400, "invalid_training_file"))
        number = f"ftjob-{len(self.jobs) + 1}"
        job = {"id": number, "object": "fine_tuning.job", "created_at": 0, "status": JOB_STATES[0], "error": None}
        job |= {"fine_tuned_model": None, "finished_at": None, "trained_tokens": None, "result_files": []}
        job |= {"hyperparameters": {}, "organization_id": "test", "seed": 0, "validation_file": None} | body
        self.jobs[number] = job
        return self._note(request, body, JSONResponse(job))

    async def _list_jobs(self, request: Request) -> Response:
        listing = {"object": "list", "data": list(self.jobs.values()), "has_more": False}
        return self._gate(request) or JSONResponse(listing)

    async def _job(self, request: Request) -> Response:
        """Each look moves the job one state on."""
        number = request.path_params["id"]
        if refused := self._gate(request) or (None if number in self.jobs else error(404, "not_found")):
            return refused
        job = self.jobs[number]
        if job["status"] in JOB_STATES[:-1]:
            job["status"] = JOB_STATES[JOB_STATES.index(job["status"]) + 1]
        if job["status"] == "succeeded" and job["fine_tuned_model"] is None:
            suffix = job.get("suffix") or "tuned"
            name = f"ft:{job['model']}:test:{suffix}:{number}"
            job |= {"fine_tuned_model": name, "trained_tokens": 1000, "finished_at": 1}
        return self._note(request, {}, JSONResponse(job))

    async def _cancel_job(self, request: Request) -> Response:
        number = request.path_params["id"]
        if refused := self._gate(request) or (None if number in self.jobs else error(404, "not_found")):
            return refused
        self.jobs[number]["status"] = "cancelled"
        return self._note(request, {}, JSONResponse(self.jobs[number]))

    async def _job_events(self, request: Request) -> Response:
        job = self.jobs.get(request.path_params["id"])
        if refused := self._gate(request) or (None if job else error(404, "not_found")):
            return refused
        assert job is not None
        event = {"id": "ftevent-1", "object": "fine_tuning.job.event", "created_at": 0, "level": "info"}
        event |= {"message": f"job is {job['status']}", "type": "message"}
        return JSONResponse({"object": "list", "data": [event], "has_more": False})


class _CutConnection(Response):
    """Promises a body and closes the connection instead."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"id": "chat', "more_body": False})


_shared: list[OpenAITestServer] = []


@contextmanager
def serve(answer: Answering | None = None, *, latency: float = 0.0) -> Iterator[OpenAITestServer]:
    """The one server of this process, as good as new: starting a thread for each of many tests takes longer."""
    if not _shared:
        _shared.append(OpenAITestServer().__enter__())
    server = _shared[0]
    server.holds_after = None
    for _ in range(2):  # a request that an earlier test's client gave up on may still be on its way: it comes first
        while server.busy:
            time.sleep(0.005)
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        connection.request("GET", "/v1/models")
        connection.getresponse().read()
        connection.close()
    server.answer, server.latency, server.capacity = answer or fixed_verdicts, latency, None
    server.decide = even_decisions
    server.journal.clear()
    server.faults.clear()
    yield server


def error(status: int, code: str, headers: dict[str, str] | None = None) -> Response:
    """An error as the API words it. The message quotes nothing, but clients must not rely on that."""
    content = {"error": {"message": "refused by the test server", "type": "test_error", "param": None, "code": code}}
    return JSONResponse(content, status, headers)


def token_probabilities(probabilities: dict[str, float]) -> dict[str, Any]:
    """`logprobs` of a completion of one token."""
    likeliest = sorted(probabilities.items(), key=lambda item: -item[1])
    entries = [{"token": token, "logprob": math.log(share), "bytes": None} for token, share in likeliest]
    return {"content": [{**entries[0], "top_logprobs": entries}], "refusal": None}


def fixed_verdicts(body: dict[str, Any]) -> Answer:
    """Rates everything 4, prefers A, and echoes the nonce."""
    return verdicts(body, "4", "A")


def even_decisions(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Answers every question with the same probability for each option."""
    return [decision(question, {}) for question in body["questions"]]


def decision(question: dict[str, Any], probabilities: dict[str, float]) -> dict[str, Any]:
    """An answer to one question as the API words it; without probabilities, all options alike."""
    key, options = ("label", question.get("levels")) if "levels" in question else ("value", question.get("choices"))
    names = [option[key] for option in options or ()]
    shares = {name: probabilities.get(name, 0.0) if probabilities else 1 / len(names) for name in names}
    listed = [{key: name, "probability": share} for name, share in shares.items()]
    answer = {"name": question["name"], "type": question["type"], "confidence": max(shares.values())}
    if question["type"] == "choice":
        return answer | {"choice": max(shares, key=shares.__getitem__), "probabilities": listed}
    values = [one | {"value": position} for position, one in enumerate(listed)]
    return answer | {"score": sum(one["value"] * one["probability"] for one in values), "probabilities": values}


def verdicts(body: dict[str, Any], rating: str, preferred: str, reasons: str = "as told") -> Answer:
    """A well-formed reply to a judge's request: one verdict for every criterion of its schema."""
    schema = body["response_format"]["json_schema"]["schema"]
    criteria = schema["properties"]["verdicts"]["properties"]
    chosen = {name: preferred if "A" in form["enum"] else rating for name, form in criteria.items()}
    return Answer(json.dumps({"nonce": sent_nonce(body), "reasons": reasons, "verdicts": chosen}))


def sent_nonce(body: dict[str, Any]) -> str:
    found = re.search(r"<data-([0-9a-f]+)>", body["messages"][1]["content"])
    assert found is not None
    return found.group(1)


def judged_content(body: dict[str, Any]) -> dict[str, str]:
    """The texts under judgement, as the judge got them."""
    content: dict[str, str] = json.loads(body["messages"][1]["content"].split("\n")[2])
    return content


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=0.0)
    arguments = parser.parse_args()
    with OpenAITestServer(latency=arguments.latency) as server:
        print(server.base_url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
