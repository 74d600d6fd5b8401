"""The database out of reach in the middle of a run: said in a sentence, and gone on with afterwards."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import dagster as dg
import pytest

from assets import computing
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.store import bulk, changes
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database
from jobs import runs
from tests.support.store_rows import answers, later, votes
from tests.support.way import Way
from tests.support.world import files_of, pipeline_for


@pytest.fixture
def way(database: Database) -> Iterator[Way]:
    parts = urlsplit(database.url)
    made = Way((parts.hostname or "127.0.0.1", parts.port or 5432))
    yield made
    made.close()


@pytest.fixture
def pipeline(database: Database, way: Way, tmp_path: Path) -> Pipeline:
    """A pipeline whose way to the server can be cut."""
    direct = pipeline_for(tmp_path / "home", database)
    parts = urlsplit(database.url)
    url = database.url.replace(f":{parts.port}/", f":{way.port}/")
    return Pipeline(replace(direct.settings, database_url=url), direct.now())


@pytest.mark.parametrize("when", ["before a day is read", "after it was written, before it is filed"])
def test_a_run_that_loses_the_database_says_so_and_the_next_one_goes_on(
    pipeline: Pipeline, way: Way, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    for day in range(3):
        one = {"name": str(day), "occurred_at": later(days=day)}
        bulk.file_batch(database, Batch(interactions=answers(one), feedback=votes({**one, "on": one["name"]})))
    real, seen = computing.compute, []

    def cut_at_the_second_day(*given: object) -> object:
        seen.append(given)
        if len(seen) == 2 and when.startswith("before"):
            way.cut()
        made = real(*given)  # type: ignore[arg-type]
        if len(seen) == 3 and when.startswith("after"):
            way.cut()
        return made

    monkeypatch.setattr("assets.building.compute", cut_at_the_second_day)
    with dg.DagsterInstance.ephemeral() as instance:
        result = runs.compute(pipeline, instance, weeks=[])
        assert any("the database cannot be reached" in line for line in result.failed)
        assert not list(Path(pipeline.settings.data_url).rglob("*.partial"))
        assert changes.failed_days(database) == {}, "it is no day's fault"
        way.mend()
        again = runs.compute(pipeline, instance, weeks=[])
        assert (again.days, again.failed) == (3, ())
        interrupted = files_of(pipeline)

        elsewhere = replace(pipeline.settings, data_url=str(tmp_path / "undisturbed"))
        undisturbed = pipeline.with_settings(elsewhere)
        with database.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE day_state SET computed = 0, requested = 0")
        assert runs.compute(undisturbed, instance, weeks=[]).days == 3
        daily = {name for name in files_of(undisturbed) if name.startswith(("clean_", "vote_facts"))}
        assert {name for name in daily if files_of(undisturbed)[name] != interrupted[name]} == set()
