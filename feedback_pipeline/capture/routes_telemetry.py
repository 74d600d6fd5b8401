"""Answers from what an application sends anyway: OpenTelemetry exporters (`/v1/traces`, `/v1/logs`) and LiteLLM's
generic callback (`/v1/litellm`).

A span that carries an answer is kept as `POST /v1/interactions` keeps it: the same key, tenant, redaction and names.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from uuid import UUID

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from feedback_pipeline.capture import bodies, litellm, otlp, otlp_answers
from feedback_pipeline.capture.access import Principal
from feedback_pipeline.capture.identifiers import digest
from feedback_pipeline.capture.otlp import MalformedError, Record, Span
from feedback_pipeline.capture.problems import ProblemError
from feedback_pipeline.capture.responses import json_response
from feedback_pipeline.capture.routes_batches import file_batch
from feedback_pipeline.capture.routes_interactions import MAX_ANSWERS, file_answers
from feedback_pipeline.capture.service import Service, service_of
from feedback_pipeline.capture.votes import request_identity

router = APIRouter()
PROTOBUF, JSON = "application/x-protobuf", "application/json"
SLICE = 1000
MAX_SPANS = 200_000
"""Spans or records in a request."""


@dataclass
class _Tally:
    """What became of a request's spans or records: those that are no answers are taken and not kept."""

    seen: int = 0
    kept: int = 0
    rejected: int = 0
    reasons: dict[str, None] = field(default_factory=dict)

    def add(self, results: list[dict[str, Any]]) -> None:
        for result in results:
            if result["status"] < 400:
                self.kept += 1
            else:
                self.reject(str(result["problem"]["detail"]))

    def reject(self, why: str) -> None:
        self.rejected += 1
        if len(self.reasons) < 5:
            self.reasons[why] = None


@router.post("/v1/traces")
async def take_traces(request: Request) -> Response:
    """Keep the answers among spans: an OTLP/HTTP trace exporter's endpoint (protobuf or JSON, gzip)."""
    service, principal, body, as_json = await _asked(request)
    spans = await _opened(otlp.read_spans, body, as_json)
    tally = _Tally()
    async for part in _sliced(spans, tally):
        answers = await asyncio.to_thread(_answers, part)
        for first in range(0, len(answers), MAX_ANSWERS):
            tally.add(await file_answers(service, principal, answers[first : first + MAX_ANSWERS]))
    return _answered(tally, as_json, "rejectedSpans")


@router.post("/v1/logs")
async def take_logs(request: Request) -> Response:
    """Keep evaluations (`gen_ai.evaluation.result`) and whole calls among log records: an OTLP/HTTP log exporter's
    endpoint."""
    service, principal, body, as_json = await _asked(request)
    records = await _opened(otlp.read_records, body, as_json)
    tally = _Tally()
    async for part in _sliced(records, tally):
        answers = _answers(otlp_answers.span_of(one) for one in part if one.event == otlp_answers.INFERENCE)
        if answers:
            tally.add(await file_answers(service, principal, answers))
        await _evaluations(service, principal, [one for one in part if one.event == otlp_answers.EVALUATION], tally)
    return _answered(tally, as_json, "rejectedLogRecords")


@router.post("/v1/litellm")
async def take_litellm(request: Request) -> Response:
    """Keep the answers that LiteLLM's `generic_api` callback posts: one payload, an array, or one a line."""
    service, principal, body, _ = await _asked(request, any_type=True)
    try:
        payloads = litellm.payloads(body)
    except ValueError as error:
        raise ProblemError(400, "malformed", str(error)) from None
    answers = [answer for one in payloads if (answer := litellm.answer_of(one)) is not None]
    tally = _Tally(seen=len(payloads))
    for first in range(0, len(answers), MAX_ANSWERS):
        tally.add(await file_answers(service, principal, answers[first : first + MAX_ANSWERS]))
    found = {"seen": tally.seen, "kept": tally.kept, "rejected": tally.rejected, "reasons": list(tally.reasons)}
    return json_response(found)


