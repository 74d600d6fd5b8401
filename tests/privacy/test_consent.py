"""Consent is obeyed from the moment it is written: at intake, and when days are computed."""

from pathlib import Path

import dagster as dg
import psycopg
import pytest

from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK, CLEAN_INTERACTIONS
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.privacy import consent
from feedback_pipeline.store import bulk, changes
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database
from jobs import runs
from tests.support.erasure_world import ADA, BEN, fill, key, pipeline_at
from tests.support.store_rows import MONDAY, answers, later, votes

DAY = MONDAY.date()


@pytest.fixture
def pipeline(database: Database, tmp_path: Path) -> Pipeline:
    opened = pipeline_at(tmp_path / "home", database)
    fill(opened)
    return opened


def record(pipeline: Pipeline, user: str, **choices: bool) -> consent.Consent:
    return consent.record(pipeline.database, pipeline.pseudonymiser, "default", user, **choices)


def test_without_a_wish_the_tenants_policy_holds(pipeline: Pipeline) -> None:
    known = consent.read(pipeline.database, pipeline.pseudonymiser, "default", ADA)
    assert (known.collect, known.use_for_analysis, known.use_for_training) == (True, True, True)
    assert (known.answers, known.votes, known.known) == (2, 3, True)


def test_nothing_is_collected_of_a_person_who_was_never_seen_and_refuses(pipeline: Pipeline) -> None:
    known = record(pipeline, "cleo", collect=False)
    assert not known.known
    assert (known.use_for_analysis, known.use_for_training) == (False, False)
    cleo = key(pipeline, "cleo")
    batch = Batch(answers({"name": "c", "user_key": cleo}), None, votes({"name": "c", "on": "b1", "user_key": cleo}))
    filed = bulk.file_batch(pipeline.database, batch)
    assert (filed.interactions, filed.feedback) == (0, 0)


def test_a_wish_is_written_under_every_pseudonym(pipeline: Pipeline) -> None:
    pipeline.pseudonymiser.rotate(pipeline.settings.home)
    rotated = pipeline_at(pipeline.settings.home, pipeline.database)
    record(rotated, ADA, use_for_training=False)
    with psycopg.connect(pipeline.database.address()) as connection:
        found = connection.execute("SELECT user_key, use_for_training FROM consent ORDER BY 1").fetchall()
    assert found == [(name, False) for name in sorted(rotated.pseudonymiser.all_versions("default", ADA))]


def test_leaving_the_analysis_computes_exactly_the_persons_days_again(
    pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    assert runs.compute(pipeline, instance).failed == ()
    record(pipeline, ADA, use_for_analysis=False)
    changes.fold(pipeline.database)
    assert [due.day for due in changes.due(pipeline.database)] == [DAY, later(days=1).date()]
    assert runs.compute(pipeline, instance).failed == ()
    days = [DAY, later(days=1).date()]
    assert set(pipeline.frames.read(CLEAN_FEEDBACK, days)["user_key"].drop_nulls()) == {key(pipeline, BEN)}
    assert key(pipeline, ADA) not in pipeline.frames.read(CLEAN_INTERACTIONS, days)["user_key"].to_list()
    record(pipeline, ADA, use_for_analysis=True)
    assert runs.compute(pipeline, instance).failed == ()
    assert key(pipeline, ADA) in pipeline.frames.read(CLEAN_INTERACTIONS, days)["user_key"].to_list()


def test_the_same_wish_again_changes_nothing(pipeline: Pipeline) -> None:
    record(pipeline, ADA, use_for_training=False)
    changes.fold(pipeline.database)
    before = changes.versions(pipeline.database)
    record(pipeline, ADA, use_for_training=False)
    changes.fold(pipeline.database)
    assert changes.versions(pipeline.database) == before


def test_an_unknown_tenant_and_an_empty_id_are_said(pipeline: Pipeline) -> None:
    with pytest.raises(consent.UnknownTenantError, match="there is no tenant 'nobody'; there are: default"):
        consent.record(pipeline.database, pipeline.pseudonymiser, "nobody", ADA, collect=False)
    with pytest.raises(ValueError, match="empty user id"):
        record(pipeline, "", collect=False)
