"""What a report says, before any rendering.

A section that has nothing to stand on is a `CannotSay` with its reason, never a placeholder number.
"""

from dataclasses import dataclass
from datetime import datetime

from feedback_pipeline.reports.findings import (
    Causes,
    Change,
    Improvements,
    RepeatedFailures,
    Standings,
    Terms,
    Topics,
)
from feedback_pipeline.reports.operations import (
    Alerts,
    DataQuality,
    Engagement,
    JudgedQuality,
    Method,
    PastActions,
    Recommendations,
    Training,
    Versions,
)
from feedback_pipeline.reports.parts import CannotSay, Part
from feedback_pipeline.reports.summary import Coverage, Period, Trend, Verdict
from feedback_pipeline.reports.trials import AllAnswers, Trials

NOT_COMPUTED = CannotSay("this section was not computed")


@dataclass(frozen=True)
class ReportContent(Part):
    """One report: every section, or why it is absent."""

    project: str
    """Whose feedback this is."""
    period: Period
    generated_at: datetime
    """When the numbers were gathered, UTC."""
    verdict: Verdict | CannotSay = NOT_COMPUTED
    coverage: Coverage | CannotSay = NOT_COMPUTED
    trend: Trend | CannotSay = NOT_COMPUTED
    change: Change | CannotSay = NOT_COMPUTED
    causes: Causes | CannotSay = NOT_COMPUTED
    recommendations: Recommendations | CannotSay = NOT_COMPUTED
    past_actions: PastActions | CannotSay = NOT_COMPUTED
    improvements: Improvements | CannotSay = NOT_COMPUTED
    alerts: Alerts | CannotSay = NOT_COMPUTED
    all_answers: AllAnswers | CannotSay = NOT_COMPUTED
    experiments: Trials | CannotSay = NOT_COMPUTED
    judged_quality: JudgedQuality | CannotSay = NOT_COMPUTED
    versions: Versions | CannotSay = NOT_COMPUTED
    standings: Standings | CannotSay = NOT_COMPUTED
    terms: Terms | CannotSay = NOT_COMPUTED
    topics: Topics | CannotSay = NOT_COMPUTED
    repeated_failures: RepeatedFailures | CannotSay = NOT_COMPUTED
    engagement: Engagement | CannotSay = NOT_COMPUTED
    training: Training | CannotSay = NOT_COMPUTED
    data_quality: DataQuality | CannotSay = NOT_COMPUTED
    method: Method | CannotSay = NOT_COMPUTED
