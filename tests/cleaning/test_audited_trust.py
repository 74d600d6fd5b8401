"""What people said in a random audit decides who is trusted, where nobody else voted."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from assets import clean
from assets.declaration import Declaration, Outcome
from feedback_pipeline.cleaning.consensus import decided_by_audit
from feedback_pipeline.cleaning.tables import RATER_TRUST
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import audits, bulk
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database
from tests.support.store_rows import DAY, answer_id, answers, later, votes

NOW = datetime(2026, 9, 16, tzinfo=UTC)
ANSWERS = [f"a{number}" for number in range(30)]


@pytest.fixture
def pipeline(database: Database, tmp_path: Path) -> Pipeline:
    """One person said up of thirty answers, ten minutes apart, and nobody else judged them."""
    asked = answers(*({"name": name, "prompt": f"question {name}"} for name in ANSWERS))
    said = [
        {"name": name, "on": name, "user_key": "k1:ada", "occurred_at": later(minutes=10 * number)}
        for number, name in enumerate(ANSWERS)
    ]
    bulk.file_batch(database, Batch(asked, None, votes(*said)))
    given = {"FEEDBACK_HOME": str(tmp_path / "home"), "FEEDBACK_DATABASE_URL": database.url}
    opened = Pipeline(Settings.from_environment(given), NOW)
    for declaration in (clean.clean_interactions, clean.clean_feedback, clean.text_signatures, clean.prompt_clusters):
        compute(opened, declaration)
    return opened


def compute(pipeline: Pipeline, declaration: object) -> None:
    assert isinstance(declaration, Declaration)
    outcome = declaration.function(pipeline, DAY)
    rows = outcome.rows if isinstance(outcome, Outcome) else outcome
    assert declaration.table is not None
    assert rows is not None
    pipeline.frames.write(declaration.table, DAY, rows)


def audit(pipeline: Pipeline, verdict: str) -> None:
    items = pl.DataFrame({"interaction_id": [answer_id(name) for name in ANSWERS]}).with_columns(
        day=pl.lit(DAY), stratum=pl.lit("up"), place=pl.int_range(pl.len()).cast(pl.Int32),
        inclusion_probability=pl.lit(0.5),
    )  # fmt: skip
    assert audits.keep_items(pipeline.database, DAY, items)
    for name in ANSWERS:
        audits.add_label(pipeline.database, answer_id(name), "satisfaction", "auditor", verdict)
        # another criterion is another question
        audits.add_label(pipeline.database, answer_id(name), "clarity", "auditor", "down")


def trust_of_ada(pipeline: Pipeline) -> tuple[float, list[str]]:
    compute(pipeline, clean.rater_trust)
    weight, reasons = pipeline.frames.read(RATER_TRUST, [DAY]).select("weight", "reasons").row(0)
    return weight, reasons


def test_without_an_audit_there_is_nothing_to_compare_with(pipeline: Pipeline) -> None:
    assert trust_of_ada(pipeline) == (1.0, [])


def test_auditors_who_agree_change_nothing(pipeline: Pipeline) -> None:
    audit(pipeline, "up")
    assert trust_of_ada(pipeline) == (1.0, [])


def test_auditors_who_contradict_every_vote_lower_the_weight(pipeline: Pipeline) -> None:
    audit(pipeline, "down")
    weight, reasons = trust_of_ada(pipeline)
    assert weight < 0.5  # thirty contradictions by the surest consensus there is
    assert reasons == ["disagrees_with_consensus"]


def test_the_majority_of_auditors_decides_and_a_tie_does_not() -> None:
    said = {"a": ("up", "up", "down"), "b": ("up", "down"), "c": ("neutral", "cannot_say"), "d": ("down", "neutral")}
    labels = pl.DataFrame(
        [(answer, verdict) for answer, verdicts in said.items() for verdict in verdicts],
        schema=["interaction_id", "verdict"], orient="row",
    )  # fmt: skip
    assert decided_by_audit(labels).rows() == [("a", "up"), ("d", "down")]
    assert decided_by_audit(labels.clear()).is_empty()
