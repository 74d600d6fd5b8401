"""What another project builds on our days follows them: the real condition, on a real instance's events."""

from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from assets.automation import after_checked_days
from assets.partitions import Calendar
from feedback_pipeline.store import bulk
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database
from jobs.location import build_definitions
from jobs.loops import DAILY
from tests.support.store_rows import MONDAY, answers, later, votes
from tests.support.world import pipeline_for

FIRST = MONDAY.date()
SECOND = FIRST + timedelta(days=1)
ONE = {"dagster/partition": str(FIRST)}
BOTH = {"dagster/asset_partition_range_start": str(FIRST), "dagster/asset_partition_range_end": str(SECOND)}


def vote_on(database: Database, name: str, days: int) -> None:
    moment = later(days=days)
    batch = Batch(
        interactions=answers({"name": name, "occurred_at": moment}),
        feedback=votes({"name": name, "on": name, "occurred_at": moment}),
    )
    bulk.file_batch(database, batch)


@pytest.mark.parametrize("late_days", [ONE, BOTH], ids=["one day", "a stretch"])
def test_days_computed_again_ask_for_what_is_built_on_their_week(
    database: Database, tmp_path: Path, late_days: dict[str, str]
) -> None:
    pipeline = pipeline_for(tmp_path / "home", database)
    weeks = Calendar(pipeline.settings.start, "UTC").weeks

    @dg.asset(deps=["clean_feedback", "slice_counts"], partitions_def=weeks, automation_condition=after_checked_days())
    def theirs() -> None: ...

    definitions = dg.Definitions.merge(
        build_definitions(pipeline.settings, {"pipeline": pipeline}), dg.Definitions(assets=[theirs])
    )
    job = definitions.resolve_job_def(DAILY)
    with dg.DagsterInstance.ephemeral() as instance:

        def look(before: dg.EvaluateAutomationConditionsResult | None) -> dg.EvaluateAutomationConditionsResult:
            return dg.evaluate_automation_conditions(
                definitions, instance, asset_selection=dg.AssetSelection.assets("theirs"),
                cursor=before and before.cursor, evaluation_time=pipeline.now(),
            )  # fmt: skip

        for days in (0, 1):
            vote_on(database, f"vote {days}", days)
        assert job.execute_in_process(instance=instance, tags=BOTH).success
        settled = look(look(None))
        assert settled.total_requested == 0
        vote_on(database, "late", 0)
        assert job.execute_in_process(instance=instance, tags=late_days).success
        followed = look(settled)
        assert followed.get_requested_partitions(dg.AssetKey("theirs")) == {str(FIRST)}

        # what the UI shows of a partition's checks names the materialisation they were made for
        key = dg.AssetCheckKey(dg.AssetKey("clean_feedback"), "conservation")
        [execution] = instance.event_log_storage.get_latest_asset_check_execution_by_key([key]).values()
        day = dg.AssetRecordsFilter(key.asset_key, asset_partitions=[execution.evaluation.partition])
        newest = instance.fetch_materializations(day, limit=1).records[0]
        assert execution.evaluation.target_materialization_data.storage_id == newest.storage_id
