"""Redaction before anything leaves the process, where the service's own rules are installed beside this package."""

from __future__ import annotations

import importlib
import importlib.util
from functools import lru_cache
from typing import Any, Callable

MODULE = "feedback_pipeline.privacy.answers"


@lru_cache(maxsize=1)
def installed_redaction() -> Callable[[dict[str, Any]], dict[str, Any]] | None:
    """The rules of the service; None where it is not installed: it applies them itself when an answer arrives.

    Loading them takes a moment, which the background thread has.
    """
    if importlib.util.find_spec("feedback_pipeline") is None:
        return None
    found: Callable[[dict[str, Any]], dict[str, Any]] = importlib.import_module(MODULE).redacted_answer
    return found
