"""Two loops in one Dagster instance: their assets are told apart by a prefix that nothing but Dagster sees."""

from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from feedback_pipeline.calendar import days_of
from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK
from feedback_pipeline.settings import Settings, SettingsError
from feedback_pipeline.store import bulk, locks
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database
from jobs import foreground, runs
from jobs.location import build_definitions
from tests.support.store_rows import MONDAY, answers, later, votes
from tests.support.world import checks, pipeline_for

DAY = MONDAY.date()
PREFIX = ["acme", "staging"]


def test_every_key_and_what_it_is_made_from_stands_behind_the_prefix() -> None:
    plain = build_definitions(Settings.from_environment({}))
    behind = build_definitions(Settings.from_environment({"FEEDBACK_ASSET_PREFIX": "acme/staging"}))

    def moved(key: dg.AssetKey) -> dg.AssetKey:
        return dg.AssetKey([*PREFIX, *key.path])

    graph, other = plain.resolve_asset_graph(), behind.resolve_asset_graph()
    assert other.get_all_asset_keys() == {moved(key) for key in graph.get_all_asset_keys()}
    for key in graph.get_all_asset_keys():
        assert other.get(moved(key)).parent_keys == {moved(parent) for parent in graph.get(key).parent_keys}
        assert {check.name for check in other.get(moved(key)).check_keys} == {
            check.name for check in graph.get(key).check_keys
        }
    for name in ("daily_loop", "weekly_loop", "monthly_loop", "import_sources", "freshness_checks", "promote_model"):
        steps = {node.name for node in plain.resolve_job_def(name).nodes}
        assert len(behind.resolve_job_def(name).nodes) == len(steps), name


@pytest.mark.parametrize("wrong", ["acme staging", "acme//staging", "a.b"])
def test_a_prefix_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(SettingsError, match="FEEDBACK_ASSET_PREFIX"):
        Settings.from_environment({"FEEDBACK_ASSET_PREFIX": wrong})


def test_a_day_behind_a_prefix_lies_where_it_always_did_and_is_read_by_its_key(
    database: Database, tmp_path: Path
) -> None:
    named = [{"name": str(n), "occurred_at": later(minutes=n)} for n in range(3)]
    voted = [{**one, "on": one["name"]} for one in named]
    bulk.file_batch(database, Batch(interactions=answers(*named), feedback=votes(*voted)))
    pipeline = pipeline_for(tmp_path / "home", database, FEEDBACK_ASSET_PREFIX="acme/staging")
    key = dg.AssetKey([*PREFIX, "clean_feedback"])
    seen = []

    @dg.asset(ins={"frame": dg.AssetIn(key)}, partitions_def=dg.DailyPartitionsDefinition("2026-09-07", timezone="UTC"))
    def theirs(frame: pd.DataFrame) -> None:
        seen.append(len(frame))

    with dg.DagsterInstance.ephemeral() as instance:
        # of another loop in this instance, whose locks are elsewhere: it is not ours to settle
        other = instance.create_run_for_job(
            dg.GraphDefinition("other").to_job(), tags={foreground.BY: "deadbeef"}, status=dg.DagsterRunStatus.STARTED
        )
        assert locks.is_free(database.engine, locks.Space.COMMAND, "deadbeef")
        assert runs.compute(pipeline, instance, weeks=[]).failed == ()
        run = instance.get_run_by_id(other.run_id)
        assert run is not None
        assert run.status == dg.DagsterRunStatus.STARTED
        assert pipeline.frames.partitions(CLEAN_FEEDBACK) == [str(DAY)]
        record = instance.fetch_materializations(key, limit=1).records[0]
        assert record.partition_key == str(DAY)
        evaluated = [one for one in instance.get_runs() for one in checks(instance, one.run_id)]
        assert {name.rpartition("/")[0] for name, *_ in evaluated} == {"acme/staging"}
        observed = instance.fetch_observations(dg.AssetKey([*PREFIX, "raw_feedback"]), limit=1).records
        assert observed
        definitions = build_definitions(pipeline.settings, {"pipeline": pipeline})
        ours = [one for one in definitions.assets or () if isinstance(one, dg.AssetsDefinition) and key in one.keys]
        done = dg.materialize(
            [theirs, *ours],
            partition_key=str(days_of(DAY)[0]), instance=instance, selection=[theirs],
            resources={"io_manager": definitions.resources["io_manager"], "pipeline": pipeline},
        )  # fmt: skip
        assert done.success
    assert seen == [3]
