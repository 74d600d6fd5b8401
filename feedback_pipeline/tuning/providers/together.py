"""Together: its files and `fine-tunes` API."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any

from feedback_pipeline.tuning.providers.files import form_of, problems_of_files
from feedback_pipeline.tuning.providers.protocol import (
    CREATE,
    JobState,
    LossPoint,
    ModelDescription,
    Preparation,
    ProviderError,
    Status,
    TrainingFile,
    TrainingRequest,
)
from feedback_pipeline.tuning.providers.rest import Rest, rows

URL = "https://api.together.xyz"

_STATUSES: dict[str, Status] = {
    "pending": "pending", "queued": "pending", "running": "running", "compressing": "running", "uploading": "running",
    "cancel_requested": "running", "cancelled": "cancelled", "error": "failed", "user_error": "failed",
    "completed": "succeeded",
}  # fmt: skip
_METHODS: dict[str, dict[str, Any]] = {
    "supervised": {"method": "sft", "train_on_inputs": "auto"},
    "preference": {"method": "dpo"},
}
_LORA = {"type": "Lora", "lora_r": 16, "lora_alpha": 32, "lora_trainable_modules": "all-linear"}
_USELESS = ("FAILED", "INVALID_FORMAT")


class Together:
    """Fine-tuning with LoRA at Together.

    Args:
        rest: with the key.
        extra: further fields of a job's creation (`learning_rate`, `training_type`, …).
    """

    name = "together"

    def __init__(self, rest: Rest, extra: dict[str, Any]) -> None:
        self._rest = rest
        self._extra = extra

    def prepare(self, request: TrainingRequest, today: date) -> Preparation:
        """Methods it has, and whether it tunes the model."""
        if request.method not in _METHODS:
            return Preparation((f"together does not train by {request.method}: use supervised or preference",))
        if not self.describe(request.model).exists:
            return Preparation((f"together does not tune {request.model}",))
        return Preparation()

    def validate(self, request: TrainingRequest) -> tuple[str, ...]:
        """Problems of the files under the rules of Together's own validator."""
        return problems_of_files(request, form_of("together", request))

    def find_file(self, file: TrainingFile) -> str | None:
        """An upload whose name is the file's hash."""
        listed = rows(self._rest.call("list files", "GET", "/v1/files"), "data")
        usable = (found for found in listed if found.get("processing_status") not in _USELESS)
        return next((str(found["id"]) for found in usable if found.get("filename") == _upload_name(file)), None)

    def uploads_of(self, sha256s: Collection[str]) -> tuple[str, ...]:
        """Every upload whose name is one of these hashes, those that are of no use included."""
        names = {f"{sha256}.jsonl" for sha256 in sha256s}
        listed = rows(self._rest.call("list files", "GET", "/v1/files"), "data")
        return tuple(str(found["id"]) for found in listed if found.get("filename") in names)

    def upload(self, file: TrainingFile) -> str:
        """Asks for a place, writes the bytes there, and says that they are."""
        content, act = file.content(), "upload a file"
        asked = {"purpose": "fine-tune", "file_name": _upload_name(file), "file_type": "jsonl", "checksum": file.sha256}
        form = {name: (None, value) for name, value in asked.items()}
        told = self._rest.response(act, "POST", "/v1/files", files=form, follow_redirects=False)
        place, identity = told.headers.get("location"), told.headers.get("x-together-file-id")
        if not place or not identity:
            raise ProviderError(self.name, act, "an answer without a place to write to")
        # the place is signed: it gets the bytes and not our key
        self._rest.response(act, "PUT", place, content=content, headers={"authorization": ""})
        self._rest.call(act, "POST", f"/v1/files/{identity}/preprocess")
        return identity

    def find_job(self, request: TrainingRequest, training_file: str, since: datetime) -> str | None:
        """A job with the run's own suffix over the same upload and model."""
        for job in rows(self._rest.call("list jobs", "GET", "/v1/fine-tunes"), "data"):
            same = (job.get("training_file"), job.get("model")) == (training_file, request.model)
            suffix = job.get("suffix")
            named = str(job.get("model_output_name") or "")
            ours = suffix == request.suffix if suffix else request.suffix is not None and request.suffix in named
            if same and (ours or (not suffix and not named and _created(job) >= since)):
                return str(job["id"])
        return None

    def create(self, request: TrainingRequest, training_file: str, validation_file: str | None) -> str:
        """Starts the job."""
        body: dict[str, Any] = {
            "model": request.model, "training_file": training_file, "suffix": request.suffix,
            "n_epochs": request.epochs or 1, "random_seed": request.seed, "n_checkpoints": 1, "batch_size": "max",
            "learning_rate": 1e-5, "training_method": _METHODS[request.method], "training_type": _LORA,
        }  # fmt: skip
        if validation_file is not None:
            body |= {"validation_file": validation_file, "n_evals": 5}
        return str(self._rest.call(CREATE, "POST", "/v1/fine-tunes", json=body | self._extra)["id"])

    def poll(self, job_id: str) -> JobState:
        """The job's state, tokens and losses."""
        job = self._rest.exists("read a job", f"/v1/fine-tunes/{job_id}")
        if job is None:
            return JobState(job_id, "lost", "not found")
        reported = str(job.get("status"))
        status = _STATUSES.get(reported, "unknown")
        return JobState(
            job_id, status, reported, job.get("model_output_name") if status == "succeeded" else None,
            job.get("token_count"), self._failure(job_id, reported) if status == "failed" else None,
            self._losses(job_id),
        )  # fmt: skip

    def _failure(self, job_id: str, reported: str) -> str:
        """The kind of the last error event: its message may quote training data."""
        try:
            events = rows(self._rest.call("read events", "GET", f"/v1/fine-tunes/{job_id}/events"), "data")
        except ProviderError:
            return reported
        kinds = [str(event["type"]) for event in events if str(event.get("type", "")).startswith(("JOB_", "BILLING"))]
        return kinds[-1] if kinds else reported

    def _losses(self, job_id: str) -> tuple[LossPoint, ...]:
        try:
            found = rows(self._rest.call("read metrics", "GET", f"/v1/fine-tunes/{job_id}/metrics"), "metrics")
        except ProviderError:
            return ()  # what cannot be read of a job is no reason to lose sight of it
        points: dict[int, LossPoint] = {}
        for values in found:
            step = next((int(value) for name, value in values.items() if name.endswith("step")), None)
            if step is None:
                continue
            held_out = _loss(values, held_out=True)
            train = _loss(values, held_out=False)
            before = points.get(step, LossPoint(step, None, None))
            points[step] = LossPoint(step, before.train_loss if train is None else train,
                                     before.validation_loss if held_out is None else held_out)  # fmt: skip
        return tuple(points[step] for step in sorted(points))

    def cancel(self, job_id: str) -> None:
        """Asks for the job to stop."""
        self._rest.call("cancel a job", "POST", f"/v1/fine-tunes/{job_id}/cancel")

    def describe(self, model: str) -> ModelDescription:
        """Whether Together tunes a model; it tells no end dates."""
        try:
            found = self._rest.exists("describe a model", "/v1/fine-tunes/models/limits", params={"model_name": model})
        except ProviderError as error:
            if not error.code.startswith(("400", "422")):
                raise
            found = None
        return ModelDescription(model, exists=found is not None, shutdown=None)

    def delete(self, file_id: str) -> None:
        """Deletes an upload; one that is gone already is no error."""
        try:
            self._rest.call("delete a file", "DELETE", f"/v1/files/{file_id}")
        except ProviderError as error:
            if not error.code.startswith("404"):
                raise


def _upload_name(file: TrainingFile) -> str:
    return f"{file.sha256}.jsonl"


def _loss(values: dict[str, Any], *, held_out: bool) -> float | None:
    for name, value in values.items():
        is_held_out = "eval" in name or "valid" in name
        if name.endswith("loss") and is_held_out == held_out and isinstance(value, int | float):
            return float(value)
    return None


def _created(job: dict[str, Any]) -> datetime:
    """When a job was created; one that says nothing is older than any."""
    try:
        return datetime.fromisoformat(str(job.get("created_at")))
    except ValueError:
        return datetime.fromisoformat("1970-01-01T00:00:00+00:00")
