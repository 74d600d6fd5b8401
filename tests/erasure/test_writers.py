"""Every module that writes a file is known, with the place it writes to: a new one has to say where, or this fails."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedback_pipeline.erasure.register import REGISTER, registered

ROOT = Path(__file__).resolve().parents[2]
WRITES = frozenset({
    "replaced_file", "write_text", "write_bytes", "write_parquet", "write_csv", "write_ndjson", "write_excel",
    "sink_parquet", "sink_csv", "sink_ndjson", "sink_ipc", "to_csv", "to_parquet", "to_excel", "copyfile",
    "copyfileobj", "mkstemp", "savefig", "write_table", "fdopen",
})  # fmt: skip
NOTED = "noted"
"""Where a person wants it: `exports.writing` notes the place."""
NO_WORDS = "no words"
"""Where a person wants it, and nothing that anybody wrote: rubrics, code, what was measured."""
KNOWN: dict[str, tuple[str, ...]] = {
    "assets/patterns.py": ("data/slice_findings/*", "data/failure_topics/*"),
    "assets/report.py": ("data/weekly_report/*", "data/monthly_report/*"),
    "assets/training.py": ("data/training_files/*",),
    "feedback_pipeline/analysis/reports.py": (NOTED,),
    "feedback_pipeline/backup/archive.py": ("home/backups.json",),
    "feedback_pipeline/capture/export.py": ("data/exports/*",),
    "feedback_pipeline/cli/audit_tasks.py": ("home/exports/*",),
    "feedback_pipeline/erasure/erasure.py": ("home/erasures/*",),
    "feedback_pipeline/erasure/exports.py": (NOTED,),
    "feedback_pipeline/erasure/replay.py": ("home/erasures/erasures.jsonl", "home/backups.json"),
    "feedback_pipeline/erasure/steps.py": ("home/logs/*",),
    "feedback_pipeline/erasure/subjects.py": ("home/erasures/*.working.json",),
    "feedback_pipeline/erasure/traces.py": ("home/rejects/*", "home/spool/*"),
    "feedback_pipeline/first_day.py": ("home/start",),
    "feedback_pipeline/ingest/refusals.py": ("home/rejects/*",),
    "feedback_pipeline/io_manager.py": ("data/clean_interactions/*",),
    "feedback_pipeline/judging/reward.py": (NO_WORDS,),
    "feedback_pipeline/privacy/key_files.py": ("home/keys.json", "home/*.key"),
    "feedback_pipeline/reports/published.py": ("data/weekly_report/*", "data/monthly_report/*"),
    "feedback_pipeline/store/embedded.py": ("home/postgres/*",),
    "feedback_pipeline/store/keeper.py": ("home/postgres/*",),
    "feedback_pipeline/tables/free_space.py": ("home/.probe-*", "data/.probe-*"),
    "feedback_pipeline/tables/parquet.py": ("data/clean_interactions/*",),
    "feedback_pipeline/training/archive.py": ("data/training_corrections/*",),
    "feedback_pipeline/training/files.py": ("data/training_files/*",),
    "feedback_pipeline/tuning/providers/local_command.py": ("home/training_runs/*",),
    "feedback_pipeline/tuning/providers/trl.py": ("home/training_runs/*",),
    "feedback_pipeline/tuning/providers/watched_command.py": ("home/training_runs/*",),
    "feedback_pipeline/tuning/routing.py": ("data/promoted_model/*",),
    "feedback_pipeline/tuning/trainers/trl_train.py": ("home/training_runs/*",),
    "jobs/instance.py": ("home/dagster/*",),
    "jobs/service_log.py": ("home/logs/*",),
    "jobs/supervisor.py": ("home/dev.lock",),
}


def modules() -> Iterator[Path]:
    for folder in ("feedback_pipeline", "assets", "jobs"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            # deliveries of the demo, which stand for what a user has in files
            if "sample" not in path.relative_to(ROOT).parts:
                yield path


def writes(path: Path) -> bool:
    return any(_is_write(node) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))


def _is_write(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name == "open":
        given = [*call.args, *(one.value for one in call.keywords if one.arg == "mode")]
        modes = [one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        return any(len(mode) <= 3 and set(mode) & set("wax") and set(mode) <= set("wabxt+") for mode in modes)
    return name in WRITES


def test_every_module_that_writes_files_is_known_by_its_places() -> None:
    found = {str(path.relative_to(ROOT)) for path in modules() if writes(path)}
    assert found == set(KNOWN)


@pytest.mark.parametrize("place", sorted({one for places in KNOWN.values() for one in places} - {NOTED, NO_WORDS}))
def test_a_known_place_is_registered(place: str) -> None:
    assert registered(place) is not None
    assert any(entry.name == place for entry in REGISTER)


def test_what_goes_where_a_person_wants_it_is_noted() -> None:
    for name, places in KNOWN.items():
        if NOTED in places:
            assert "exports.writing(" in (ROOT / name).read_text() or name.endswith("exports.py")
    assert "exports.writing(" in (ROOT / "feedback_pipeline/cli/training.py").read_text()