async def _asked(request: Request, *, any_type: bool = False) -> tuple[Service, Principal, bytes, bool]:
    service = service_of(request)
    principal = await service.authenticate(request, "write")
    if principal.browser:
        raise ProblemError(403, "missing_scope", "telemetry needs an API key")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (PROTOBUF, JSON) and not any_type:
        raise ProblemError(415, "unsupported_media_type", f"send {PROTOBUF} or {JSON}")
    limit = service.settings.capture.batch_bytes
    body = await bodies.read(request, limit)
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding:
        body = await asyncio.to_thread(bodies.decompressed, body, encoding, limit)
    return service, principal, body, kind == JSON


async def _opened(read: Any, body: bytes, as_json: bool) -> Iterator[Any]:
    try:
        found: Iterator[Any] = await asyncio.to_thread(lambda: read(body, as_json=as_json))
    except MalformedError as error:
        raise ProblemError(400, "malformed", str(error)) from None
    return found


async def _sliced(items: Iterator[Any], tally: _Tally) -> Any:
    """The items, some at a time, each part read in a thread."""
    while True:
        try:
            part = await asyncio.to_thread(lambda: list(islice(items, SLICE)))
        except MalformedError as error:
            raise ProblemError(400, "malformed", str(error)) from None
        if not part:
            return
        tally.seen += len(part)
        if tally.seen > MAX_SPANS:
            raise ProblemError(413, "too_many", f"more than {MAX_SPANS:,} in a request: send smaller batches")
        yield part


def _answers(spans: Any) -> list[dict[str, Any]]:
    found = (otlp_answers.answer_of(span) for span in spans if _storable(span) and otlp_answers.is_answer(span))
    return [answer for answer in found if answer is not None]


def _storable(span: Span) -> bool:
    return bool(span.span_id)


async def _evaluations(service: Service, principal: Principal, records: list[Record], tally: _Tally) -> None:
    votes: list[dict[str, Any]] = []
    judged: list[dict[str, Any]] = []
    for record in records:
        try:
            whose, said = otlp_answers.evaluation_of(record)
        except ValueError as error:
            tally.reject(str(error))
            continue
        if whose == "judge":
            judged.append(_judgement(principal.tenant, record, said))
            continue
        identity = digest(principal.tenant, orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hex()
        votes.append({**said, "idempotency_key": f"otlp:{identity}"})
    if votes:
        tally.add(await file_batch(service, principal, votes))
    if judged:
        rows = orjson.dumps(judged).decode()
        async with service.store.connection() as connection:
            await connection.fetchval("SELECT file_evaluations($1, $2::jsonb)", principal.tenant, rows)
        tally.kept += len(judged)


def _judgement(tenant: str, record: Record, said: dict[str, Any]) -> dict[str, Any]:
    """A judge's verdict as the store's function takes it: a label is a name, and its words are not kept."""
    kind = "request" if "request_id" in said else "message"
    name = said.get("request_id") or said["message_id"]
    label = said["label"]
    result = {"score": said["score"], "label": label[:200] if label else None, "source": "otlp"}
    identity = digest(tenant, kind, name, said["judge"], said["criterion"], orjson.dumps([result, record.time]))
    interaction: UUID = request_identity(tenant, name)
    return {
        "content_hash": identity.hex(), "fingerprint": f"recorded:{said['judge']}", "interaction_id": str(interaction),
        "criterion": said["criterion"][:200], "result": result, "key_kind": kind, "key_value": name,
    }  # fmt: skip


def _answered(tally: _Tally, as_json: bool, rejected: str) -> Response:
    """What an exporter is told; what was rejected is not sent again."""
    why = "; ".join(tally.reasons)
    if as_json:
        partial = {"partialSuccess": {rejected: str(tally.rejected), "errorMessage": why}} if tally.rejected else {}
        return json_response(partial)
    return Response(otlp.response(tally.rejected, why), media_type=PROTOBUF)
