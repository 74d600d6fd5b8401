"""The command line as a person uses it, in processes of their own, on an embedded database of their own."""

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.sample.load import load_sample
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import embedded
from tests.support.shown import not_printed, shown_commands

ROOT = Path(__file__).resolve().parents[2]
FEEDBACK = [sys.executable, "-m", "feedback_pipeline.cli"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose path has a space in it."""
    return tmp_path_factory.mktemp("a home")


def run(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {**os.environ, "FEEDBACK_HOME": str(home), "COLUMNS": "160", "CI": "1", **environment}
    return subprocess.run([*FEEDBACK, *arguments], env=given, capture_output=True, text=True, timeout=300, cwd=ROOT)


@pytest.mark.parametrize(
    "command", ["demo", "dev", "sample", "import", "materialize", "status", "doctor", "serve", "dashboard"]
)
def test_every_command_explains_itself(home: Path, command: str) -> None:
    shown = run(home, command, "--help")
    assert shown.returncode == 0, shown.stderr
    assert len(shown.stdout) > 100


def test_sample_import_materialize_status_and_doctor(home: Path) -> None:
    sampled = run(home, "sample", "--votes", "400", "--weeks", "2")
    assert sampled.returncode == 0, sampled.stderr
    assert "over 2 weeks" in sampled.stdout
    again = run(home, "sample", "--votes", "400", "--weeks", "2")
    assert "0 answers and 0 feedback events" in again.stdout
    # days later it is still the same sample
    settings = Settings.from_environment({"FEEDBACK_HOME": str(home)})
    pipeline = Pipeline(settings)
    later = load_sample(
        pipeline.database,
        pipeline.pseudonymiser,
        home,
        votes=400,
        weeks=2,
        seed=7,
        end=pipeline.today() + timedelta(40),
    )
    assert (later.filed.interactions, later.filed.feedback, later.refused) == (0, 0, 0)
    pipeline.database.engine.dispose()
    embedded.release(home / "postgres")  # from here on the commands are its only users

    # killed in the middle, and run again
    given = {**os.environ, "FEEDBACK_HOME": str(home), "CI": "1"}
    victim = subprocess.Popen([*FEEDBACK, "materialize"], env=given, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    for line in victim.stdout:
        if "clean_feedback" in line or "clean_interactions" in line:
            break
    victim.send_signal(signal.SIGKILL)
    victim.wait(10)
    done = run(home, "materialize")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "14 days, 2 weeks computed" in done.stdout

    shown = run(home, "status")
    assert shown.stdout.count("answers that never come, on purpose") == 1
    assert "14 days computed, 0 wait" in shown.stdout
    assert "report 2" in shown.stdout

    healthy = run(home, "doctor")
    assert healthy.returncode == 0, healthy.stdout
    assert "PostgreSQL 18, embedded" in healthy.stdout

    # what the documentation shows is what is printed
    blocks = list(shown_commands(ROOT / "docs" / "commands.md"))
    assert len(blocks) >= 8
    for arguments, lines in blocks:
        printed = run(home, *arguments)
        assert printed.returncode == 0, printed.stderr
        assert not_printed(lines, printed.stdout) == [], arguments


def test_nothing_is_left_running(home: Path) -> None:
    assert run(home, "status").returncode == 0
    pid_file = home / "postgres" / "data" / "postmaster.pid"
    deadline = time.monotonic() + 120
    while pid_file.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not pid_file.exists()


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (["status"], {"FEEDBACK_DATABASE_URL": "postgresql://u:secret@127.0.0.1:1/x"}, "cannot reach PostgreSQL"),
        (["status"], {"FEEDBACK_LATENESS": "soon"}, "FEEDBACK_LATENESS is 'soon'"),
        (["import"], {"FEEDBACK_SOURCES": "/nowhere/sources.yaml"}, "/nowhere/sources.yaml"),
        (["materialize", "--week", "2026-11-10"], {}, "is a Tuesday"),
    ],
)
def test_what_goes_wrong_is_one_line_that_says_what_to_do(
    home: Path, arguments: list[str], environment: dict[str, str], said: str
) -> None:
    failed = run(home, *arguments, **environment)
    assert failed.returncode == 2
    assert said in failed.stderr.replace("\n", " ")
    assert "Traceback" not in failed.stderr
    assert "secret" not in failed.stderr


def test_the_sample_can_be_taken_away_and_only_the_sample(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert run(home, "sample", "--votes", "100", "--weeks", "1").returncode == 0
    assert (home / "start").exists()
    gone = run(home, "reset", "--yes")
    assert gone.returncode == 0, gone.stdout + gone.stderr
    assert not (home / "postgres").exists()
    assert (home / "keys.json").exists()
    assert "The store is empty" in run(home, "status").stdout
    rows = "id,at,up,q,a\n1,2026-11-12,1,A?,A.\n"
    (tmp_path / "rows.csv").write_text(rows)
    mapping = "{id: id, occurred_at: at, thumb: up, prompt: q, output: a}"
    (tmp_path / "sources.yaml").write_text(f"sources:\n  own: {{kind: csv, path: rows.csv, mapping: {mapping}}}\n")
    assert run(home, "import", "--sources", str(tmp_path / "sources.yaml")).returncode == 0
    refused = run(home, "reset", "--yes")
    assert refused.returncode == 2
    assert "2 answers and events that are not the sample's, and nothing was removed" in " ".join(refused.stderr.split())
