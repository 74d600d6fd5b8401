"""Executors: chosen by a setting, loaded only where chosen, refused in a sentence where they cannot work."""

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from assets.step_sizes import HEAVY, op_tags
from feedback_pipeline.settings import Settings, SettingsError
from jobs.executors import executor_of
from jobs.location import declarations

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
