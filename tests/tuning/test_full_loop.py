"""From sample votes to a promoted model and back: the real jobs and sensors, the real client, commands by people."""

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import typer
from typer.testing import CliRunner

from feedback_pipeline.cli import lineage as lineage_commands
from feedback_pipeline.cli import tuning as commands
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.sample.load import load_sample
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import bulk
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database, create_missing_databases
from feedback_pipeline.tuning import registry
from feedback_pipeline.tuning.runs import Ledger
from feedback_pipeline.tuning.tables import MODEL_EFFECT
from jobs import runs
from jobs.instance import open_instance
from jobs.location import build_definitions
from tests.support.provider_server import ProviderServer
from tests.support.store_rows import answers, votes
from tests.support.tuning_world import PRICES

NOW = dt.datetime(2026, 10, 24, 12, tzinfo=dt.UTC)
"""Dagster's partitions end at the real clock, so that all of it lies before."""
WEEK = dt.date(2026, 10, 12)
AFTER = dt.date(2026, 10, 26)
"""The week after the promotion, in which people like the new model less."""

BASE, TUNED = "borealis-2", "ft:borealis-2:feedback"
"""The sample's answers are this model's."""


QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Stage:
    """One installation with its clock, its Dagster instance and its command line."""

    def __init__(self, home: Path, database: Database, url: str, instance: dg.DagsterInstance) -> None:
        home.mkdir(parents=True, exist_ok=True)
        (home / "prices.yaml").write_text(PRICES.replace("gpt-4.1-mini", BASE))
        self.instance = instance
        self.moment = NOW
        self.votes_only = Settings.from_environment({"FEEDBACK_HOME": str(home), "FEEDBACK_DATABASE_URL": database.url})
        self.settings = Settings.from_environment({
            "FEEDBACK_HOME": str(home), "FEEDBACK_DATABASE_URL": database.url, "FEEDBACK_TUNING_PROVIDER": "openai",
            "FEEDBACK_TUNING_BASE_URL": url, "FEEDBACK_TUNING_MODEL": BASE, "FEEDBACK_TUNING_BUDGET": "10",
            "FEEDBACK_TUNING_EXAMPLES": "200",
            "FEEDBACK_TUNING_PRICES": str(home / "prices.yaml"), "FEEDBACK_JUDGE_MODEL": "judge-1",
            "FEEDBACK_JUDGE_BASE_URL": url, "OPENAI_BASE_URL": url, "OPENAI_API_KEY": "test",
        })  # fmt: skip
        self.app = typer.Typer()
        commands.mount(self.app)
        lineage_commands.mount(self.app)

    @property
    def pipeline(self) -> Pipeline:
        return Pipeline(self.settings, self.moment)

    def loop(self, weeks: Sequence[dt.date]) -> None:
        """Days that are due and these weeks, as `feedback materialize` computes them; no model is asked anything."""
        found = runs.compute(Pipeline(self.votes_only, self.moment), self.instance, weeks=weeks)
        assert found.failed == ()

    def run(self, job: str, partition: str, **options: Any) -> None:
        """One run of a job; says how it ended."""
        definitions = build_definitions(self.settings, {"pipeline": self.pipeline})
        done = definitions.resolve_job_def(job).execute_in_process(
            QUIET, instance=self.instance, partition_key=partition, raise_on_error=False, **options
        )
        failed = [one.description for one in done.get_asset_check_evaluations() if not one.passed]
        print(f"run of {job} {partition}: {'; '.join(filter(None, failed)) or 'success'}")

    def tick(self, sensor: str) -> dg.SensorResult:
        """One look of a sensor; its events are filed and the runs it asks for are run, as the daemon does."""
        pipeline = self.pipeline
        definitions = build_definitions(self.settings, {"pipeline": pipeline})
        context = dg.build_sensor_context(
            instance=self.instance, resources={"pipeline": pipeline}, definitions=definitions
        )
        result = definitions.resolve_sensor_def(sensor).evaluate_tick(context)
        for event in result.asset_events:
            self.instance.report_runless_asset_event(event)
        for request in result.run_requests:
            self.run(request.job_name or "fine_tune", request.partition_key or "", tags=request.tags)
        if result.skip_message:
            print(f"{sensor}: {result.skip_message}")
        self.moment += dt.timedelta(minutes=10)
        return result

    def say(self, *arguments: str) -> str:
        result = CliRunner().invoke(self.app, arguments)
        print(f"$ feedback {' '.join(arguments)}\n{result.output}")
        assert result.exit_code == 0, result.output
        return result.output


