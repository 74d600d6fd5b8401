"""What a report says, before any rendering.

A section that has nothing to stand on is a `NoResultPart` with its reason, never a placeholder number.
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
from feedback_pipeline.reports.parts import NoResultPart, Part
from feedback_pipeline.reports.said import Comments, Corrections, Preferences
from feedback_pipeline.reports.subjects import Subjects
from feedback_pipeline.reports.summary import Coverage, Period, Trend, Verdict
from feedback_pipeline.reports.trials import AllAnswers, Trials

NOT_COMPUTED = NoResultPart("this section was not computed")


@dataclass(frozen=True)
class ReportContent(Part):
    """One report: every section, or why it is absent."""

    project: str
    """Whose feedback this is."""
    period: Period
    generated_at: datetime
    """When the numbers were gathered, UTC."""
    verdict: Verdict | NoResultPart = NOT_COMPUTED
    coverage: Coverage | NoResultPart = NOT_COMPUTED
    trend: Trend | NoResultPart = NOT_COMPUTED
    change: Change | NoResultPart = NOT_COMPUTED
    causes: Causes | NoResultPart = NOT_COMPUTED
    preferences: Preferences | NoResultPart = NOT_COMPUTED
    comments: Comments | NoResultPart = NOT_COMPUTED
    corrections: Corrections | NoResultPart = NOT_COMPUTED
    subjects: Subjects | NoResultPart = NOT_COMPUTED
    recommendations: Recommendations | NoResultPart = NOT_COMPUTED
    past_actions: PastActions | NoResultPart = NOT_COMPUTED
    improvements: Improvements | NoResultPart = NOT_COMPUTED
    alerts: Alerts | NoResultPart = NOT_COMPUTED
    all_answers: AllAnswers | NoResultPart = NOT_COMPUTED
    experiments: Trials | NoResultPart = NOT_COMPUTED
    judged_quality: JudgedQuality | NoResultPart = NOT_COMPUTED
    versions: Versions | NoResultPart = NOT_COMPUTED
    standings: Standings | NoResultPart = NOT_COMPUTED
    terms: Terms | NoResultPart = NOT_COMPUTED
    topics: Topics | NoResultPart = NOT_COMPUTED
    repeated_failures: RepeatedFailures | NoResultPart = NOT_COMPUTED
    engagement: Engagement | NoResultPart = NOT_COMPUTED
    training: Training | NoResultPart = NOT_COMPUTED
    data_quality: DataQuality | NoResultPart = NOT_COMPUTED
    method: Method | NoResultPart = NOT_COMPUTED
