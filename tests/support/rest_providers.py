"""Together, Fireworks and Vertex over loopback, after their published schemas: what a client of theirs may send, and
what it gets. A request with a field that the schema does not know is refused."""

import json
import os
import re
import signal
import threading
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOGETHER_JOB = {
    "model", "training_file", "validation_file", "suffix", "n_epochs", "n_evals", "n_checkpoints", "batch_size",
    "learning_rate", "random_seed", "training_method", "training_type", "lr_scheduler", "warmup_ratio",
    "max_grad_norm", "weight_decay", "packing", "max_seq_length",
}  # fmt: skip
"""`FinetuneRequest` of together-python 3.1."""
FIREWORKS_SFT = {"dataset", "displayName", "baseModel", "outputModel", "epochs", "evaluationDataset", "learningRate",
                 "loraRank", "maxContextLength", "batchSize"}  # fmt: skip
"""`SupervisedFineTuningJobCreateParams` of fireworks-ai 1.2."""
FIREWORKS_DPO = {"dataset", "displayName", "trainingConfig", "lossConfig"}
FIREWORKS_DATASET = {"displayName", "exampleCount", "format", "userUploaded"}
VERTEX_JOB = {"baseModel", "tunedModelDisplayName", "supervisedTuningSpec", "labels", "description"}
"""`TuningJob` of the Vertex AI REST reference."""
MODEL = "accounts/me/models/qwen3-8b"


