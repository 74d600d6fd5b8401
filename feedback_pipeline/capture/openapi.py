"""The OpenAPI page: what FastAPI finds, with the bodies that the routes read themselves and the problem answers."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from feedback_pipeline.capture.routes_batches import MAX_ITEMS
from feedback_pipeline.capture.routes_interactions import MAX_ANSWERS
from feedback_pipeline.capture.shapes import (
    Change,
    ExportRequest,
    LoggedAnswer,
    StateRequest,
    StatesRequest,
    TokenRequest,
    TokensRequest,
)
from feedback_pipeline.capture.submissions import VOTES

_REFERENCE = "#/components/schemas/{model}"
_PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "reason"],
                "properties": {"field": {"type": "string"}, "reason": {"type": "string"}},
            },
        },
    },
}
_FORM: dict[str, Any] = {
    "title": "A form on a page",
    "type": "object",
    "required": ["content_type", "content_id", "rating"],
    "properties": {
        "content_type": {"type": "string", "minLength": 1, "maxLength": 30, "pattern": "^[^/]+$"},
        "content_id": {"type": "string", "minLength": 1, "maxLength": 200},
        "rating": {"type": "string", "enum": ["true", "false"]},
        "comment": {"type": "string", "maxLength": 10_000},
    },
    "additionalProperties": False,
}
_PROBLEMS = {
    400: "Malformed JSON, or a repeated key",
    401: "No key, or one that is unknown, expired or revoked",
    403: "The key or token does not allow it",
    404: "Not there, or another team's",
    413: "Too large",
    415: "Neither JSON nor a form",
    422: "A field is wrong; `errors` names it",
    429: "Too many requests this minute",
    503: "The store cannot be reached; nothing was acknowledged",
}
_CONTEXT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "context": {
            "type": "object",
            "required": ["targetingKey"],
            "properties": {"targetingKey": {"type": "string", "minLength": 1, "maxLength": 1000}},
        }
    },
}
_FLAG_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["errorCode"],
    "properties": {"key": {"type": "string"}, "errorCode": {"type": "string"}, "errorDetails": {"type": "string"}},
}
_IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Repeats within 24 hours are answered with what the first request gave.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
}


def document(app: FastAPI) -> dict[str, Any]:
    """The page, made once."""
    if app.openapi_schema:
        return app.openapi_schema
    page = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
    components = page.setdefault("components", {})
    schemas: dict[str, Any] = components.setdefault("schemas", {})
    schemas["Problem"] = _PROBLEM
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    page["security"] = [{"bearer": []}]
    vote = _schema(VOTES, schemas)
    answer = _schema(TypeAdapter(LoggedAnswer), schemas)
    bodies = {
        ("/v1/feedback", "post"): vote,
        ("/v1/feedback/batch", "post"): _items(vote, MAX_ITEMS),
        ("/v1/feedback/state", "post"): _schema(TypeAdapter(StateRequest), schemas),
        ("/v1/feedback/states", "post"): _schema(TypeAdapter(StatesRequest), schemas),
        ("/v1/feedback/{feedback_id}", "put"): _schema(TypeAdapter(Change), schemas),
        ("/v1/feedback/export/finetuning", "post"): _schema(TypeAdapter(ExportRequest), schemas),
        ("/v1/interactions", "post"): {"anyOf": [answer, _items(answer, MAX_ANSWERS)]},
        ("/v1/tokens", "post"): _schema(TypeAdapter(TokenRequest | TokensRequest), schemas),
    }
    for path, operations in page["paths"].items():
        for method, operation in operations.items():
            if body := bodies.get((path, method)):
                operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
            if (path, method) == ("/v1/feedback", "post"):
                operation["requestBody"]["content"]["application/x-www-form-urlencoded"] = {"schema": _FORM}
            if path in {"/v1/feedback", "/v1/feedback/batch"} and method == "post":
                operation.setdefault("parameters", []).append(_IDEMPOTENCY)
            _describe_answers(path, method, operation)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    app.openapi_schema = page
    return page


def _describe_answers(path: str, method: str, operation: dict[str, Any]) -> None:
    answers = operation["responses"]
    if (path, method) == ("/v1/feedback", "post"):
        answers["201"] = {"description": "Filed"}
        answers["200"] = {"description": "Filed before under the same key, or not kept as the person opted out"}
    if path == "/v1/feedback/batch":
        answers["207"] = {"description": "Some items were refused; each result says which"}
    for status, description in _PROBLEMS.items():
        answers[str(status)] = {
            "description": description,
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    if path.startswith("/ofrep/"):
        # errors of a flag are the protocol's own
        for code in ("400", "404"):
            answers[code]["content"]["application/json"] = {"schema": _FLAG_ERROR}


def _items(schema: dict[str, Any], most: int) -> dict[str, Any]:
    items = {"type": "array", "items": schema, "minItems": 1, "maxItems": most}
    return {"type": "object", "required": ["items"], "properties": {"items": items}, "additionalProperties": False}


def _schema(adapter: TypeAdapter[Any], schemas: dict[str, Any]) -> dict[str, Any]:
    found = adapter.json_schema(ref_template=_REFERENCE)
    schemas.update(found.pop("$defs", {}))
    return found
