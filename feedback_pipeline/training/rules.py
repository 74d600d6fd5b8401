"""The rules of curation, as values."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class CurationSettings:
    """What may enter a training file.

    Attributes:
        key: secret of the project that splits and draws are keyed with, so that nobody can aim an id at a split.
        window_weeks: length of the rolling window of votes.
        half_life_days: age at which a vote weighs half.
        independent_people: identified people who must agree before text written outside our servers is used unreviewed.
        browser_people: identified people with a history who must agree before an answer that a browser supplied is used
            unreviewed: text and accounts are both a stranger's there, and two accounts are made in a minute.
        person_rows: rows anybody may be the reason for, however small the dataset.
        person_share: share of the rows one person may be the reason for, where that is more.
        anonymous_rows: rows that votes without a person may be the reason for, however small the dataset.
        anonymous_share: share of the rows those may be the reason for, where that is more; None lifts the cap.
        new_rows: rows that people without a history may be the reason for together, however small the dataset. Who has
            not voted before the week has none yet; next week they have one.
        new_share: share of the rows those may be the reason for, where that is more; None lifts the cap.
        established_rows: rows of people with a history from which the cap holds; with fewer, nearly everybody is new.
        tenant_rows: rows a tenant may bring, however small the dataset, where `tenant_share` is set.
        tenant_share: share of the rows one tenant may bring; None lifts the cap (a single tenant has no peers).
        cluster_rows: rows of one label that a group of near-duplicate prompts may bring.
        cluster_pairs: preference pairs that such a group may bring.
        undecided: interval of P(approval rate > 1/2) in which people who disagree have not decided.
        minimum_trust: mean trust of an example's voters below which it is left out.
        placeholders: what happens to answers that carry a redaction placeholder.
        maximum_tokens: tokens of messages and completion beyond which a trainer would cut the example off.
        evaluation_expected: refuse to curate when the hashes of evaluation prompts are missing.
        validation_share: share of conversations held out for validation.
        holdout_days: newest days that are held out.
        conversation_rows: rows from which a conversation id is taken for a constant and ignored.
        balance_exponent: share of an intent or language is drawn towards share**exponent; 1 leaves it as it is.
    """

    key: str
    window_weeks: int = 12
    half_life_days: float = 30.0
    independent_people: int = 2
    browser_people: int = 3
    person_rows: int = 20
    person_share: float = 0.01
    anonymous_rows: int = 1_000
    anonymous_share: float | None = 0.5
    new_rows: int = 50
    new_share: float | None = 0.05
    established_rows: int = 200
    tenant_rows: int = 200
    tenant_share: float | None = None
    cluster_rows: int = 5
    cluster_pairs: int = 20
    undecided: tuple[float, float] = (0.2, 0.8)
    minimum_trust: float = 0.2
    placeholders: Literal["drop", "fill"] = "drop"
    maximum_tokens: int = 65_536
    evaluation_expected: bool = True
    validation_share: float = 0.1
    holdout_days: int = 3
    conversation_rows: int = 200
    balance_exponent: float = 0.7

    def __post_init__(self) -> None:
        if not self.key:
            raise ValueError("CurationSettings.key is empty: splits could be aimed at; pass the project's secret")
        if not 0 <= self.validation_share < 1:
            raise ValueError(f"CurationSettings.validation_share is {self.validation_share}, expected 0 ≤ share < 1")
        low, high = self.undecided
        if not 0 <= low <= 0.5 <= high <= 1:
            raise ValueError(f"CurationSettings.undecided is {self.undecided}, expected low ≤ 0.5 ≤ high within 0–1")


class EvaluationSetMissing(RuntimeError):  # noqa: N818 - named after what is wrong, as the message says what to do
    """Evaluation prompts are expected but their hashes were not given: training on them cannot be ruled out."""
