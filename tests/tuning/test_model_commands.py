"""The commands: a person sees what they decide on, and decides by name."""

from pathlib import Path

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from assets.models import model_effect
from feedback_pipeline.cleaning.tables import CLEAN_INTERACTIONS
from feedback_pipeline.cli import lineage as lineage_commands
from feedback_pipeline.cli import tuning as commands
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.tuning import approvals, registry, tuning
from feedback_pipeline.tuning.configured import open_provider
from feedback_pipeline.tuning.disclosure import disclose, printable
from feedback_pipeline.tuning.evaluation import evaluate, evaluation_prompts
from feedback_pipeline.tuning.following import follow
from tests.support.provider_server import ProviderServer
from tests.support.tuning_world import BASE, TUNED, WEEK, training_examples, uuid, with_dataset

ESCAPE = "\x1b]0;owned\x07"


@pytest.fixture
def app(tuned: Pipeline, provider: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    """The command line in the environment of `tuned`, at its time."""
    monkeypatch.setattr(commands, "open_pipeline", lambda: tuned)
    monkeypatch.setenv("FEEDBACK_HOME", str(tuned.settings.home))
    monkeypatch.setenv("FEEDBACK_DATABASE_URL", tuned.database.url)
    monkeypatch.setenv("COLUMNS", "200")
    made = typer.Typer()
    commands.mount(made)
    lineage_commands.mount(made)
    return made


def said(app: typer.Typer, *arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code, result.output
    return result.output


def test_from_a_look_to_a_promotion_and_back(app: typer.Typer, tuned: Pipeline, provider: ProviderServer) -> None:
    assert f"week {WEEK} at 127.0.0.1: 600 examples, up to 0." in said(app, "tune")
    assert "following" in said(app, "tune", "--start")
    for _ in range(3):
        said(app, "tune", "--follow")
    assert TUNED in said(app, "models")
    assert "was not evaluated" in said(app, "approve", TUNED, "--yes", code=2)
    model = registry.model_named(tuned.database, TUNED)
    prompts = evaluation_prompts(training_examples(WEEK, 600), "supervised")
    found = evaluate(tuned.settings, tuned.database, WEEK, model, BASE, prompts)
    registry.record_evaluation(tuned.database, TUNED, BASE, found.content_hash, passed=True,
                               detail=found.rows().to_dicts(), now=tuned.now())  # fmt: skip
    shown = said(app, "approve", TUNED, "--by", "ada", "--reason", "better", "--yes")
    assert "by 40 people" in shown
    assert "win_rate/held_out" in shown
    assert f"{TUNED} answers now" in shown
    tree = said(app, "why", TUNED)
    assert "changed by change promoted" in tree
    assert '"kind": "approval"' in said(app, "why", TUNED, "--json")
    entry = Path(tuned.settings.data_url) / "promoted_model" / "production.json"
    assert f'"model": "{TUNED}"' in entry.read_text()
    assert f"{BASE} answers again" in said(app, "rollback", "--reason", "worse", "--by", "grace", "--yes")
    assert f'"model": "{BASE}"' in entry.read_text()
    assert "nothing to go back to" in said(app, "rollback", "--reason", "worse", "--yes", code=1)
    decided = [(one.decision, one.approver) for one in approvals.approvals(tuned)]
    assert decided == [("approved", "ada"), ("approved", "ada"), ("revoked", "grace")]


def test_an_approval_nobody_confirms_is_none(app: typer.Typer, tuned: Pipeline) -> None:
    before = len(approvals.approvals(tuned))
    dataset = tuning.consider(tuned).request
    assert dataset is not None
    said(app, "approve", dataset.dataset_id, code=1)
    assert len(approvals.approvals(tuned)) == before
    assert "there is no dataset" in said(app, "approve", "0" * 64, "--yes", code=2)


def test_a_model_that_failed_the_gate_can_only_be_rejected(app: typer.Typer, tuned: Pipeline) -> None:
    run, _ = tuning.start(tuned)
    assert run is not None
    tuning.submit(tuned, run, open_provider(tuned.settings))
    for _ in range(3):
        follow(tuned)
    registry.record_evaluation(tuned.database, TUNED, BASE, "e" * 64, passed=False, detail=[], now=tuned.now())
    assert "did not pass the gate" in said(app, "approve", TUNED, "--yes", code=2)
    assert "rejected" in said(app, "approve", TUNED, "--reject", "--yes")
    assert registry.current_model(tuned.database) is None


def test_corrections_are_shown_as_what_they_changed_and_obeyed_by_no_terminal(tuned: Pipeline, tmp_path: Path) -> None:
    changed = {"interaction_id": uuid(0), "tenant": "default", "day": WEEK, "answer": f"as it was {ESCAPE}"}
    answers = pl.DataFrame([changed], schema=CLEAN_INTERACTIONS.schema)
    tuned.frames.write(CLEAN_INTERACTIONS, WEEK, answers)
    shown = disclose(tuned.frames, WEEK)
    assert (shown.examples, shown.corrections, shown.contributors) == (600, 1, 40)
    [(identity, lines)] = shown.differences
    assert identity == "row00000"
    assert "-as it was \\u001b]0;owned\\u0007" in lines
    assert "+answer 0" in lines
    assert printable("\u202egnp.exe") == "\\u202egnp.exe"
    # forty people, fifteen examples each: the heaviest fortieth of the weight, and somewhat more
    assert shown.largest_share == pytest.approx(1 / 40, abs=0.002)


def test_a_run_is_stopped_before_and_after_its_job_was_started(
    app: typer.Typer, tuned: Pipeline, provider: ProviderServer
) -> None:
    run, _ = tuning.start(tuned)
    assert run is not None
    assert "0 runs begin with" in said(app, "tune", "--cancel", "nothing", code=2)
    assert "refused" in said(app, "tune", "--cancel", run.entry.key[:8])
    assert provider.posts("/v1/files") == 0
    again, considered = tuning.start(tuned, seed=1, asked=True)  # what was stopped before it cost anything is no run
    assert again is not None, considered.refusals
    again = tuning.submit(tuned, again, open_provider(tuned.settings))
    assert "following" in said(app, "tune", "--cancel", again.entry.key[:8])
    [looked] = follow(tuned)
    assert (looked.run.entry.state, looked.attention) == ("cancelled", "cancelled: cancelled")
    assert said(app, "tune", "--cancel", again.entry.key[:8])


def test_a_dataset_whose_files_were_made_again_is_not_shown_as_what_they_are_now(
    app: typer.Typer, tuned: Pipeline
) -> None:
    older = tuning.consider(tuned).request
    assert older is not None
    newer = with_dataset(tuned, examples=601)
    refused = said(app, "approve", older.dataset_id, "--yes", code=2)
    assert "were made again" in " ".join(refused.split())
    assert "601 examples" in said(app, "approve", newer, "--by", "ada", "--yes")
    assert approvals.approved_hash(tuned, approvals.DATASET) == newer


def test_weeks_without_a_promotion_have_no_effect(tuned: Pipeline) -> None:
    outcome = model_effect.function(tuned, WEEK)
    assert outcome.rows.is_empty()
    assert all(check.passed for check in outcome.checks)


def test_a_start_that_the_provider_refuses_ends_with_1_and_the_reason(
    app: typer.Typer, provider: ProviderServer
) -> None:
    provider.state.faults[("POST", "/v1/fine_tuning/jobs")] = (400, "invalid_hyperparameter", "n_epochs SECRETWORD")
    shown = said(app, "tune", "--start", code=1)
    assert "refused 127.0.0.1 could not create a job: 400 invalid_hyperparameter" in shown
    assert "SECRETWORD" not in shown
