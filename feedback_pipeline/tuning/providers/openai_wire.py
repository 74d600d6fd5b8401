"""Providers that speak OpenAI's files and fine-tuning API: OpenAI, Azure/Foundry and compatible servers."""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

import openai

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
    says_not_ready,
)
from feedback_pipeline.tuning.providers.shutdowns import before_training

REQUEST_KEY = "request_sha256"
DATASET_KEY = "dataset_sha256"
CREATE_SECONDS = 60.0
EVENTS_SECONDS = 20.0
MAX_LISTED = 10_000
"""Files, jobs or events looked through: a server that gives the same page again and again ends sooner."""

_STATUSES: dict[str, Status] = {
    "validating_files": "pending",
    "queued": "pending",
    "pending": "pending",
    "running": "running",
    "paused": "paused",
    "succeeded": "succeeded",
    "failed": "failed",
    "cancelled": "cancelled",
}
_METHODS = {"supervised": "supervised", "preference": "dpo"}


class OpenAIWire:
    """A provider behind an `openai` client.

    Args:
        client: with the provider's base URL and key.
        name: `openai`, `azure` or the name of the compatible server; chooses shutdown dates and file format.
        extra: further fields of a job's creation (Azure's `trainingType`).
    """

    def __init__(self, client: openai.OpenAI, name: str = "openai", extra: dict[str, Any] | None = None) -> None:
        self._client = client
        # The SDK repeats a failed creation without an idempotency key, which can start and bill a second job.
        self._once = client.with_options(max_retries=0, timeout=CREATE_SECONDS)
        self._brief = client.with_options(max_retries=0, timeout=EVENTS_SECONDS)
        self._name = name
        self._extra = extra or {}

    @property
    def name(self) -> str:
        """What the ledger calls it."""
        return self._name

    def prepare(self, request: TrainingRequest, today: date) -> Preparation:
        """Methods the API has, and end dates, the provider's own answer included."""
        problems: tuple[str, ...] = ()
        if request.method not in _METHODS:
            problems = (f"{self.name} does not train by {request.method}: use supervised or preference",)
        described = self.describe(request.model)
        if not described.exists:
            problems = (*problems, f"{self.name} knows no model {request.model}")
        dates = before_training(self.name, request.model, today, described.shutdown)
        return Preparation((*problems, *dates.problems), dates.warnings)

    def validate(self, request: TrainingRequest) -> tuple[str, ...]:
        """Problems of the files under our own rules for the format; they quote nothing."""
        family = "azure" if self.name == "azure" else "openai"
        return problems_of_files(request, form_of(family, request))

    def find_file(self, file: TrainingFile) -> str | None:
        """An upload whose name is the file's hash."""
        with self._told("list files"):
            for found in _different(self._client.files.list(purpose="fine-tune")):
                if found.filename == _upload_name(file):
                    return str(found.id)
        return None

    def uploads_of(self, sha256s: Collection[str]) -> tuple[str, ...]:
        """Every upload whose name is one of these hashes: a dropped answer leaves one that nobody noted."""
        names = {f"{sha256}.jsonl" for sha256 in sha256s}
        with self._told("list files"):
            return tuple(str(one.id) for one in _different(self._client.files.list()) if one.filename in names)

    def upload(self, file: TrainingFile) -> str:
        """Uploads the very bytes that were validated, under their hash."""
        content = file.content()
        with self._told("upload a file"):
            return self._client.files.create(file=(_upload_name(file), content), purpose="fine-tune").id

    def find_job(self, request: TrainingRequest, training_file: str, since: datetime) -> str | None:
        """A job whose metadata names the request; where a server keeps no metadata, one of the same upload, model, seed
        and suffix that was created since. Looked for among all jobs: servers filter by metadata, or answer nothing."""
        key = request.key(self.name)
        alike = None
        with self._told("list jobs"):
            for job in _different(self._client.fine_tuning.jobs.list()):
                named = (job.metadata or {}).get(REQUEST_KEY)
                if named == key:
                    return str(job.id)
                if named is None and _is_alike(job, request, training_file, since):
                    alike = str(job.id)
        return alike

    def create(self, request: TrainingRequest, training_file: str, validation_file: str | None) -> str:
        """Starts the job. Not retried: whether a failed call did start one is for `find_job` to tell."""
        method = _METHODS[request.method]
        hyperparameters: dict[str, Any] = {} if request.epochs is None else {"n_epochs": request.epochs}
        optional: dict[str, Any] = {}
        if validation_file is not None:
            optional["validation_file"] = validation_file
        if request.suffix is not None:
            optional["suffix"] = request.suffix
        with self._told(CREATE):
            job = self._once.fine_tuning.jobs.create(
                model=request.model,
                training_file=training_file,
                method={"type": method, method: {"hyperparameters": hyperparameters}},  # type: ignore[arg-type]
                seed=request.seed,
                metadata={DATASET_KEY: request.dataset_id, REQUEST_KEY: request.key(self.name)},
                extra_body=self._extra,
                **optional,
            )
        return job.id

    def poll(self, job_id: str) -> JobState:
        """The job's state and losses; a job the provider does not know is `lost`."""
        try:
            with self._told("read a job"):
                job = self._client.fine_tuning.jobs.retrieve(job_id)
        except ProviderError as error:
            if error.code.startswith("404"):
                return JobState(job_id, "lost", "not found")
            raise
        return JobState(
            job_id=job.id,
            status=_STATUSES.get(job.status, "unknown"),
            reported=job.status,
            fine_tuned_model=job.fine_tuned_model,
            trained_tokens=job.trained_tokens,
            error_code=_error(job.error),
            losses=self._losses(job_id),
        )

    def _losses(self, job_id: str) -> tuple[LossPoint, ...]:
        """The loss curve; what cannot be read of it is no reason to lose sight of the job, as servers without events
        (404, 501) show."""
        points: dict[int, LossPoint] = {}
        try:
            with self._told("read a job's events"):
                for event in _different(self._brief.fine_tuning.jobs.list_events(job_id, limit=100)):
                    data = event.data if event.type == "metrics" and isinstance(event.data, dict) else {}
                    if isinstance(data.get("step"), int | float):
                        step = int(data["step"])
                        points[step] = LossPoint(step, _number(data, "train_loss"), _number(data, "valid_loss"))
        except ProviderError:
            pass
        return tuple(points[step] for step in sorted(points))

    def cancel(self, job_id: str) -> None:
        """Asks for the job to stop."""
        with self._told("cancel a job"):
            self._client.fine_tuning.jobs.cancel(job_id)

    def describe(self, model: str) -> ModelDescription:
        """Whether the model exists, and the end date the provider tells, if it tells one."""
        try:
            with self._told("describe a model"):
                found = self._client.models.retrieve(model)
        except ProviderError as error:
            if error.code.startswith("404"):
                return ModelDescription(model, exists=False, shutdown=None)
            raise
        return ModelDescription(model, exists=True, shutdown=_date(found.shutdown_date))

    def delete(self, file_id: str) -> None:
        """Deletes an upload; one that is gone already is no error."""
        try:
            with self._told("delete a file"):
                self._client.files.delete(file_id)
        except ProviderError as error:
            if not error.code.startswith("404"):
                raise

    @contextmanager
    def _told(self, act: str) -> Iterator[None]:
        """Turns the SDK's errors into ours, which carry a code and never the server's words."""
        try:
            yield
        except openai.APIStatusError as error:
            code = f"{error.status_code}" + (f" {error.code}" if error.code else "")
            not_yet = act == CREATE and error.status_code in (400, 404, 409, 425) and says_not_ready(str(error.message))
            raise ProviderError(self.name, act, code, not_yet=not_yet) from None
        except openai.APIConnectionError as error:
            raise ProviderError(self.name, act, type(error).__name__) from None


