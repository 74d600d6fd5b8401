"""A trainer on this machine: any command, started once per request and followed by what it leaves behind."""

import contextlib
import os
import signal
import subprocess
import sys
import time
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
STOP_SECONDS = 5.0
"""How long a command has to end by itself."""
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
        """A local trainer reads the file where it is; of one in a bucket, its copy here."""
        place = self._place_of(file)
        return str(place) if place.exists() else None

    def uploads_of(self, sha256s: Collection[str]) -> tuple[str, ...]:
        """The copies of files in a bucket; of others there are none."""
        places = [self._folder / "files" / f"{sha256}.jsonl" for sha256 in sha256s]
        return tuple(str(place) for place in places if place.exists())

    def upload(self, file: TrainingFile) -> str:
        """Nothing is copied that is on this machine: the id is the path."""
        content, place = file.content(), self._place_of(file)
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            draft = place.with_name(f".{place.name}.{os.getpid()}.partial")
            draft.write_bytes(content)
            draft.replace(place)
        return str(place)

    def _place_of(self, file: TrainingFile) -> Path:
        here = "://" not in str(file.path)
        return Path(str(file.path)) if here else self._folder / "files" / f"{file.sha256}.jsonl"

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
        (place / "command.json").write_bytes(
            orjson.dumps(self.arguments(request, place, training_file, validation_file))
        )
        self._start(place)
        return job

    def arguments(
        self, request: TrainingRequest, place: Path, training_file: str, validation_file: str | None
    ) -> list[str]:
        """The program and its arguments for a request, whose files are in `place`."""
        values = {
            "training_file": training_file, "validation_file": validation_file or "", "model": request.model,
            "output": str(place / "model"), "epochs": "" if request.epochs is None else str(request.epochs),
            "seed": str(request.seed), "method": request.method,
        }  # fmt: skip
        return [values.get(part[1:-1], part) if part[:1] == "{" else part for part in self._command]

    def _start(self, place: Path) -> None:
        """Starts the command of a folder, detached; once more where an earlier process of it died."""
        with (place / "output.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", _WATCH, str(place)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        (place / "process").write_text(str(process.pid))
        with (place / "starts").open("a") as starts:
            starts.write(f"{process.pid}\n")

    def _starts(self, place: Path) -> int:
        """How many processes the run has had."""
        noted = place / "starts"
        return noted.read_text().count("\n") if noted.exists() else 0

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
        if self._alive(place):
            return JobState(job_id, "running", "no exit code yet")
        if (place / "cancelled").exists():
            return JobState(job_id, "cancelled", "stopped by a person")
        return JobState(job_id, "lost", "no exit code yet")

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
        """Stops the command and everything it started: what does not end when it is asked to is killed."""
        place = self._folder / job_id
        process = self._process(place)
        if process is None or not self._alive(place):
            return
        (place / "cancelled").touch()
        deadline = time.monotonic() + STOP_SECONDS
        with contextlib.suppress(ProcessLookupError):  # all of them are gone
            os.killpg(process, signal.SIGTERM)
            while time.monotonic() < deadline:
                self._alive(place)  # one that ended is there until it is looked at
                os.killpg(process, 0)
                time.sleep(0.05)
            os.killpg(process, signal.SIGKILL)

    def describe(self, model: str) -> ModelDescription:
        """A tuned model is a folder; a base model is for the command to know."""
        return ModelDescription(model, exists=Path(model).exists(), shutdown=None)

    def delete(self, file_id: str) -> None:
        """The copy of a file in a bucket; any other belongs to the dataset, which deletes it itself."""
        place = Path(file_id)
        if place.parent == self._folder / "files":
            place.unlink(missing_ok=True)
