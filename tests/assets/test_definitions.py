"""The code location: everything there, described, under the same name everywhere; loading it opens nothing."""

import subprocess
import sys
import tomllib
from pathlib import Path

import dagster as dg
import pytest
import yaml

from assets.building import build
from assets.partitions import Calendar
from feedback_pipeline.settings import Settings
from jobs.location import build_definitions, declarations

ROOT = Path(__file__).resolve().parent.parent.parent

EXPECTED = {
    "raw": {"raw_interactions", "raw_feedback", "imported_feedback"},
    "clean": {
        "clean_interactions", "clean_feedback", "quarantined_feedback", "text_signatures", "prompt_clusters",
        "pair_clusters", "rater_trust", "conflicting_answers",
    },
    "patterns": {
        "vote_facts", "slice_counts", "term_counts", "safety_counts", "slice_findings", "term_findings",
        "failure_topics", "approval_change", "recommendations", "daily_approval", "alert_readings",
    },
    "report": {"weekly_report", "monthly_report"},
    "evaluation": {"judge_sample", "judgements", "judge_calibration", "judged_quality", "version_comparison"},
    "training": {
        "training_examples", "preference_pairs", "sft_file", "dpo_file", "kto_file", "promptfoo_tests",
        "training_manifest",
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_definitions(Settings.from_environment({}))


@pytest.mark.parametrize("group", EXPECTED)
def test_every_asset_of_the_design_is_there_in_its_group(definitions: dg.Definitions, group: str) -> None:
    specs = definitions.resolve_all_asset_specs()
    assert EXPECTED[group] <= {spec.key.to_user_string() for spec in specs if spec.group_name == group}


def test_every_asset_says_who_owns_it_what_a_row_is_and_which_code_made_it(definitions: dg.Definitions) -> None:
    for spec in definitions.resolve_all_asset_specs():
        assert spec.description, spec.key
        if not spec.key.to_user_string().startswith("raw_"):
            assert spec.owners, spec.key
            # no code of ours makes a provider's model
            assert spec.code_version or spec.key.to_user_string() == "fine_tuned_model", spec.key
            assert 1 <= len(spec.kinds) <= 3, spec.key


def test_every_table_describes_every_column() -> None:
    for declaration in declarations():
        if declaration.table is not None:
            assert declaration.table.row
            assert all(column.description for column in declaration.table.columns), declaration.name


def test_tables_are_checked_and_text_is_scanned_where_it_is_kept() -> None:
    by_name = {declaration.name: declaration for declaration in declarations()}
    assert all("schema" in one.blocking for one in by_name.values() if one.table is not None)
    assert "conservation" in by_name["clean_feedback"].blocking
    for name in ("clean_interactions", "clean_feedback"):
        assert "no_personal_data" in by_name[name].blocking


def test_weeks_start_on_monday_in_the_configured_zone() -> None:
    calendar = Calendar(Settings.from_environment({}).start, "Europe/Berlin")
    weekly = next(one for one in declarations() if one.by == "week")
    partitions = build(weekly, calendar).partitions_def
    assert partitions is not None
    first = partitions.get_first_partition_key()
    assert first == "2025-01-06"
    assert partitions.timezone == "Europe/Berlin"


def test_the_workspace_and_pyproject_name_the_same_location() -> None:
    workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"][0]["python_module"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["dg"]["project"]
    assert workspace["module_name"] == project["code_location_target_module"]
    assert workspace["location_name"] == project["code_location_name"]


def test_every_sensor_and_schedule_waits_until_somebody_turns_it_on() -> None:
    def stopped(settings: Settings) -> set[str]:
        made = build_definitions(settings)
        every = [*(made.schedules or []), *(made.sensors or [])]
        return {one.name for one in every if one.default_status.value == "STOPPED"}

    everything = stopped(Settings.from_environment({}))
    assert {"every_day", "every_monday", "changed_days", "changed_weeks", "fine_tune_upload"} <= everything
    # what costs money needs a provider beside
    assert stopped(Settings.from_environment({"FEEDBACK_AUTOMATION": "1"})) == {"fine_tune_upload"}


def test_loading_the_definitions_opens_no_database_and_writes_nothing(tmp_path: Path) -> None:
    code = "from feedback_pipeline.definitions import defs; defs()"
    environment = {
        "FEEDBACK_HOME": str(tmp_path / "home"),
        "FEEDBACK_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/x",
    }
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "home").exists()


def test_loading_the_definitions_loads_nothing_that_only_computing_needs() -> None:
    code = "import sys, jobs.location; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(done.stdout.split())
    assert "jobs.sensors" in loaded
    # each takes a tenth of a second or more
    assert loaded & {"scipy.special", "scipy.sparse", "scipy.stats", "sklearn", "openai", "pandas", "fastapi"} == set()
