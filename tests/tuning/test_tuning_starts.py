"""Before and while a run is paid for: refusals with a reason, crashes at every step, two daemons, one bill."""

import datetime as dt
import itertools
import os
import random
import re
import shlex
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.store.database import Database
from feedback_pipeline.training.costs import SAMPLE
from feedback_pipeline.training.tokens import MESSAGE_OVERHEAD, count_tokens
from feedback_pipeline.tuning import approvals, registry, tuning
from feedback_pipeline.tuning.configured import open_provider
from feedback_pipeline.tuning.following import follow
from feedback_pipeline.tuning.providers.ledger import ADOPTION_GRACE
from feedback_pipeline.tuning.providers.protocol import Provider
from feedback_pipeline.tuning.runs import Ledger
from tests.support.provider_server import ProviderServer
from tests.support.tuning_world import EXAMPLES, NOW, TUNED, WEEK, pipeline_for, with_dataset

FILES, JOBS = "/v1/files", "/v1/fine_tuning/jobs"


def refused(pipeline: Pipeline) -> str:
    run, considered = tuning.start(pipeline)
    assert run is None
    return "; ".join(considered.refusals)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"FEEDBACK_TUNING_BUDGET": "0"}, r"would cost up to 0\.\d\d USD; 0\.00 of 0\.00 USD are spent"),
        ({"FEEDBACK_TUNING_EXAMPLES": "601"}, "600 examples, at least 601 are asked for"),
        ({"FEEDBACK_TUNING_PRICES": ""}, "no price is known for supervised training of gpt-4.1-mini at 127.0.0.1"),
        ({"FEEDBACK_TUNING_MODEL": "gpt-unknown"}, "127.0.0.1 knows no model gpt-unknown"),
        ({"FEEDBACK_TUNING_METHOD": "preference"}, "holds nothing for preference training"),
        ({"FEEDBACK_TUNING_PROVIDER": ""}, "uploads are switched off"),
    ],
)
def test_what_forbids_a_run_is_named_and_nothing_is_sent(
    tuned: Pipeline, provider: ProviderServer, tmp_path: Path, environment: dict[str, str], said: str
) -> None:
    other = pipeline_for(tmp_path / "home", tuned.database, provider.url, **environment)
    run, considered = tuning.start(other)
    assert run is None
    assert re.search(said, "; ".join(considered.refusals))
    assert provider.posts(FILES) == provider.posts(JOBS) == 0
    assert Ledger(tuned.database).runs() == []


def test_as_many_examples_as_the_setting_asks_for_make_it_time_to_train(tuned: Pipeline) -> None:
    assert tuning.consider(tuned).due
    for least, due in ((100, True), (600, True), (601, False)):
        patient = Pipeline(replace(tuned.settings, tuning_least_examples=least), NOW)
        assert tuning.consider(patient).due is due


def test_a_file_of_ten_thousand_lines_is_priced_from_a_sample_and_trained_on(
    provider: ProviderServer, database: Database, tmp_path: Path
) -> None:
    """Longer than what is counted exactly: the estimate is drawn by line, and holds the true count."""
    pipeline = pipeline_for(tmp_path / "home", database, provider.url)
    approvals.record(pipeline, approvals.DATASET, with_dataset(pipeline, examples=10_000), "approved", approver="ada")
    run, considered = tuning.start(pipeline)
    assert run is not None, considered.refusals
    tokens = considered.tokens
    assert tokens is not None
    assert (tokens.lines, tokens.counted_lines, tokens.exact) == (10_000, SAMPLE, False)
    [file] = Path(pipeline.settings.data_url).rglob("openai/sft-train.jsonl")
    counted = sum(count_tokens(line) + MESSAGE_OVERHEAD for line in file.read_text().split("\n")[:-1])
    assert tokens.low <= counted <= tokens.high
    assert tokens.high - tokens.low < 0.02 * counted
    run = tuning.submit(pipeline, run, open_provider(pipeline.settings))
    assert (run.entry.state, provider.posts(JOBS)) == ("following", 1)


def test_another_datasets_approval_does_not_count(tuned: Pipeline, provider: ProviderServer) -> None:
    approvals.record(tuned, approvals.DATASET, "0" * 64, "approved", approver="ada")
    assert "another dataset was approved, not this one" in refused(tuned)
    approvals.record(tuned, approvals.DATASET, "0" * 64, "revoked", approver="ada")
    assert "nobody approved this dataset" in refused(tuned)


