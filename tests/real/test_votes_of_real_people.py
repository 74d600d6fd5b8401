"""The same loop on votes that real people cast: 124 crowd workers comparing the answers of 59 models.

The published figures are those of the dataset's authors (D. Ustalov, "Large Language Model Feedback Analysis and
Optimization", 2023): Bradley–Terry rank correlation .7309 and agreement .746 without ties between GPT-4 and people.
"""

from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import orjson
import polars as pl
import pytest

from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK
from feedback_pipeline.ingest.importing import import_sources
from feedback_pipeline.ingest.intake import PrivacyRules
from feedback_pipeline.ingest.sources import load_sources
from feedback_pipeline.judging.tables import JUDGEMENTS, PREFERENCE_AGREEMENT, PREFERENCE_RANKING
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.privacy.redaction import redact_frame
from feedback_pipeline.settings import Settings
from feedback_pipeline.store.database import Database
from feedback_pipeline.training.tables import PREFERENCE_PAIRS
from jobs import runs

LAST_WEEK = date(2026, 10, 26)
SOURCES = ("llmfao-answers", "llmfao", "llmfao-gpt-4")


@pytest.fixture
def pipeline(tmp_path: Path, database: Database, shared_data: Path) -> Pipeline:
    given = {"FEEDBACK_HOME": str(tmp_path / "home"), "FEEDBACK_DATABASE_URL": database.url}
    pipeline = Pipeline(Settings.from_environment(given), datetime(2026, 11, 21, tzinfo=UTC))
    sources = load_sources(Path(__file__).parent / "sources.yaml", {"FEEDBACK_SHARED_DATA": str(shared_data)})
    privacy = PrivacyRules(redact=redact_frame, pseudonyms=pipeline.pseudonymiser.pseudonyms)
    imported = import_sources(database, sources, privacy, pipeline.settings.home, names=SOURCES)
    assert [source.refused_rows for source in imported.sources] == [0, 0, 0]
    assert imported.events == 8931
    return pipeline


def test_llmfao_goes_through_the_whole_loop(pipeline: Pipeline) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        days = runs.compute(pipeline, instance, weeks=[])
        assert (days.failed, days.days) == ((), 56)
        # the judgements of every week, then everything of the last one, whose window holds all votes
        weeks = runs.compute(pipeline, instance, weeks=[date(2026, 9, 7), LAST_WEEK])
        assert weeks.failed == ()

    clean = pipeline.frames.read(CLEAN_FEEDBACK, pipeline.frames.partitions(CLEAN_FEEDBACK))
    assert clean.height == 8931
    assert clean["voter"].n_unique() == 124
    assert clean["kind"].unique().to_list() == ["preference"]

    ranking = pipeline.frames.read(PREFERENCE_RANKING, [LAST_WEEK]).filter(pl.col("rater") == "people")
    assert ranking.height == 59
    best, worst = ranking.sort("rank").row(0, named=True), ranking.sort("rank").row(-1, named=True)
    assert best["model"] == "GPT 4"
    assert worst["model"] == "Dolly v2 (3B)"
    assert best["low"] > worst["high"]

    pairs = pipeline.frames.read(PREFERENCE_PAIRS, [LAST_WEEK])
    assert pairs.height > 0
    assert set(pairs["origin"]) == {"preference"}
    folder = pipeline.frames.root / "training_files" / str(LAST_WEEK)
    assert orjson.loads((folder / "kto" / "files.json").read_bytes()) == []  # a preference is no approval


def test_gpt_4_agrees_with_the_people_as_published(pipeline: Pipeline) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        runs.compute(pipeline, instance, weeks=[])
        weeks = [date.fromordinal(LAST_WEEK.toordinal() - 7 * back) for back in range(7, -1, -1)]
        runs.compute(pipeline, instance, weeks=weeks)
    judged = pipeline.frames.read(JUDGEMENTS, weeks).filter(pl.col("other_interaction_id") != "")
    assert judged["judge"].unique().to_list() == ["gpt-4"]
    agreement = pipeline.frames.read(PREFERENCE_AGREEMENT, [LAST_WEEK]).filter(pl.col("judge") == "gpt-4")
    values = dict(agreement.select("statistic", "value").iter_rows())
    assert values["rank_correlation"] == pytest.approx(0.7309, abs=0.001)
    assert values["agreement_without_ties"] == pytest.approx(0.746, abs=0.001)
