"""Verdicts as other tools take them: OTLP log records, Langfuse scores, Phoenix annotations."""

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import httpx

from feedback_pipeline.outgoing.verdicts import Verdict

BATCH = 200
TRIES = 5
_HEX = re.compile(r"[0-9a-f]+")


class NotTakenError(RuntimeError):
    """A tool cannot be reached, or does not take what it is sent; the message says which and why."""


@dataclass(frozen=True)
class Target:
    """Where verdicts go.

    Attributes:
        kind: otlp, langfuse or phoenix.
        url: the tool's address (of OTLP the base, without `/v1/logs`).
        headers: sent with every request.
        basic: user and password, where the tool asks so.
    """

    kind: str
    url: str
    headers: dict[str, str]
    basic: tuple[str, str] | None = None


@dataclass(frozen=True)
class Sent:
    """How many verdicts were taken, and how many had no name that the tool knows answers by."""

    taken: int
    nameless: int


def send(target: Target, verdicts: Iterable[Verdict]) -> Sent:
    """Sends verdicts in batches. Sent again they change nothing in Langfuse and Phoenix: ids are kept.

    Raises:
        NotTakenError: nothing after that batch was sent.
    """
    path, fits, body = _KINDS[target.kind]
    taken = nameless = 0
    with httpx.Client(base_url=target.url.rstrip("/"), headers=target.headers, auth=target.basic, timeout=30) as client:
        rows = iter(verdicts)
        while part := list(islice(rows, BATCH)):
            known = [one for one in part if fits(one)]
            nameless += len(part) - len(known)
            if known:
                _post(client, path, body(known))
                taken += len(known)
    return Sent(taken, nameless)


def _post(client: httpx.Client, path: str, body: Any) -> None:
    host = urlsplit(str(client.base_url)).netloc
    for attempt in range(TRIES):
        try:
            answer = client.post(path, json=body)
        except httpx.HTTPError as error:
            if attempt == TRIES - 1:
                raise NotTakenError(f"{host} cannot be reached ({type(error).__name__})") from None
        else:
            if answer.is_success:
                return _refused(answer, host)
            if answer.status_code not in (429, 500, 502, 503, 504) or attempt == TRIES - 1:
                raise NotTakenError(f"{host}{path} answers {answer.status_code}")
        time.sleep(2**attempt / 8)
    return None


def _refused(answer: httpx.Response, host: str) -> None:
    """Langfuse takes a batch and says of each what was wrong with it."""
    if answer.status_code == httpx.codes.MULTI_STATUS:
        errors = answer.json().get("errors") or []
        if errors:
            raise NotTakenError(f"{host} refused {len(errors)} of a batch (status {errors[0].get('status')})")