@dataclass
class Held:
    """What the servers hold, and do wrong.

    Attributes:
        files: bytes by id.
        jobs: as listed, by id.
        lose: answer 500 to so many creations that were carried out.
        not_ready: answer 400 to so many creations, as an upload is still being read.
        states: what a job says of itself, look by look.
        calls: method and path of every request.
        deaths: pattern of a method and path → whether the request is carried out before the asking process, `victim`,
            is killed; each once.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    lose: int = 0
    not_ready: int = 0
    states: list[str] = field(default_factory=list)
    looks: int = 0
    calls: list[str] = field(default_factory=list)
    deaths: dict[str, bool] = field(default_factory=dict)
    victim: int | None = None


class _Refused(Exception):  # noqa: N818 - an answer, not a failure of ours
    def __init__(self, status: int, code: str, message: str = "SECRETWORD") -> None:
        super().__init__(code)
        self.status, self.body = status, {"error": {"message": message, "code": code}}


class Handler(BaseHTTPRequestHandler):
    held: Held
    protocol_version = "HTTP/1.1"
    wbufsize = 65_536

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def do_PUT(self) -> None:
        self._serve("PUT")

    def do_DELETE(self) -> None:
        self._serve("DELETE")

    def _serve(self, method: str) -> None:
        url = urlsplit(self.path)
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        called = f"{method} {url.path}"
        self.held.calls.append(called)
        fatal = next((pattern for pattern in self.held.deaths if re.fullmatch(pattern, called)), None)
        acted_first = self.held.deaths.pop(fatal) if fatal else True
        if not acted_first:
            self._kill()
            return
        headers: dict[str, str] = {}
        try:
            if not url.path.startswith("/put/") and self.headers.get("authorization") != "Bearer test":
                raise _Refused(401, "unauthorized")
            status, body = self.act(method, unquote(url.path), parse_qs(url.query), content, headers)
        except _Refused as refused:
            status, body = refused.status, refused.body
        if fatal:
            self._kill()
            return
        answer = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(answer)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    def _kill(self) -> None:
        assert self.held.victim is not None
        os.kill(self.held.victim, signal.SIGKILL)
        self.close_connection = True

    def act(
        self, method: str, path: str, query: dict[str, list[str]], content: bytes, headers: dict[str, str]
    ) -> tuple[int, Any]:
        raise NotImplementedError

    def form(self, content: bytes) -> dict[str, tuple[str | None, bytes]]:
        """The parts of a multipart body: file name and content."""
        head = f"content-type: {self.headers['content-type']}\r\n\r\n".encode()
        parsed = BytesParser(EmailMessage, policy=default).parsebytes(head + content)
        found: dict[str, tuple[str | None, bytes]] = {}
        for part in parsed.iter_parts():
            payload = part.get_payload(decode=True)
            assert isinstance(payload, bytes)
            found[str(part.get_param("name", header="content-disposition"))] = (part.get_filename(), payload)
        return found

    def created(self, identity: str, job: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        """A job as created, with what goes wrong."""
        if self.held.not_ready:
            self.held.not_ready -= 1
            raise _Refused(400, "invalid_request", "The dataset is still being processed and not ready yet.")
        if identity in self.held.jobs:
            raise _Refused(409, "ALREADY_EXISTS")
        self.held.bodies.append(body)
        self.held.jobs[identity] = job
        if self.held.lose:
            self.held.lose -= 1
            raise _Refused(500, "internal")
        return job

    def state(self) -> str:
        self.held.looks += 1
        return self.held.states[min(self.held.looks, len(self.held.states)) - 1]


def known(body: dict[str, Any], fields: set[str]) -> dict[str, Any]:
    if unknown := body.keys() - fields:
        raise _Refused(422, f"unknown field {sorted(unknown)[0]}")
    return body


class Together(Handler):
    """`/v1/files`, `/v1/fine-tunes`."""

    def act(
        self, method: str, path: str, query: dict[str, list[str]], content: bytes, headers: dict[str, str]
    ) -> tuple[int, Any]:
        held = self.held
        match [method, *path.strip("/").split("/")]:
            case ["GET", "v1", "fine-tunes", "models", "limits"]:
                if query["model_name"] != ["Qwen/Qwen3-8B"]:
                    raise _Refused(400, "model_not_found")
                return 200, {"max_num_epochs": 20}
            case ["GET", "v1", "files"]:
                return 200, {"data": [self._file(identity) for identity in held.files]}
            case ["POST", "v1", "files"]:
                asked = {name: value.decode() for name, (_, value) in self.form(content).items()}
                assert asked["purpose"] == "fine-tune"
                assert asked["file_type"] == "jsonl"
                identity = f"file-{len(held.names)}"
                held.names[identity] = asked["file_name"]
                headers |= {"location": f"http://{self.headers['host']}/put/{identity}", "x-together-file-id": identity}
                return 302, {}
            case ["PUT", "put", identity]:
                assert not self.headers.get("authorization")
                held.files[identity] = content
                return 200, {}
            case ["POST", "v1", "files", identity, "preprocess"]:
                return 200, self._file(identity)
            case ["DELETE", "v1", "files", identity]:
                if held.files.pop(identity, None) is None:
                    raise _Refused(404, "not_found")
                return 200, {"id": identity, "deleted": True}
            case ["POST", "v1", "fine-tunes"]:
                body = known(json.loads(content), TOGETHER_JOB)
                assert body["training_file"] in held.files
                identity = f"ft-{len(held.jobs)}"
                kept = ("model", "training_file", "validation_file", "suffix", "n_epochs", "training_method")
                job = {"id": identity, "status": "pending", "created_at": "2026-11-21T12:00:00Z",
                       "model_output_name": f"me/{body['model'].split('/')[-1]}-{body['suffix']}-1a2b",
                       **{name: body.get(name) for name in kept}}  # fmt: skip
                return 200, self.created(identity, job, body)
            case ["GET", "v1", "fine-tunes"]:
                return 200, {"data": list(held.jobs.values())}
            case ["GET", "v1", "fine-tunes", identity, "metrics"]:
                points = [{"train/global_step": step, "train/loss": 2.0 / step} for step in (1, 2)]
                return 200, {"metrics": [*points, {"eval/global_step": 2, "eval/loss": 1.5}]}
            case ["GET", "v1", "fine-tunes", _, "events"]:
                return 200, {"data": [{"type": "JOB_START", "message": ""}, {"type": "JOB_USER_ERROR", "message":
                                                                              "SECRETWORD"}]}  # fmt: skip
            case ["POST", "v1", "fine-tunes", identity, "cancel"]:
                held.states = ["cancelled"]
                return 200, held.jobs[identity]
            case ["GET", "v1", "fine-tunes", identity] if identity in held.jobs:
                return 200, held.jobs[identity] | {"status": self.state(), "token_count": 1234}
        raise _Refused(404, "not_found")

    def _file(self, identity: str) -> dict[str, Any]:
        return {"id": identity, "filename": self.held.names[identity], "processing_status": "COMPLETED",
                "bytes": len(self.held.files[identity]), "object": "file", "purpose": "fine-tune"}  # fmt: skip


class Fireworks(Handler):
    """`/v1/accounts/me/…`."""

    def act(
        self, method: str, path: str, query: dict[str, list[str]], content: bytes, headers: dict[str, str]
    ) -> tuple[int, Any]:
        held, kind = self.held, path.removeprefix("/v1/accounts/me/")
        if path == f"/v1/{MODEL}":
            return 200, {"name": MODEL, "deprecationDate": {"year": 2027, "month": 9, "day": 30}}
        if (method, kind) == ("POST", "datasets"):
            asked = json.loads(content)
            known(asked, {"dataset", "datasetId"})
            known(asked["dataset"], FIREWORKS_DATASET)
            if asked["datasetId"] in held.names:
                raise _Refused(409, "ALREADY_EXISTS")
            held.names[asked["datasetId"]] = "UPLOADING"
            return 200, asked["dataset"]
        if found := re.fullmatch(r"datasets/([a-z0-9-]{1,63})(:upload)?", kind):
            return self._dataset(method, found[1], content)
        if (method, kind) in (("POST", "supervisedFineTuningJobs"), ("POST", "dpoJobs")):
            supervised = kind.startswith("s")
            body = known(json.loads(content), FIREWORKS_SFT if supervised else FIREWORKS_DPO)
            assert body["dataset"].removeprefix("accounts/me/datasets/") in held.files
            identity = query["supervisedFineTuningJobId" if supervised else "dpoJobId"][0]
            assert re.fullmatch("[a-z0-9-]{1,63}", identity)
            return 200, self.created(f"{kind}/{identity}", {**body, "name": f"accounts/me/{kind}/{identity}"}, body)
        if method == "POST" and kind.endswith(":cancel"):
            held.states = ["JOB_STATE_CANCELLED"]
            return 200, {}
        if method == "GET" and kind in held.jobs:
            status = {"code": "INVALID_ARGUMENT", "message": "SECRETWORD"}
            return 200, held.jobs[kind] | {
                "state": self.state(),
                "status": status,
                "jobProgress": {"inputTokens": 1234},
            }
        raise _Refused(404, "NOT_FOUND")

    def _dataset(self, method: str, identity: str, content: bytes) -> tuple[int, Any]:
        if identity not in self.held.names:
            raise _Refused(404, "NOT_FOUND")
        if method == "POST":
            self.held.files[identity] = self.form(content)["file"][1]
            self.held.names[identity] = "READY"
        if method == "DELETE":
            del self.held.names[identity], self.held.files[identity]
            return 200, {}
        return 200, {"name": f"accounts/me/datasets/{identity}", "state": self.held.names[identity]}


class Vertex(Handler):
    """Cloud Storage's JSON API and `tuningJobs`."""

    def act(
        self, method: str, path: str, query: dict[str, list[str]], content: bytes, headers: dict[str, str]
    ) -> tuple[int, Any]:
        held, jobs = self.held, "/v1/projects/p/locations/europe-west4/tuningJobs"
        if (method, path) == ("POST", "/upload/storage/v1/b/bucket/o"):
            assert query["uploadType"] == ["media"]
            held.files[query["name"][0]] = content
            return 200, {"name": query["name"][0]}
        if path.startswith("/storage/v1/b/bucket/o/"):
            name = path.removeprefix("/storage/v1/b/bucket/o/")
            if name not in held.files:
                raise _Refused(404, "notFound")
            if method == "DELETE":
                del held.files[name]
            return 200, {"name": name}
        if (method, path) == ("POST", jobs):
            body = known(json.loads(content), VERTEX_JOB)
            assert body["supervisedTuningSpec"]["trainingDatasetUri"].removeprefix("gs://bucket/") in held.files
            identity = f"{jobs[4:]}/{len(held.jobs)}"
            job = {"name": identity, "state": "JOB_STATE_PENDING", **body}
            return 200, self.created(identity, job, body)
        if (method, path) == ("GET", jobs):
            listed, start = list(held.jobs.values()), int(query.get("pageToken", ["0"])[0])
            more = {"nextPageToken": str(start + 1)} if start + 1 < len(listed) else {}
            return 200, {"tuningJobs": listed[start : start + 1], **more}
        if method == "POST" and path.endswith(":cancel"):
            held.states = ["JOB_STATE_CANCELLED"]
            return 200, {}
        if method == "GET" and path.removeprefix("/v1/") in held.jobs:
            made = {"endpoint": "projects/p/locations/europe-west4/endpoints/9", "model": "projects/p/models/9@1"}
            return 200, held.jobs[path.removeprefix("/v1/")] | {
                "state": self.state(), "tunedModel": made, "error": {"code": 3, "message": "SECRETWORD"},
                "tuningDataStats": {"supervisedTuningDataStats": {"totalBillableTokenCount": "1234"}},
            }  # fmt: skip
        raise _Refused(404, "NOT_FOUND")


class Served:
    """One of them in a thread."""

    def __init__(self, kind: type[Handler]) -> None:
        self.held = Held()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (kind,), {"held": self.held}))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
