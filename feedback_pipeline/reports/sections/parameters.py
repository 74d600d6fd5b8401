"""The section about method: the floors and error rates behind the findings."""

from feedback_pipeline.patterns.covering import SliceSettings
from feedback_pipeline.reports.content import ReportContent
from feedback_pipeline.reports.operations import Method
from feedback_pipeline.reports.parts import NoResultPart
from feedback_pipeline.reports.sources import Sources

EARLIER_WEEKS = (
    "Intervals of earlier weeks in the trend come from daily sums, which carry no persons; they are widened by this "
    "period's design effect."
)


def method(sources: Sources, content: ReportContent) -> Method:
    """The settings of the search, and how much was looked at and left out."""
    settings = SliceSettings()
    return Method(
        groups_tested=None if isinstance(content.causes, NoResultPart) else content.causes.tested,
        terms_tested=None if isinstance(content.terms, NoResultPart) else content.terms.tested,
        false_discovery_rate=settings.false_discovery_rate,
        min_votes=settings.min_votes,
        min_people=settings.min_people,
        suppressed=_withheld(content),
        notes=(
            f"A cause has a negative rate at least {100 * settings.min_difference:.0f} points above the rest.",
            EARLIER_WEEKS,
        ),
        versions=tuple(sorted(sources.versions.items())),
    )


def _withheld(content: ReportContent) -> int:
    """Rates and shares that the report withholds because too few people are behind them."""
    withheld = 0
    if not isinstance(content.versions, NoResultPart):
        withheld += sum(isinstance(row.approval, NoResultPart) for row in content.versions.rows)
    if not isinstance(content.topics, NoResultPart):
        withheld += sum(isinstance(topic.share, NoResultPart) for topic in content.topics.topics)
    return withheld
