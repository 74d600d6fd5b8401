"""What an operator sees of the settings, and what a person may choose for one run in the Launchpad."""

from pathlib import Path

import dagster as dg
import pytest

from assets.choices import chosen
from feedback_pipeline.calendar import days_of
from feedback_pipeline.judging.tables import JUDGE_SAMPLE
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.resources import pipeline_resource
from feedback_pipeline.settings import Settings, SettingsError
from feedback_pipeline.store import bulk
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database
from jobs.location import build_definitions
from jobs.loops import DAILY, IMPORT, WEEKLY
from tests.support.store_rows import MONDAY, answers, later
from tests.support.world import pipeline_for

WEEK = MONDAY.date()
SECRET = "swordfish"


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """An environment with a secret in a variable, one in a file and one of a component's own."""
    (tmp_path / "key").write_text(f"sk-{SECRET}")
    monkeypatch.setenv("FEEDBACK_DATABASE_URL", f"postgresql://u:{SECRET}@127.0.0.1:1/x")
    monkeypatch.setenv("OPENAI_API_KEY_FILE", str(tmp_path / "key"))
    return {
        "FEEDBACK_DATABASE_URL": f"postgresql://u:{SECRET}@127.0.0.1:1/x",
        "OPENAI_API_KEY_FILE": str(tmp_path / "key"),
        "FEEDBACK_ALERT_WEBHOOK": f"https://chat.example/{SECRET}",
        "FEEDBACK_JUDGE_COST_CAP": "2.5",
    }


def test_the_settings_are_a_resource_that_names_no_secret(secrets: dict[str, str]) -> None:
    resource = pipeline_resource(Pipeline(Settings.from_environment(secrets)))
    given = resource._resolved_config_dict
    assert given["database_url"] == {"env": "FEEDBACK_DATABASE_URL"}
    assert given["judge_cost_cap_usd"] == 2.5
    assert {"model_key", "alert_webhook"}.isdisjoint(given)
    definition = resource.get_resource_definition()
    assert SECRET not in str(definition.config_schema.config_type.fields) + str(given)
    schema = definition.config_schema.config_type.fields
    assert "FEEDBACK_JUDGE_COST_CAP" in schema["judge_cost_cap_usd"].description
    assert {"start", "timezone", "executor"}.isdisjoint(schema), "they shape the location: no run changes them"


def test_a_run_gets_the_pipeline_of_the_location_or_one_with_its_own_values(secrets: dict[str, str]) -> None:
    pipeline = Pipeline(Settings.from_environment(secrets))
    resources = {"pipeline": pipeline_resource(pipeline)}
    with dg.build_resources(resources) as opened:
        assert opened.pipeline is pipeline
    config = {"pipeline": {"config": {"judge_cost_cap_usd": 0.5, "training_formats": "trl"}}}
    with dg.build_resources(resources, resource_config=config) as opened:
        assert opened.pipeline.settings.judge_cost_cap_usd == 0.5
        assert opened.pipeline.settings.training_formats == ("trl",)
        assert opened.pipeline.settings.alert_webhook == pipeline.settings.alert_webhook


@pytest.mark.parametrize("given", [{"tuning_approval": "not_required"}, {"keep_raw": True}, {"data_url": "/elsewhere"}])
def test_no_run_loosens_what_protects_or_looks_elsewhere(secrets: dict[str, str], given: dict[str, object]) -> None:
    resources = {"pipeline": pipeline_resource(Pipeline(Settings.from_environment(secrets)))}
    config = {"pipeline": {"config": given}}
    with (
        pytest.raises(dg.DagsterResourceFunctionError) as refused,
        dg.build_resources(resources, resource_config=config),
    ):
        pass
    assert "is changed in the environment, not for one run" in str(refused.value.__cause__)


def test_the_resource_raises_no_budget_either() -> None:
    pipeline = Pipeline(Settings.from_environment({"FEEDBACK_JUDGE_COST_CAP": "2"}))
    config = {"pipeline": {"config": {"judge_cost_cap_usd": 50.0}}}
    with dg.build_resources({"pipeline": pipeline_resource(pipeline)}, resource_config=config) as opened:
        assert opened.pipeline.settings.judge_cost_cap_usd == 2


