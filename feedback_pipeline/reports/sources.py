"""What a report is gathered from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import polars as pl

from feedback_pipeline.actions.evidence import Evidence
from feedback_pipeline.actions.suggest import Suggestions
from feedback_pipeline.alerting.detectors import Reading
from feedback_pipeline.cleaning.days import Conservation
from feedback_pipeline.patterns.slices import SearchRecord
from feedback_pipeline.reports.document import ReportDocument
from feedback_pipeline.reports.operations import TrainingFile
from feedback_pipeline.reports.sections.estimates import person_sums


@dataclass(frozen=True)
class Sources:
    """Everything one report reads. None means "not computed": its section says so. Empty means "nothing was found".

    Frames are those of the period unless said; the names are those of the tables they hold.
    """

    vote_facts: pl.DataFrame
    daily_counts: pl.DataFrame
    """`slice_counts` rows with at most one dimension, of the days of the trend: twelve weeks or more."""
    previous_vote_facts: pl.DataFrame | None = None
    """`vote_facts` of the period before."""
    approval_change: pl.DataFrame | None = None
    slice_findings: pl.DataFrame | None = None
    search: SearchRecord | None = None
    """What the search behind `slice_findings` looked at, or why it could not."""
    term_findings: pl.DataFrame | None = None
    failure_topics: pl.DataFrame | None = None
    repeated_failures: pl.DataFrame | None = None
    recommendations: pl.DataFrame | None = None
    suggestions: Suggestions | None = None
    """What a model suggests beside them, or why none does; None where nobody asked."""
    evidence: Sequence[Evidence] = ()
    """The findings that suggestions may cite."""
    actions: pl.DataFrame | None = None
    """What people decided about recommendations: `recommendation_id`, `status`, `owner`, `due`."""
    alert_readings: Sequence[Reading] | None = None
    """What every rule saw on every day of the period."""
    alert_states: Mapping[str, str] | None = None
    """open, acknowledged or closed, by incident; an incident that is not among them is open."""
    experiments: pl.DataFrame | None = None
    """`experiment_readout` of the period's days."""
    all_answers: pl.DataFrame | None = None
    """`approval_of_all`."""
    judged_quality: pl.DataFrame | None = None
    judge_calibration: pl.DataFrame | None = None
    version_comparison: pl.DataFrame | None = None
    safety_counts: pl.DataFrame | None = None
    answers: pl.LazyFrame | None = None
    """`clean_interactions`: model, prompt_version, cost_usd and latency_ms are read, no text."""
    feedback: pl.LazyFrame | None = None
    """`clean_feedback`: only whether there is a comment or correction is read, no text."""
    said: pl.DataFrame | None = None
    """Feedback events with a preference, a comment or a correction: `feedback_id`, `kind`, `verdict`, `voter`,
    `comment`, `correction`, `answer` (of a correction), `preference`, `interaction_id`, `other_interaction_id`,
    `model`, `other_model`, `project`; texts redacted."""
    subjects: pl.DataFrame | None = None
    """Current events on sessions, conversations, tool calls and steps (`subject_events`): `tenant`, `subject_kind`,
    `subject_id`, `voter`, `verdict`, `stars`, `commented`; no words."""
    own: bool = False
    """The report is for whoever gave the table: it is published to nobody else, and needs no five people."""
    survey_responses: int | None = None
    exports: int | None = None
    conservation: Sequence[Conservation] | None = None
    """One per day."""
    redactions: Mapping[str, int] | None = None
    """Pieces replaced, by type."""
    funnel: pl.DataFrame | None = None
    """The training stage's `funnel`."""
    training_files: Sequence[TrainingFile] = ()
    training_advice: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    """Versions of code, redaction rules, taxonomy …, for the method table."""
    examples: pl.DataFrame | None = None
    """Words to quote: `feedback_id`, `interaction_id`, `text`, for the ids of `example_ids`."""
    previous: ReportDocument | None = None
    """The report of the period before."""

    @cached_property
    def people(self) -> pl.DataFrame:
        """The period's votes added up by person (`person_sums`)."""
        return person_sums(self.vote_facts)

    @cached_property
    def previous_people(self) -> pl.DataFrame | None:
        """The same of the period before."""
        return None if self.previous_vote_facts is None else person_sums(self.previous_vote_facts)


def example_ids(
    slice_findings: pl.DataFrame | None, failure_topics: pl.DataFrame | None, repeated_failures: pl.DataFrame | None
) -> list[str]:
    """The feedback ids that the findings give as examples: what to fetch for `Sources.examples`."""
    frames = [frame for frame in (slice_findings, failure_topics, repeated_failures) if frame is not None]
    if not frames:
        return []
    ids = pl.concat([frame.select(pl.col("example_feedback_ids").explode()) for frame in frames])
    return sorted(ids.to_series().drop_nulls().unique().to_list())
