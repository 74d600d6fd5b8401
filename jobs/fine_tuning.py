"""Fine-tuning in Dagster: the trigger (monthly or by volume), and the sensor that follows runs to a promotion."""

from typing import Any

import dagster as dg

from assets.keys import key_of
from assets.models import FINE_TUNED_MODEL
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.tuning import approvals, registry, tuning
from feedback_pipeline.tuning.following import Followed, follow
from feedback_pipeline.tuning.providers.protocol import ProviderError
from feedback_pipeline.tuning.routing import write_router_entry
from feedback_pipeline.tuning.runs import Ledger, Run

FINE_TUNE, EVALUATE, PROMOTE = "fine_tune", "evaluate_candidate", "promote_model"
RUN_ID = "run"


def fine_tuning_jobs(executor: dg.ExecutorDefinition, settings: Settings) -> dict[str, Any]:
    """A job for each of the steps that only run when asked for."""
    return {
        name: dg.define_asset_job(
            name, selection=[key_of(settings, asset)], description=description, executor_def=executor
        )
        for name, asset, description in (
            (FINE_TUNE, "fine_tune_job", "Starts a training run of the newest closed week, where nothing forbids it."),
            (EVALUATE, "candidate_evaluation", "Compares a week's candidate with the model that answers now."),
            (PROMOTE, "promoted_model", "Lets an approved candidate answer."),
        )
    }


def fine_tuning_sensors(jobs: dict[str, Any], *, starts: bool, follows: bool) -> list[dg.SensorDefinition]:
    """Both sensors.

    Args:
        jobs: of `fine_tuning_jobs`.
        starts: runs may start by themselves: a provider is configured.
        follows: runs that were started are followed.
    """
    return [_upload_sensor(jobs[FINE_TUNE], starts), _progress_sensor([jobs[EVALUATE], jobs[PROMOTE]], follows)]


def _status(running: bool) -> dg.DefaultSensorStatus:
    return dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED


def _upload_sensor(job: Any, running: bool) -> dg.SensorDefinition:
    """Looks hourly whether it is time to train: a quarter more examples than last time, or a month since."""

    @dg.sensor(job=job, minimum_interval_seconds=3600, default_status=_status(running), name="fine_tune_upload")
    def fine_tune_upload(context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[Pipeline]) -> Any:
        try:
            found = tuning.consider(pipeline)
        except ProviderError as error:
            return dg.SkipReason(str(error))
        if found.refusals:
            return dg.SkipReason("; ".join(found.refusals))
        if not found.due:
            return dg.SkipReason(found.advice)
        # one try a day: the ledger, not the key, keeps a run from being made twice
        run_key = f"fine_tune:{found.key}:{pipeline.today()}"
        return dg.RunRequest(run_key=run_key, partition_key=found.week.isoformat())

    return fine_tune_upload


def _progress_sensor(jobs: list[Any], running: bool) -> dg.SensorDefinition:
    """Takes every open run one step further and reports it; asks for the evaluation of new candidates and for the
    promotion of approved ones; takes models out of service that have ended.

    What was reported is looked up in the event log, so that a crash between a step and its report loses nothing.
    """

    @dg.sensor(jobs=jobs, minimum_interval_seconds=30, default_status=_status(running), name="fine_tune_progress")
    def fine_tune_progress(
        context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[Pipeline]
    ) -> dg.SensorResult:
        looked = follow(pipeline, due_only=True)
        for one in looked:
            if said := one.problem or one.attention:
                context.log.warning(f"fine-tune {one.run.entry.key[:12]}: {said}")
        events: list[Any] = [_observation(one, pipeline.settings) for one in looked if one.changed or one.problem]
        made = [run for run in Ledger(pipeline.database).runs() if run.entry.fine_tuned_model]
        unreported = [run for run in made if not _reported(context.instance, pipeline.settings, run)]
        events += [_materialization(pipeline.settings, run) for run in unreported]
        if (changed := registry.expire(pipeline)) is not None:
            write_router_entry(pipeline.frames, changed)
        for warning in registry.expiry_warnings(pipeline.database, pipeline.today()):
            context.log.warning(warning)
        events += _rollbacks(context.instance, pipeline)
        return dg.SensorResult(asset_events=events, run_requests=_requests(pipeline))

    return fine_tune_progress


