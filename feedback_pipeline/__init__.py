"""The feedback loop for applications built on language models.

The public Python API is what this module exports. Names are loaded on first use, so importing it costs nothing;
`__init__.pyi` beside it tells editors and type checkers what they are.
"""

from importlib import import_module

__version__ = "0.1.0"

_EXPORTS = {
    # the loop in somebody's Dagster project
    "FeedbackLoop": "feedback_pipeline.component",
    # what feedback says
    "analyze_patterns": "feedback_pipeline.analysis.patterns",
    "calculate_task_success_rate": "feedback_pipeline.analysis.versions",
    "compare_prompt_versions": "feedback_pipeline.analysis.versions",
    "evaluate_prompt_version": "feedback_pipeline.analysis.evaluation",
    "generate_report": "feedback_pipeline.analysis.reports",
    "suggest_improvements": "feedback_pipeline.analysis.suggesting",
    "get_feedback_data": "feedback_pipeline.analysis.stored",
    "get_statistics": "feedback_pipeline.analysis.stored",
    "load_logged_interactions": "feedback_pipeline.analysis.stored",
    "LeftOutWarning": "feedback_pipeline.analysis.vote_stretches",
    "FeedbackFrameError": "feedback_pipeline.analysis.vote_frames",
    "ImprovementReport": "feedback_pipeline.analysis.reports",
    "InsufficientFeedbackError": "feedback_pipeline.analysis.vote_stretches",
    "PatternAnalysis": "feedback_pipeline.analysis.patterns",
    # giving feedback and logging answers
    "AsyncFeedbackClient": "feedback_pipeline.capture.verbs",
    "FeedbackClient": "feedback_pipeline.capture.verbs",
    "FeedbackMiddleware": "feedback_pipeline.capture.verbs",
    "capture_feedback": "feedback_pipeline.capture.verbs",
    "collect_explicit_feedback": "feedback_pipeline.capture.verbs",
    "insert_feedback": "feedback_pipeline.capture.verbs",
    "log_llm_request": "feedback_pipeline.capture.verbs",
    "log_openai": "feedback_pipeline.capture.verbs",
    # experiments
    "log_ab_test": "feedback_pipeline.capture.verbs",
    "log_anthropic": "feedback_pipeline.capture.verbs",
    "log_litellm": "feedback_pipeline.capture.verbs",
    "call_context": "feedback_pipeline.capture.verbs",
    "route_to_variant": "feedback_client.assignment",
    "shadow": "feedback_client.shadow",
    "Experiments": "feedback_client.experiments",
    # prompts by framework
    "AdaptivePromptRouter": "feedback_pipeline.analysis.prompt_router",
    "build_enhanced_prompt": "feedback_pipeline.analysis.prompt_router",
    "route_prompt": "feedback_pipeline.analysis.prompt_router",
}

__all__ = sorted(_EXPORTS)


def __getattr__(name: str) -> object:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_EXPORTS[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS})
