"""Together, Fireworks and Vertex are each one setting away: from an approved dataset to a candidate, paid for once."""

import datetime as dt
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import BASE_MODELS, Settings
from feedback_pipeline.store.database import Database
from feedback_pipeline.training.costs import parameter_billions, read_prices
from feedback_pipeline.tuning import approvals, registry, tuning
from feedback_pipeline.tuning.configured import open_provider, training_format, training_price
from feedback_pipeline.tuning.following import follow
from feedback_pipeline.tuning.providers.ledger import ADOPTION_GRACE
from feedback_pipeline.tuning.runs import Ledger, Run
from tests.support import rest_providers
from tests.support.tuning_world import NOW, environment_for, pipeline_for, with_dataset


@dataclass(frozen=True)
class Place:
    """A provider: how it is set up, and what it says of a job that goes well, fails, or is stopped."""

    kind: type[rest_providers.Handler]
    format: str
    model: str
    done: list[str]
    failed: str
    failure: str
    made: str
    """Part of the tuned model's name; `{key}` is the beginning of the run's."""
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.kind.__name__.lower()


PREFERENCE = {"FEEDBACK_TUNING_METHOD": "preference"}
FIREWORKS = ("JOB_STATE_PENDING", "JOB_STATE_RUNNING", "JOB_STATE_COMPLETED")
PLACES = {
    "together": Place(rest_providers.Together, "together_sft", "Qwen/Qwen3-8B", ["queued", "running", "completed"],
                      "user_error", "JOB_USER_ERROR", "Qwen3-8B-feedback-20261109-{key}"),
    "together dpo": Place(rest_providers.Together, "together_dpo", "Qwen/Qwen3-8B", ["completed"], "error",
                          "JOB_USER_ERROR", "{key}", PREFERENCE),
    "fireworks": Place(rest_providers.Fireworks, "fireworks_sft", rest_providers.MODEL, list(FIREWORKS),
                       "JOB_STATE_FAILED", "INVALID_ARGUMENT", "accounts/me/models/feedback-20261109-{key}",
                       {"FEEDBACK_TUNING_ACCOUNT": "me"}),
    "fireworks dpo": Place(rest_providers.Fireworks, "fireworks_dpo", rest_providers.MODEL, [FIREWORKS[-1]],
                           "JOB_STATE_FAILED", "INVALID_ARGUMENT", "{key}",
                           {"FEEDBACK_TUNING_ACCOUNT": "me", **PREFERENCE}),
    "vertex": Place(rest_providers.Vertex, "vertex_sft", "gemini-2.5-flash",
                    ["JOB_STATE_PENDING", "JOB_STATE_RUNNING", "JOB_STATE_SUCCEEDED"], "JOB_STATE_FAILED", "code 3",
                    "endpoints/9", {"FEEDBACK_TUNING_ACCOUNT": "p/europe-west4/bucket"}),
}  # fmt: skip
PRICES = """as_of: 2026-11-01
prices:
  - {provider: vertex, model: gemini-2.5-flash, method: supervised, usd_per_million: 5.0}
  - {provider: together, model: up to 16B, billions: [0, 16], method: supervised, usd_per_million: 5.0}
  - {provider: together, model: up to 16B, billions: [0, 16], method: preference, usd_per_million: 5.0}
  - {provider: fireworks, model: up to 16B, billions: [0, 16], method: supervised, usd_per_million: 5.0}
  - {provider: fireworks, model: up to 16B, billions: [0, 16], method: preference, usd_per_million: 5.0}
"""


@dataclass(frozen=True)
class Setup:
    place: Place
    server: rest_providers.Served
    pipeline: Pipeline

    @property
    def held(self) -> rest_providers.Held:
        return self.server.held

    def later(self, minutes: float) -> Pipeline:
        return Pipeline(self.pipeline.settings, NOW + dt.timedelta(minutes=minutes))

    def submitted(self) -> Run:
        run, considered = tuning.start(self.pipeline)
        assert run is not None, considered.refusals
        return tuning.submit(self.pipeline, run, open_provider(self.pipeline.settings))


