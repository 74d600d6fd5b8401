"""A trainer on this machine: any command, started once per request and followed by what it leaves behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Collection, Sequence
from datetime import date, datetime
from pathlib import Path

import orjson

from feedback_pipeline.tuning.providers.protocol import (
    JobState,
    ModelDescription,
    Preparation,
    ProviderError,
    TrainingFile,
    TrainingRequest,
)

FIELDS = ("training_file", "validation_file", "model", "output", "epochs", "seed", "method")
_WATCH = "feedback_pipeline.tuning.providers.watched_command"


class LocalCommand:
    """Runs `command` in a folder of its own for each request.

    Args:
        command: program and arguments; an argument may be one of `{training_file}`, `{validation_file}`, `{model}`,
            `{output}`, `{epochs}`, `{seed}`, `{method}`. No shell is involved.
        folder: where runs keep their files; each is named by the request.
    """

    name = "local"

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._command = tuple(command)
        self._folder = folder

    def prepare(self, request: TrainingRequest, today: date) -> Preparation:
        """A command must be set."""
        return Preparation() if self._command else Preparation(("no training command is set",))

    def validate(self, request: TrainingRequest) -> tuple[str, ...]:
        """The files are the ones that were validated; what the trainer wants of them is its own affair."""
        for file in (request.training, request.validation):
            if file is not None:
                file.content()
        return ()

    def find_file(self, file: TrainingFile) -> str | None:
        """A local trainer reads the file where it is."""
        return str(file.path)

    def uploads_of(self, sha256s: Collection[str]) -> tuple[str, ...]:
        """Nothing is copied: there are none."""
        return ()

    def upload(self, file: TrainingFile) -> str:
        """Nothing is copied: the id is the path."""
        file.content()
        return str(file.path)

    def find_job(self, request: TrainingRequest, training_file: str, since: datetime) -> str | None:
        """The run's folder, if the run was begun."""
        job = request.key(self.name)
        return job if (self._folder / job / "command.json").exists() else None

    def create(self, request: TrainingRequest, training_file: str, validation_file: str | None) -> str:
        """Starts the command, detached, so that it outlives this process.

        Raises:
            ProviderError: the request was begun before.
        """
        job = request.key(self.name)
        place = self._folder / job
        try:
            place.mkdir(parents=True)
        except FileExistsError:
            raise ProviderError(self.name, "start the command", "already begun") from None
        values = {
            "training_file": training_file, "validation_file": validation_file or "", "model": request.model,
            "output": str(place / "model"), "epochs": "" if request.epochs is None else str(request.epochs),
            "seed": str(request.seed), "method": request.method,
        }  # fmt: skip
        arguments = [values.get(part[1:-1], part) if part[:1] == "{" else part for part in self._command]
        (place / "command.json").write_bytes(orjson.dumps(arguments))
        with (place / "output.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", _WATCH, str(place)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        (place / "process").write_text(str(process.pid))
        return job

    def poll(self, job_id: str) -> JobState:
        """Running while its process lives; then what its exit code says; lost where it died without leaving one."""
        place = self._folder / job_id
        if not place.exists():
            return JobState(job_id, "lost", "not found")
        outcome = place / "exit.json"
        if outcome.exists():
            code = orjson.loads(outcome.read_bytes())["exit_code"]
            if code == 0:
                return JobState(job_id, "succeeded", "exit 0", fine_tuned_model=str(place / "model"))
            return JobState(job_id, "failed", f"exit {code}", error_code=f"exit_{code}")
        return JobState(job_id, "running" if self._alive(place) else "lost", "no exit code yet")

    def _alive(self, place: Path) -> bool:
        process = self._process(place)
        if process is None:
            return False
        try:
            # A child of ours that has ended must be reaped before it counts as gone.
            if os.waitpid(process, os.WNOHANG) != (0, 0):
                return False
        except ChildProcessError:
            pass
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
        return True

    def _process(self, place: Path) -> int | None:
        noted = place / "process"
        text = noted.read_text() if noted.exists() else ""
        return int(text) if text.isdigit() else None

    def cancel(self, job_id: str) -> None:
        """Stops the command and everything it started."""
        process = self._process(self._folder / job_id)
        if process is not None and self._alive(self._folder / job_id):
            os.killpg(process, signal.SIGTERM)

    def describe(self, model: str) -> ModelDescription:
        """A tuned model is a folder; a base model is for the command to know."""
        return ModelDescription(model, exists=Path(model).exists(), shutdown=None)

    def delete(self, file_id: str) -> None:
        """The file belongs to the dataset, which deletes it itself."""
