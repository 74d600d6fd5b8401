"""`FEEDBACK_VERDICTS`: one's own mapping is what days are cleaned with; a wrong one is said, not guessed around."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK
from feedback_pipeline.cli import health
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import bulk, changes
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database
from jobs import runs
from tests.support.store_rows import DAY, answers, votes

NOW = datetime(2026, 9, 9, tzinfo=UTC)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    file = tmp_path / "verdicts.toml"
    file.write_text('[stars]\n3 = ["down", 0.3]\n[implicit]\nshare = ["up", 0.6]\ncopy = false\n')
    return file


def opened(database: Database, tmp_path: Path, policy: Path | None) -> Pipeline:
    """A pipeline that starts now: what a process reads once, the next one reads again."""
    given = {"FEEDBACK_HOME": str(tmp_path / "home"), "FEEDBACK_DATABASE_URL": database.url,
             "FEEDBACK_START": "2026-08-31", "FEEDBACK_VERDICTS": str(policy or "")}  # fmt: skip
    return Pipeline(Settings.from_environment(given), NOW)


def given_votes(database: Database) -> None:
    signals = [
        {"name": "three", "on": "a", "stars": 3, "user_key": "k1:a"},
        {"name": "share", "on": "a", "kind": "implicit", "value": '{"signal": "share"}', "user_key": "k1:b"},
        {"name": "copy", "on": "a", "kind": "implicit", "value": '{"signal": "copy"}', "user_key": "k1:c"},
    ]
    bulk.file_batch(database, Batch(answers({"name": "a"}), None, votes(*signals)))


def verdicts(pipeline: Pipeline) -> dict[str, tuple[str | None, float | None, bool]]:
    """What each vote was taken to say, by its stars or signal."""
    rows = pipeline.frames.read(CLEAN_FEEDBACK, [DAY]).sort("voter")
    names = ("three", "share", "copy")
    found = rows.select("verdict", pl.col("strength").round(3), "counts").rows()
    return dict(zip(names, found, strict=True))


def test_without_a_file_the_usual_mapping_holds(
    database: Database, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    given_votes(database)
    pipeline = opened(database, tmp_path, None)
    assert runs.compute(pipeline, instance).failed == ()
    assert verdicts(pipeline) == {
        "three": ("neutral", 0.5, True), "share": (None, None, False), "copy": ("up", pytest.approx(0.3), True),
    }  # fmt: skip


def test_days_are_cleaned_by_the_file_and_again_after_it_changed(
    database: Database, tmp_path: Path, instance: dg.DagsterInstance, policy: Path
) -> None:
    given_votes(database)
    assert runs.compute(opened(database, tmp_path, None), instance).failed == ()
    # nothing changed in the store: the new rules take hold of the days they are asked for
    pipeline = opened(database, tmp_path, policy)
    assert runs.compute(pipeline, instance).days == 0
    assert changes.touch(database, DAY, DAY) == 1
    assert runs.compute(pipeline, instance).failed == ()
    assert verdicts(pipeline) == {
        "three": ("down", pytest.approx(0.3), True), "share": ("up", pytest.approx(0.6), True),
        "copy": (None, None, False),
    }  # fmt: skip
    # the original signal stays beside the verdict, and the event log says which rules held
    assert pipeline.frames.read(CLEAN_FEEDBACK, [DAY])["stars"].drop_nulls().to_list() == [3]
    recorded = instance.fetch_materializations(dg.AssetKey("clean_feedback"), limit=2).records
    policies = [one.asset_materialization.metadata["verdict_policy"].value for one in recorded]
    assert policies == [
        pipeline.verdict_policy.fingerprint,
        opened(database, tmp_path, None).verdict_policy.fingerprint,
    ]
    assert len(set(policies)) == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [('[stars]\n6 = ["up", 1]\n', "verdicts.toml: stars.6: stars are 1 to 5"), (None, "No such file")],
)
def test_a_wrong_file_stops_the_day_and_says_why(
    database: Database, tmp_path: Path, instance: dg.DagsterInstance, policy: Path, content: str | None, said: str
) -> None:
    if content is None:
        policy.unlink()
    else:
        policy.write_text(content)
    given_votes(database)
    pipeline = opened(database, tmp_path, policy)
    found = {finding.what: finding for finding in health.examine(pipeline.settings)}
    assert found["verdicts"].level == "error"
    assert said in found["verdicts"].found
    result = runs.compute(pipeline, instance)
    assert len(result.failed) == 1
    assert not pipeline.frames.path(CLEAN_FEEDBACK, DAY).exists()
    assert any(said in str(entry) for record in instance.get_runs() for entry in instance.all_logs(record.run_id))
    # put right, it goes on
    policy.write_text("")
    changes.touch(database, DAY, DAY)
    assert runs.compute(opened(database, tmp_path, policy), instance).failed == ()
