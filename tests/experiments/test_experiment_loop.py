"""An experiment as it is used: made and started by command, assigned over the store, read by the daily loop."""

import datetime as dt
import random
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa
from feedback_client.assignment import Arm, Experiment, decide
from feedback_client.configuration import ConfigurationError
from typer.testing import CliRunner

from assets.experiments import experiment_readout
from feedback_pipeline.cli.experiments import experiment as commands
from feedback_pipeline.experiments import registry
from feedback_pipeline.experiments.tables import EXPERIMENT_READOUT
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import bulk
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database
from jobs.location import build_definitions
from tests.support.store_rows import MONDAY, answers, later, votes

NOW = MONDAY + dt.timedelta(days=3)
DAY = later(days=1).date()
TONE = Experiment("tone", 1, (Arm("v1", 0.5), Arm("v2", 0.5)), "v1", "tone")


@pytest.fixture
def run(monkeypatch, settings: Settings, database: Database):
    monkeypatch.setenv("FEEDBACK_HOME", str(settings.home))
    monkeypatch.setenv("FEEDBACK_DATABASE_URL", database.url)

    def invoke(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(commands, list(arguments))
        assert result.exit_code == code, result.output + repr(result.exception)
        return result.output

    return invoke


def fill(pipeline: Pipeline, people: int, rates: dict[str, float]) -> None:
    """People with an arm, who saw it a minute later and voted on one answer."""
    draw = random.Random(3)
    asked, voted, assigned = [], [], []
    for n in range(people):
        who = pipeline.pseudonymiser.pseudonym("default", f"u{n}")
        arm = decide(TONE, f"u{n}").variant
        assigned.append({"unit": who, "variant": arm, "request": f"r{n}", "at": later(hours=1)})
        asked.append(
            {"name": f"a{n}", "user_key": who, "variant": arm, "latency_ms": 900.0, "occurred_at": later(hours=2)}
        )
        voted.append({"name": f"v{n}", "on": f"a{n}", "user_key": who, "thumb": draw.random() < rates[arm],
                      "occurred_at": later(days=1)})  # fmt: skip
    bulk.file_batch(pipeline.database, Batch(answers(*asked), None, votes(*voted)))
    with pipeline.database.engine.begin() as connection:
        connection.execute(
            sa.text("INSERT INTO assignment (tenant, experiment, unit, version, variant, propensity, assigned_at) "
                    "VALUES ('default', 'tone', :unit, 1, :variant, 0.5, :at)"), assigned
        )  # fmt: skip
        connection.execute(
            sa.text("INSERT INTO exposure (tenant, experiment, unit, request_id, version, variant, propensity, "
                    "exposed_at) VALUES ('default', 'tone', :unit, :request, 1, :variant, 0.5, :at)"), assigned
        )  # fmt: skip


def test_from_a_command_to_a_verdict(run, database: Database, tmp_path: Path) -> None:  # E4
    given = {"FEEDBACK_HOME": str(tmp_path / "home"), "FEEDBACK_DATABASE_URL": database.url,
             "FEEDBACK_START": "2026-08-31"}  # fmt: skip
    pipeline = Pipeline(Settings.from_environment(given), NOW)
    assert "is a draft" in run("create", "tone", "--arm", "v1=0.5", "--arm", "v2=0.5", "--people", "400")
    assert "100% of those concerned" in run("start", "tone")
    with database.engine.begin() as connection:
        connection.execute(sa.text("UPDATE experiment SET started_at = :at"), {"at": MONDAY})
    fill(pipeline, 600, {"v1": 0.5, "v2": 0.85})
    definitions = build_definitions(pipeline.settings, {"pipeline": pipeline})
    days = ["clean_interactions", "clean_feedback", "experiment_readout"]
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions.resolve_job_def("daily_loop")
        for day in (MONDAY.date(), DAY):
            result = job.execute_in_process(
                instance=instance, partition_key=day.isoformat(), asset_selection=[dg.AssetKey(one) for one in days]
            )
            assert result.success
        passed = {one.check_name: one.passed for one in result.get_asset_check_evaluations()}
    assert passed["sample_ratio"]
    assert passed["guardrails"]
    rows = {row["measure"]: row for row in pipeline.frames.read(EXPERIMENT_READOUT, [DAY]).to_dicts()}
    assert rows["approval"]["verdict"] == "better"
    assert rows["latency_ms"]["value"] == pytest.approx(900)
    assert pipeline.frames.read(EXPERIMENT_READOUT, [MONDAY.date()])["verdict"].drop_nulls().to_list() == ["too_early"]
    shown = run("show", "tone")
    assert "better" in shown
    assert "is stopped" in run("stop", "tone", "--reason", "v2 won")
    assert "is concluded" in run("conclude", "tone", "--conclusion", "v2 for everybody")
    assert "only what ran" in run("conclude", "tone", "--conclusion", "again", code=2)
    with database.engine.begin() as connection:  # as if the commands had been given then, and not today
        connection.execute(sa.text("UPDATE experiment SET ended_at = :at"), {"at": later(days=10)})
    assert not experiment_readout.function(pipeline, later(days=120).date()).rows.height


def test_what_cannot_be_asked_of_an_experiment(database: Database) -> None:
    registry.create(database, TONE, now=NOW)
    with pytest.raises(registry.ExperimentError, match="names are used once"):
        registry.create(database, TONE, now=NOW)
    with pytest.raises(registry.ExperimentError, match="start it first"):
        registry.ramp(database, "tone", now=NOW)
    registry.start(database, "tone", now=NOW)
    for changes, reason in (
        ({"arms": [{"name": "v1", "weight": 1.0}]}, "give it the weight 0"),
        ({"seed": "salt"}, "other arms in mid-run"),
        ({"unit": "session"}, "other arms in mid-run"),
    ):
        with pytest.raises(registry.ExperimentError, match=reason):
            registry.change(database, "tone", changes, now=NOW)
    with pytest.raises(ConfigurationError, match="sum to"):
        registry.change(
            database, "tone", {"arms": [{"name": "v1", "weight": 0.5}, {"name": "v2", "weight": 0.2}]}, now=NOW
        )
    with pytest.raises(registry.ExperimentError, match="no experiment"):
        registry.start(database, "nothing", now=NOW)
    assert registry.experiment_named(database, "tone").experiment.version == 1


def test_a_ramp_by_schedule_never_goes_back(database: Database) -> None:
    plan = registry.Plan(ramp=((0, 0.01), (1, 0.05), (3, 0.25), (7, 1.0)))
    registry.create(database, TONE, now=NOW, plan=plan)
    assert registry.start(database, "tone", now=NOW).experiment.coverage == 0.01
    for days, coverage in ((0.5, 0.01), (1.2, 0.05), (8, 1.0), (2, 1.0)):
        registry.ramp_due(database, now=NOW + dt.timedelta(days=days))
        assert registry.experiment_named(database, "tone").experiment.coverage == coverage
    with pytest.raises(registry.ExperimentError, match="fewer would lose"):
        registry.ramp(database, "tone", 0.5, now=NOW)
    assert [event["event"] for event in registry.events(database, "tone")] == ["created", "started", "ramped", "ramped"]


def test_a_layer_has_only_so_many_people(database: Database) -> None:
    for name, share in (("one", 0.6), ("two", 0.4)):
        made = Experiment(name, 1, TONE.arms, "v1", name, layer="prompts")
        registry.create(database, made, now=NOW, layer_share=share)
        registry.start(database, name, now=NOW)
    with pytest.raises(registry.ExperimentError, match="no 10% left"):
        registry.create(database, Experiment("three", 1, TONE.arms, "v1", "three", layer="prompts"), now=NOW,
                        layer_share=0.1)  # fmt: skip
    one, two = (registry.experiment_named(database, name).experiment for name in ("one", "two"))
    taking = [(decide(one, f"u{n}").takes_part, decide(two, f"u{n}").takes_part) for n in range(500)]
    assert set(taking) == {(True, False), (False, True)}
