"""The loop in somebody else's project: from YAML, with assets of their own built on ours, in frames of their choice."""

import json
import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget

from feedback_pipeline.io_manager import ParquetIOManager
from feedback_pipeline.store import bulk
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database
from tests.support.store_rows import answers, later, votes

COMPUTE = """
import json
from pathlib import Path
import dagster as dg
import theirs
loaded = dg.load_from_defs_folder(path_within_project=Path(theirs.__file__).parent)
quiet = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
with dg.DagsterInstance.ephemeral() as instance:
    ours = loaded.resolve_job_def("daily_loop").execute_in_process(quiet, instance=instance, partition_key="2026-09-07")
    made = loaded.resolve_job_def("theirs").execute_in_process(instance=instance, partition_key="2026-09-07")
    print(json.dumps([ours.success, made.success, made.output_for_node("votes_by_team").to_dict("list")]))
"""
ELSEWHERE = """
import dagster as dg
import pandas as pd
from feedback_pipeline.resources import ParquetTables

days = dg.DailyPartitionsDefinition("2026-09-07", timezone="UTC")
vote_facts = dg.AssetSpec("vote_facts", partitions_def=days)


@dg.asset(partitions_def=days)
def votes_by_team(vote_facts: pd.DataFrame) -> pd.DataFrame:
    return vote_facts


defs = dg.Definitions(assets=[vote_facts, votes_by_team], resources={{"io_manager": ParquetTables(data_url="{data}")}})
"""
DEFINITIONS = """
from pathlib import Path
import dagster as dg


@dg.definitions
def defs():
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
"""
WORKSPACE = """
load_from:
  - python_module: {module_name: feedback_pipeline.definitions, location_name: feedback_pipeline}
  - python_file: {relative_path: elsewhere.py, location_name: elsewhere}
"""

ROOT = Path(__file__).resolve().parent.parent.parent

PROJECT = """
[tool.dg]
directory_type = "project"
[tool.dg.project]
root_module = "theirs"
"""
LOOP = """
type: feedback_pipeline.FeedbackLoop
attributes:
  home: {home}
  start: "2026-09-07"
  settings:
    FEEDBACK_AUTOMATION: "1"
"""
THEIRS = """
import dagster as dg
import pandas as pd

days = dg.DailyPartitionsDefinition("2026-09-07", timezone="UTC")


@dg.asset(partitions_def=days, group_name="theirs")
def votes_by_team(vote_facts: pd.DataFrame) -> pd.DataFrame:
    return vote_facts.groupby("project", dropna=False).size().reset_index(name="votes")


theirs = dg.define_asset_job("theirs", selection=["votes_by_team"])
"""
LOOK = """
import json
from pathlib import Path
import dagster as dg
import theirs
loaded = dg.load_from_defs_folder(path_within_project=Path(theirs.__file__).parent)
specs = {spec.key.to_user_string(): spec for spec in loaded.resolve_all_asset_specs()}
print(json.dumps({
    "assets": sorted(specs),
    "deps": [dep.asset_key.to_user_string() for dep in specs["votes_by_team"].deps],
    "running": sorted(one.name for one in loaded.sensors if one.default_status.value == "RUNNING"),
}))
"""


def in_their_project(folder: Path, attributes: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    package = folder / "theirs"
    (package / "defs" / "loop").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(PROJECT)
    (package / "__init__.py").write_text("")
    (package / "defs" / "__init__.py").write_text("")
    (package / "defs" / "loop" / "defs.yaml").write_text(attributes)
    (package / "defs" / "teams.py").write_text(THEIRS)
    path = os.pathsep.join([str(folder), str(ROOT), str(ROOT / "clients" / "python")])
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )


def test_a_few_lines_of_yaml_put_the_loop_into_another_project(tmp_path: Path) -> None:
    done = in_their_project(tmp_path, LOOP.format(home=tmp_path / "home"), "-c", LOOK)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert {"clean_feedback", "weekly_report", "training_manifest", "votes_by_team"} <= set(found["assets"])
    assert found["deps"] == ["vote_facts"]
    assert {"changed_days", "changed_weeks"} <= set(found["running"])
    assert not (tmp_path / "home").exists()


def test_a_wrong_attribute_is_named(tmp_path: Path) -> None:
    done = in_their_project(tmp_path, LOOP.format(home=tmp_path / "home").replace("start:", "begin:"), "-c", LOOK)
    assert done.returncode != 0
    assert "begin" in done.stderr