@pytest.fixture
def setup(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[Setup]:
    place = PLACES[request.param]
    server = rest_providers.Served(place.kind)
    server.held.states = list(place.done)
    home = tmp_path / "home"
    pipeline = pipeline_for(home, database, server.url, FEEDBACK_TUNING_PROVIDER=place.name,
                            FEEDBACK_TUNING_MODEL=place.model, **place.environment)  # fmt: skip
    (home / "prices.yaml").write_text(PRICES)
    dataset = with_dataset(pipeline, formats=(place.format,))
    approvals.record(pipeline, approvals.DATASET, dataset, "approved", approver="ada")
    yield Setup(place, server, pipeline)
    server.close()


every = pytest.mark.parametrize("setup", list(PLACES), indirect=True)
each = pytest.mark.parametrize("setup", ["together", "fireworks", "vertex"], indirect=True)


@every
def test_from_a_dataset_to_a_candidate(setup: Setup) -> None:
    assert training_format(setup.pipeline.settings) == setup.place.format
    run = setup.submitted()
    assert run.entry.state == "following"
    for _ in setup.place.done:
        follow(setup.pipeline)
    [run] = Ledger(setup.pipeline.database).runs()
    assert run.entry.state == "succeeded", run.entry.reason
    made = setup.place.made.format(key=run.entry.key[:8])
    assert made in (run.entry.fine_tuned_model or "")
    assert run.charged_usd == pytest.approx(1234 * 5 / 1_000_000)
    [candidate] = [model for model in registry.models(setup.pipeline.database) if model.state == "candidate"]
    assert candidate.provider == setup.place.name
    sent = sorted(setup.held.files.values())
    assert sent == sorted(file.content() for file in (run.request.training, run.request.validation) if file)
    assert len(setup.held.jobs) == 1


@every
def test_a_creation_whose_answer_is_lost_is_found_and_not_paid_twice(setup: Setup) -> None:
    setup.held.lose = 1
    run, _ = tuning.start(setup.pipeline)
    assert run is not None
    for minutes in (0.0, 12.0, 24.0, 36.0):
        follow(Pipeline(setup.pipeline.settings, NOW + ADOPTION_GRACE + dt.timedelta(minutes=minutes)))
    [run] = Ledger(setup.pipeline.database).runs()
    assert run.entry.state in ("following", "succeeded")
    assert len(setup.held.jobs) == len(setup.held.bodies) == 1
    assert len(setup.held.files) == 2


FATAL = {
    "together": ("PUT /put/file-0", "POST /v1/fine-tunes", "GET /v1/fine-tunes/ft-0"),
    "fireworks": ("POST .*:upload", "POST .*/supervisedFineTuningJobs", "GET .*/supervisedFineTuningJobs/.*"),
    "vertex": ("POST /upload/.*", "POST .*/tuningJobs", "GET .*/tuningJobs/0"),
}
"""By provider: an upload, the creation of the job, a look at it."""


@each
def test_a_process_killed_in_an_upload_a_creation_and_a_look_pays_once(setup: Setup, database: Database) -> None:
    upload, creation, look = FATAL[setup.place.name]
    setup.held.deaths = {upload: True, creation: True, look: False}
    given = json.dumps(environment_for(setup.pipeline.settings.home, database, setup.server.url,
                                       FEEDBACK_TUNING_PROVIDER=setup.place.name,
                                       FEEDBACK_TUNING_MODEL=setup.place.model, **setup.place.environment))  # fmt: skip
    died = []
    for life in range(8):
        moment = NOW + life * (ADOPTION_GRACE + dt.timedelta(minutes=1))
        program = Path(__file__).with_name("killed_tuning.py")
        with subprocess.Popen([sys.executable, str(program), given, moment.isoformat()]) as process:
            setup.held.victim = process.pid
            died.append(process.wait(120) == -signal.SIGKILL)
        if all(run.over for run in Ledger(database).runs()):
            break
    [run] = Ledger(database).runs()
    assert (run.entry.state, sum(died), setup.held.deaths) == ("succeeded", 3, {})
    assert len(setup.held.jobs) == len(setup.held.bodies) == 1
    assert run.charged_usd == pytest.approx(1234 * 5 / 1_000_000)
    sent = sorted(file.content() for file in (run.request.training, run.request.validation) if file)
    assert sorted(set(setup.held.files.values())) == sent


@each
def test_an_upload_that_is_not_ready_waits_with_its_reason(setup: Setup) -> None:
    setup.held.not_ready = 1
    run = setup.submitted()
    assert run.entry.state == "uploaded"
    assert "not ready yet" in (run.entry.reason or "")
    [looked] = follow(setup.later(6))
    assert (looked.run.entry.state, looked.run.entry.reason) == ("following", None)


@each
def test_a_failure_says_its_code_and_not_the_providers_words(setup: Setup) -> None:
    setup.held.states = [setup.place.failed]
    setup.submitted()
    [looked] = follow(setup.pipeline)
    assert looked.attention == f"failed: {setup.place.failure}"


@each
def test_a_job_can_be_stopped_and_its_uploads_deleted(setup: Setup) -> None:
    setup.held.states = setup.held.states[1:2]
    run = setup.submitted()
    provider = open_provider(setup.pipeline.settings)
    tuning.cancel(setup.pipeline, run, provider)
    [looked] = follow(setup.later(6))
    assert looked.run.entry.state == "cancelled"
    for file in (run.entry.training_file_id, run.entry.validation_file_id):
        assert file is not None
        provider.delete(file)
        provider.delete(file)  # erasing again is no error
    assert setup.held.files == {}


@each
def test_an_unknown_key_is_the_runs_reason(setup: Setup, database: Database) -> None:
    run, _ = tuning.start(setup.pipeline)
    assert run is not None
    place = setup.place
    given = {"FEEDBACK_TUNING_PROVIDER": place.name, "FEEDBACK_TUNING_MODEL": place.model, "OPENAI_API_KEY": "wrong"}
    locked = pipeline_for(setup.pipeline.settings.home, database, setup.server.url, **{**given, **place.environment})
    [looked] = follow(locked)
    assert "401 unauthorized" in (looked.problem or looked.attention or "")


@pytest.mark.parametrize("setup", ["together"], indirect=True)
def test_losses_are_those_of_the_metrics(setup: Setup) -> None:
    setup.submitted()
    follow(setup.pipeline)
    [run] = Ledger(setup.pipeline.database).runs()
    assert [(point.step, point.train_loss, point.validation_loss) for point in run.losses] == [
        (1, 2.0, None),
        (2, 1.0, 1.5),
    ]


@pytest.mark.parametrize("setup", ["fireworks"], indirect=True)
def test_the_end_of_a_base_model_is_known_and_supervised_lines_carry_weights(setup: Setup) -> None:
    told = open_provider(setup.pipeline.settings).describe(setup.place.model)
    assert told.shutdown == dt.date(2027, 9, 30)
    setup.submitted()
    assert all(b'"weight":1.5' in line for line in min(setup.held.files.values(), key=len).split(b"\n") if line)


@pytest.mark.parametrize("setup", ["vertex"], indirect=True)
def test_jobs_are_looked_for_on_every_page(setup: Setup) -> None:
    for number in range(3):
        setup.held.jobs[f"other{number}"] = {"name": f"other{number}", "labels": {}}
    run = setup.submitted()
    provider = open_provider(setup.pipeline.settings)
    assert provider.find_job(run.request, run.entry.training_file_id or "", NOW) == run.entry.job_id


@pytest.mark.parametrize("provider", sorted(BASE_MODELS))
def test_a_provider_alone_is_enough_its_price_is_known_and_its_base_model_goes_on(provider: str) -> None:
    settings = Settings.from_environment({"FEEDBACK_TUNING_PROVIDER": provider})
    assert settings.tuning_model == BASE_MODELS[provider]
    price = training_price(settings)
    if provider != "vertex":  # publishes none that could be read
        assert price is not None
        assert price.provider == provider


def test_nothing_that_ends_is_tuned_by_default() -> None:
    settings = Settings.from_environment({})
    assert settings.tuning_provider == "dry_run"
    assert settings.tuning_model == "Qwen/Qwen3-8B"  # open weights


@pytest.mark.parametrize(
    ("model", "billions"),
    [("Qwen/Qwen3-8B", 8), ("accounts/fireworks/models/llama-v3p1-70b-instruct", 70), ("Mixtral-8x7B", 56),
     ("Qwen/Qwen3-0.6B", 0.6), ("gpt-4.1-mini", None), ("gemma-1p5b", 1.5)],
)  # fmt: skip
def test_the_size_of_a_model_stands_in_its_name(model: str, billions: float | None) -> None:
    assert parameter_billions(model) == billions


def test_prices_by_size_leave_no_gap() -> None:
    sized = [price for price in read_prices() if price.provider == "together" and price.method == "supervised"]
    assert [price.fits(f"model-{size}b") for size in (8, 32, 70) for price in sized] == [
        True, False, False, False, True, False, False, False, True,
    ]  # fmt: skip
