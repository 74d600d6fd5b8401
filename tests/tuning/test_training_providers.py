"""A run is uploaded once, created once and followed to its end, whatever breaks in between."""

import hashlib
import itertools
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import openai
import orjson
import pytest

from feedback_pipeline.settings import Settings
from feedback_pipeline.tuning.configured import format_name, provider_name, training_price
from feedback_pipeline.tuning.providers import local_command
from feedback_pipeline.tuning.providers.dry_run import DryRun
from feedback_pipeline.tuning.providers.ledger import (
    ADOPTION_GRACE,
    ADOPTION_LOOKS,
    LOST_AFTER,
    OVER,
    Entry,
    Policy,
    Situation,
    advance,
    next_step,
    refusals,
)
from feedback_pipeline.tuning.providers.local_command import LocalCommand
from feedback_pipeline.tuning.providers.openai_wire import OpenAIWire
from feedback_pipeline.tuning.providers.protocol import (
    FileChanged,
    Provider,
    ProviderError,
    TrainingFile,
    TrainingRequest,
)
from feedback_pipeline.tuning.providers.shutdowns import before_training, model_end
from tests.support.openai_server import Server

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LINE = orjson.dumps({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}) + b"\n"


class Crash(BaseException):
    """The process dies here."""


class Store:
    """One row of the ledger, changed only over the version it was read at; dies on command."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.steps = itertools.count()
        self.crash_at: int | None = None

    def act(self) -> None:
        if next(self.steps) == self.crash_at:
            raise Crash

    def save(self, old: Entry, new: Entry) -> bool:
        self.act()
        if self.entry != old:
            return False
        self.entry = new
        self.act()
        return True


class Mortal:
    """A provider in a process that may die before or after any call."""

    def __init__(self, provider: Provider, store: Store) -> None:
        self._provider, self._store = provider, store

    def __getattr__(self, name: str) -> object:
        found = getattr(self._provider, name)
        if not callable(found):
            return found

        def call(*arguments: object) -> object:
            self._store.act()
            answer = found(*arguments)
            self._store.act()
            return answer

        return call


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def server(running: Server) -> Server:
    running.reset()
    return running


@pytest.fixture
def provider(server: Server) -> OpenAIWire:
    return OpenAIWire(openai.OpenAI(base_url=server.url, api_key="none", max_retries=0), "compatible")


@pytest.fixture
def training_request(tmp_path: Path) -> TrainingRequest:
    path = tmp_path / "sft-train.jsonl"
    path.write_bytes(LINE * 10)
    file = TrainingFile(path, hashlib.sha256(path.read_bytes()).hexdigest())
    return TrainingRequest("dataset", "supervised", "base-model", file, suffix="ours", epochs=3)


def planned(request: TrainingRequest, provider: Provider) -> Store:
    return Store(Entry(request.key(provider.name), "planned", 0, NOW))


def follow(store: Store, provider: Provider, request: TrainingRequest, ticks: int = 30) -> Entry:
    """A sensor that ticks every eleven minutes and survives a provider that answers badly."""
    now = NOW
    for _ in range(ticks):
        now += ADOPTION_GRACE + timedelta(minutes=1)
        try:
            advance(store.entry, provider, request, store.save, now)
        except (ProviderError, Crash):
            continue
        if store.entry.state in OVER:
            break
    return store.entry


def test_a_run_goes_from_plan_to_model(server: Server, provider: OpenAIWire, training_request: TrainingRequest) -> None:
    server.state.events = [
        {"id": "e", "object": "fine_tuning.job.event", "created_at": 1, "level": "info", "message": "m",
         "type": "metrics", "data": {"step": step, "train_loss": 1.0 / step}} for step in (2, 1)
    ]  # fmt: skip
    entry = follow(planned(training_request, provider), provider, training_request)
    assert (entry.state, entry.fine_tuned_model, entry.trained_tokens) == ("succeeded", "ft:base-model:ours", 1234)
    (job,) = server.state.jobs.values()
    assert job["metadata"]["dataset_sha256"] == "dataset"
    assert job["method"] == {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 3}}}
    assert [point.step for point in provider.poll(job["id"]).losses] == [1, 2]


def test_a_crash_anywhere_neither_uploads_nor_creates_twice(
    server: Server, provider: OpenAIWire, training_request: TrainingRequest
) -> None:
    """Every point before and after every call and every save of a whole run, one run each."""
    calm = planned(training_request, provider)
    follow(calm, Mortal(provider, calm), training_request)  # type: ignore[arg-type]
    points = next(calm.steps)
    assert points > 20
    for point in range(points):
        server.reset()
        store = planned(training_request, provider)
        store.crash_at = point
        entry = follow(store, Mortal(provider, store), training_request)  # type: ignore[arg-type]
        assert entry.state == "succeeded", point
        assert (len(server.state.files), len(server.state.jobs)) == (1, 1), point


@pytest.mark.parametrize("kind", ["fail", "lose"])
@pytest.mark.parametrize("place", [("POST", "/v1/files"), ("POST", "/v1/fine_tuning/jobs"), ("GET", "/v1/files"),
                                   ("GET", "/v1/fine_tuning/jobs")])  # fmt: skip
def test_a_server_error_before_or_after_acting_costs_nothing_twice(
    server: Server, provider: OpenAIWire, training_request: TrainingRequest, place: tuple[str, str], kind: str
) -> None:
    server.state.faults[place] = kind
    assert follow(planned(training_request, provider), provider, training_request).state == "succeeded"
    assert (len(server.state.files), len(server.state.jobs)) == (1, 1)


def test_the_client_does_not_repeat_a_creation_by_itself(server: Server, training_request: TrainingRequest) -> None:
    eager = OpenAIWire(openai.OpenAI(base_url=server.url, api_key="none", max_retries=5), "compatible")
    server.state.faults["POST", "/v1/fine_tuning/jobs"] = "lose"
    with pytest.raises(ProviderError, match="could not create a job: 500"):
        eager.create(training_request, "file-0", None)
    assert len(server.state.jobs) == 1


def test_a_job_is_created_again_only_after_the_grace(
    server: Server, provider: OpenAIWire, training_request: TrainingRequest
) -> None:
    store = planned(training_request, provider)
    store.entry = replace(store.entry, state="creating", training_file_id="file-0", since=NOW)
    for _ in range(ADOPTION_LOOKS + 1):
        assert (
            advance(store.entry, provider, training_request, store.save, NOW + ADOPTION_GRACE / 2).state == "creating"
        )
    assert advance(store.entry, provider, training_request, store.save, NOW + ADOPTION_GRACE).state == "uploaded"
    assert server.state.jobs == {}


def test_a_clock_that_jumps_ahead_is_no_reason_to_create_a_job_again(
    server: Server, provider: OpenAIWire, training_request: TrainingRequest
) -> None:
    store = planned(training_request, provider)
    store.entry = replace(store.entry, state="creating", training_file_id="file-0", since=NOW)
    jumped = NOW + timedelta(days=400)
    looks = [advance(store.entry, provider, training_request, store.save, jumped).state for _ in range(ADOPTION_LOOKS)]
    assert looks == ["creating", "creating", "uploaded"]
    assert server.state.jobs == {}


def test_a_clock_that_went_back_does_not_block_a_run(provider: OpenAIWire, training_request: TrainingRequest) -> None:
    store = planned(training_request, provider)
    store.entry = replace(store.entry, state="creating", training_file_id="f", since=NOW + timedelta(days=400))
    assert advance(store.entry, provider, training_request, store.save, NOW).since == NOW


def test_two_daemons_take_a_step_once(server: Server, provider: OpenAIWire, training_request: TrainingRequest) -> None:
    store = planned(training_request, provider)
    stale = store.entry
    advance(stale, provider, training_request, store.save, NOW)
    assert advance(stale, provider, training_request, store.save, NOW) is stale
    uploaded = store.entry
    advance(uploaded, provider, training_request, store.save, NOW)
    assert advance(uploaded, provider, training_request, store.save, NOW).state in ("uploaded", "following")
    assert (len(server.state.files), len(server.state.jobs)) == (1, 1)


def test_a_file_changed_after_validation_is_not_sent(
    server: Server, provider: OpenAIWire, training_request: TrainingRequest
) -> None:
    training_request.training.path.write_bytes(LINE * 11)
    store = planned(training_request, provider)
    with pytest.raises(FileChanged, match="validate it again"):
        advance(store.entry, provider, training_request, store.save, NOW)
    assert server.state.files == {}


@pytest.mark.parametrize(
    ("statuses", "model", "state", "reason"),
    [
        (["running", "failed"], "m", "failed", "invalid_n_examples"),
        (["cancelled"], "m", "cancelled", None),
        (["paused", "paused", "succeeded"], "m", "succeeded", None),
        (["rebalancing", "succeeded"], "m", "succeeded", None),  # a word we do not know is not an end
        (["succeeded"], None, "failed", "the job succeeded without naming a model"),
    ],
)
def test_every_way_a_job_can_end(
    server: Server, provider: OpenAIWire, training_request: TrainingRequest, statuses: list[str], model: str | None,
    state: str, reason: str | None,
) -> None:  # fmt: skip
    server.state.statuses, server.state.model_on_success = statuses, model
    entry = follow(planned(training_request, provider), provider, training_request)
    assert (entry.state, entry.reason) == (state, reason)


def test_an_unknown_state_is_told_as_one(
    server: Server, provider: OpenAIWire, training_request: TrainingRequest
) -> None:
    server.state.statuses = ["rebalancing"]
    found = provider.poll(provider.create(training_request, "f", None))
    assert (found.status, found.reported) == ("unknown", "rebalancing")


def test_a_job_that_vanishes_is_given_up_after_a_few_looks(
    server: Server, provider: OpenAIWire, training_request: TrainingRequest
) -> None:
    store = planned(training_request, provider)
    for _ in range(2):
        advance(store.entry, provider, training_request, store.save, NOW)
    server.state.jobs.clear()
    for look in range(LOST_AFTER):
        assert store.entry.state == "following", look
        advance(store.entry, provider, training_request, store.save, NOW)
    assert store.entry.state == "lost"


@pytest.mark.parametrize(
    ("status", "state"), [(400, "refused"), (422, "refused"), (401, "uploaded"), (429, "uploaded")]
)
def test_an_answer_that_will_not_change_ends_the_run(
    server: Server, provider: OpenAIWire, training_request: TrainingRequest, status: int, state: str
) -> None:
    store = planned(training_request, provider)
    advance(store.entry, provider, training_request, store.save, NOW)
    server.state.faults["POST", "/v1/fine_tuning/jobs"] = status
    entry = advance(store.entry, provider, training_request, store.save, NOW)
    assert entry.state == state
    assert server.state.jobs == {}
    assert "SECRETWORD" not in str(entry)


def test_errors_carry_codes_and_not_the_providers_words(server: Server, provider: OpenAIWire) -> None:
    server.state.faults["GET", "/v1/fine_tuning/jobs"] = 403
    with pytest.raises(ProviderError) as caught:
        provider.poll("job-0")
    assert str(caught.value) == "compatible could not read a job: 403 refused"


def test_an_upload_is_deleted_once_or_twice_alike(
    server: Server, provider: OpenAIWire, training_request: TrainingRequest
) -> None:
    name = provider.upload(training_request.training)
    provider.delete(name)
    provider.delete(name)
    assert server.state.files == {}


def test_what_a_provider_cannot_do_is_said_before(
    server: Server, provider: OpenAIWire, training_request: TrainingRequest
) -> None:
    server.state.models["base-model"] = "2026-12-01"
    asked = replace(training_request, method="kto")
    found = provider.prepare(asked, date(2026, 11, 21))
    assert found.problems == ("compatible does not train by kto: use supervised or preference",)
    assert "ends on 2026-12-01, in 10 days" in found.warnings[0]
    assert "ended on" in provider.prepare(training_request, date(2026, 12, 1)).problems[0]
    unknown = provider.prepare(replace(training_request, model="nobody"), date(2026, 11, 21))
    assert unknown.problems == ("compatible knows no model nobody",)


def test_nine_examples_are_named_before_anything_is_sent(
    provider: OpenAIWire, training_request: TrainingRequest
) -> None:
    training_request.training.path.write_bytes(LINE * 9)
    assert provider.validate(training_request) == ("sft-train.jsonl:0: file: 9 lines, at least 10 are needed",)


def test_openai_closes_and_its_models_end() -> None:
    assert before_training("openai", "gpt-4.1-mini", date(2026, 11, 21)).problems == ()
    assert len(before_training("openai", "gpt-4.1-mini", date(2026, 11, 21)).warnings) == 2
    assert "choose another provider" in before_training("openai", "gpt-4.1", date(2027, 1, 6)).problems[0]
    assert before_training("azure", "gpt-4.1", date(2027, 1, 6)).problems == ()
    assert model_end("openai", "ft:gpt-4o-mini-2024-07-18:us::x") == date(2027, 1, 14)
    assert model_end("openai", "gpt-4o-2024-08-06") == date(2027, 1, 14)
    assert model_end("openai", "gpt-4.1-nano") == date(2026, 10, 23)
    assert model_end("openai", "gpt-6-luna") is None
    assert model_end("openai", "gpt-4o", told=date(2026, 12, 24)) == date(2026, 12, 24)


SITUATION = Situation("d1", 800, checks_passed=True, highest_cost_usd=4.0, spent_usd=1.0, last_run=None,
                      approved_dataset_id="d1", now=NOW)  # fmt: skip
POLICY = Policy(enabled=True, budget_usd=5.0)


@pytest.mark.parametrize(
    ("policy", "situation", "why"),
    [
        (Policy(), SITUATION, "switched off"),
        (replace(POLICY, budget_usd=0.0), SITUATION, "would cost up to 4.00 USD; 1.00 of 0.00 USD are spent"),
        (POLICY, replace(SITUATION, spent_usd=1.01), "would cost up to"),
        (POLICY, replace(SITUATION, examples=499), "499 examples, at least 500"),
        (POLICY, replace(SITUATION, checks_passed=False), "did not pass"),
        (POLICY, replace(SITUATION, last_run=NOW - timedelta(days=6)), "less than 7 days ago"),
        (POLICY, replace(SITUATION, approved_dataset_id="d0"), "another dataset was approved"),
        (POLICY, replace(SITUATION, approved_dataset_id=None), "nobody approved"),
    ],
)
def test_a_run_that_may_not_start_says_why(policy: Policy, situation: Situation, why: str) -> None:
    assert any(why in reason for reason in refusals(policy, situation))


def test_a_run_within_its_limits_may_start() -> None:
    assert refusals(POLICY, SITUATION) == []


def test_azure_is_an_address_away(server: Server, training_request: TrainingRequest, tmp_path: Path) -> None:
    settings = Settings.from_environment({
        "FEEDBACK_HOME": str(tmp_path), "FEEDBACK_TUNING_PROVIDER": "openai", "OPENAI_API_KEY": "key",
        "FEEDBACK_TUNING_BASE_URL": "https://ours.openai.azure.com/openai/v1/",
        "FEEDBACK_TUNING_EXTRA": '{"trainingType": "GlobalStandard"}',
    })  # fmt: skip
    assert provider_name(settings) == "azure"
    assert format_name("azure", "supervised") == "azure_sft"
    price = training_price(settings)
    assert price is not None
    assert (price.provider, price.model) == ("azure", "gpt-4.1-mini")
    # the same client over loopback: Azure's own fields arrive, its files begin with a byte order mark
    azure = OpenAIWire(openai.OpenAI(base_url=server.url, api_key="key"), "azure", orjson.loads(settings.tuning_extra))
    assert "byte order mark" in " ".join(azure.validate(training_request))
    marked = training_request.training.path.with_name("azure.jsonl")
    marked.write_bytes(b"\xef\xbb\xbf" + LINE * 10)
    file = TrainingFile(marked, hashlib.sha256(marked.read_bytes()).hexdigest())
    wanted = replace(training_request, training=file)
    assert azure.validate(wanted) == ()
    azure.create(wanted, azure.upload(file), None)
    [job] = server.state.jobs.values()
    assert job["trainingType"] == "GlobalStandard"
    assert "." not in job["suffix"]


def test_a_dry_run_goes_all_the_way_and_makes_no_model(training_request: TrainingRequest) -> None:
    provider = DryRun()
    entry = follow(planned(training_request, provider), provider, training_request)
    assert (entry.state, entry.fine_tuned_model) == ("not_run", None)
    assert next_step(entry) == "none"


def _wait(provider: LocalCommand, job: str) -> str:
    for _ in range(2_400):  # a minute: two interpreters start, on whatever machine this is
        if (state := provider.poll(job)).status != "running":
            return state.status
        time.sleep(0.025)
    return "running"


def test_a_local_command_runs_once_with_its_arguments(tmp_path: Path, training_request: TrainingRequest) -> None:
    code = "import sys, pathlib; pathlib.Path(sys.argv[2]).write_text(sys.argv[1] + sys.argv[3])"
    provider = LocalCommand([sys.executable, "-c", code, "{model}", "{output}", "$(touch oops) {x}"], tmp_path / "runs")
    job = provider.create(training_request, str(training_request.training.path), None)
    assert provider.find_job(training_request, str(training_request.training.path), NOW) == job
    with pytest.raises(ProviderError, match="already begun"):
        provider.create(training_request, str(training_request.training.path), None)
    assert _wait(provider, job) == "succeeded"
    model = provider.poll(job).fine_tuned_model
    assert Path(str(model)).read_text() == "base-model$(touch oops) {x}"


@pytest.mark.parametrize("command", [[sys.executable, "-c", "raise SystemExit(3)"], ["no-such-program-here"]])
def test_a_local_command_that_fails_says_so(
    tmp_path: Path, training_request: TrainingRequest, command: list[str]
) -> None:
    provider = LocalCommand(command, tmp_path / "runs")
    assert _wait(provider, provider.create(training_request, "f", None)) == "failed"


def test_a_command_that_does_not_end_when_it_is_asked_to_is_killed(
    tmp_path: Path, training_request: TrainingRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_command, "STOP_SECONDS", 0.5)
    deaf = (
        "import os, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"
    )
    provider = LocalCommand([sys.executable, "-c", deaf, str(tmp_path / "pid")], tmp_path / "runs")
    job = provider.create(training_request, "f", None)
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        time.sleep(0.05)
    provider.cancel(job)
    assert _wait(provider, job) == "cancelled"
    stat = Path(f"/proc/{(tmp_path / 'pid').read_text()}/stat")
    deadline = time.monotonic() + 60  # far less than it would sleep
    while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] not in "ZX":
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_local_command_can_be_stopped(tmp_path: Path, training_request: TrainingRequest) -> None:
    provider = LocalCommand([sys.executable, "-c", "import time; time.sleep(600)"], tmp_path / "runs")
    job = provider.create(training_request, "f", None)
    provider.cancel(job)
    assert _wait(provider, job) == "cancelled"
    assert provider.poll("never-begun").status == "lost"