def test_only_the_newest_closed_week_is_trained_on(tuned: Pipeline) -> None:
    assert tuning.newest_closed_week(tuned) == WEEK
    # the 24th: the week of the 16th has ended but is open to late votes until the 26th
    assert tuning.newest_closed_week(Pipeline(tuned.settings, NOW + dt.timedelta(days=3))) == WEEK
    later = Pipeline(tuned.settings, NOW + dt.timedelta(days=5))
    assert "the week of 2026-11-16 has no dataset" in refused(later)


def test_a_file_changed_after_validation_is_not_sent(tuned: Pipeline, provider: ProviderServer) -> None:
    [file] = Path(tuned.settings.data_url).rglob("openai/sft-train.jsonl")
    content = file.read_bytes()
    file.write_bytes(content + b'{"messages":[]}\n')
    assert "is not the file that its dataset's manifest names" in refused(tuned)
    file.write_bytes(content)
    run, _ = tuning.start(tuned)
    assert run is not None
    file.write_bytes(content[:-1] + b" \n")  # between planning and sending
    run = tuning.submit(tuned, run, open_provider(tuned.settings))
    assert run.entry.state == "refused"
    assert "not the file that was validated" in (run.entry.reason or "")
    assert provider.posts(FILES) == provider.posts(JOBS) == 0


def test_a_week_is_paid_for_once_even_when_its_files_were_made_again(tuned: Pipeline, provider: ProviderServer) -> None:
    first, _ = tuning.start(tuned)
    assert first is not None
    tuning.submit(tuned, first, open_provider(tuned.settings))
    again, _ = tuning.start(tuned)
    assert again is not None
    assert again.entry.key == first.entry.key
    later = Pipeline(replace(tuned.settings, tuning_cooldown_days=0), NOW + dt.timedelta(hours=1))
    dataset = with_dataset(later, examples=EXAMPLES + 1)
    with psycopg.connect(tuned.database.address()) as connection:
        connection.execute("UPDATE dataset SET created_at = created_at + interval '1 day' WHERE id = %s", (dataset,))
    approvals.record(later, approvals.DATASET, dataset, "approved", approver="ada")
    assert f"the week of {WEEK} was trained on already" in refused(later)
    assert provider.posts(JOBS) == 1


def test_cooldown_and_a_clock_that_went_back(tuned: Pipeline) -> None:
    run, _ = tuning.start(tuned)
    assert run is not None
    for moment in (NOW + dt.timedelta(days=5), NOW - dt.timedelta(hours=5)):
        moved = Pipeline(tuned.settings, moment)
        week = tuning.newest_closed_week(moved)
        dataset = with_dataset(moved, week, EXAMPLES + 2)
        approvals.record(moved, approvals.DATASET, dataset, "approved", approver="ada")
        if week != WEEK:
            assert "the last run was less than 7 days ago" in refused(moved)


@pytest.mark.parametrize(
    ("statuses", "state", "attention"),
    [
        (["queued", "failed"], "failed", "failed: invalid_n_examples"),
        (["queued", "paused"], "following", "the provider says 'paused'"),
        (["resting"], "following", "the provider says 'resting'"),
        (["cancelled"], "cancelled", "cancelled"),
    ],
)
def test_states_a_person_should_look_at(
    tuned: Pipeline, provider: ProviderServer, statuses: list[str], state: str, attention: str
) -> None:
    provider.state.statuses = statuses
    run, _ = tuning.start(tuned)
    assert run is not None
    tuning.submit(tuned, run, open_provider(tuned.settings))
    looks = [one for _ in range(3) for one in follow(tuned)]
    assert looks[-1].run.entry.state == state
    assert attention in (looks[-1].attention or "")
    assert registry.models(tuned.database) == []
    provider.state.statuses = ["succeeded"]
    if state == "following":  # it goes on where it is
        [looked] = follow(tuned)
        assert looked.run.entry.state == "succeeded"
    else:  # it is over and paid for: another one is another decision
        assert "the run is in the ledger already" in "; ".join(tuning.consider(tuned).refusals)
        patient = Pipeline(replace(tuned.settings, tuning_cooldown_days=0), NOW)
        another, considered = tuning.start(patient, seed=1, asked=True)
        assert another is not None, considered.refusals
    assert provider.posts(JOBS) == 1


