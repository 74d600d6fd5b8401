"""What providers answer beside yes: not yet, no money, no events, no metadata, page after page."""

import datetime as dt

import pytest

from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.tuning import tuning
from feedback_pipeline.tuning.configured import open_provider
from feedback_pipeline.tuning.following import follow
from feedback_pipeline.tuning.providers.ledger import ADOPTION_GRACE, WAIT_AT_MOST
from feedback_pipeline.tuning.runs import Ledger, Run
from tests.support.provider_server import ProviderServer
from tests.support.tuning_world import NOW, TUNED

FILES, JOBS = "/v1/files", "/v1/fine_tuning/jobs"
NOT_READY = (400, None, "File 'file-0' is still being processed and is not ready to be used.")


def submitted(pipeline: Pipeline) -> Run:
    run, considered = tuning.start(pipeline)
    assert run is not None, considered.refusals
    return tuning.submit(pipeline, run, open_provider(pipeline.settings))


def later(pipeline: Pipeline, length: dt.timedelta) -> Pipeline:
    return Pipeline(pipeline.settings, NOW + length)


def test_an_upload_that_is_not_ready_waits_with_the_reason_and_trains_at_the_next_look(
    tuned: Pipeline, provider: ProviderServer
) -> None:
    provider.state.faults[("POST", JOBS)] = NOT_READY
    run = submitted(tuned)
    assert run.entry.state == "uploaded"
    assert run.entry.reason == "127.0.0.1 could not create a job: 400 (not ready yet)"
    assert "file-0" not in run.entry.reason  # the provider's words may quote what was sent
    [looked] = follow(tuned)
    assert (looked.run.entry.state, looked.run.entry.reason) == ("following", None)
    assert len(provider.state.jobs) == 1


def test_an_upload_that_is_never_ready_is_given_up_after_a_day(tuned: Pipeline, provider: ProviderServer) -> None:
    for hours in (0, 23, 25):
        provider.state.faults[("POST", JOBS)] = NOT_READY
        run = submitted(tuned) if hours == 0 else follow(later(tuned, dt.timedelta(hours=hours)))[0].run
        assert run.entry.state == ("refused" if hours == 25 else "uploaded")
    assert "for more than 1 day" in (run.entry.reason or "")
    assert provider.state.jobs == {}


@pytest.mark.parametrize(
    ("path", "act", "status", "code"),
    [
        (JOBS, "create a job", 429, "insufficient_quota"),
        (JOBS, "create a job", 403, "permission_denied"),
        (FILES, "upload a file", 403, "permission_denied"),
        (FILES, "upload a file", 401, "invalid_api_key"),
    ],
)
def test_what_a_provider_will_not_do_now_is_the_runs_reason(
    tuned: Pipeline, provider: ProviderServer, path: str, act: str, status: int, code: str
) -> None:
    provider.state.faults[("POST", path)] = (status, code, "You have SECRETWORD left")
    run = submitted(tuned)
    assert run.entry.state == ("uploading" if path == FILES else "uploaded")
    assert run.entry.reason == f"127.0.0.1 could not {act}: {status} {code}"
    for _ in range(3):
        follow(tuned)
    [run] = Ledger(tuned.database).runs()
    assert run.entry.state in ("following", "succeeded")
    assert run.entry.reason is None
    assert provider.posts(JOBS) == (1 if path == FILES else 2)


def test_a_failed_job_says_its_code_and_the_field(tuned: Pipeline, provider: ProviderServer) -> None:
    provider.state.statuses = ["failed"]
    provider.state.failure = {"code": "invalid_training_file", "message": "SECRETWORD", "param": "training_file"}
    submitted(tuned)
    [looked] = follow(tuned)
    assert looked.attention == "failed: invalid_training_file (training_file)"


@pytest.mark.parametrize("status", [404, 501])
def test_a_server_without_events_is_followed_to_the_model(
    tuned: Pipeline, provider: ProviderServer, status: int
) -> None:
    submitted(tuned)
    [job] = provider.state.jobs
    for _ in range(3):
        provider.state.faults[("GET", f"{JOBS}/{job}/events")] = status
        [looked] = follow(tuned) or [None]
    assert looked is not None
    assert looked.run.entry.fine_tuned_model == TUNED


def test_a_job_that_is_not_begun_in_a_day_is_cancelled(tuned: Pipeline, provider: ProviderServer) -> None:
    provider.state.statuses = ["validating_files"]
    submitted(tuned)
    [looked] = follow(later(tuned, WAIT_AT_MOST - dt.timedelta(hours=1)))
    assert (looked.run.entry.state, looked.attention) == ("following", None)
    [looked] = follow(later(tuned, WAIT_AT_MOST + dt.timedelta(hours=1)))
    assert "not begun after 1 day (validating_files)" in (looked.attention or "")
    [looked] = follow(later(tuned, WAIT_AT_MOST + dt.timedelta(hours=2)))
    assert looked.run.entry.state == "cancelled"
    assert "not begun after 1 day" in (looked.attention or "")
    assert provider.state.requests.count(f"POST {JOBS}/job-0/cancel") == 1


def test_a_server_that_keeps_no_metadata_and_answers_500_is_not_paid_twice(
    tuned: Pipeline, provider: ProviderServer
) -> None:
    """Another project's job of the same model is not taken for ours, an older one of ours neither."""
    provider.state.keeps_metadata = False
    provider.state.created_at = int(NOW.timestamp()) - 30
    job = {"object": "fine_tuning.job", "status": "running", "hyperparameters": {}, "organization_id": "o",
           "result_files": [], "seed": 0, "polls": 0, "model": "gpt-4.1-mini"}  # fmt: skip
    theirs = {**job, "id": "theirs", "training_file": "file-9", "created_at": int(NOW.timestamp())}
    old = {**job, "id": "old", "training_file": "file-0", "created_at": 1_700_000_000}
    provider.state.jobs |= {"theirs": theirs, "old": old}
    provider.state.faults[("POST", JOBS)] = "lose"
    run, _ = tuning.start(tuned)
    assert run is not None
    follow(tuned)
    for minutes in (1, 12, 24, 36):
        follow(later(tuned, ADOPTION_GRACE + dt.timedelta(minutes=minutes)))
    [run] = Ledger(tuned.database).runs()
    assert run.entry.job_id == "job-2"
    assert provider.posts(JOBS) == 1


@pytest.mark.parametrize("turns", [True, False])
def test_files_and_jobs_are_found_on_later_pages_and_endless_lists_end(
    tuned: Pipeline, provider: ProviderServer, turns: bool
) -> None:
    first = submitted(tuned)
    assert first.entry.job_id == "job-0"
    provider.state.page, provider.state.turns_pages = 1, turns
    [training, validation] = [first.request.training, first.request.validation]
    assert validation is not None
    found = open_provider(tuned.settings)
    assert found.find_file(training) == "file-0"
    assert found.find_file(validation) == ("file-1" if turns else None)
    provider.state.events = [
        {"id": f"e{step}", "object": "fine_tuning.job.event", "created_at": step, "level": "info", "message": "",
         "type": "metrics", "data": {"step": step, "train_loss": 1.0 / step}}
        for step in (1, 2, 3)
    ]  # fmt: skip
    assert len(found.poll("job-0").losses) == (3 if turns else 1)


def test_the_suffix_is_the_runs_own(tuned: Pipeline, provider: ProviderServer) -> None:
    run = submitted(tuned)
    [job] = provider.state.jobs.values()
    assert job["suffix"] == f"feedback-20261109-{run.entry.key[:8]}"
