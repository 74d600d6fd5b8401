"""What editors and type checkers see of the package; `__init__.py` loads the same names on first use."""

from feedback_client.assignment import (
    route_to_variant as route_to_variant,
)
from feedback_client.experiments import Experiments as Experiments
from feedback_client.shadow import shadow as shadow

from feedback_pipeline.analysis.evaluation import (
    evaluate_prompt_version as evaluate_prompt_version,
)
from feedback_pipeline.analysis.patterns import (
    PatternAnalysis as PatternAnalysis,
)
from feedback_pipeline.analysis.patterns import (
    analyze_patterns as analyze_patterns,
)
from feedback_pipeline.analysis.prompt_router import AdaptivePromptRouter as AdaptivePromptRouter
from feedback_pipeline.analysis.prompt_router import build_enhanced_prompt as build_enhanced_prompt
from feedback_pipeline.analysis.prompt_router import route_prompt as route_prompt
from feedback_pipeline.analysis.reports import (
    ImprovementReport as ImprovementReport,
)
from feedback_pipeline.analysis.reports import (
    generate_report as generate_report,
)
from feedback_pipeline.analysis.suggesting import (
    suggest_improvements as suggest_improvements,
)
from feedback_pipeline.analysis.versions import (
    calculate_task_success_rate as calculate_task_success_rate,
)
from feedback_pipeline.analysis.versions import (
    compare_prompt_versions as compare_prompt_versions,
)
from feedback_pipeline.analysis.vote_frames import (
    FeedbackFrameError as FeedbackFrameError,
)
from feedback_pipeline.analysis.vote_stretches import (
    InsufficientFeedbackError as InsufficientFeedbackError,
)
from feedback_pipeline.capture.verbs import AsyncFeedbackClient as AsyncFeedbackClient
from feedback_pipeline.capture.verbs import FeedbackClient as FeedbackClient
from feedback_pipeline.capture.verbs import FeedbackMiddleware as FeedbackMiddleware
from feedback_pipeline.capture.verbs import call_context as call_context
from feedback_pipeline.capture.verbs import capture_feedback as capture_feedback
from feedback_pipeline.capture.verbs import collect_explicit_feedback as collect_explicit_feedback
from feedback_pipeline.capture.verbs import insert_feedback as insert_feedback
from feedback_pipeline.capture.verbs import log_ab_test as log_ab_test
from feedback_pipeline.capture.verbs import log_anthropic as log_anthropic
from feedback_pipeline.capture.verbs import log_litellm as log_litellm
from feedback_pipeline.capture.verbs import log_llm_request as log_llm_request
from feedback_pipeline.capture.verbs import log_openai as log_openai
from feedback_pipeline.component import FeedbackLoop as FeedbackLoop

__version__: str
__all__: list[str]
from feedback_pipeline.analysis.stored import (
    get_feedback_data as get_feedback_data,
)
from feedback_pipeline.analysis.stored import (
    get_statistics as get_statistics,
)
from feedback_pipeline.analysis.stored import (
    load_logged_interactions as load_logged_interactions,
)
from feedback_pipeline.analysis.vote_stretches import (
    LeftOutWarning as LeftOutWarning,
)
