"""From votes to a promoted model with nothing simulated but the size: TRL trains a tiny model here, with LoRA.

`make test-trl` runs it; FEEDBACK_TEST_TRL names the interpreter of an environment with TRL. The judge is a rule that
speaks the protocol of a paid one: everything else is what people run.
"""

import datetime as dt
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import bulk
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database, create_missing_databases
from feedback_pipeline.tuning import approvals, registry, tuning
from feedback_pipeline.tuning.configured import open_provider
from feedback_pipeline.tuning.following import follow
from feedback_pipeline.tuning.runs import Ledger, Run
from feedback_pipeline.tuning.tables import CANDIDATE_EVALUATION
from jobs import runs
from jobs.instance import open_instance
from jobs.location import build_definitions
from tests.support.store_rows import answers, votes
from tests.tuning.trl import tiny_world

HERE = Path(__file__).parent
PYTHON = os.environ.get("FEEDBACK_TEST_TRL")
pytestmark = pytest.mark.skipif(PYTHON is None, reason="heavy: make test-trl")

NOW = dt.datetime(2026, 10, 24, 12, tzinfo=dt.UTC)
WEEK = dt.date(2026, 10, 12)
PEOPLE = 60
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
OFFLINE = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
OPTIONS = {"learning_rate": 2e-3, "per_device_train_batch_size": 16, "lora": {"r": 16, "lora_alpha": 64}}


@dataclass
class Shop:
    """One installation, its base model, and what serves its models."""

    pipeline: Pipeline
    instance: dg.DagsterInstance
    base: str

    def run(self, job: str) -> None:
        definitions = build_definitions(self.pipeline.settings, {"pipeline": self.pipeline})
        definitions.resolve_job_def(job).execute_in_process(
            QUIET, instance=self.instance, partition_key=str(WEEK), raise_on_error=False
        )


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(os.environ.get("FEEDBACK_TEST_TRL_BASE") or tmp_path_factory.mktemp("base"))
    if not (folder / "config.json").exists():
        subprocess.run([str(PYTHON), str(HERE / "make_base.py"), str(folder)], check=True, env=OFFLINE)
    return folder


@pytest.fixture(scope="session")
def served() -> Iterator[str]:
    process = subprocess.Popen([str(PYTHON), str(HERE / "serve.py")], stdout=subprocess.PIPE, text=True, env=OFFLINE)
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.terminate()
    process.wait()