def test_an_asset_of_theirs_is_computed_from_a_day_of_ours(tmp_path: Path, database: Database) -> None:
    named = [{"name": str(n), "occurred_at": later(minutes=n)} for n in range(3)]
    voted = [{**one, "on": one["name"]} for one in named]
    bulk.file_batch(database, Batch(interactions=answers(*named), feedback=votes(*voted)))
    attributes = LOOP.format(home=tmp_path / "home") + f"  database_url: {database.url}\n"
    done = in_their_project(tmp_path, attributes, "-c", COMPUTE)
    assert done.returncode == 0, done.stderr[-3000:]
    ours, made, rows = json.loads(done.stdout.splitlines()[-1])
    assert (ours, made) == (True, True)
    assert sum(rows["votes"]) == 3
    # they are stored as ours are, beside ours
    assert (tmp_path / "home" / "data" / "votes_by_team" / "2026-09-07.parquet").exists()


def test_dg_scaffolds_the_component_and_loads_what_it_wrote(tmp_path: Path) -> None:
    package = tmp_path / "theirs"
    (package / "defs").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    for place in (package, package / "defs"):
        (place / "__init__.py").write_text("")
    (package / "definitions.py").write_text(DEFINITIONS)
    path = os.pathsep.join([str(tmp_path), str(ROOT), str(ROOT / "clients" / "python")])
    given = {**os.environ, "PYTHONPATH": path, "FEEDBACK_HOME": str(tmp_path / "home")}
    given["DAGSTER_DG_UPDATE_CHECK_ENABLED"] = "0"
    dg_command = Path(sys.executable).with_name("dg")
    for arguments in (["scaffold", "defs", "feedback_pipeline.FeedbackLoop", "feedback"], ["check", "defs"]):
        done = subprocess.run([dg_command, *arguments], cwd=tmp_path, env=given, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "type: feedback_pipeline.FeedbackLoop" in (package / "defs" / "feedback" / "defs.yaml").read_text()
    assert not (tmp_path / "home").exists()


def test_two_code_locations_share_one_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere.py").write_text(ELSEWHERE.format(data=tmp_path / "data"))
    (tmp_path / "workspace.yaml").write_text(WORKSPACE)
    monkeypatch.setenv("FEEDBACK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "clients" / "python")]))
    with (
        dg.instance_for_test() as instance,
        WorkspaceProcessContext(instance, WorkspaceFileTarget([str(tmp_path / "workspace.yaml")])) as process,
    ):
        graph = process.create_request_context().asset_graph
        ours, theirs = dg.AssetKey("vote_facts"), dg.AssetKey("votes_by_team")
        assert graph.get(theirs).parent_keys == {ours}
        assert theirs in graph.get(ours).child_keys
        assert graph.get(ours).is_materializable, "ours is the one that makes it, theirs only names it"
        entries = process.create_request_context().get_code_location_entries()
        assert [entry.load_error for entry in entries.values()] == [None, None]
        assert set(entries) == {"feedback_pipeline", "elsewhere"}


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pl.LazyFrame, pa.Table])
def test_assets_give_and_take_the_kind_of_frame_they_name(tmp_path: Path, kind: type) -> None:
    days = dg.StaticPartitionsDefinition(["2026-09-07", "2026-09-08", "2026-09-09"])
    rows = pl.DataFrame({"votes": [1, 2], "team": ["a", None]})
    made = {
        pd.DataFrame: rows.to_pandas(), pl.DataFrame: rows, pl.LazyFrame: rows.lazy(), pa.Table: rows.to_arrow(),
    }[kind]  # fmt: skip
    seen = []

    @dg.asset(partitions_def=days)
    def theirs() -> kind:  # type: ignore[valid-type]
        return made

    @dg.asset
    def summed(theirs: kind) -> None:  # type: ignore[valid-type]
        seen.append(theirs)

    resources = {"io_manager": ParquetIOManager(str(tmp_path))}
    with dg.DagsterInstance.ephemeral() as instance:
        for day in ("2026-09-07", "2026-09-09"):  # one day was never computed
            dg.materialize([theirs], partition_key=day, instance=instance, resources=resources)
        dg.materialize([summed, theirs.to_source_asset()], instance=instance, resources=resources)
    [frame] = seen
    assert isinstance(frame, kind)
    assert pl.DataFrame(frame.collect() if kind is pl.LazyFrame else frame)["votes"].to_list() == [1, 2, 1, 2]
