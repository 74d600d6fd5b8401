"""Every example runs as its README says, against a real service."""  # E8

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
ENDS = {
    "basic_logging.py": "logged 3 answers",
    "collect_feedback.py": "implicit    copy",
    "ab_test.py": "people by variant",
    "shadow_run.py": "late 1, failed 1",
    "offline_evaluation.py": "v2 against v1, judged: {'this': 40}",
    "router_integration.py": "Framework performing well (85% success)",
    "weekly_review.py": "report for 2026-W47",
    "custom_queries.py": "accuracy by model and intent",
    "export_and_plot.py": "approval.svg",
    "prompt_from_votes.py": "-Be friendly. Answer in only one sentence.",
}
"""What each one says when it went well."""


def test_every_example_is_run_and_named() -> None:
    files = {path.name for path in EXAMPLES.glob("*.py")} - {"model.py"}
    assert files == set(ENDS)
    readme = (EXAMPLES / "README.md").read_text()
    assert all(f"`{name}`" in readme for name in files)


@pytest.mark.parametrize("name", ENDS)
def test_an_example(name: str, service: Any, tmp_path: Path) -> None:
    if name == "export_and_plot.py":
        with service.client() as api:
            for n in range(3):
                api.post("/v1/feedback", json={"message_id": f"m{n}", "feedback": "up", "user_id": f"u{n}"})
    root = EXAMPLES.parent
    # an example is run where the service is: one store, one key file
    shutil.copy(service.settings.home / "keys.json", tmp_path)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("FEEDBACK_", "OPENAI_"))}
    environment |= {
        "FEEDBACK_API_URL": service.url, "FEEDBACK_API_KEY": service.key, "FEEDBACK_HOME": str(tmp_path),
        "FEEDBACK_DATABASE_URL": service.database.url, "PYTHONPATH": f"{root}{os.pathsep}{root / 'clients' / 'python'}",
    }  # fmt: skip
    found = subprocess.run(
        [sys.executable, EXAMPLES / name], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert found.returncode == 0, found.stderr
    assert ENDS[name] in found.stdout, found.stdout
