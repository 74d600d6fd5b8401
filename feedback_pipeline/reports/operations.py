"""The operational sections: judged quality, versions, alerts, actions, training, engagement, data quality, method.

Fields whose docstring says *user text* hold words written by strangers.
"""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from feedback_pipeline.reports.parts import Condition, Count, Difference, NoResultPart, Part, Rate


@dataclass(frozen=True)
class JudgedCriterion(Part):
    """One criterion of the model judges, corrected by the people it was calibrated on."""

    criterion: str
    judge: str
    """Model that judged."""
    raw: float | None
    """Share of judged answers that passed, as the judge said."""
    corrected: Rate | NoResultPart
    """The same corrected by human labels, or why it was not."""
    agreement: float | None
    """Chance-corrected agreement with people on labelled answers (Cohen's kappa)."""
    labelled: int
    """Answers with a human label the correction rests on."""
    unscored: int
    """Answers the judge gave no usable verdict on."""


@dataclass(frozen=True)
class JudgedQuality(Part):
    """Judged quality on a random sample of all answers, beside approval, which only voters give."""

    criteria: tuple[JudgedCriterion, ...]


@dataclass(frozen=True)
class Version(Part):
    """One model or prompt version in this period."""

    dimension: str
    """model or prompt_version."""
    version: str | None
    """Level; null means unknown."""
    approval: Rate | NoResultPart
    answers: int | None
    """Answers given, voted on or not; null where not logged."""
    response_rate: float | None
    """Rated answers among all its answers."""
    success: Rate | None = None
    """Share of successful answers."""
    cost_per_answer: float | None = None
    """US dollars."""
    latency_median: float | None = None
    """Milliseconds."""
    latency_p95: float | None = None
    """95th percentile, milliseconds."""
    safety: tuple[tuple[str, float], ...] = ()
    """Rates of flagged answers by flag, 0–1."""
    first_seen: date | None = None


@dataclass(frozen=True)
class VersionComparison(Part):
    """Two prompt versions compared by judges or people on one criterion."""

    earlier: str
    later: str
    criterion: str
    measure: str
    """What is compared: the judge's score, its verdicts, the corrected rate, or people's own verdicts."""
    difference: Difference
    """Later minus earlier."""
    q_value: float | None
    paired: bool
    """Both versions answered the same prompts."""


@dataclass(frozen=True)
class Versions(Part):
    """Models and prompt versions side by side."""

    rows: tuple[Version, ...]
    comparisons: tuple[VersionComparison, ...] = ()


@dataclass(frozen=True)
class Alert(Part):
    """One incident. Dimension values and numbers only, no user text."""

    alert_id: str
    rule: str
    """Name of the rule that fired."""
    severity: Literal["warning", "error"]
    status: Literal["open", "acknowledged", "closed"]
    opened: date
    statement: str
    """What was seen, in one sentence."""
    real: bool | None
    """The metric was later confirmed to have moved; null while undecided."""


@dataclass(frozen=True)
class Alerts(Part):
    """Alerts of the period, and how many of the judged ones were real."""

    items: tuple[Alert, ...]
    judged: int
    """Alerts of earlier periods that have been decided."""
    real: int
    """Of these, the ones that were real."""
    unchecked: tuple[str, ...] = ()
    """Rules that could not look at the whole period, and why."""


@dataclass(frozen=True)
class PastAction(Part):
    """An action from an earlier report and what became of its group of answers."""

    action_id: str
    """Id of the recommendation."""
    title: str
    owner: str | None
    status: Literal["proposed", "accepted", "done", "dropped"]
    finding_id: str | None
    then: Rate | None
    """Approval of the group when the action was proposed."""
    now: Rate | None
    """Approval of the group in this period."""
    difference: Difference | NoResultPart
    """Now minus then."""

    @property
    def outcome(self) -> Literal["helped", "no measurable change", "hurt", "cannot say"]:
        """What the difference says, once the action is done."""
        if isinstance(self.difference, NoResultPart) or self.status != "done":
            return "cannot say"
        if not self.difference.significant:
            return "no measurable change"
        return "helped" if self.difference.value > 0 else "hurt"


@dataclass(frozen=True)
class PastActions(Part):
    """The actions of earlier reports that somebody took, and what became of them."""

    items: tuple[PastAction, ...]
    not_taken: int = 0
    """Recommendations of the report before that nobody took: whether they would have worked is not asked."""


