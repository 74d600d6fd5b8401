"""Errors as problem documents (RFC 9457): what was wrong, in which field, and never what the caller wrote there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson
from pydantic import ValidationError
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
_MAX_NAME = 80


@dataclass
class ProblemError(Exception):
    """A request that is answered with a problem document."""

    status: int
    code: str
    detail: str
    errors: list[dict[str, str]] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "type": f"urn:feedback:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        if self.errors:
            found["errors"] = self.errors
        return found

    def response(self) -> Response:
        return Response(orjson.dumps(self.document()), self.status, headers=dict(self.headers), media_type=MEDIA_TYPE)


def invalid(place: str, reason: str, detail: str = "") -> ProblemError:
    """A field that holds what it cannot hold."""
    return ProblemError(422, "invalid", detail or f"{place}: {reason}", [{"field": place, "reason": reason}])


def not_found(what: str = "feedback") -> ProblemError:
    return ProblemError(404, "not_found", f"no such {what}")


def unavailable(seconds: int = 1) -> ProblemError:
    """The database cannot be reached: nothing was acknowledged, so the request may be repeated."""
    return ProblemError(
        503, "unavailable", "the store cannot be reached; try again", headers={"Retry-After": str(seconds)}
    )


def from_validation(error: ValidationError, skipped: int = 0) -> ProblemError:
    """Every field that was wrong, with the reason; `skipped` leading parts of the places are not fields."""
    errors = [
        {"field": place(item["loc"][skipped:]), "reason": item["msg"]}
        for item in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    listed = ", ".join(dict.fromkeys(item["field"] for item in errors))
    return ProblemError(422, "invalid", f"invalid: {listed[:500]}", errors[:50])


def place(parts: Sequence[int | str]) -> str:
    """A field's place as a path such as `metadata.depth.3`; names that callers invented are cut."""
    return ".".join(part[:_MAX_NAME] if isinstance(part, str) else str(part) for part in parts) or "body"
