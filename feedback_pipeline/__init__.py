"""The feedback loop for applications built on language models.

The public Python API is what this module exports; names are loaded on first use, so importing it costs nothing.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_EXPORTS: dict[str, str] = {
    "analyze_patterns": "feedback_pipeline.analysis.verbs",
    "calculate_task_success_rate": "feedback_pipeline.analysis.verbs",
    "compare_prompt_versions": "feedback_pipeline.analysis.verbs",
    "evaluate_prompt_version": "feedback_pipeline.analysis.evaluation",
    "generate_report": "feedback_pipeline.analysis.verbs",
    "route_to_variant": "feedback_pipeline.experiments.assignment",
    "suggest_improvements": "feedback_pipeline.analysis.verbs",
    "FeedbackFrameError": "feedback_pipeline.analysis.vote_frames",
    "ImprovementReport": "feedback_pipeline.analysis.verbs",
    "InsufficientFeedbackError": "feedback_pipeline.analysis.vote_stretches",
    "PatternAnalysis": "feedback_pipeline.analysis.verbs",
}

__all__ = sorted(_EXPORTS)


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(import_module(_EXPORTS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_EXPORTS]