@dataclass(frozen=True)
class Recommendation(Part):
    """Something to do, with the evidence for it."""

    recommendation_id: str
    title: str
    """What to do: numbers and dimension values; user text where a model wrote it."""
    evidence: str | None
    """Why; user text where a model wrote it."""
    conditions: tuple[Condition, ...]
    """The group of answers it is about; empty where it is about all."""
    finding_id: str | None
    expected_gain: float | None
    """Approval gained overall if the group came up to the rest, as a fraction; null where not estimated."""
    evidence_grade: Literal["associational", "adjusted", "randomised"]
    owner: str | None
    due: date | None
    about: str | None = None
    """User text: the name of the topic it is about, from words of at least five people."""
    votes: tuple[str, ...] = ()
    """Ids of votes to look at: the console shows each under /console/feedback/."""


@dataclass(frozen=True)
class ModelSuggestion(Part):
    """Something a model suggests about findings that it was shown as numbers and dimension values."""

    title: str
    """User text: a model wrote it."""
    action: str
    """What to do; user text: a model wrote it."""
    why: str | None
    """User text: a model wrote it."""
    conditions: tuple[Condition, ...]
    """The groups of answers it is about."""
    evidence: tuple[str, ...]
    """Ids of the findings it cites; every number and group it names is in them."""


@dataclass(frozen=True)
class Recommendations(Part):
    """What to do next, largest expected gain first; none is a valid result."""

    items: tuple[Recommendation, ...]
    """By rule; followed as actions."""
    source: Literal["rules", "model"]
    """model: a model's suggestions stand beside those of the rules."""
    note: str | None = None
    """Why the rules answer alone, or how many of the model's suggestions did not stand."""
    suggestions: tuple[ModelSuggestion, ...] = ()
    """What a model suggests beside the rules."""


@dataclass(frozen=True)
class TrainingFile(Part):
    """One file written for a trainer."""

    format: str
    """sft, dpo, kto …"""
    train: int
    """Lines for training."""
    validation: int
    """Lines for validation."""
    holdout: int = 0
    """Lines that no trainer sees."""


@dataclass(frozen=True)
class CurationStep(Part):
    """One step on the way from votes to training lines."""

    step: str
    unit: str
    """What is counted: votes, examples or pairs."""
    rows_in: int
    dropped: int
    """Rows dropped or merged."""
    reason: str
    """Why rows are dropped here."""

    @property
    def left(self) -> int:
        return self.rows_in - self.dropped


@dataclass(frozen=True)
class Training(Part):
    """From votes to training lines: how many are left after each step."""

    steps: tuple[CurationStep, ...]
    files: tuple[TrainingFile, ...]
    advice: str | None = None
    """Whether the data are enough for a fine-tune."""


@dataclass(frozen=True)
class DayVotes(Part):
    """Votes of one day."""

    day: date
    up: int
    neutral: int
    down: int

    @property
    def votes(self) -> int:
        return self.up + self.neutral + self.down


@dataclass(frozen=True)
class Engagement(Part):
    """How people use the feedback channel."""

    days: tuple[DayVotes, ...]
    """Every day of the last 30, without gaps."""
    comments: int
    corrections: int
    survey_responses: int | None
    """Null where no survey is connected."""
    exports: int | None
    """Times the feedback was exported; null where not recorded."""


@dataclass(frozen=True)
class DataQuality(Part):
    """Where every delivered event went."""

    events: int
    """Events delivered."""
    accounts: tuple[Count, ...]
    """Current votes, superseded, withdrawn, duplicates, opted out, pending, quarantined."""
    refused: tuple[Count, ...]
    """Quarantined rows by reason."""
    redactions: tuple[Count, ...]
    """Pieces of personal data replaced, by type."""

    @property
    def unaccounted(self) -> int:
        """Events that no account explains: 0 unless something was lost."""
        return self.events - sum(account.count for account in self.accounts)


@dataclass(frozen=True)
class Method(Part):
    """How the numbers were made, so that a reader can check them."""

    groups_tested: int | None
    terms_tested: int | None
    false_discovery_rate: float
    min_votes: int
    """Fewest votes a group needs to be tested."""
    min_people: int
    """Fewest people a group needs to be shown."""
    suppressed: int | None
    """Rates and shares withheld because too few people are behind them."""
    notes: tuple[str, ...] = ()
    """Anything else a reader must know."""
    versions: tuple[tuple[str, str], ...] = ()
    """Versions of code, taxonomy, redaction rules and the like."""
