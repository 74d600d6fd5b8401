"""The feedback loop for applications built on language models.

The public Python API is what this module exports. Names are loaded on first use, so importing it costs nothing;
`__init__.pyi` beside it tells editors and type checkers what they are.
"""

from importlib import import_module

__version__ = "0.1.0"

_EXPORTS = {
    # what feedback says
    "analyze_patterns": "feedback_pipeline.analysis.verbs",
    "calculate_task_success_rate": "feedback_pipeline.analysis.verbs",
    "compare_prompt_versions": "feedback_pipeline.analysis.verbs",
    "evaluate_prompt_version": "feedback_pipeline.analysis.evaluation",
    "generate_report": "feedback_pipeline.analysis.verbs",
    "suggest_improvements": "feedback_pipeline.analysis.verbs",
    "FeedbackFrameError": "feedback_pipeline.analysis.vote_frames",
    "ImprovementReport": "feedback_pipeline.analysis.verbs",
    "InsufficientFeedbackError": "feedback_pipeline.analysis.vote_stretches",
    "PatternAnalysis": "feedback_pipeline.analysis.verbs",
    # giving feedback and logging answers
    "AsyncFeedbackClient": "feedback_pipeline.capture.client",
    "FeedbackClient": "feedback_pipeline.capture.client",
    "FeedbackMiddleware": "feedback_pipeline.capture.middleware",
    "capture_feedback": "feedback_pipeline.capture.client",
    "collect_explicit_feedback": "feedback_pipeline.capture.client",
    "insert_feedback": "feedback_pipeline.capture.client",
    "log_llm_request": "feedback_pipeline.capture.llm_logging",
    "log_openai": "feedback_pipeline.capture.llm_logging",
    # experiments
    "route_to_variant": "feedback_pipeline.experiments.assignment",
}

__all__ = sorted(_EXPORTS)


def __getattr__(name: str) -> object:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_EXPORTS[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS})
