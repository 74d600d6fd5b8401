"""The HTML page: one self-contained file without scripts or outside resources.

Every value is escaped by the template engine; only the charts and the style sheet, both made here, are markup. The
page's content security policy forbids scripts and admits its own style sheet by hash, as a second lock.
"""

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from feedback_pipeline.reports import appendix, figures, wording
from feedback_pipeline.reports.content import ReportContent
from feedback_pipeline.reports.parts import NoResultPart

_TEMPLATES = Path(__file__).parent / "templates"

_SHOWN_CAUSES = 3
_SHOWN_ITEMS = 3

_DIRECTION_LABELS = {
    "better": "▲ Better",
    "worse": "▼ Worse",
    "unchanged": "● No significant change",
    "unknown": "No comparison",
}

_EVIDENCE_GRADES = {
    "associational": "seen together, cause not proven",
    "adjusted": "holds with other dimensions equal",
    "randomised": "shown by an experiment",
}

_FILTERS = {
    "adjusted_effect": wording.adjusted_effect,
    "new_voters": wording.new_voters,
    "cause_sentence": wording.cause_sentence,
    "causes_takeaway": wording.causes_takeaway,
    "comparison_rows": appendix.comparison_rows,
    "count": wording.count,
    "count_rows": appendix.count_rows,
    "counted": wording.counted,
    "day": wording.day,
    "days_between": wording.days_between,
    "difference_interval": wording.difference_interval,
    "dimension": wording.dimension,
    "evidence_grade": _EVIDENCE_GRADES.__getitem__,
    "failure_rows": appendix.failure_rows,
    "file_rows": appendix.file_rows,
    "group": wording.group,
    "interval": wording.interval,
    "judged_rows": appendix.judged_rows,
    "lower_first": lambda text: text[:1].lower() + text[1:],
    "markup": Markup,
    "method_rows": appendix.method_rows,
    "percent": wording.percent,
    "period_name": wording.period_name,
    "corrections_sentence": wording.corrections_sentence,
    "phrase_rows": appendix.phrase_rows,
    "preferences_sentence": wording.preferences_sentence,
    "q_value": wording.q_value,
    "ranked_rows": appendix.ranked_rows,
    "response_rate": wording.response_rate,
    "safety_flags": appendix.safety_flags,
    "safety_rows": appendix.safety_rows,
    "short_day": wording.short_day,
    "signed_points": wording.signed_points,
    "standing_rows": appendix.standing_rows,
    "subject_rows": appendix.subject_rows,
    "trial_rows": appendix.trial_rows,
    "telling_comparisons": appendix.telling_comparisons,
    "term_rows": appendix.term_rows,
    "topic_rows": appendix.topic_rows,
    "verdict_details": wording.verdict_details,
    "version_rows": appendix.version_rows,
}


def render_html(content: ReportContent) -> str:
    """The report as one HTML page; the same content gives the same bytes."""
    style = _style()
    verdict = content.verdict
    approval = None if isinstance(verdict, NoResultPart) else verdict.approval
    direction = wording.direction(content)
    return (
        _environment()
        .get_template("report.html")
        .render(
            report=content,
            style=style,
            style_hash=_policy_hash(style),
            headline=wording.headline(content),
            direction=direction,
            story=wording.story(content),
            direction_label="No verdict" if approval is None else _DIRECTION_LABELS[direction],
            gaps=[]
            if isinstance(content.coverage, NoResultPart)
            else wording.coverage_gaps(content.coverage, content.period),
            figures={
                "trend": figures.trend_figure(content),
                "change": figures.change_figure(content),
                "causes": figures.causes_figure(content.causes),
                "versions": figures.versions_figure(content.versions),
                "judged": figures.judged_figure(content.judged_quality, approval),
                "engagement": figures.engagement_figure(content.engagement),
                "training": figures.training_figure(content.training),
            },
            shown_causes=_SHOWN_CAUSES,
            shown_items=_SHOWN_ITEMS,
            appendix=list(appendix.TITLES.items()),
            appendix_titles=appendix.TITLES,
        )
    )


def policy_of(page: str) -> str:
    """The content security policy that a report's page carries, for whoever serves it; one that admits nothing where
    it carries none."""
    found = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)
    return found.group(1) if found else "default-src 'none'"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(_FILTERS)
    environment.filters["outcome_label"] = _outcome_label
    environment.tests["cannot_say"] = lambda value: isinstance(value, NoResultPart)
    return environment


@cache
def _style() -> str:
    return (_TEMPLATES / "report.css").read_text(encoding="utf-8")


def _policy_hash(style: str) -> str:
    digest = hashlib.sha256(style.encode("utf-8")).digest()
    return "sha256-" + base64.b64encode(digest).decode("ascii")


def _outcome_label(outcome: str, status: str) -> str:
    if outcome == "cannot say":
        return "Too early to say" if status == "done" else status.capitalize()
    return outcome.capitalize()
