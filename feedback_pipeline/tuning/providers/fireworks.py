"""Fireworks: datasets, supervised fine-tuning and DPO jobs, under ids that we choose."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any

from feedback_pipeline.tuning.providers.files import form_of, problems_of_files
from feedback_pipeline.tuning.providers.protocol import (
    CREATE,
    JobState,
    ModelDescription,
    Preparation,
    ProviderError,
    Status,
    TrainingFile,
    TrainingRequest,
)
from feedback_pipeline.tuning.providers.rest import Rest

URL = "https://api.fireworks.ai"

_STATUSES: dict[str, Status] = {
    "JOB_STATE_CREATING": "pending", "JOB_STATE_PENDING": "pending", "JOB_STATE_VALIDATING": "pending",
    "JOB_STATE_CREATING_INPUT_DATASET": "pending", "JOB_STATE_RUNNING": "running", "JOB_STATE_WRITING_RESULTS":
    "running", "JOB_STATE_EVALUATION": "running", "JOB_STATE_ROLLOUT": "running", "JOB_STATE_POLICY_UPDATE": "running",
    "JOB_STATE_RE_QUEUEING": "running", "JOB_STATE_IDLE": "running", "JOB_STATE_PAUSED": "paused",
    "JOB_STATE_CANCELLING": "running", "JOB_STATE_DELETING": "running", "JOB_STATE_CANCELLED": "cancelled",
    "JOB_STATE_FAILED": "failed", "JOB_STATE_FAILED_CLEANING_UP": "failed", "JOB_STATE_EXPIRED": "failed",
    "JOB_STATE_COMPLETED": "succeeded", "JOB_STATE_EARLY_STOPPED": "succeeded",
}  # fmt: skip
_JOBS = {"supervised": ("supervisedFineTuningJobs", "supervisedFineTuningJobId"), "preference": ("dpoJobs", "dpoJobId")}
_ID = 40
"""Digits of a hash in the ids of datasets and jobs: 63 characters are taken."""


class Fireworks:
    """Fine-tuning with LoRA at Fireworks; supervised lines carry their weights.

    A job's id follows from its request, so that the same one cannot be created twice.

    Args:
        rest: with the key.
        account: the account's id.
        extra: further fields of a job's creation (`loraRank`, `learningRate`, …).
    """

    name = "fireworks"

    def __init__(self, rest: Rest, account: str, extra: dict[str, Any]) -> None:
        self._rest = rest
        self._account = account
        self._extra = extra

    def prepare(self, request: TrainingRequest, today: date) -> Preparation:
        """Methods it has, its account, and whether the base model is there."""
        if not self._account:
            return Preparation(("fireworks needs the account's id: set FEEDBACK_TUNING_ACCOUNT",))
        if request.method not in _JOBS:
            return Preparation((f"fireworks does not train by {request.method}: use supervised or preference",))
        if not self.describe(request.model).exists:
            return Preparation((f"fireworks knows no model {request.model}",))
        return Preparation()

    def validate(self, request: TrainingRequest) -> tuple[str, ...]:
        """Problems of the files under our own rules for the format."""
        return problems_of_files(request, form_of("fireworks", request))

    def find_file(self, file: TrainingFile) -> str | None:
        """The dataset that is named by the file's hash, once its bytes are there."""
        found = self._rest.exists("read a dataset", self._path(f"datasets/{_dataset(file)}"))
        return _dataset(file) if found is not None and found.get("state") == "READY" else None

    def uploads_of(self, sha256s: Collection[str]) -> tuple[str, ...]:
        """The datasets that are named by these hashes: there is one name for each, whatever its state."""
        named = [_named(sha256) for sha256 in sha256s]
        return tuple(one for one in named if self._rest.exists("read a dataset", self._path(f"datasets/{one}")))

    def upload(self, file: TrainingFile) -> str:
        """Makes a dataset and writes its bytes; one that was made before a crash gets them now."""
        content, identity, act = file.content(), _dataset(file), "upload a dataset"
        described = {"displayName": identity, "exampleCount": str(content.count(b"\n")), "format": "CHAT",
                     "userUploaded": {}}  # fmt: skip
        try:
            self._rest.call(act, "POST", self._path("datasets"), json={"dataset": described, "datasetId": identity})
        except ProviderError as error:
            if not error.code.startswith("409"):
                raise
        form = {"file": (f"{file.sha256}.jsonl", content, "application/jsonl")}
        self._rest.call(act, "POST", self._path(f"datasets/{identity}:upload"), files=form)
        return identity

    def find_job(self, request: TrainingRequest, training_file: str, since: datetime) -> str | None:
        """The job whose id follows from the request."""
        job = self._job(request)
        return job if self._rest.exists("read a job", self._path(job)) is not None else None

    def create(self, request: TrainingRequest, training_file: str, validation_file: str | None) -> str:
        """Starts the job."""
        job, (kind, id_field) = self._job(request), _JOBS[request.method]
        body: dict[str, Any] = {"dataset": self._name(f"datasets/{training_file}"), "displayName": request.suffix}
        training = {"baseModel": request.model, "outputModel": self._name(f"models/{request.suffix}"),
                    "epochs": request.epochs or 1, **self._extra}  # fmt: skip
        if request.method == "supervised":
            body |= training
            if validation_file is not None:
                body["evaluationDataset"] = self._name(f"datasets/{validation_file}")
        else:
            body["trainingConfig"] = training
        self._rest.call(CREATE, "POST", self._path(kind), json=body, params={id_field: job.split("/")[1]})
        return job

    def poll(self, job_id: str) -> JobState:
        """The job's state."""
        job = self._rest.exists("read a job", self._path(job_id))
        if job is None:
            return JobState(job_id, "lost", "not found")
        reported = str(job.get("state"))
        status = _STATUSES.get(reported, "unknown")
        training = job.get("trainingConfig") or job
        tokens = (job.get("jobProgress") or {}).get("inputTokens")
        code = (job.get("status") or {}).get("code")
        return JobState(
            job_id, status, reported, training.get("outputModel") if status == "succeeded" else None, tokens,
            str(code or reported) if status == "failed" else None,
        )  # fmt: skip

    def cancel(self, job_id: str) -> None:
        """Asks for the job to stop."""
        self._rest.call("cancel a job", "POST", self._path(f"{job_id}:cancel"), json={})

    def describe(self, model: str) -> ModelDescription:
        """Whether the model is there, and the day on which Fireworks takes it out of service, where it says one."""
        path = model if model.startswith("accounts/") else self._name(f"models/{model}")
        found = self._rest.exists("describe a model", f"/v1/{path}")
        ends = (found or {}).get("deprecationDate")
        told = date(ends["year"], ends["month"], ends["day"]) if isinstance(ends, dict) and ends.get("day") else None
        return ModelDescription(model, exists=found is not None, shutdown=told)

    def delete(self, file_id: str) -> None:
        """Deletes a dataset; one that is gone already is no error."""
        try:
            self._rest.call("delete a dataset", "DELETE", self._path(f"datasets/{file_id}"))
        except ProviderError as error:
            if not error.code.startswith("404"):
                raise

    def _job(self, request: TrainingRequest) -> str:
        return f"{_JOBS[request.method][0]}/feedback-{request.key(self.name)[:_ID]}"

    def _name(self, resource: str) -> str:
        return f"accounts/{self._account}/{resource}"

    def _path(self, resource: str) -> str:
        return f"/v1/{self._name(resource)}"


def _dataset(file: TrainingFile) -> str:
    return _named(file.sha256)


def _named(sha256: str) -> str:
    return f"feedback-{sha256[:_ID]}"
