"""Steps side by side in one process: at most two, heavy ones alone, and what fails or is stopped as with Dagster's own
executor."""

import threading
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
from dagster._core.errors import DagsterExecutionInterruptedError

from assets import interruption, step_sizes
from assets.step_sizes import StepSize
from feedback_pipeline.settings import Settings
from jobs import side_by_side
from jobs.location import build_definitions
from jobs.side_by_side import executor_for

PATIENCE = 120
"""Seconds a step waits for another before it gives up."""


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(side_by_side, "cores", lambda: 2)
    interruption.asked.clear()
    yield
    interruption.asked.clear()


def ran(job: dg.JobDefinition, instance: dg.DagsterInstance) -> dg.DagsterRun:
    """A run of a job by the executor it was given: `execute_in_process` would take another."""
    from dagster._core.definitions.job_base import InMemoryJob
    from dagster._core.execution.api import execute_run

    run = instance.create_run_for_job(job)
    execute_run(InMemoryJob(job), run, instance, raise_on_error=False)
    ended = instance.get_run_by_id(run.run_id)
    assert ended is not None
    return ended


def events(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[tuple[str, str | None]]:
    told = [record.dagster_event for record in instance.all_logs(run.run_id) if record.dagster_event]
    return [(event.event_type_value, event.step_key) for event in told]


def ended(instance: dg.DagsterInstance, run: dg.DagsterRun, how: str) -> set[str | None]:
    return {step for event, step in events(instance, run) if event == f"STEP_{how}"}


def a_job(*ops: Any, after: Any = None) -> dg.JobDefinition:
    @dg.job(executor_def=side_by_side.side_by_side)
    def made() -> None:
        given = [op() for op in ops]
        if after is not None:
            after(given)

    return made


def test_two_steps_are_under_way_at_once_and_what_waits_for_both_follows() -> None:
    met = threading.Barrier(2, timeout=PATIENCE)
    order: list[str] = []

    @dg.op
    def one() -> int:
        met.wait()
        return 1

    @dg.op
    def other() -> int:
        met.wait()
        return 2

    @dg.op
    def both(numbers: list[int]) -> None:
        order.append(str(sorted(numbers)))

    with dg.instance_for_test() as instance:
        run = ran(a_job(one, other, after=both), instance)
        assert run.is_success
        assert ended(instance, run, "SUCCESS") == {"one", "other", "both"}
    assert order == ["[1, 2]"]


def test_no_more_than_two_and_a_step_that_takes_all_cores_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(step_sizes.HEAVY, "heavy", StepSize(2, 4096))
    lock, working, most, beside = threading.Lock(), set(), [0], []

    def work(context: dg.OpExecutionContext) -> None:
        name = context.op.name
        with lock:
            working.add(name)
            most[0] = max(most[0], len(working))
            if "heavy" in working:
                beside.append(sorted(working))
        threading.Event().wait(0.2)
        with lock:
            working.discard(name)

    ops = [dg.op(name=name)(work) for name in ("a", "heavy", "b", "c", "d")]
    with dg.instance_for_test() as instance:
        assert ran(a_job(*ops), instance).is_success
    assert most == [2]
    assert beside == [["heavy"]]


def test_a_step_that_fails_keeps_what_follows_it_and_nothing_else() -> None:
    @dg.op
    def bad() -> int:
        raise ValueError("no such day")

    @dg.op
    def good() -> int:
        return 1

    @dg.op
    def after_bad(number: int) -> None: ...

    @dg.op
    def after_good(number: int) -> None: ...

    @dg.job(executor_def=side_by_side.side_by_side)
    def job() -> None:
        after_bad(bad())
        after_good(good())

    with dg.instance_for_test() as instance:
        run = ran(job, instance)
        assert run.status == dg.DagsterRunStatus.FAILURE
        assert ended(instance, run, "FAILURE") == {"bad"}
        assert ended(instance, run, "SUCCESS") == {"good", "after_good"}
        assert ("STEP_START", "after_bad") not in events(instance, run)


def test_a_step_is_tried_again_while_another_is_under_way() -> None:
    tries: list[int] = []
    again = threading.Event()

    @dg.op(retry_policy=dg.RetryPolicy(max_retries=1, delay=0.1))
    def flaky() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("away for a moment")
        again.set()

    @dg.op
    def long() -> None:
        assert again.wait(PATIENCE)

    with dg.instance_for_test() as instance:
        run = ran(a_job(long, flaky), instance)
        assert run.is_success
        assert ended(instance, run, "UP_FOR_RETRY") == {"flaky"}
    assert len(tries) == 2


def test_a_run_that_is_stopped_ends_what_is_under_way_and_begins_nothing_more() -> None:
    met = threading.Barrier(2, timeout=PATIENCE)
    finished: list[str] = []

    @dg.op
    def stopped() -> None:
        met.wait()
        interruption.asked.set()
        raise DagsterExecutionInterruptedError

    @dg.op
    def beside() -> None:
        met.wait()
        assert interruption.asked.wait(PATIENCE)
        finished.append("beside")

    @dg.op
    def later(numbers: list[Any]) -> None:
        finished.append("later")

    with dg.instance_for_test() as instance:
        run = ran(a_job(stopped, beside, after=later), instance)
        assert run.status in {dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}
    assert finished == ["beside"]


def test_one_core_takes_one_step_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_by_side, "cores", lambda: 1)
    lock = threading.Lock()

    def work() -> None:
        assert lock.acquire(blocking=False), "another step is under way"
        threading.Event().wait(0.05)
        lock.release()

    with dg.instance_for_test() as instance:
        assert ran(a_job(*(dg.op(name=name)(work) for name in ("a", "b", "c"))), instance).is_success


def test_only_steps_of_the_run_s_own_process_are_put_side_by_side() -> None:
    assert executor_for(dg.in_process_executor) is side_by_side.side_by_side
    assert executor_for(dg.multiprocess_executor) is dg.multiprocess_executor


@pytest.mark.parametrize(("job", "expected"), [("weekly_loop", True), ("monthly_loop", True), ("daily_loop", False)])
def test_weeks_and_months_are_computed_so(job: str, expected: bool) -> None:
    location = build_definitions(Settings.from_environment({"FEEDBACK_HOME": "/nowhere"}))
    assert (location.resolve_job_def(job).executor_def is side_by_side.side_by_side) == expected


def test_a_run_whose_output_cannot_be_kept_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    @dg.op
    def one() -> None: ...

    with dg.instance_for_test() as instance:

        def full(log_key: Any) -> Any:
            raise OSError("No space left on device")

        monkeypatch.setattr(instance.compute_log_manager, "capture_logs", full)
        run = ran(a_job(one), instance)
        assert run.is_success
        said = [record.message for record in instance.all_logs(run.run_id)]
        assert any("setting up compute log capture" in message for message in said)
