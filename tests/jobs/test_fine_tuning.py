"""The sensors of fine-tuning on a real instance: started when due, followed to a model, promoted when approved."""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from assets.models import build_on_demand
from assets.partitions import Calendar
from feedback_pipeline.io_manager import ParquetIOManager
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.store.database import Database
from feedback_pipeline.tuning import approvals, registry
from feedback_pipeline.tuning.runs import LOOK_EVERY, Ledger
from jobs.fine_tuning import fine_tuning_jobs, fine_tuning_sensors
from tests.support.provider_server import ProviderServer
from tests.support.tuning_world import BASE, NOW, TUNED, WEEK, pipeline_for, with_dataset

WEEK_KEY = str(WEEK)


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderServer]:
    server = ProviderServer()
    server.reset()
    yield server
    server.close()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


def definitions_for(pipeline: Pipeline) -> dg.Definitions:
    jobs = fine_tuning_jobs(dg.in_process_executor, pipeline.settings)
    settings = pipeline.settings
    return dg.Definitions(
        assets=build_on_demand(Calendar(settings.start, settings.timezone)),
        jobs=list(jobs.values()),
        sensors=fine_tuning_sensors(jobs, starts=settings.tuning_enabled, follows=True),
        resources={"pipeline": pipeline, "io_manager": ParquetIOManager(settings.data_url)},
    )


def tick(pipeline: Pipeline, instance: dg.DagsterInstance, name: str) -> dg.SensorResult:
    """One look of a sensor; its events are filed as the daemon does."""
    definitions = definitions_for(pipeline)
    context = dg.build_sensor_context(instance=instance, resources={"pipeline": pipeline}, definitions=definitions)
    result = definitions.resolve_sensor_def(name).evaluate_tick(context)
    for event in result.asset_events:
        instance.report_runless_asset_event(event)
    return result


def execute(pipeline: Pipeline, instance: dg.DagsterInstance, request: dg.RunRequest, job: str = "") -> bool:
    chosen = definitions_for(pipeline).resolve_job_def(request.job_name or job)
    done = chosen.execute_in_process(
        instance=instance, partition_key=request.partition_key, tags=request.tags, raise_on_error=False
    )
    evaluations = done.get_asset_check_evaluations()
    return done.success and all(one.passed for one in evaluations)


def test_sensors_take_an_approved_dataset_to_a_model_that_answers(
    database: Database, instance: dg.DagsterInstance, provider: ProviderServer, tmp_path: Path
) -> None:
    pipeline = pipeline_for(tmp_path / "home", database, provider.url)
    dataset = with_dataset(pipeline)
    assert "nobody approved this dataset" in (tick(pipeline, instance, "fine_tune_upload").skip_message or "")
    approvals.record(pipeline, approvals.DATASET, dataset, "approved", approver="ada")
    [start] = tick(pipeline, instance, "fine_tune_upload").run_requests
    assert start.partition_key == WEEK_KEY
    assert execute(pipeline, instance, start, "fine_tune")
    assert "in the ledger already" in (tick(pipeline, instance, "fine_tune_upload").skip_message or "")

    looks = [Pipeline(pipeline.settings, NOW + number * LOOK_EVERY) for number in range(4)]
    asked = [tick(one, instance, "fine_tune_progress") for one in looks]
    seen = instance.fetch_observations(dg.AssetKey("fine_tune_job"), limit=10).records
    states = [record.asset_observation.metadata["reported"].value for record in reversed(seen)]
    assert states == ["queued", "running", "succeeded"]
    made = instance.fetch_materializations(dg.AssetKey("fine_tuned_model"), limit=10).records
    # reported once, although the sensor looked again
    assert [one.asset_materialization.metadata["model"].value for one in made] == [TUNED]
    assert made[0].partition_key == WEEK_KEY

    evaluate = asked[-1].run_requests[0]
    assert (evaluate.job_name, evaluate.partition_key) == ("evaluate_candidate", WEEK_KEY)
    assert execute(pipeline, instance, evaluate)
    assert tick(pipeline, instance, "fine_tune_progress").run_requests == []  # a person has not decided

    content = registry.model_named(database, TUNED).evaluation
    approvals.record(pipeline, approvals.model_subject(TUNED), content or "", "approved", approver="ada")
    [promote] = tick(pipeline, instance, "fine_tune_progress").run_requests
    assert execute(pipeline, instance, promote)
    serving = registry.current_model(database)
    assert serving is not None
    assert serving.model == TUNED
    entry = json.loads((Path(pipeline.settings.data_url) / "promoted_model" / "production.json").read_text())
    assert (entry["model"], entry["fallback"]) == (TUNED, BASE)
    assert (len(provider.state.files), provider.posts("/v1/fine_tuning/jobs")) == (2, 1)


def test_a_run_that_may_not_start_says_why_by_a_failed_check(
    database: Database, instance: dg.DagsterInstance, provider: ProviderServer, tmp_path: Path
) -> None:
    pipeline = pipeline_for(tmp_path / "home", database, provider.url, FEEDBACK_TUNING_BUDGET="0")
    with_dataset(pipeline)
    job = definitions_for(pipeline).resolve_job_def("fine_tune")
    done = job.execute_in_process(instance=instance, partition_key=WEEK_KEY, raise_on_error=False)
    [check] = done.get_asset_check_evaluations()
    assert not check.passed
    assert "of 0.00 USD are spent" in (check.description or "")
    older = job.execute_in_process(
        instance=instance, partition_key=str(WEEK - dt.timedelta(weeks=1)), raise_on_error=False
    )
    assert "only the newest closed week" in (older.get_asset_check_evaluations()[0].description or "")
    assert Ledger(database).runs() == []


def test_nothing_starts_unless_a_provider_is_named(database: Database, tmp_path: Path) -> None:
    pipeline = pipeline_for(tmp_path / "home", database)
    upload, progress = (
        definitions_for(pipeline).resolve_sensor_def(name) for name in ("fine_tune_upload", "fine_tune_progress")
    )
    assert upload.default_status == dg.DefaultSensorStatus.STOPPED
    assert progress.default_status == dg.DefaultSensorStatus.RUNNING


def test_an_unevaluated_week_promotes_nothing(database: Database, instance: dg.DagsterInstance, tmp_path: Path) -> None:
    pipeline = pipeline_for(tmp_path / "home", database)
    for job, said in (("evaluate_candidate", "no model was trained"), ("promote_model", "no evaluated model")):
        done = (
            definitions_for(pipeline)
            .resolve_job_def(job)
            .execute_in_process(instance=instance, partition_key=WEEK_KEY, raise_on_error=False)
        )
        failed = [one for one in done.get_asset_check_evaluations() if not one.passed]
        assert failed
        assert all(said in (one.description or "") for one in failed)
