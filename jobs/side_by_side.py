"""Steps of a run side by side in one process: while one waits for the store or computes on one core, the next is under
way. Dagster has an executor for one step at a time and one that starts a process for each.

The events, their order within a step and what follows a failure are Dagster's own; the steps run in threads, and the
loop below hands what they say to the run.
"""

import os
import queue
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.events import DagsterEvent, EngineEventData
from dagster._core.execution.api import ExecuteRunWithPlanIterable
from dagster._core.execution.compute_logs import create_compute_log_file_key
from dagster._core.execution.context.system import (
    PlanExecutionContext,
    PlanOrchestrationContext,
    StepExecutionContext,
)
from dagster._core.execution.context_creation_job import PlanExecutionContextManager
from dagster._core.execution.plan.active import ActiveExecution
from dagster._core.execution.plan.execute_plan import (
    _handle_compute_log_setup_error,
    _handle_compute_log_teardown_error,
    _trigger_hook,
    dagster_event_sequence_for_step,
)
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.plan.step import ExecutionStep
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.base import Executor

from assets import interruption
from assets.building import SIDE_BY_SIDE, cores
from assets.step_sizes import size_of

_LOOKS_EVERY = 0.2
"""Seconds after which a run that waits for its steps looks whether it is to stop, or whether another may begin."""


@dg.executor(name="side_by_side")
def side_by_side(_: dg.InitExecutorContext) -> Executor:
    """Two steps at a time, in the process of the run; a step that takes all cores has them to itself."""
    return _SideBySide()


class _SideBySide(Executor):
    @property
    def retries(self) -> RetryMode:
        return RetryMode.ENABLED

    def execute(self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
        here = EngineEventData.in_process(os.getpid(), execution_plan.step_keys_to_execute)
        yield DagsterEvent.engine_event(
            plan_context, f"Executing steps side by side in process (pid: {os.getpid()})", event_specific_data=here
        )
        yield from ExecuteRunWithPlanIterable(
            execution_plan=plan_context.execution_plan,
            iterator=_iterate,
            execution_context_manager=PlanExecutionContextManager(
                job=plan_context.job,
                retry_mode=plan_context.retry_mode,
                execution_plan=plan_context.execution_plan,
                run_config=plan_context.run_config,
                dagster_run=plan_context.dagster_run,
                instance=plan_context.instance,
                raise_on_error=plan_context.raise_on_error,
                output_capture=plan_context.output_capture,
            ),
        )
        yield DagsterEvent.engine_event(
            plan_context, f"Finished steps in process (pid: {os.getpid()})", event_specific_data=here
        )


def _iterate(job_context: PlanExecutionContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
    steps = [step.key for step in execution_plan.get_steps_to_execute_in_topo_order()]
    logs = job_context.instance.compute_log_manager
    key: str = create_compute_log_file_key()  # type: ignore[no-untyped-call]
    log_key = logs.build_log_key_for_run(job_context.run_id, key)
    with (
        InstanceConcurrencyContext(job_context.instance, job_context.dagster_run) as pools,
        execution_plan.start(
            retry_mode=job_context.retry_mode,
            max_concurrent=min(SIDE_BY_SIDE, cores()),
            instance_concurrency_context=pools,
        ) as active,
        ExitStack() as output,
    ):
        # a run whose output cannot be kept goes on, as with Dagster's own executor
        try:
            captured = output.enter_context(logs.capture_logs(log_key))
            yield DagsterEvent.capture_logs(job_context, steps, log_key, captured)
        except Exception:  # noqa: BLE001 (an event of the run says it)
            yield from _handle_compute_log_setup_error(job_context, sys.exc_info())
        yield from _Steps(job_context, active).run()
        try:
            output.close()
        except Exception:  # noqa: BLE001 (an event of the run says it)
            yield from _handle_compute_log_teardown_error(job_context, sys.exc_info())


@dataclass
class _Said:
    """What the thread of a step hands over: an event; at its end None, with what it was ended by, if by an error."""

    step: str
    event: DagsterEvent | None
    error: BaseException | None = None


@dataclass
class _Steps:
    """The steps of one run.

    Attributes:
        running: by key those whose thread is at work, each with its context and its events so far.
        said: what threads handed over and the run has not seen yet.
        error: what stops the run: raised when the steps under way have ended.
    """

    job_context: PlanExecutionContext
    active: ActiveExecution
    running: dict[str, tuple[StepExecutionContext, list[DagsterEvent]]] = field(default_factory=dict)
    said: "queue.SimpleQueue[_Said]" = field(default_factory=queue.SimpleQueue)
    error: BaseException | None = None

    def run(self) -> Iterator[DagsterEvent]:
        """The events of all steps, until every one of them ended, or those under way once one of them stops the run.

        Raises:
            DagsterExecutionInterruptedError: the run was stopped; what was under way ended where it was.
        """
        following: ExecutionStep | None = None
        while self.running or (self.error is None and not self.active.is_complete):
            if self.error is None and following is None:
                following = next(iter(self.active.get_steps_to_execute(limit=1)), None)
                yield from self.active.concurrency_event_iterator(self.job_context)
            if self.error is None and following is not None and self._has_room(following):
                self._begin(following)
                following = None
                continue
            if self.running:
                yield from self._next()
            elif following is None:
                self.active.sleep_til_ready()
            if self.error is None and self.active.check_for_interrupts():
                interruption.asked.set()
                self.active.mark_interrupted()
                self.error = DagsterExecutionInterruptedError()
        if self.error is not None:
            raise self.error

    def _has_room(self, step: ExecutionStep) -> bool:
        """Whether a step may begin beside those that run: not where it, or one of them, takes all cores."""
        # behind the prefix of the asset's key, where keys have one
        wanted = [size_of(key.rpartition("__")[2]).cores for key in (step.key, *self.running)]
        return len(wanted) == 1 or sum(wanted) <= min(SIDE_BY_SIDE, cores())

    def _begin(self, step: ExecutionStep) -> None:
        context = self.job_context.for_step(step, self.active.get_known_state())
        self.running[step.key] = (context, [])
        threading.Thread(target=self._work, args=(step.key, context), name=step.key, daemon=True).start()

    def _work(self, key: str, context: StepExecutionContext) -> None:
        try:
            for event in dagster_event_sequence_for_step(context):
                self.said.put(_Said(key, event))
        except BaseException as error:  # noqa: BLE001 (raised in the run's own thread)
            self.said.put(_Said(key, None, error))
        else:
            self.said.put(_Said(key, None))

    def _next(self) -> Iterator[DagsterEvent]:
        try:
            said = self.said.get(timeout=_LOOKS_EVERY)
        except queue.Empty:
            return
        context, events = self.running[said.step]
        if said.event is not None:
            events.append(said.event)
            yield said.event
            self.active.handle_event(said.event)
            return
        del self.running[said.step]
        if said.error is not None:
            self.error = self.error or said.error
            return
        self.active.verify_complete(self.job_context, said.step)
        for event in self.active.plan_events_iterator(self.job_context):
            events.append(event)
            yield event
        yield from _trigger_hook(context, events)


def executor_for(executor: dg.ExecutorDefinition) -> dg.ExecutorDefinition:
    """The executor of a run over one partition: where all steps are computed in its process, side by side."""
    beside: dg.ExecutorDefinition = side_by_side
    return beside if executor is dg.in_process_executor else executor