def _records(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    return {
        "resourceLogs": [
            {
                "resource": {"attributes": [_attribute("service.name", "feedback-pipeline")]},
                "scopeLogs": [{"scope": {"name": "feedback_pipeline"}, "logRecords": [*map(_record, verdicts)]}],
            }
        ]
    }


def _record(verdict: Verdict) -> dict[str, Any]:
    """An event `gen_ai.evaluation.result` (OpenTelemetry's GenAI conventions)."""
    said: dict[str, str | float | None] = {
        "gen_ai.evaluation.name": verdict.name,
        "gen_ai.evaluation.score.value": verdict.score,
        "gen_ai.evaluation.score.label": verdict.label,
        "gen_ai.evaluation.evaluator.type": "human" if verdict.is_human else "llm",
        "gen_ai.evaluation.evaluator.id": None if verdict.is_human else verdict.evaluator,
        "gen_ai.response.id": verdict.request_id,
    }
    found: dict[str, Any] = {
        "timeUnixNano": str(int(_moment(verdict).timestamp()) * 10**9),
        "eventName": "gen_ai.evaluation.result",
        "attributes": [_attribute(name, value) for name, value in said.items() if value is not None],
    }
    if _is_id(verdict.trace_id, 32):
        found["traceId"] = verdict.trace_id
    if _is_id(verdict.span_id, 16):
        found["spanId"] = verdict.span_id
    return found


def _attribute(name: str, value: str | float) -> dict[str, Any]:
    kind = "stringValue" if isinstance(value, str) else "doubleValue"
    return {"key": name, "value": {kind: value}}


def _scores(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Langfuse's ingestion batch."""

    def body(verdict: Verdict) -> dict[str, Any]:
        score = {
            "id": f"feedback-pipeline-{verdict.id}", "traceId": verdict.trace_id, "name": verdict.name,
            "value": verdict.score, "dataType": "NUMERIC",
            "metadata": {"label": verdict.label, "evaluator": verdict.evaluator},
        }  # fmt: skip
        if verdict.correction is not None:
            score |= {"value": verdict.correction, "dataType": "CORRECTION", "metadata": {"evaluator": "human"}}
        return score | ({"observationId": verdict.span_id} if verdict.span_id else {})

    at = datetime.now(UTC).isoformat()
    made = [
        {"id": f"feedback-pipeline-{verdict.id}", "type": "score-create", "timestamp": at, "body": body(verdict)}
        for verdict in verdicts
    ]
    return {"batch": made}


def _annotations(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Phoenix's span annotations; one of a name, span and identifier takes the place of the one before."""
    return {
        "data": [
            {
                "span_id": one.span_id,
                "name": one.name if one.correction is None else "correction",
                "annotator_kind": "HUMAN" if one.is_human else "LLM",
                "result": {"label": one.label, "score": one.score, **_written(one)},
                "identifier": f"feedback-pipeline-{one.id}",
                "metadata": {"evaluator": one.evaluator},
            }
            for one in verdicts
        ]
    }


def _written(verdict: Verdict) -> dict[str, str]:
    return {} if verdict.correction is None else {"explanation": verdict.correction}


def _moment(verdict: Verdict) -> datetime:
    return datetime(verdict.day.year, verdict.day.month, verdict.day.day, 12, tzinfo=UTC)


def _is_id(text: str | None, digits: int) -> bool:
    return text is not None and len(text) == digits and _HEX.fullmatch(text) is not None


_KINDS: dict[str, tuple[str, Callable[[Verdict], bool], Callable[[Sequence[Verdict]], Any]]] = {
    "otlp": ("/v1/logs", lambda one: bool(one.request_id) or _is_id(one.span_id, 16), _records),
    "langfuse": ("/api/public/ingestion", lambda one: bool(one.trace_id), _scores),
    "phoenix": ("/v1/span_annotations", lambda one: bool(one.span_id), _annotations),
}
KINDS = tuple(_KINDS)


def target_of(kind: str, held: Mapping[str, str]) -> Target:
    """Where a tool is, as its own variables say.

    Raises:
        ValueError: a variable that is needed is not set.
    """

    def needed(name: str) -> str:
        if not held.get(name):
            raise ValueError(f"set {name}")
        return held[name]

    if kind == "langfuse":
        host = held.get("LANGFUSE_HOST") or "https://cloud.langfuse.com"
        return Target(kind, host, {}, (needed("LANGFUSE_PUBLIC_KEY"), needed("LANGFUSE_SECRET_KEY")))
    if kind == "phoenix":
        key = held.get("PHOENIX_API_KEY")
        url = held.get("PHOENIX_COLLECTOR_ENDPOINT") or "http://127.0.0.1:6006"
        return Target(kind, url, {"Authorization": f"Bearer {key}"} if key else {})
    pairs = (pair.partition("=") for pair in held.get("OTEL_EXPORTER_OTLP_HEADERS", "").split(",") if "=" in pair)
    return Target(
        kind, needed("OTEL_EXPORTER_OTLP_ENDPOINT"), {name.strip(): value.strip() for name, _, value in pairs}
    )