def _different(listed: Iterable[Any]) -> Iterator[Any]:
    """What is listed, page after page, up to what was listed before: some servers know no next page."""
    known: set[tuple[str, str]] = set()
    for found in listed:
        key = (str(found.id), str(getattr(found, "data", "")))
        if key in known or len(known) == MAX_LISTED:
            return
        known.add(key)
        yield found


def _is_alike(job: Any, request: TrainingRequest, training_file: str, since: datetime) -> bool:
    """Whether a job that says nothing of its request was made for this one."""
    if job.training_file != training_file or job.model != request.model:
        return False
    suffix = getattr(job, "user_provided_suffix", None) or getattr(job, "suffix", None)
    return (
        (job.seed is None or job.seed == request.seed)
        and (suffix is None or suffix == request.suffix)
        and (not isinstance(job.created_at, int | float) or job.created_at >= since.timestamp())
    )


def _error(error: Any) -> str | None:
    """The code of a failure and the field it names; its message may quote training data."""
    code = getattr(error, "code", None)
    param = getattr(error, "param", None)
    return f"{code} ({param})" if code and param else code or None


def _upload_name(file: TrainingFile) -> str:
    return f"{file.sha256}.jsonl"


def _number(data: dict[str, Any], name: str) -> float | None:
    value = data.get(name)
    return float(value) if isinstance(value, int | float) else None


def _date(text: str | None) -> date | None:
    """A date the provider tells; one it does not write as a date is not known."""
    parse: Callable[[str], date] = date.fromisoformat
    try:
        return parse(text[:10]) if text else None
    except ValueError:
        return None
