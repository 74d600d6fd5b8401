"""The verbs that capture feedback, with this machine's store where the environment names no service."""

from feedback_client import (
    AsyncFeedbackClient,
    FeedbackClient,
    FeedbackMiddleware,
    call_context,
    capture_feedback,
    collect_explicit_feedback,
    default_client,
    insert_feedback,
    log_ab_test,
    log_anthropic,
    log_litellm,
    log_llm_request,
    log_openai,
    request_id,
)
from feedback_client.verbs import AnySender, set_fallback


def _this_machine() -> AnySender:
    from feedback_pipeline.capture.local import open_store  # takes a moment, and most have a service

    return open_store()


set_fallback(_this_machine)

__all__ = [
    "AsyncFeedbackClient",
    "FeedbackClient",
    "FeedbackMiddleware",
    "call_context",
    "capture_feedback",
    "collect_explicit_feedback",
    "default_client",
    "insert_feedback",
    "log_ab_test",
    "log_anthropic",
    "log_litellm",
    "log_llm_request",
    "log_openai",
    "request_id",
]