def test_a_trainer_on_this_machine_makes_a_model(database: Database, tmp_path: Path) -> None:
    trainer = "import pathlib, sys; out = pathlib.Path(sys.argv[2]); out.mkdir(); "
    trainer += "(out / 'lines').write_text(str(len(open(sys.argv[1]).readlines())))"
    command = shlex.join([sys.executable, "-c", trainer, "{training_file}", "{output}"])
    given = {"FEEDBACK_TUNING_PROVIDER": "local", "FEEDBACK_TUNING_COMMAND": command}
    pipeline = pipeline_for(tmp_path / "home", database, **given)
    approvals.record(pipeline, approvals.DATASET, with_dataset(pipeline), "approved", approver="ada")
    run, considered = tuning.start(pipeline)
    assert run is not None, considered.refusals
    tuning.submit(pipeline, run, open_provider(pipeline.settings))
    deadline = time.monotonic() + 120
    while follow(pipeline) and time.monotonic() < deadline:
        time.sleep(0.05)
    [run] = Ledger(database).runs()
    assert run.entry.state == "succeeded", run.entry.reason
    model = registry.model_named(database, run.entry.fine_tuned_model or "")
    assert (model.provider, model.base, model.state) == ("local", "gpt-4.1-mini", "candidate")
    assert (Path(model.name) / "lines").read_text() == str(EXAMPLES)
    assert Ledger(database).spent_usd(NOW.replace(day=1)) == 0.0


def test_a_job_that_vanishes_is_given_up_after_three_looks_and_its_cost_stays_counted(
    tuned: Pipeline, provider: ProviderServer
) -> None:
    run, considered = tuning.start(tuned)
    assert run is not None
    tuning.submit(tuned, run, open_provider(tuned.settings))
    provider.state.jobs.clear()
    assert [one.run.entry.state for _ in range(3) for one in follow(tuned)] == ["following", "following", "lost"]
    assert Ledger(tuned.database).spent_usd(NOW.replace(day=1)) == pytest.approx(considered.highest_usd)
    assert follow(tuned) == []


class Crash(BaseException):
    """The process dies here."""


class Dying:
    """A provider and a ledger that die before or after the n-th thing they do, for every n given."""

    def __init__(self, provider: Provider, deaths: dict[int, bool]) -> None:
        self.provider, self.deaths, self.acts = provider, deaths, itertools.count()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.provider, name)
        return self.around(found) if callable(found) else found

    def around(self, act: Callable[..., Any]) -> Callable[..., Any]:
        def dying(*given: Any, **named: Any) -> Any:
            after = self.deaths.get(next(self.acts))
            if after is False:
                raise Crash
            result = act(*given, **named)
            if after:
                raise Crash
            return result

        return dying


@dataclass
class Bill:
    """What runs came to at the provider and in the ledger."""

    runs: int = 0
    deaths: int = 0
    uploads: int = 0
    jobs: int = 0
    charged_usd: float = 0.0


def lived_through(
    pipeline: Pipeline, provider: ProviderServer, monkeypatch: pytest.MonkeyPatch, deaths: dict[int, bool], bill: Bill
) -> None:
    """Takes a run to its end in as many lives as it needs and two more, and adds what it came to to the bill."""
    dying = Dying(open_provider(pipeline.settings), deaths)
    save, ledger = Ledger.save, Ledger(pipeline.database)
    moment, lives_after = NOW, 0
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "save", lambda *given: dying.around(save)(*given))
        for _ in range(3 * len(deaths) + 16):
            own = Pipeline(pipeline.settings, moment)
            own.__dict__["database"] = pipeline.database
            moment += ADOPTION_GRACE + dt.timedelta(minutes=1)
            try:
                run, _ = tuning.start(own)
                if run is not None:
                    tuning.submit(own, run, dying)  # type: ignore[arg-type]
                follow(own, lambda _: dying)  # type: ignore[arg-type, return-value]
            except Crash:
                bill.deaths += 1
                continue
            lives_after += any(one.over for one in ledger.runs())
            if lives_after == 3:
                break
    [run] = ledger.runs()
    assert run.entry.state == "succeeded"
    assert len(provider.state.files) == provider.posts(FILES) == 2
    assert len(provider.state.jobs) == provider.posts(JOBS) == 1
    assert run.charged_usd == pytest.approx(1234 * 5 / 1_000_000)
    bill.runs += 1
    bill.uploads += provider.posts(FILES)
    bill.jobs += provider.posts(JOBS)
    bill.charged_usd += ledger.spent_usd(NOW.replace(day=1))


def forget_runs(pipeline: Pipeline, provider: ProviderServer) -> None:
    """Empties the ledger and the provider, as before the first run."""
    provider.reset()
    with psycopg.connect(pipeline.database.address()) as connection:
        connection.execute("TRUNCATE fine_tune_job, fine_tune_event, model, model_evaluation, model_alias, model_event")


STEPS = 17
"""Things that a run does to provider and ledger, each of which is the last one of its process once."""