def _requests(pipeline: Pipeline) -> list[dg.RunRequest]:
    """Evaluations of candidates that have none, promotions of candidates whose evaluation a person approved."""
    requests = []
    for model in registry.models(pipeline.database):
        if model.kind != "model" or model.state not in ("candidate", "promoted") or model.week is None:
            continue
        partition = model.week.isoformat()
        if model.evaluation is None:
            key = f"evaluate:{model.name}:{pipeline.today()}"
            requests.append(dg.RunRequest(run_key=key, job_name=EVALUATE, partition_key=partition))
        elif model.state == "promoted" or not registry.promotion_problems(pipeline, model):
            # where a person's command promoted it already, the asset only says so; the key keeps it from repeating
            approval = approvals.newest(pipeline, approvals.model_subject(model.name))
            key = f"promote:{model.name}:{approval.id if approval else 0}"
            requests.append(dg.RunRequest(run_key=key, job_name=PROMOTE, partition_key=partition))
    return requests


def _rollbacks(instance: dg.DagsterInstance, pipeline: Pipeline) -> list[dg.AssetObservation]:
    """Rollbacks that the event log does not know of yet."""
    rolled_back = [event for event in registry.history(pipeline.database) if event["event"] == "rolled_back"]
    if not rolled_back:
        return []
    known = {
        record.asset_observation.metadata["event_id"].value
        for record in instance.fetch_observations(key_of(pipeline.settings, "promoted_model"), limit=1000).records
        if record.asset_observation is not None and "event_id" in record.asset_observation.metadata
    }
    weeks = {model.name: model.week for model in registry.models(pipeline.database)}
    events = []
    for event in rolled_back:
        week = weeks.get(event["previous"]) or weeks.get(event["model"])
        if event["id"] in known or week is None:
            continue
        metadata = {"event_id": event["id"], "event": "rolled back", "answers_now": event["model"],
                    "answered_before": event["previous"], "at": event["at"].isoformat()}  # fmt: skip
        said = {name: value for name, value in metadata.items() if value is not None}
        events.append(
            dg.AssetObservation(key_of(pipeline.settings, "promoted_model"), partition=week.isoformat(), metadata=said)
        )
    return events


def _observation(one: Followed, settings: Settings) -> dg.AssetObservation:
    run = one.run
    metadata: dict[str, Any] = {
        RUN_ID: run.entry.key, "provider": run.provider, "state": run.entry.state,
        "reported": run.entry.reported or "", "job": run.entry.job_id or "", "steps": len(run.losses),
    }  # fmt: skip
    if run.losses:
        metadata["loss"] = dg.MetadataValue.md(_loss_table(run))
        last = run.losses[-1]
        losses = {"train_loss": last.train_loss, "validation_loss": last.validation_loss}
        metadata |= {name: value for name, value in losses.items() if value is not None}
    if said := one.problem or one.attention:
        metadata["attention"] = said
    # what a trainer on this machine writes; named and not quoted, as it may show lines it trains on
    log = settings.home / "training_runs" / (run.entry.job_id or "-") / "output.log"
    if log.exists():
        metadata["log"] = dg.MetadataValue.path(str(log))
    return dg.AssetObservation(key_of(settings, "fine_tune_job"), partition=run.week.isoformat(), metadata=metadata)


def _materialization(settings: Settings, run: Run) -> dg.AssetMaterialization:
    metadata = {
        RUN_ID: run.entry.key, "model": run.entry.fine_tuned_model, "dataset": run.request.dataset_id,
        "trained_tokens": run.entry.trained_tokens, "charged_usd": run.charged_usd,
    }  # fmt: skip
    known = {name: value for name, value in metadata.items() if value is not None}
    return dg.AssetMaterialization(key_of(settings, FINE_TUNED_MODEL), partition=run.week.isoformat(), metadata=known)


def _reported(instance: dg.DagsterInstance, settings: Settings, run: Run) -> bool:
    wanted = dg.AssetRecordsFilter(key_of(settings, FINE_TUNED_MODEL), asset_partitions=[run.week.isoformat()])
    records = instance.fetch_materializations(wanted, limit=100).records
    found = (record.asset_materialization for record in records)
    return any(one is not None and one.metadata[RUN_ID].value == run.entry.key for one in found)


def _loss_table(run: Run) -> str:
    shown = run.losses[:: max(1, len(run.losses) // 50)]
    lines = [f"| {point.step} | {_number(point.train_loss)} | {_number(point.validation_loss)} |" for point in shown]
    return "\n".join(["| step | train | validation |", "|---|---|---|", *lines])


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