@pytest.fixture
def shop(
    base: Path, served: str, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> Iterator[Shop]:
    for name in ("DAGSTER_HOME", "DAGSTER_POSTGRES_URL", "DAGSTER_DG_UPDATE_CHECK_ENABLED"):
        monkeypatch.setenv(name, str(tmp_path / "dagster"))
    for name in ("HF_HUB_OFFLINE", "OMP_NUM_THREADS", "TOKENIZERS_PARALLELISM"):
        monkeypatch.setenv(name, OFFLINE[name])
    settings = Settings.from_environment({
        "FEEDBACK_HOME": str(tmp_path / "home"), "FEEDBACK_DATABASE_URL": database.url,
        "FEEDBACK_TUNING_PROVIDER": "trl", "FEEDBACK_TUNING_PYTHON": str(PYTHON), "FEEDBACK_TUNING_METHOD": method,
        "FEEDBACK_TUNING_MODEL": str(base), "FEEDBACK_TUNING_BASE_URL": served, "FEEDBACK_TUNING_EXAMPLES": "100",
        "FEEDBACK_TUNING_EXTRA": json.dumps(OPTIONS), "FEEDBACK_TRAINING_FORMATS": "trl",
        "FEEDBACK_JUDGE_MODEL": "judge", "FEEDBACK_JUDGE_BASE_URL": served, "OPENAI_API_KEY": "test",
    })  # fmt: skip
    settings.home.mkdir(parents=True)
    create_missing_databases(database)
    with open_instance(settings, database) as instance:
        yield Shop(Pipeline(settings, NOW), instance, str(base))


def vote_on(shop: Shop, count: int, people: int = PEOPLE) -> None:
    """People ask, and like what helps them: half of the answers are the base model's, half are those of the staff."""
    rows = [
        (prompt, tiny_world.VERBS[verb] if number % 2 == 0 else tiny_world.VAGUE, number % 2 == 0)
        for number, (prompt, verb) in enumerate(tiny_world.questions(count, seed=1))
    ]
    rows += [(prompt, tiny_world.SORRY, True) for prompt in tiny_world.REFUSED]
    said, cast = [], []
    for number, (prompt, answer, helps) in enumerate(rows):
        moment = dt.datetime(2026, 10, 12 + number % 7, 9, number % 60, tzinfo=dt.UTC)
        said.append({"name": f"a{number}", "prompt": prompt, "output": answer, "model": shop.base, "context": "full",
                     "provenance": "logged", "occurred_at": moment})  # fmt: skip
        cast.append({"name": f"v{number}", "on": f"a{number}", "thumb": helps, "occurred_at": moment,
                     "user_key": f"k1:{number % people:032x}"})  # fmt: skip
    bulk.file_batch(shop.pipeline.database, Batch(interactions=answers(*said), feedback=votes(*cast)))
    home, url = str(shop.pipeline.settings.home), shop.pipeline.database.url
    votes_only = Settings.from_environment({
        "FEEDBACK_HOME": home, "FEEDBACK_DATABASE_URL": url, "FEEDBACK_TRAINING_FORMATS": "trl,weighted",
    })  # fmt: skip
    assert runs.compute(Pipeline(votes_only, NOW), shop.instance, weeks=[WEEK]).failed == ()


def started(shop: Shop) -> Run:
    """A person approves the dataset, and the run begins."""
    pipeline = shop.pipeline
    considered = tuning.consider(pipeline, asked=True)
    assert considered.request is not None, considered.refusals
    print(f"{considered.examples} examples, {considered.request.epochs} passes")
    approvals.record(pipeline, approvals.DATASET, considered.request.dataset_id, "approved", approver="ada")
    run, considered = tuning.start(pipeline, asked=True)
    assert run is not None, considered.refusals
    return tuning.submit(pipeline, run, open_provider(pipeline.settings))


def trained(shop: Shop, *, crash: bool) -> None:
    """The run goes to its end, once over a crash."""
    run, pipeline = started(shop), shop.pipeline
    place = pipeline.settings.home / "training_runs" / run.entry.key
    deadline = time.monotonic() + 1_500
    while not run.over and time.monotonic() < deadline:
        if crash and list(place.glob("checkpoints/checkpoint-*/trainer_state.json")):
            os.killpg(int((place / "process").read_text()), signal.SIGKILL)
            crash = False
        time.sleep(1)
        if looked := follow(pipeline):
            run = looked[0].run
    assert run.entry.state == "succeeded", (run.entry, (place / "output.log").read_text()[-3000:])
    for point in run.losses:
        print(f"step {point.step}: loss {point.train_loss}, held out {point.validation_loss}")


@pytest.mark.parametrize("method", ["supervised"])
def test_from_votes_to_a_promoted_model_that_is_better(shop: Shop) -> None:
    vote_on(shop, 700)
    trained(shop, crash=True)
    pipeline = shop.pipeline
    [run] = Ledger(pipeline.database).runs()
    held_out = [point.validation_loss for point in run.losses if point.validation_loss is not None]
    assert held_out[-1] < 0.5 * held_out[0]
    summary = json.loads((pipeline.settings.home / "training_runs" / run.entry.key / "summary.json").read_text())
    print(summary)
    assert summary["resumed"]
    assert run.entry.trained_tokens

    shop.run("evaluate_candidate")
    tuned = run.entry.fine_tuned_model or ""
    measured = pipeline.frames.read(CANDIDATE_EVALUATION, [WEEK])
    with pl.Config(tbl_rows=20, tbl_cols=8, fmt_str_lengths=60, tbl_width_chars=150):
        print(measured.select("measure", "n", "candidate", "current_value", "difference", "passed"))
    [win] = measured.filter(measure="win_rate/held_out")["difference"].to_list()
    assert win is not None
    assert win > 0.3
    [model] = registry.models(pipeline.database, tuned)
    assert model.passed, measured.filter(~pl.col("passed")).select("measure", "candidate", "reason").rows()
    assert model.evaluation is not None
    approvals.record(pipeline, approvals.model_subject(tuned), model.evaluation, "approved", approver="ada")
    registry.promote(pipeline, tuned)
    answering = registry.current_model(pipeline.database)
    assert answering is not None
    assert answering.model == tuned


@pytest.mark.parametrize("method", ["kto"])
def test_unpaired_votes_train_too(shop: Shop) -> None:
    vote_on(shop, 300)
    trained(shop, crash=False)
    [run] = Ledger(shop.pipeline.database).runs()
    held_out = [point.validation_loss for point in run.losses if point.validation_loss is not None]
    assert held_out[-1] < held_out[0]


@pytest.mark.parametrize("method", ["supervised"])
def test_two_thousand_lines_take_less_than_five_minutes(shop: Shop) -> None:
    vote_on(shop, 9_000, people=900)  # a line is a thumb up; a part is kept for validation
    begun = time.monotonic()
    trained(shop, crash=False)
    minutes = (time.monotonic() - begun) / 60
    [run] = Ledger(shop.pipeline.database).runs()
    lines = run.request.training.content().count(b"\n")
    print(f"{lines:,} lines, {run.request.epochs} passes: {minutes:.1f} minutes from its start to its model")
    assert lines >= 2_000
    assert minutes <= 5


def living(group: int) -> list[str]:
    """The processes of a group that still do something."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group, *_ = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(its_group) == group and state not in "ZX":
            found.append(stat.parent.name)
    return found


@pytest.mark.parametrize("method", ["supervised"])
def test_a_run_that_is_stopped_leaves_no_process_and_no_model(shop: Shop) -> None:
    vote_on(shop, 6_000, people=600)
    run, pipeline = started(shop), shop.pipeline
    place = pipeline.settings.home / "training_runs" / run.entry.key
    deadline = time.monotonic() + 600
    while not list(place.glob("checkpoints/checkpoint-*/trainer_state.json")):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    group = int((place / "process").read_text())
    tuning.cancel(pipeline, run, open_provider(pipeline.settings))
    while not run.over and time.monotonic() < deadline:
        time.sleep(0.5)
        if looked := follow(pipeline):
            run = looked[0].run
    assert run.entry.state == "cancelled"
    while living(group):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert registry.models(pipeline.database) == []
