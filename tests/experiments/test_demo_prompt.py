"""The flaw planted in the sample's prompt: found by its votes, mended, approved, and shown to have helped."""

import datetime as dt
import random
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner

from assets import experiments as assets
from feedback_pipeline.calendar import days_of
from feedback_pipeline.cli import prompts as prompt_commands
from feedback_pipeline.cli import tuning
from feedback_pipeline.cli.main import app
from feedback_pipeline.cli.main import main as _main  # noqa: F401 - the commands are mounted by it
from feedback_pipeline.experiments import prompt_work, prompts, rollout
from feedback_pipeline.experiments.sample_prompt import FLAW, NAME, add_sample_prompt
from feedback_pipeline.experiments.simulated import simulated_answer, worth
from feedback_pipeline.lineage.trace import why
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.sample.load import load_sample
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import bulk
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database
from feedback_pipeline.tuning.registry import PromotionRefusedError
from jobs.location import build_definitions
from tests.experiments.test_prompt_loop import Flattering
from tests.support.store_rows import answers, votes

END = dt.date(2026, 11, 15)
WEEK = dt.date(2026, 11, 9)
NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
TENANT = "acme"


def pipeline_at(home: Path, database: Database, now: dt.datetime) -> Pipeline:
    given = {"FEEDBACK_HOME": str(home), "FEEDBACK_DATABASE_URL": database.url, "FEEDBACK_START": "2026-11-02"}
    return Pipeline(Settings.from_environment(given), now)


def run(pipeline: Pipeline, job: str, partition: dt.date, *names: str) -> None:
    definitions = build_definitions(pipeline.settings, {"pipeline": pipeline}).resolve_job_def(job)
    with dg.DagsterInstance.ephemeral() as instance:
        assert definitions.execute_in_process(
            instance=instance, partition_key=partition.isoformat(),
            asset_selection=[dg.AssetKey(name) for name in names],
        ).success  # fmt: skip


@pytest.fixture
def demo(tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """Two weeks of the sample as `feedback demo` loads it, the second one cleaned and made into training examples."""
    monkeypatch.setenv("FEEDBACK_HOME", str(tmp_path))
    monkeypatch.setenv("FEEDBACK_DATABASE_URL", database.url)
    pipeline = pipeline_at(tmp_path, database, NOW)
    load_sample(database, pipeline.pseudonymiser, tmp_path, votes=2_500, weeks=2, seed=7, end=END)
    add_sample_prompt(pipeline)
    for day in days_of(WEEK):
        run(pipeline, "daily_loop", day, "clean_interactions", "clean_feedback", "text_signatures", "vote_facts")
    run(pipeline, "weekly_loop", WEEK, "slice_findings", "prompt_clusters", "pair_clusters", "rater_trust",
        "conflicting_answers", "training_examples")  # fmt: skip
    return pipeline


def test_from_the_demos_votes_to_a_prompt_that_helped(demo: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    database = demo.database
    # a candidate that only flatters the judge is refused
    rows = prompt_work.propose(demo, WEEK, tenant=TENANT, name=NAME, optimiser=Flattering())
    flattering = prompts.prompt_named(database, NAME, rows["version"][0], TENANT)
    assert not prompt_work.evaluate(demo, WEEK, flattering).passed
    with pytest.raises(PromotionRefusedError, match="did not pass the gate"):
        rollout.show_to_all(demo, flattering, person="ada")

    # what `feedback demo` ends with
    capsys.readouterr()
    prompt_commands.demonstrate(demo, WEEK)
    told = capsys.readouterr().out
    assert "reason:incomplete" in told  # what was planted, see truth.json
    assert "the gate lets it pass" in told
    candidate = prompts.prompts(database, TENANT, NAME)[-1]
    assert candidate.parent == "2.1"
    assert FLAW not in candidate.text
    assert "Answer every part" in candidate.text
    with pytest.raises(PromotionRefusedError, match="nobody approved it"):
        rollout.show_to_all(demo, candidate, person="ada")
    for subject in (tuning, prompt_commands):
        subject.mount(app)
    approved = CliRunner().invoke(app, ["approve", candidate.key, "--by", "ada", "--reason", "complete", "--yes"])
    assert approved.exit_code == 0, approved.output
    rollout.show_to_some(demo, candidate, 0.2, person="ada")
    rollout.show_to_all(demo, candidate, person="ada")
    assert prompts.answering(database, NAME, TENANT).version == candidate.version

    # simulated traffic under the new prompt; people judge the answers by their worth, not by the judge's taste
    draw, asked, voted = random.Random(1), [], []
    later = pipeline_at(demo.settings.home, database, NOW + dt.timedelta(days=14))
    for n in range(200):
        text = simulated_answer(candidate.text, f"question {n}")
        who = later.pseudonymiser.pseudonym(TENANT, f"new-{n}")
        about = {"tenant": TENANT, "user_key": who, "occurred_at": NOW + dt.timedelta(days=3, minutes=n)}
        asked.append({"name": f"n{n}", "prompt_version": candidate.version, "output": text, **about})
        liked = draw.random() < 0.6 + 0.1 * min(worth(text, judged=False), 3.5)
        voted.append({"name": f"v{n}", "on": f"n{n}", "thumb": liked, **about})
    bulk.file_batch(database, Batch(answers(*asked), None, votes(*voted)))
    run(later, "daily_loop", (NOW + dt.timedelta(days=3)).date(), "clean_interactions", "clean_feedback")
    [seen] = assets.prompt_effect.function(later, dt.date(2026, 11, 23)).rows.to_dicts()
    assert (seen["model"], seen["verdict"]) == (candidate.key, "better")
    assert seen["low"] > 0
    told = "\n".join(why(later, candidate.key).lines())
    assert "from reason reason:incomplete" in told
    assert "change promoted" in told
