"""Gemini on Vertex AI: files in a bucket, `tuningJobs`."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any
from urllib.parse import quote

from feedback_pipeline.tuning.providers.files import problems_of_files
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
from feedback_pipeline.tuning.providers.rest import Rest, rows

STORAGE_URL = "https://storage.googleapis.com"

_STATUSES: dict[str, Status] = {
    "JOB_STATE_QUEUED": "pending", "JOB_STATE_PENDING": "pending", "JOB_STATE_RUNNING": "running",
    "JOB_STATE_UPDATING": "running", "JOB_STATE_CANCELLING": "running", "JOB_STATE_PAUSED": "paused",
    "JOB_STATE_SUCCEEDED": "succeeded", "JOB_STATE_PARTIALLY_SUCCEEDED": "succeeded", "JOB_STATE_FAILED": "failed",
    "JOB_STATE_EXPIRED": "failed", "JOB_STATE_CANCELLED": "cancelled",
}  # fmt: skip
_LABEL = "feedback-request"
_LABEL_LENGTH = 63
_PAGES = 100


def service_url(location: str) -> str:
    """The API of a region."""
    return f"https://{location}-aiplatform.googleapis.com"


class Vertex:
    """Supervised tuning of Gemini models.

    Args:
        rest: of the region's API, with an access token.
        storage: of Cloud Storage, with the same.
        account: `project/location/bucket`.
        extra: further fields of `hyperParameters` (`adapterSize`, `learningRateMultiplier`).
    """

    name = "vertex"

    def __init__(self, rest: Rest, storage: Rest, account: str, extra: dict[str, Any]) -> None:
        self._rest, self._storage, self._extra = rest, storage, extra
        parts = account.split("/")
        self._project, self._location, self._bucket = parts if len(parts) == 3 else ("", "", "")

    def prepare(self, request: TrainingRequest, today: date) -> Preparation:
        """Its method, and where to write."""
        if not self._bucket:
            return Preparation(("vertex needs project/location/bucket: set FEEDBACK_TUNING_ACCOUNT",))
        if request.method != "supervised":
            return Preparation((f"vertex is not trained by {request.method} here: use supervised",))
        return Preparation()

    def validate(self, request: TrainingRequest) -> tuple[str, ...]:
        """Problems of the files under our own rules for the format."""
        return problems_of_files(request, "vertex_sft")

    def find_file(self, file: TrainingFile) -> str | None:
        """An object that is named by the file's hash."""
        found = self._storage.exists("read an object", self._object(_name(file)))
        return f"gs://{self._bucket}/{_name(file)}" if found is not None else None

    def uploads_of(self, sha256s: Collection[str]) -> tuple[str, ...]:
        """The objects that are named by these hashes."""
        named = [f"feedback/{sha256}.jsonl" for sha256 in sha256s]
        return tuple(f"gs://{self._bucket}/{one}" for one in named
                     if self._storage.exists("read an object", self._object(one)) is not None)  # fmt: skip

    def upload(self, file: TrainingFile) -> str:
        """Writes the object: it is there whole or not at all."""
        self._storage.call(
            "write an object", "POST", f"/upload/storage/v1/b/{self._bucket}/o",
            params={"uploadType": "media", "name": _name(file)}, content=file.content(),
            headers={"content-type": "application/jsonl"},
        )  # fmt: skip
        return f"gs://{self._bucket}/{_name(file)}"

    def find_job(self, request: TrainingRequest, training_file: str, since: datetime) -> str | None:
        """A job that bears the request's label, or the run's own name over the same file."""
        label = request.key(self.name)[:_LABEL_LENGTH]
        parameters: dict[str, Any] = {"pageSize": 100}
        for _ in range(_PAGES):
            answer = self._rest.call("list jobs", "GET", self._jobs, params=parameters)
            for job in rows(answer, "tuningJobs"):
                spec = job.get("supervisedTuningSpec") or {}
                named = job.get("tunedModelDisplayName") == request.suffix
                labelled = (job.get("labels") or {}).get(_LABEL) == label
                if labelled or (named and spec.get("trainingDatasetUri") == training_file):
                    return str(job["name"])
            if not answer.get("nextPageToken") or answer["nextPageToken"] == parameters.get("pageToken"):
                return None
            parameters["pageToken"] = answer["nextPageToken"]
        return None

    def create(self, request: TrainingRequest, training_file: str, validation_file: str | None) -> str:
        """Starts the job."""
        spec: dict[str, Any] = {
            "trainingDatasetUri": training_file,
            "hyperParameters": {"epochCount": str(request.epochs or 1), **self._extra},
        }
        if validation_file is not None:
            spec["validationDatasetUri"] = validation_file
        body = {"baseModel": request.model, "tunedModelDisplayName": request.suffix, "supervisedTuningSpec": spec,
                "labels": {_LABEL: request.key(self.name)[:_LABEL_LENGTH]}}  # fmt: skip
        return str(self._rest.call(CREATE, "POST", self._jobs, json=body)["name"])

    def poll(self, job_id: str) -> JobState:
        """The job's state; the model is the endpoint that answers."""
        job = self._rest.exists("read a job", f"/v1/{job_id}")
        if job is None:
            return JobState(job_id, "lost", "not found")
        reported = str(job.get("state"))
        status, made = _STATUSES.get(reported, "unknown"), job.get("tunedModel") or {}
        statistics = (job.get("tuningDataStats") or {}).get("supervisedTuningDataStats") or {}
        tokens, code = statistics.get("totalBillableTokenCount"), (job.get("error") or {}).get("code")
        return JobState(
            job_id, status, reported, (made.get("endpoint") or made.get("model")) if status == "succeeded" else None,
            int(tokens) if tokens is not None else None, f"code {code}" if status == "failed" and code else None,
        )  # fmt: skip

    def cancel(self, job_id: str) -> None:
        """Asks for the job to stop."""
        self._rest.call("cancel a job", "POST", f"/v1/{job_id}:cancel", json={})

    def describe(self, model: str) -> ModelDescription:
        """Nothing is asked: which models can be tuned is not to be had from the API."""
        return ModelDescription(model, exists=True, shutdown=None)

    def delete(self, file_id: str) -> None:
        """Deletes an object; one that is gone already is no error."""
        try:
            name = file_id.removeprefix(f"gs://{self._bucket}/")
            self._storage.call("delete an object", "DELETE", self._object(name))
        except ProviderError as error:
            if not error.code.startswith("404"):
                raise

    @property
    def _jobs(self) -> str:
        return f"/v1/projects/{self._project}/locations/{self._location}/tuningJobs"

    def _object(self, name: str) -> str:
        return f"/storage/v1/b/{self._bucket}/o/{quote(name, safe='')}"


def _name(file: TrainingFile) -> str:
    return f"feedback/{file.sha256}.jsonl"
