"""Redaction before anything leaves the process, where the service's own rules are installed beside this package."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Callable

MODULE = "feedback_pipeline.privacy.answers"


@lru_cache(maxsize=1)
def installed_redaction() -> Callable[[Sequence[dict[str, Any]]], list[dict[str, Any]]] | None:
    """The rules of the service, for many answers at once; None where it is not installed: it applies them itself when
    answers arrive.

    Loading them takes a moment, which the background thread has.
    """
    if importlib.util.find_spec("feedback_pipeline") is None:
        return None
    found: Callable[[Sequence[dict[str, Any]]], list[dict[str, Any]]]
    found = importlib.import_module(MODULE).redacted_answers
    return found
