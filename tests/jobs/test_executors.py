"""Executors: chosen by a setting, loaded only where chosen, refused in a sentence where they cannot work."""

import subprocess
import sys
import tomllib
from pathlib import Path

import dagster as dg
import pytest

from assets.step_sizes import HEAVY, op_tags
from feedback_pipeline.extras import MODULES
from feedback_pipeline.settings import Settings, SettingsError
from feedback_pipeline.store import bulk
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database
from jobs import runs
from jobs.executors import executor_of
from jobs.location import build_definitions, declarations
from tests.support.store_rows import answers, votes
from tests.support.world import pipeline_for

ROOT = Path(__file__).resolve().parent.parent.parent

SERVER = "postgresql://u@db.example/feedback"


def settings(executor: str, **more: str) -> Settings:
    return Settings.from_environment({"FEEDBACK_EXECUTOR": executor, "FEEDBACK_HOME": "/nowhere", **more})


def test_one_machine_needs_nothing() -> None:
    assert executor_of(settings("in_process"), {}) is dg.in_process_executor
    assert executor_of(settings("multiprocess"), {}) is dg.multiprocess_executor


@pytest.mark.parametrize("executor", ["k8s", "ray", "celery"])
def test_a_cluster_needs_a_store_that_others_reach(executor: str) -> None:
    with pytest.raises(SettingsError, match="can be reached from this machine alone"):
        executor_of(settings(executor), {})


@pytest.mark.parametrize("executor", ["k8s", "ray", "celery"])
def test_a_cluster_is_there_or_the_extra_that_brings_it_is_named(executor: str) -> None:
    wanted = settings(executor, FEEDBACK_DATABASE_URL=SERVER)
    try:
        found = executor_of(wanted, {"RAY_ADDRESS": "http://ray:8265", "DAGSTER_CELERY_BROKER_URL": "redis://r/0"})
    except SettingsError as error:
        assert f"feedback-pipeline[{executor}]" in str(error)  # noqa: PT017 (one of two right answers)
    else:
        assert found.name == executor


def test_nothing_of_a_cluster_is_imported_without_one(tmp_path: Path) -> None:
    code = (
        "import sys; from feedback_pipeline.definitions import defs; "
        "print([m for m in ('ray', 'kubernetes', 'celery', 'dagster_ray', 'dagster_k8s') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path.parent)
    assert done.stdout.strip() == "[]"


def test_every_heavy_step_is_an_asset_with_room_of_its_own() -> None:
    assert HEAVY.keys() <= {declaration.name for declaration in declarations()}
    resources = op_tags("training_examples")["dagster-k8s/config"]["container_config"]["resources"]
    assert resources["requests"] == {"cpu": "2000m", "memory": "6144Mi"}


def test_every_extra_that_a_message_names_can_be_installed() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(MODULES.values()) <= declared.keys()


def test_a_command_computes_in_its_own_process_whatever_the_daemons_runs_do(database: Database, tmp_path: Path) -> None:
    pipeline = pipeline_for(tmp_path / "home", database, FEEDBACK_EXECUTOR="multiprocess")
    bulk.file_batch(database, Batch(interactions=answers({"name": "a"}), feedback=votes({"name": "v", "on": "a"})))
    with dg.DagsterInstance.ephemeral() as instance:
        result = runs.compute(pipeline, instance, weeks=[])
    assert (result.days, result.failed) == (1, ())


def test_a_run_that_ends_before_its_first_step_is_said_to_have_failed(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = pipeline_for(tmp_path / "home", database)
    bulk.file_batch(database, Batch(interactions=answers({"name": "a"}), feedback=votes({"name": "v", "on": "a"})))

    def one_that_cannot_start(*given: object, **more: object) -> dg.Definitions:
        # wants a job that another process can load, which a command's is not
        return build_definitions(settings_of(tmp_path, database), *given[1:], **more)  # type: ignore[arg-type]

    monkeypatch.setattr(runs, "build_definitions", one_that_cannot_start)
    with dg.DagsterInstance.ephemeral() as instance:
        result = runs.compute(pipeline, instance, weeks=[])
        failed = [run.run_id for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))]
    assert result.days == 0
    assert len(failed) == 1
    assert any(failed[0] in line for line in result.failed)


def settings_of(folder: Path, database: Database) -> Settings:
    return pipeline_for(folder / "home", database, FEEDBACK_EXECUTOR="multiprocess").settings


def test_jobs_that_read_or_sweep_the_home_stay_with_the_run() -> None:
    definitions = build_definitions(settings("multiprocess", FEEDBACK_DATABASE_URL=SERVER))
    on_workers = {job.name for job in definitions.jobs or () if definitions.resolve_job_def(job.name).executor_def
                  is dg.multiprocess_executor}  # fmt: skip
    assert {"daily_loop", "weekly_loop", "monthly_loop"} <= on_workers
    assert not on_workers & {"import_sources", "retention", "housekeeping", "ramp_experiments"}


@pytest.mark.parametrize(("executor", "looked_at"), [("in_process", True), ("multiprocess", False)])
def test_no_process_is_started_for_a_look_at_what_is_there(executor: str, looked_at: bool) -> None:
    definitions = build_definitions(settings(executor, FEEDBACK_DATABASE_URL=SERVER))
    steps = {node.name for name in ("daily_loop", "weekly_loop") for node in definitions.resolve_job_def(name).nodes}
    assert {"clean_feedback", "weekly_report"} <= steps
    assert any("is_there" in step for step in steps) is looked_at
    looking = definitions.resolve_job_def("freshness_checks").nodes
    assert len(looking) == 3
