"""What can go wrong between an application and the service."""

from __future__ import annotations

import json
from typing import Any


class FeedbackError(RuntimeError):
    """Anything this package raises."""


class NoServiceError(FeedbackError):
    """A verb was used without a client, and nothing says where the service is."""


class DeliveryError(FeedbackError):
    """The service did not take a request.

    Attributes:
        status: HTTP status; 0 where the service was not reached.
        detail: the problem's code, such as `invalid`; of an unreached service, the kind of error.
        explanation: the problem in a sentence.
        errors: `(field, reason)` of every field that was wrong.
    """

    def __init__(
        self, status: int, detail: str, explanation: str = "", errors: tuple[tuple[str, str], ...] = ()
    ) -> None:
        fields = ", ".join(f"{field}: {reason}" for field, reason in errors)
        said = explanation if not fields else f"{explanation} ({fields})" if explanation else fields
        super().__init__(f"{status or 'unreachable'} {detail}" + (f": {said}" if said else ""))
        self.status = status
        self.detail = detail
        self.explanation = explanation
        self.errors = errors

    @property
    def field(self) -> str | None:
        """The field that was wrong; the first one of several."""
        return self.errors[0][0] if self.errors else None

    @property
    def worth_repeating(self) -> bool:
        """Whether the same request may be taken later."""
        return self.status in {0, 408, 429} or self.status >= 500


def refused(status: int, body: bytes) -> DeliveryError:
    """The error that an answer of the service is."""
    try:
        problem: Any = json.loads(body)
        code, detail = str(problem.get("code", "refused")), str(problem.get("detail", ""))
        errors = tuple((str(error["field"]), str(error["reason"])) for error in problem.get("errors") or ())
    except (ValueError, AttributeError, KeyError, TypeError):
        return DeliveryError(status, "refused")
    return DeliveryError(status, code, detail, errors)