@pytest.fixture
def stage(
    provider: ProviderServer, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:
    provider.state.models = {BASE: None, TUNED: None}
    provider.state.model_on_success = TUNED
    provider.state.events = [
        {"id": f"e{step}", "object": "fine_tuning.job.event", "created_at": step, "level": "info", "type": "metrics",
         "message": "", "data": {"step": step, "train_loss": 2.0 / step, "valid_loss": 2.2 / step}}
        for step in (1, 2, 3)
    ]  # fmt: skip
    for name in ("DAGSTER_HOME", "DAGSTER_POSTGRES_URL", "DAGSTER_DG_UPDATE_CHECK_ENABLED"):
        monkeypatch.setenv(name, str(tmp_path / "dagster"))  # put back afterwards: opening the instance sets them
    create_missing_databases(database)
    settings = Settings.from_environment({"FEEDBACK_HOME": str(tmp_path), "FEEDBACK_DATABASE_URL": database.url})
    with open_instance(settings, database) as instance:
        made = Stage(tmp_path / "home", database, provider.url, instance)
        monkeypatch.setattr(commands, "open_pipeline", lambda: made.pipeline)
        monkeypatch.setattr(lineage_commands, "open_pipeline", lambda: made.pipeline)
        yield made


def test_from_votes_to_a_promotion_that_people_dislike_and_back(stage: Stage, provider: ProviderServer) -> None:
    first = Pipeline(stage.votes_only, NOW)
    load_sample(first.database, first.pseudonymiser, first.settings.home, votes=1500, weeks=1, seed=7,
                end=WEEK + dt.timedelta(days=6))  # fmt: skip
    stage.loop([WEEK])

    # a person looks and approves the dataset; the sensor starts a run of it
    assert "nobody approved this dataset" in (stage.tick("fine_tune_upload").skip_message or "")
    dataset = next(line.split()[1] for line in stage.say("tune").splitlines() if line.startswith("dataset "))
    stage.say("approve", dataset, "--by", "ada", "--reason", "looked at it", "--yes")
    assert len(stage.tick("fine_tune_upload").run_requests) == 1
    assert "in the ledger already" in (stage.tick("fine_tune_upload").skip_message or "")

    # followed to a model, which is evaluated; a person approves it; it answers
    for _ in range(4):
        stage.tick("fine_tune_progress")
    assert registry.current_model(stage.pipeline.database) is None
    stage.say("approve", TUNED, "--by", "ada", "--reason", "better on held-out prompts", "--yes")
    stage.tick("fine_tune_progress")
    entry = Path(stage.settings.data_url) / "promoted_model" / "production.json"
    assert json.loads(entry.read_text())["model"] == TUNED

    # two weeks later people have voted on the new model's answers, less kindly
    moment = dt.datetime(AFTER.year, AFTER.month, AFTER.day, 9, tzinfo=dt.UTC)
    names = [f"after{number}" for number in range(80)]
    said = answers(*({"name": name, "model": TUNED, "occurred_at": moment} for name in names))
    cast = votes(*({"name": name, "on": name, "user_key": f"k1:{number:032x}", "occurred_at": moment,
                    "thumb": number % 3 == 0} for number, name in enumerate(names)))  # fmt: skip
    bulk.file_batch(stage.pipeline.database, Batch(interactions=said, feedback=cast))
    stage.moment = NOW + dt.timedelta(weeks=2)
    stage.loop([])
    stage.run("weekly_loop", str(AFTER), asset_selection=[dg.AssetKey("model_effect")])
    effect = stage.pipeline.frames.read(MODEL_EFFECT, [AFTER]).row(0, named=True)
    print({name: str(value) for name, value in effect.items()})
    assert (effect["verdict"], effect["votes"], effect["previous"]) == ("worse", 80, BASE)
    assert "feedback rollback" in effect["reason"]
    stage.say("rollback", "--by", "grace", "--reason", "approval fell", "--yes")
    assert json.loads(entry.read_text())["model"] == BASE
    stage.tick("fine_tune_progress")
    assert json.loads(entry.read_text())["model"] == BASE

    # one upload of each file, one job, one bill, and every step of it on record
    [run] = Ledger(stage.pipeline.database).runs()
    for line in Ledger(stage.pipeline.database).history(run.entry.key):
        print({name: str(value) for name, value in line.items()})
    for event in registry.history(stage.pipeline.database):
        print({name: str(value) for name, value in event.items()})
    stage.say("tune")
    stage.say("models")
    stage.say("why", TUNED)
    assert TUNED in stage.say("why", f"{WEEK}/{_trained_on(stage)}:1")
    states = [line["state"] for line in Ledger(stage.pipeline.database).history(run.entry.key)]
    assert states == ["planned", "uploading", "uploaded", "creating", *["following"] * 3, "succeeded"]
    assert (provider.posts("/v1/files"), provider.posts("/v1/fine_tuning/jobs")) == (2, 1)
    assert run.charged_usd == pytest.approx(1234 * 5 / 1_000_000)
    assert len(run.losses) == 3
    assert [event["event"] for event in registry.history(stage.pipeline.database)] == ["promoted", "rolled_back"]
    seen = {key.to_user_string() for key in stage.instance.all_asset_keys()}
    assert {"fine_tune_job", "fine_tuned_model", "candidate_evaluation", "promoted_model", "model_effect"} <= seen


def _trained_on(stage: Stage) -> str:
    """The training file, as its manifest names it."""
    manifest = Path(stage.settings.data_url) / "training_files" / str(WEEK) / "manifest.json"
    files = json.loads(manifest.read_bytes())["content"]["files"]
    wanted = ("openai_sft", "train", "full")
    return next(str(file["name"]) for file in files if (file["format"], file["split"], file["context"]) == wanted)
