"""The report in a few lines for a chat channel, and as numbers for the Dagster UI.

Both outlive an erasure where they are sent, so neither carries words written by people: dimension values, numbers
and ids only.
"""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from feedback_pipeline.reports import wording
from feedback_pipeline.reports.content import ReportContent
from feedback_pipeline.reports.parts import NoResultPart

_LISTED = 5


def render_markdown(content: ReportContent, link: str | None = None) -> str:
    """A digest for Slack: headline, what it rests on, causes and actions, at most some twenty lines.

    `link` is where the page can be read.
    """
    return (
        _environment()
        .get_template("digest.md")
        .render(
            headline=_safe(wording.headline(content)),
            project=_safe(content.project),
            period=f"{wording.period_name(content.period)} ({content.period.label})",
            provisional=content.period.provisional,
            lines=[_safe(line) for line in _summary_lines(content)],
            causes=[_safe(line) for line in _cause_lines(content)],
            actions=[_safe(line) for line in _action_lines(content)],
            link=link,
        )
    )


def summary_metadata(content: ReportContent) -> dict[str, float | int | str]:
    """Numbers worth plotting over the weeks, and the headline; a number that cannot be said is absent."""
    metadata: dict[str, float | int | str] = {
        "period": content.period.label,
        "revision": content.period.revision,
        "headline": wording.headline(content),
        "verdict": wording.direction(content),
    }
    verdict, coverage = content.verdict, content.coverage
    if not isinstance(verdict, NoResultPart):
        metadata |= {
            "approval": verdict.approval.value,
            "approval_low": verdict.approval.low,
            "approval_high": verdict.approval.high,
        }
        if not isinstance(verdict.difference, NoResultPart):
            metadata["approval_change"] = verdict.difference.value
    if not isinstance(coverage, NoResultPart):
        metadata |= {"votes": coverage.votes, "people": coverage.people}
        if coverage.response_rate is not None:
            metadata["response_rate"] = coverage.response_rate
    if not isinstance(content.causes, NoResultPart):
        metadata["findings"] = len(content.causes.findings)
        if content.causes.tested is not None:
            metadata["groups_tested"] = content.causes.tested
    if not isinstance(content.alerts, NoResultPart):
        metadata["alerts"] = len(content.alerts.items)
        metadata["alerts_open"] = sum(alert.status != "closed" for alert in content.alerts.items)
    if not isinstance(content.method, NoResultPart) and content.method.suppressed is not None:
        metadata["rates_withheld"] = content.method.suppressed
    if not isinstance(content.data_quality, NoResultPart):
        metadata["events_unaccounted"] = content.data_quality.unaccounted
        metadata["rows_refused"] = sum(reason.count for reason in content.data_quality.refused)
        metadata |= {f"redacted_{item.name.lower()}": item.count for item in content.data_quality.redactions}
    return metadata


def _summary_lines(content: ReportContent) -> list[str]:
    lines = []
    if isinstance(content.verdict, NoResultPart):
        lines.append(f"Cannot say: {content.verdict.cannot_say}.")
    else:
        lines.append(wording.verdict_details(content.verdict, content.period.noun))
    if not isinstance(content.coverage, NoResultPart):
        votes = wording.counted(content.coverage.votes, "vote")
        people = wording.counted(content.coverage.people, "person", "people")
        lines.append(f"{votes} by {people}. {wording.response_rate(content.coverage)}")
        lines += wording.coverage_gaps(content.coverage, content.period)
    if not isinstance(content.change, NoResultPart):
        lines.append(wording.change_takeaway(content.change, content.period.noun))
    if not isinstance(content.causes, NoResultPart) and not content.causes.findings:
        lines.append(wording.causes_takeaway(content.causes))
    if not isinstance(content.alerts, NoResultPart) and content.alerts.items:
        still_open = sum(alert.status != "closed" for alert in content.alerts.items)
        lines.append(f"{wording.counted(len(content.alerts.items), 'alert')}, {still_open} still open.")
    return lines


def _cause_lines(content: ReportContent) -> list[str]:
    if isinstance(content.causes, NoResultPart):
        return []
    return [
        f"{wording.group(cause.conditions)} ({cause.status}): {wording.cause_sentence(cause)}"
        for cause in content.causes.findings[:_LISTED]
    ]


def _action_lines(content: ReportContent) -> list[str]:
    recommendations = content.recommendations
    if isinstance(recommendations, NoResultPart):
        return []
    lines = [
        item.title + (f" ({wording.signed_points(item.expected_gain)} points)" if item.expected_gain else "")
        for item in recommendations.items[:_LISTED]
    ]
    if recommendations.suggestions:
        # A model's own sentences stay in the page.
        lines.append(f"{wording.counted(len(recommendations.suggestions), 'suggestion')} by a model: see the report.")
    return lines


def _safe(line: str) -> str:
    # Slack's own escaping; asterisks, backticks and the like in a dimension value would start formatting.
    escaped = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join("'" if character in "*`~|[]" else character for character in escaped)


@cache
def _environment() -> Environment:
    # Chat text, not HTML: `_safe` escapes what Slack interprets.
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=False,  # noqa: S701
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
