"""Answers of the API as JSON, and bodies as the values that they say they are."""

from typing import Any

import orjson
from pydantic import ValidationError
from starlette.responses import Response

from feedback_pipeline.capture.problems import MEDIA_TYPE, from_validation


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(
        orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS), status, headers=headers, media_type="application/json"
    )


def problem_response(problem: dict[str, Any]) -> Response:
    """A problem document as the answer of its request."""
    return Response(orjson.dumps(problem), problem["status"], media_type=MEDIA_TYPE)


def parsed(adapter: Any, value: Any, skipped: int = 0) -> Any:
    """A value as its model; raises ProblemError naming the fields."""
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise from_validation(error, skipped) from None
