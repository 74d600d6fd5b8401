"""A small server that speaks OpenAI's files and fine-tuning API over loopback, with faults on request."""

import json
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlparse


@dataclass
class State:
    """What the server holds, and what it does wrong.

    Attributes:
        faults: (method, path prefix) → what to do once: `fail` answers 500 before acting, `lose` acts and answers 500,
            a number answers with that status; a status, a code and a message answer so.
        keeps_metadata: jobs carry the metadata they were made with.
        page: files, jobs and events a page holds; None for all of them.
        turns_pages: a next page is another one; otherwise the first comes again and again.
        failure: the error of jobs that fail.
    """

    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    models: dict[str, str | None] = field(default_factory=lambda: {"base-model": None})
    statuses: list[str] = field(default_factory=lambda: ["queued", "running", "succeeded"])
    model_on_success: str | None = "ft:base-model:ours"
    faults: dict[tuple[str, str], str | int | tuple[int, str | None, str]] = field(default_factory=dict)
    keeps_metadata: bool = True
    page: int | None = None
    turns_pages: bool = True
    created_at: int = 1
    failure: dict[str, str | None] = field(
        default_factory=lambda: {
            "code": "invalid_n_examples",
            "message": "Training file has 5 example(s)",
            "param": None,
        }
    )
    requests: list[str] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    state: State
    protocol_version = "HTTP/1.1"
    wbufsize = 65_536  # headers and body in one packet: two wait for each other's acknowledgement

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def do_DELETE(self) -> None:
        self._serve("DELETE")

    def _serve(self, method: str) -> None:
        url = urlparse(self.path)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.state.requests.append(f"{method} {url.path}")
        fault = next((key for key in self.state.faults if key[0] == method and url.path.startswith(key[1])), None)
        kind = self.state.faults.pop(fault) if fault else None
        if kind == "fail":
            return self._answer(500, {"error": {"message": "broken", "code": "server_error"}})
        if isinstance(kind, int):
            return self._answer(kind, {"error": {"message": "line 3 says SECRETWORD", "code": "refused"}})
        if isinstance(kind, tuple):
            status, code, message = kind
            return self._answer(status, {"error": {"message": message, "code": code}})
        status, answer = self._act(method, url.path, parse_qs(url.query), body)
        if kind == "lose":
            return self._answer(500, {"error": {"message": "broken", "code": "server_error"}})
        return self._answer(status, answer)

    def _act(self, method: str, path: str, query: dict[str, list[str]], body: bytes) -> tuple[int, Any]:
        routes: list[tuple[str, str, Callable[..., tuple[int, Any]]]] = [
            ("GET", r"/v1/models/(.+)", self._model),
            ("GET", r"/v1/files", lambda: (200, self._page(self.state.files.values(), query))),
            ("POST", r"/v1/files", lambda: self._upload(body)),
            ("DELETE", r"/v1/files/(.+)", self._delete),
            ("GET", r"/v1/fine_tuning/jobs", lambda: (200, self._page(self.state.jobs.values(), query))),
            ("POST", r"/v1/fine_tuning/jobs", lambda: self._create(json.loads(body))),
            ("GET", r"/v1/fine_tuning/jobs/([^/]+)/events", lambda job: (200, self._page(self.state.events, query))),
            ("POST", r"/v1/fine_tuning/jobs/([^/]+)/cancel", self._cancel),
            ("GET", r"/v1/fine_tuning/jobs/([^/]+)", self._job),
        ]
        for verb, pattern, act in routes:
            match = re.fullmatch(pattern, path)
            if verb == method and match:
                return act(*match.groups())
        return 404, _missing()

    def _model(self, name: str) -> tuple[int, Any]:
        if name not in self.state.models:
            return 404, _missing()
        return 200, {"id": name, "object": "model", "created": 1, "owned_by": "us",
                     "shutdown_date": self.state.models[name]}  # fmt: skip

    def _upload(self, body: bytes) -> tuple[int, Any]:
        name = re.search(rb'filename="([^"]+)"', body)
        identity = f"file-{len(self.state.files)}"
        self.state.files[identity] = {
            "id": identity, "object": "file", "bytes": len(body), "created_at": 1, "purpose": "fine-tune",
            "filename": name[1].decode() if name else "?", "status": "processed",
        }  # fmt: skip
        return 200, self.state.files[identity]

    def _delete(self, identity: str) -> tuple[int, Any]:
        if self.state.files.pop(identity, None) is None:
            return 404, _missing()
        return 200, {"id": identity, "object": "file", "deleted": True}

    def _create(self, asked: dict[str, Any]) -> tuple[int, Any]:
        identity = f"job-{len(self.state.jobs)}"
        self.state.jobs[identity] = {
            "id": identity, "object": "fine_tuning.job", "created_at": self.state.created_at,
            "status": "validating_files", "hyperparameters": {}, "organization_id": "o", "result_files": [],
            "seed": 0, "polls": 0, **asked,
        }  # fmt: skip
        if not self.state.keeps_metadata:
            del self.state.jobs[identity]["metadata"]
        return 200, self.state.jobs[identity]

    def _cancel(self, identity: str) -> tuple[int, Any]:
        self.state.jobs[identity]["status"] = "cancelled"
        return 200, self.state.jobs[identity]

    def _job(self, identity: str) -> tuple[int, Any]:
        if identity not in self.state.jobs:
            return 404, _missing()
        job = self.state.jobs[identity]
        if job["status"] not in ("succeeded", "failed", "cancelled"):
            job["status"] = self.state.statuses[min(job["polls"], len(self.state.statuses) - 1)]
            job["polls"] += 1
        if job["status"] == "succeeded":
            job |= {"fine_tuned_model": self.state.model_on_success, "trained_tokens": 1234}
        if job["status"] == "failed":
            job["error"] = self.state.failure
        return 200, job

    def _page(self, rows: Iterable[dict[str, Any]], query: dict[str, list[str]]) -> dict[str, Any]:
        found = list(rows)
        if self.state.page is None:
            return {"object": "list", "data": found, "has_more": False}
        after = query.get("after", [None])[0] if self.state.turns_pages else None
        begin = next((place + 1 for place, row in enumerate(found) if row["id"] == after), 0)
        part = found[begin : begin + self.state.page]
        return {
            "object": "list",
            "data": part,
            "has_more": not self.state.turns_pages or len(found) > begin + len(part),
        }

    def _answer(self, status: int, answer: Any) -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _missing() -> dict[str, Any]:
    return {"error": {"message": "no such thing as SECRETWORD", "code": "not_found"}}


class Server:
    """The server in a thread; `url` is the client's base URL."""

    def __init__(self) -> None:
        self.state = State()
        handler = type("BoundHandler", (Handler,), {"state": self.state})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def reset(self) -> None:
        self.state.__dict__.update(State().__dict__)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
