"""Sends votes on the answers of language models, and the answers themselves, to a feedback service."""

from feedback_client.assignment import Decision, route_to_variant
from feedback_client.client import AsyncFeedbackClient, FeedbackClient, edit_distance
from feedback_client.context import call_context, request_id
from feedback_client.errors import DeliveryError, FeedbackError, NoServiceError
from feedback_client.experiments import Experiments
from feedback_client.logging_calls import log_llm_request
from feedback_client.middleware import FeedbackMiddleware
from feedback_client.sdks import log_anthropic, log_litellm, log_openai
from feedback_client.shadow import shadow, shadow_completions
from feedback_client.tokens import local_token
from feedback_client.verbs import (
    capture_feedback,
    collect_explicit_feedback,
    default_client,
    insert_feedback,
    log_ab_test,
    set_default_client,
)

__all__ = [
    "AsyncFeedbackClient",
    "Decision",
    "DeliveryError",
    "Experiments",
    "FeedbackClient",
    "FeedbackError",
    "FeedbackMiddleware",
    "NoServiceError",
    "call_context",
    "capture_feedback",
    "collect_explicit_feedback",
    "default_client",
    "edit_distance",
    "insert_feedback",
    "local_token",
    "log_ab_test",
    "log_anthropic",
    "log_litellm",
    "log_llm_request",
    "log_openai",
    "request_id",
    "route_to_variant",
    "set_default_client",
    "shadow",
    "shadow_completions",
]
