"""Runs that failed, hang or never came: whoever gets alerts hears of each cause once a day, with what to do."""

import hashlib
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import dagster as dg

from feedback_pipeline.alerting.channels import configured_channels
from feedback_pipeline.alerting.messages import Message, for_chat
from feedback_pipeline.alerting.notifications import send_once
from feedback_pipeline.calendar import monday_of
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.store import computed
from jobs.foreground import BY

MAX_RUN_HOURS = 3
HOURS_UNTIL_OVERDUE = 6
"""After the end of a day or week."""
_DATE_OR_ID = re.compile(r"\d{4}-\d\d-\d\d|[0-9a-f]{8}-[0-9a-f-]{27}|:\d+\b")


def failure_sensor(status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """Tells the alert channels of a run that failed."""

    @dg.run_failure_sensor(
        name="run_failures",
        default_status=status,
        minimum_interval_seconds=30,
        description="Tells the alert channels (FEEDBACK_ALERT_WEBHOOK, FEEDBACK_SMTP_URL) that a run failed: each "
        "cause once a day, with what to do. Dates, ids and line numbers do not make a cause another.",
    )
    def run_failures(context: dg.RunFailureSensorContext, pipeline: dg.ResourceParam[Pipeline]) -> Any:
        run = context.dagster_run
        if BY in run.tags:
            return dg.SkipReason("whoever ran the command was told by it")
        causes = [_cause(event) for event in context.get_step_failure_events()]
        cause = next((one for one in causes if one), context.failure_event.message or "no step said why")
        said = _tell(pipeline, f"{run.job_name} failed", cause, f"run {run.run_id}")
        return dg.SkipReason(said)

    return run_failures


def watch_sensor(jobs: Sequence[Any], status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """Tells the alert channels of runs that hang and of days and weeks that are overdue."""

    @dg.sensor(
        jobs=list(jobs),
        name="overdue",
        default_status=status,
        minimum_interval_seconds=600,
        description=f"Tells the alert channels of runs under way for {MAX_RUN_HOURS} hours, and of a day or week that "
        f"is not computed {HOURS_UNTIL_OVERDUE} hours after its end. Each once a day.",
    )
    def overdue(context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[Pipeline]) -> Any:
        found = [*_hanging(context.instance, pipeline), *_overdue(pipeline)]
        said = [_tell(pipeline, what, why, where) for what, why, where in found]
        return dg.SkipReason("; ".join(said) or "nothing is overdue")

    return overdue


def _hanging(instance: dg.DagsterInstance, pipeline: Pipeline) -> list[tuple[str, str, str]]:
    records = instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    limit = pipeline.now().timestamp() - MAX_RUN_HOURS * 3600
    return [
        (f"{one.dagster_run.job_name} hangs", f"it has been running for more than {MAX_RUN_HOURS} hours",
         f"run {one.dagster_run.run_id}")
        for one in records if one.start_time is not None and one.start_time < limit
    ]  # fmt: skip


def _overdue(pipeline: Pipeline) -> list[tuple[str, str, str]]:
    now = pipeline.now() - timedelta(hours=HOURS_UNTIL_OVERDUE)
    today = now.astimezone(pipeline.settings.zone).date()
    wanted = {"clean_feedback": today - timedelta(days=1), "weekly_report": monday_of(today) - timedelta(weeks=1)}
    found = []
    for asset, partition in wanted.items():
        if partition < pipeline.settings.start:
            continue
        missing = computed.state(pipeline.database, asset, partition)
        if missing is not None:
            found.append((f"{asset} is overdue", missing, str(partition)))
    return found


def _cause(event: dg.DagsterEvent) -> str | None:
    failure = event.step_failure_data.user_failure_data
    if failure is not None and failure.description:
        return failure.description.splitlines()[-1]
    error = event.step_failure_data.error
    # its words may quote a text of a user
    return None if error is None else f"{event.step_key}: {error.cls_name or 'an error'}"


def _tell(pipeline: Pipeline, what: str, why: str, where: str) -> str:
    cause = hashlib.sha256(_DATE_OR_ID.sub("", f"{what} {why}").encode()).hexdigest()[:16]
    headline = f"[feedback] {what}"
    advice = (
        "Look at it in the Dagster UI, under Runs; feedback status says what waits, and feedback materialize tries it "
        "again."
    )
    plain = f"{what}: {why} ({where}).\n{advice}"
    message = Message(
        subject=f"run:{cause}:{pipeline.today()}", headline=headline, chat=for_chat(plain), plain=plain,
        line=" ".join(plain.split()),
    )  # fmt: skip
    sent = send_once(pipeline.database, configured_channels(pipeline.settings), message, now=pipeline.now())
    return f"{what}: {'; '.join(sent.problems) or f'told {sent.sent} channels'}"
