"""What a fine-tuning provider does."""

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Literal, Protocol

Method = Literal["supervised", "preference", "kto"]
Status = Literal["pending", "running", "paused", "unknown", "succeeded", "failed", "cancelled", "lost", "not_run"]

FINAL: frozenset[Status] = frozenset({"succeeded", "failed", "cancelled", "not_run"})
"""States a job does not leave. An unknown state is not one of them: it is looked at again, and people are told."""


CREATE = "create a job"
"""The act that costs money, as errors name it."""

_NOT_READY = re.compile(r"not (?:yet )?(?:ready|processed|available)|still being|being processed|try again later", re.I)


def says_not_ready(message: str) -> bool:
    """Whether an error says that an upload is not read yet: providers have words for it and no code."""
    return _NOT_READY.search(message) is not None


class ProviderError(RuntimeError):
    """A provider refused or could not be reached. `code` is the provider's own; its message may quote training data
    and is not kept.

    Attributes:
        code: HTTP status and the provider's own code, or the name of what went wrong on the way.
        not_yet: nothing was done because something the provider makes itself is not ready, such as an upload it still
            reads: the same request will be taken later.
    """

    def __init__(self, provider: str, act: str, code: str, *, not_yet: bool = False) -> None:
        super().__init__(f"{provider} could not {act}: {code}{' (not ready yet)' if not_yet else ''}")
        self.code = code
        self.not_yet = not_yet


class FileChanged(RuntimeError):  # noqa: N818 - named after what happened
    """A training file is not the one that was validated."""


@dataclass(frozen=True)
class TrainingFile:
    """A file as it was validated."""

    path: Path
    sha256: str

    def content(self) -> bytes:
        """The bytes, which are those validated.

        Raises:
            FileChanged: they are not.
        """
        content = self.path.read_bytes()
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise FileChanged(f"{self.path.name} is not the file that was validated: validate it again")
        return content


@dataclass(frozen=True)
class TrainingRequest:
    """One training run.

    Attributes:
        dataset_id: content hash of the dataset's manifest.
        method: how to train.
        model: base model.
        training: the training file.
        validation: the validation file, if any.
        suffix: added to the name of the tuned model.
        epochs: passes over the data; None leaves it to the provider.
        seed: of the training run.
    """

    dataset_id: str
    method: Method
    model: str
    training: TrainingFile
    validation: TrainingFile | None = None
    suffix: str | None = None
    epochs: int | None = None
    seed: int = 0

    def key(self, provider: str) -> str:
        """Identity of the run: the same data, method, model and settings at the same provider are paid for once."""
        validation = self.validation.sha256 if self.validation else ""
        parts = (self.dataset_id, provider, self.method, self.model, self.training.sha256, validation,
                 str(self.epochs), str(self.seed))  # fmt: skip
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


@dataclass(frozen=True)
class Preparation:
    """What can be known before anything is sent: problems forbid the run, warnings are for the person who approves."""

    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class LossPoint:
    """The losses reported at one step of training; None where not reported."""

    step: int
    train_loss: float | None
    validation_loss: float | None


@dataclass(frozen=True)
class JobState:
    """A job as the provider reports it.

    Attributes:
        job_id: the provider's id.
        status: ours; `unknown` for a word we do not know, `lost` where the provider knows no such job.
        reported: the provider's own word.
        fine_tuned_model: the model made, once there is one.
        trained_tokens: tokens billed, once known.
        error_code: the provider's code for a failure, with the field of the request it names.
        losses: what was reported so far, by step.
    """

    job_id: str
    status: Status
    reported: str
    fine_tuned_model: str | None = None
    trained_tokens: int | None = None
    error_code: str | None = None
    losses: tuple[LossPoint, ...] = ()


@dataclass(frozen=True)
class ModelDescription:
    """A model as the provider knows it."""

    model: str
    exists: bool
    shutdown: date | None


class Provider(Protocol):
    """A place that trains. Every act may raise ProviderError; only `create` costs money."""

    @property
    def name(self) -> str:
        """What the ledger calls it."""

    def prepare(self, request: TrainingRequest, today: date) -> Preparation:
        """What speaks against the run: shutdown dates, methods or sizes the provider does not take."""

    def validate(self, request: TrainingRequest) -> tuple[str, ...]:
        """Problems of the files in the provider's format."""

    def find_file(self, file: TrainingFile) -> str | None:
        """The id of an upload of this very file, if there is one."""

    def uploads_of(self, sha256s: Collection[str]) -> tuple[str, ...]:
        """The ids of every upload of files with these hashes, those included whose upload was never answered."""

    def upload(self, file: TrainingFile) -> str:
        """Uploads a file and returns its id."""

    def find_job(self, request: TrainingRequest, training_file: str, since: datetime) -> str | None:
        """The id of a job made for this request, if there is one.

        Providers keep no name of ours for a job, or not all of them: a job of the same upload, model, seed and suffix
        that was created after `since` is this one.
        """

    def create(self, request: TrainingRequest, training_file: str, validation_file: str | None) -> str:
        """Starts the run, once and without retrying, and returns the job's id."""

    def poll(self, job_id: str) -> JobState:
        """The job's state."""

    def cancel(self, job_id: str) -> None:
        """Asks the provider to stop the job."""

    def describe(self, model: str) -> ModelDescription:
        """Whether a model exists and when it ends."""

    def delete(self, file_id: str) -> None:
        """Deletes an upload; deleting it again is no error."""
