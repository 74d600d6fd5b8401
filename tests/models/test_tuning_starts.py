"""Before and while a run is paid for: refusals with a reason, crashes at every step, two daemons, one bill."""

import datetime as dt
import itertools
import os
import random
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from provider_server import ProviderServer
from tuning_world import EXAMPLES, NOW, TUNED, WEEK, pipeline_for, with_dataset

from feedback_pipeline.models import approvals, tuning
from feedback_pipeline.models.following import follow
from feedback_pipeline.models.ledger import Ledger
from feedback_pipeline.models.providers import open_provider
from feedback_pipeline.resources import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.store.database import Database
from feedback_pipeline.training.providers.ledger import ADOPTION_GRACE
from feedback_pipeline.training.providers.protocol import Provider

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


def lived_through(
    pipeline: Pipeline, provider: ProviderServer, monkeypatch: pytest.MonkeyPatch, deaths: dict[int, bool]
) -> int:
    """Takes a run to its end in as many processes as it needs, and holds the bill against it; returns the deaths."""
    dying = Dying(open_provider(pipeline.settings), deaths)
    save = Ledger.save
    died, moment = 0, NOW
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "save", lambda *given: dying.around(save)(*given))
        for _ in range(len(deaths) + 8):
            own = Pipeline(pipeline.settings, moment)
            moment += ADOPTION_GRACE + dt.timedelta(minutes=1)
            try:
                run, _ = tuning.start(own)
                if run is not None:
                    tuning.submit(own, run, dying)  # type: ignore[arg-type]
                follow(own, lambda _: dying)  # type: ignore[arg-type, return-value]
            except Crash:
                died += 1
                continue
            finally:
                own.database.engine.dispose()
    [run] = Ledger(pipeline.database).runs()
    assert run.entry.state == "succeeded"
    assert len(provider.state.files) == provider.posts(FILES) == 2
    assert len(provider.state.jobs) == provider.posts(JOBS) == 1
    assert run.charged_usd == pytest.approx(1234 * 5 / 1_000_000)
    return died


def forget_runs(pipeline: Pipeline, provider: ProviderServer) -> None:
    """Empties the ledger and the provider, as before the first run."""
    provider.reset()
    with psycopg.connect(pipeline.database.address()) as connection:
        connection.execute("TRUNCATE fine_tune_job, fine_tune_event, model, model_evaluation, model_alias, model_event")


# a run does 17 things to provider and ledger: each of them is the last one of its process once
@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_any_step_uploads_and_pays_once(
    tuned: Pipeline, provider: ProviderServer, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    for step in range(17):
        forget_runs(tuned, provider)
        assert lived_through(tuned, provider, monkeypatch, {step: after}) == 1


def test_many_crashes_of_one_run_upload_and_pay_once(
    tuned: Pipeline, provider: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(int(os.environ.get("FEEDBACK_TEST_CRASHES") or 4)):
        chance = random.Random(seed)
        deaths = {step: chance.random() < 0.5 for step in range(40) if chance.random() < 0.25}
        forget_runs(tuned, provider)
        lived_through(tuned, provider, monkeypatch, deaths)


@pytest.mark.parametrize("path", [FILES, JOBS])
@pytest.mark.parametrize("kind", ["fail", "lose", 429, 401])
def test_a_provider_that_answers_badly_is_asked_again_and_paid_once(
    tuned: Pipeline, provider: ProviderServer, path: str, kind: str | int
) -> None:
    provider.state.faults[("POST", path)] = kind
    run, _ = tuning.start(tuned)
    assert run is not None
    for hours in range(8):
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