def test_money_is_chosen_lower_and_never_higher() -> None:
    pipeline = Pipeline(Settings.from_environment({"FEEDBACK_JUDGE_COST_CAP": "2"}))
    assert chosen(pipeline, {"judge_cost_cap_usd": 0.1}).settings.judge_cost_cap_usd == 0.1
    assert chosen(pipeline, {"judge_cost_cap_usd": 99.0}).settings.judge_cost_cap_usd == 2
    assert chosen(pipeline, {"dry_run": True, "tuning_budget_usd": None}).settings.tuning_provider == "dry_run"
    assert chosen(pipeline, {"judge_sample_size": None}) is pipeline
    with pytest.raises(SettingsError, match="'parchment'"):
        chosen(pipeline, {"training_formats": ["trl", "parchment"]})


def test_the_launchpad_chooses_the_size_of_a_sample(database: Database, tmp_path: Path) -> None:
    pipeline = pipeline_for(tmp_path / "home", database)
    given = [{"name": str(n), "prompt": f"question {n}", "occurred_at": later(minutes=n)} for n in range(40)]
    bulk.file_batch(database, Batch(interactions=answers(*given)))
    definitions = build_definitions(pipeline.settings, {"pipeline": pipeline})
    first, last = days_of(WEEK)[0], days_of(WEEK)[-1]
    days = {"dagster/asset_partition_range_start": str(first), "dagster/asset_partition_range_end": str(last)}
    sampling = [dg.AssetKey("judge_sample")]
    with dg.DagsterInstance.ephemeral() as instance:
        daily, weekly = definitions.resolve_job_def(DAILY), definitions.resolve_job_def(WEEKLY)
        assert daily.execute_in_process(instance=instance, tags=days).success
        for config, drawn in (({"judge_sample_size": 7}, 7), ({}, 40)):
            done = weekly.execute_in_process(
                {"ops": {"judge_sample": {"config": config}}}, instance=instance, partition_key=str(WEEK),
                asset_selection=sampling,
            )  # fmt: skip
            assert done.success
            assert pipeline.frames.read(JUDGE_SAMPLE, [WEEK]).height == drawn


def test_a_wrong_choice_is_said_in_a_sentence(database: Database, tmp_path: Path) -> None:
    pipeline = pipeline_for(tmp_path / "home", database)
    weekly = build_definitions(pipeline.settings, {"pipeline": pipeline}).resolve_job_def(WEEKLY)
    with dg.DagsterInstance.ephemeral() as instance:
        done = weekly.execute_in_process(
            {"ops": {"kto_file": {"config": {"training_formats": ["parchment"]}}}}, instance=instance,
            partition_key=str(WEEK), asset_selection=[dg.AssetKey("kto_file")], raise_on_error=False,
        )  # fmt: skip
        [failure] = [event for event in done.all_events if event.is_step_failure]
    said = failure.step_failure_data.user_failure_data.description
    assert said.startswith("FEEDBACK_TRAINING_FORMATS names 'parchment', expected all, or some of")


def test_a_dry_run_of_an_import_files_nothing_and_materialises_nothing(database: Database, tmp_path: Path) -> None:
    pipeline = pipeline_for(tmp_path / "home", database)
    (tmp_path / "rows.csv").write_text("id,at,up,q,a\n1,2026-09-08,up,A?,A.\n2,2026-09-08,down,B?,B.\n")
    mapping = "{id: id, occurred_at: at, thumb: up, prompt: q, output: a}"
    sources = tmp_path / "sources.yaml"
    sources.write_text(f"sources:\n  own: {{kind: csv, path: rows.csv, mapping: {mapping}}}\n")
    pipeline = pipeline.with_settings(pipeline.settings.read({"sources_file": str(sources)}))
    job = build_definitions(pipeline.settings, {"pipeline": pipeline}).resolve_job_def(IMPORT)

    def run(instance: dg.DagsterInstance, **config: object) -> dg.ExecuteInProcessResult:
        return job.execute_in_process(
            {"ops": {"imported_feedback": {"config": config}}}, instance=instance, raise_on_error=False
        )

    def filed() -> int:
        with database.engine.connect() as connection:
            return connection.exec_driver_sql("SELECT count(*) FROM feedback").scalar_one()

    with dg.DagsterInstance.ephemeral() as instance:
        dry = run(instance, dry_run=True)
        assert dry.success
        assert (filed(), len(dry.get_asset_materialization_events())) == (0, 0)
        assert not run(instance, sources=["nobody"]).success
        wet = run(instance, sources=["own"])
        assert wet.success
        assert (filed(), len(wet.get_asset_materialization_events())) == (2, 1)