@pytest.fixture
def few(provider: ProviderServer, database: Database, tmp_path: Path) -> Pipeline:
    """An approved dataset of a dozen examples, which is looked at quickly."""
    pipeline = pipeline_for(tmp_path / "home", database, provider.url, FEEDBACK_TUNING_EXAMPLES="10")
    approvals.record(pipeline, approvals.DATASET, with_dataset(pipeline, examples=12), "approved", approver="ada")
    return pipeline


def test_a_crash_at_any_step_uploads_and_pays_once(
    few: Pipeline, provider: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before or after each step in turn, then the other way round; from the 35th run on, which FEEDBACK_TEST_CRASHES
    asks for, at further steps too."""
    bill = Bill()
    wanted = int(os.environ.get("FEEDBACK_TEST_CRASHES") or STEPS)
    for number in range(wanted):
        forget_runs(few, provider)
        chance = random.Random(number)
        deaths = {step: chance.random() < 0.5 for step in range(40) if number >= 2 * STEPS and chance.random() < 0.2}
        deaths |= {number % STEPS: bool((number + number // STEPS) % 2)}
        lived_through(few, provider, monkeypatch, deaths, bill)
    print(bill)
    assert bill.deaths >= bill.runs == bill.jobs == wanted
    assert bill.uploads == 2 * wanted
    assert bill.charged_usd == pytest.approx(wanted * 1234 * 5 / 1_000_000)


def test_a_run_that_dies_again_and_again_pays_once(
    few: Pipeline, provider: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    bill = Bill()
    lived_through(few, provider, monkeypatch, {step: bool(step % 2) for step in range(20)}, bill)
    assert (bill.deaths, bill.uploads, bill.jobs) == (20, 2, 1)


@pytest.mark.parametrize("path", [FILES, JOBS])
@pytest.mark.parametrize("kind", ["fail", "lose", 429, 401])
def test_a_provider_that_answers_badly_is_asked_again_and_paid_once(
    tuned: Pipeline, provider: ProviderServer, path: str, kind: str | int
) -> None:
    provider.state.faults[("POST", path)] = kind
    run, _ = tuning.start(tuned)
    assert run is not None
    for hours in range(12):
        follow(Pipeline(tuned.settings, NOW + dt.timedelta(hours=hours)))
    [run] = Ledger(tuned.database).runs()
    assert run.entry.state == "succeeded"
    assert len(provider.state.jobs) == 1
    assert {file["filename"] for file in provider.state.files.values()} == {
        f"{file.sha256}.jsonl" for file in (run.request.training, run.request.validation) if file
    }


def test_two_daemons_at_once_upload_and_create_once(tuned: Pipeline, provider: ProviderServer) -> None:
    chance = random.Random(5)
    begin = threading.Barrier(3)
    failures: list[BaseException] = []

    def daemon(delay: float) -> None:
        own = Pipeline(Settings.from_environment({**_environment(tuned, provider)}), NOW)
        try:
            begin.wait()
            for _ in range(6):
                run, _ = tuning.start(own)
                if run is not None:
                    tuning.submit(own, run, open_provider(own.settings))
                follow(own)
                threading.Event().wait(delay)
        except BaseException as error:  # noqa: BLE001 (told to the test)
            failures.append(error)
        finally:
            own.database.engine.dispose()

    threads = [threading.Thread(target=daemon, args=(chance.random() / 100,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    follow(tuned)
    [run] = Ledger(tuned.database).runs()
    assert run.entry.fine_tuned_model == TUNED
    assert (len(provider.state.files), provider.posts(FILES), provider.posts(JOBS)) == (2, 2, 1)


def _environment(pipeline: Pipeline, provider: ProviderServer) -> dict[str, str]:
    home = pipeline.settings.home
    return {
        "FEEDBACK_HOME": str(home), "FEEDBACK_DATABASE_URL": pipeline.database.url,
        "FEEDBACK_TUNING_MODEL": "gpt-4.1-mini", "FEEDBACK_TUNING_PROVIDER": "openai",
        "FEEDBACK_TUNING_BASE_URL": provider.url, "OPENAI_API_KEY": "test", "FEEDBACK_TUNING_BUDGET": "10",
        "FEEDBACK_TUNING_PRICES": str(home / "prices.yaml"),
    }  # fmt: skip


def test_a_run_of_another_provider_waits_for_it(
    tuned: Pipeline, provider: ProviderServer, database: Database, tmp_path: Path
) -> None:
    run, _ = tuning.start(tuned)
    assert run is not None
    other = pipeline_for(tmp_path / "home", database)
    [looked] = follow(other)
    assert "go on with a run of 127.0.0.1" in (looked.problem or "")
    assert provider.posts(FILES) == 0
