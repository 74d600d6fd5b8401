"""Runs in this process: of the same jobs and the same code location as the daemon's, and settled when it is killed.

A foreground run holds a lock of the store for as long as its process lives. A run that is under way and whose lock is
free has lost its process: whoever looks next says so, so that it does not hold a place in the queue for hours.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import create_execution_plan, execute_run
from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from assets import interruption
from feedback_pipeline.settings import project_root
from feedback_pipeline.store import locks
from feedback_pipeline.store.database import Database

LOCATION = "feedback_pipeline"
BY = "feedback/by"
"""Tag of foreground runs: the command's token, of eight characters."""

LOOP_OF = "feedback/loop_of"
"""Tag of foreground runs where asset keys have a prefix: that prefix."""

UNDER_WAY = [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED,
             dg.DagsterRunStatus.CANCELING]  # fmt: skip

Report = Callable[[str], None]


class InterruptedRunError(Exception):
    """A person asked the command to stop; the run under way ended where it was."""


@contextmanager
def command(database: Database) -> Iterator[str]:
    """One command that starts runs: gives its token, whose lock is held until it ends."""
    token = uuid4().hex[:8]
    with locks.waited_for(database.engine, locks.Space.COMMAND, token):
        yield token


def execute(
    job: dg.JobDefinition, instance: dg.DagsterInstance, tags: Mapping[str, str], token: str, of: str = ""
) -> dg.DagsterRun:
    """Runs a job here; returns the run as it ended.

    Raises:
        InterruptedRunError: the run was stopped by a signal.
    """
    plan = create_execution_plan(job)
    known_as = {BY: token, **({LOOP_OF: of} if of else {})}
    run = instance.create_run_for_job(
        job_def=job, execution_plan=plan, tags={**job.run_tags, **tags, **known_as}, run_config=LOGGING,
        remote_job_origin=_origin().get_job_origin(job.name),
    )  # fmt: skip
    execute_run(InMemoryJob(job), run, instance, raise_on_error=False)
    if interruption.asked.is_set():
        raise InterruptedRunError
    ended = instance.get_run_by_id(run.run_id)
    assert ended is not None
    return ended


LOGGING: dict[str, Any] = {"loggers": {"console": {}}}
"""What a run is configured with to report to the command's logger alone."""


def interruptible(work: Callable[[], Any], report: Report) -> Any:
    """Does some work so that a first signal (Ctrl-C, SIGTERM) lets the partition under way end and stops there, and a
    second one ends the process at once.

    The work is done in a thread: in the main one Dagster would take the signal for itself and go on with the next run.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    outcome: dict[str, Any] = {}

    def run() -> None:
        try:
            outcome["value"] = work()
        except BaseException as error:  # noqa: BLE001 (raised again below)
            outcome["error"] = error

    def stop(number: int, _: object) -> None:
        if interruption.asked.is_set():
            report("stopped at once")
            sys.stdout.flush()
            os._exit(128 + number)
        interruption.asked.set()
        report("stopping after what is being computed now; once more to stop at once")

    interruption.asked.clear()
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    worker = threading.Thread(target=run, name="foreground runs", daemon=True)
    try:
        worker.start()
        while worker.is_alive():
            worker.join(0.1)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        interruption.asked.clear()
    if "error" in outcome:
        raise outcome["error"]
    return outcome["value"]


def settle_orphans(instance: dg.DagsterInstance, database: Database, of: str = "") -> list[str]:
    """Says of every run whose process is gone that it was stopped; returns their ids.

    A foreground run's process holds a lock; a run that the daemon launched on this machine names its process.

    Args:
        instance: where the runs are.
        database: the store, with the locks.
        of: the prefix of this loop's asset keys, where several share the instance.
    """
    settled = []
    for run in instance.get_runs(dg.RunsFilter(statuses=UNDER_WAY)):
        token = run.tags.get(BY)
        if token is not None and run.tags.get(LOOP_OF, "") != of:
            continue  # of another loop of the instance: its lock is in a store of its own
        if token is not None and not locks.is_free(database.engine, locks.Space.COMMAND, token):
            continue
        if token is None and not _worker_is_gone(instance, run):
            continue
        instance.report_run_canceled(run, message="Its process ended without saying so; what it had written stays.")
        settled.append(run.run_id)
    return settled


def _worker_is_gone(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether the process of a launched run has ended: known only of processes of this machine."""
    if run.status != dg.DagsterRunStatus.STARTED or not sys.platform.startswith("linux"):
        return False
    if type(instance.run_launcher).__name__ != "DefaultRunLauncher":
        return False
    records = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT).records
    pids = [
        str(event.engine_event_data.metadata["pid"].value)
        for record in records
        if (event := record.event_log_entry.dagster_event) is not None and "pid" in event.engine_event_data.metadata
    ]
    return bool(pids) and not any(_is_alive(pid) for pid in pids)


def _is_alive(pid: str) -> bool:
    try:
        state = (Path("/proc") / pid / "stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def _origin() -> RemoteRepositoryOrigin:
    """Where the UI looks for the runs of our jobs."""
    target = LoadableTargetOrigin(
        executable_path=sys.executable, module_name="feedback_pipeline.definitions",
        working_directory=str(project_root()),
    )  # fmt: skip
    return RemoteRepositoryOrigin(ManagedGrpcPythonEnvCodeLocationOrigin(target, LOCATION), "__repository__")
