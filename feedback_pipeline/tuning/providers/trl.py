"""Training on this machine with TRL and LoRA, in an environment of its own."""

import subprocess
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import orjson

from feedback_pipeline.training.weights import kto_weights
from feedback_pipeline.tuning.providers.files import problems_of_files
from feedback_pipeline.tuning.providers.local_command import LocalCommand
from feedback_pipeline.tuning.providers.protocol import (
    JobState,
    LossPoint,
    ModelDescription,
    Preparation,
    TrainingRequest,
)

MAX_STARTS = 3
"""Processes of one run: one that dies without an exit status goes on from its checkpoint in another."""

NEEDED = ("torch", "trl", "peft", "datasets", "transformers")
FORMATS = {"supervised": "weighted_sft", "preference": "trl_dpo", "kto": "trl_kto"}
_SCRIPT = Path(__file__).parent.parent / "trainers" / "trl_train.py"
_LOOK = "import sys, importlib.util as u; print(*[n for n in sys.argv[1:] if u.find_spec(n) is None])"
_INSTALL = 'python -m venv FOLDER && FOLDER/bin/pip install torch "trl>=1.16" peft'


class TrlTrainer(LocalCommand):
    """TRL's SFT, DPO and KTO with LoRA, as a process that outlives this one.

    Args:
        python: interpreter of the environment that TRL is installed in.
        folder: where runs keep their files; each is named by the request.
        options: of the trainer's configuration (`learning_rate`, `per_device_train_batch_size`, `max_length`, …);
            `lora` of the adapter; `merge: false` leaves the adapter beside its base.
    """

    name = "trl"

    def __init__(self, python: Path, folder: Path, options: Mapping[str, Any]) -> None:
        super().__init__([str(python), str(_SCRIPT)], folder)
        self._python = python
        self._options = dict(options)

    def prepare(self, request: TrainingRequest, today: date) -> Preparation:
        """The environment must be there, with what trains."""
        if not self._python.exists():
            return Preparation((f"there is no {self._python}: {_INSTALL}, and name it in FEEDBACK_TUNING_PYTHON",))
        try:
            found = subprocess.run(
                [str(self._python), "-c", _LOOK, *NEEDED], capture_output=True, check=True, timeout=60
            )
        except (OSError, subprocess.SubprocessError):
            return Preparation((f"{self._python} does not run",))
        if missing := found.stdout.decode().split():
            return Preparation((f"{self._python} has no {', '.join(missing)}: {_INSTALL}",))
        return Preparation()

    def validate(self, request: TrainingRequest) -> tuple[str, ...]:
        """Problems of the files under our own rules for what the script reads."""
        return problems_of_files(request, FORMATS[request.method])

    def arguments(
        self, request: TrainingRequest, place: Path, training_file: str, validation_file: str | None
    ) -> list[str]:
        """The command, whose only argument is the file that says what to do."""
        run = {
            "method": request.method, "model": request.model, "training_file": training_file,
            "validation_file": validation_file, "output": str(place / "model"), "epochs": request.epochs or 1,
            "seed": request.seed, "options": self._options, "kto_weights": _kto_weights(request),
        }  # fmt: skip
        (place / "run.json").write_bytes(orjson.dumps(run, option=orjson.OPT_INDENT_2))
        return [*self._command, str(place / "run.json")]

    def poll(self, job_id: str) -> JobState:
        """As of any command, with the losses; a process that died is started again, from its last checkpoint."""
        place = self._folder / job_id
        state = super().poll(job_id)
        died = state.status == "lost" or state.reported.startswith("exit -")  # killed, by a signal
        if died and place.exists() and (starts := self._starts(place)) < MAX_STARTS:
            (place / "exit.json").unlink(missing_ok=True)
            self._start(place)
            state = JobState(job_id, "running", f"went on after a crash ({starts} of {MAX_STARTS - 1})")
        summary = place / "summary.json"
        tokens = orjson.loads(summary.read_bytes())["trained_tokens"] if summary.exists() else None
        return JobState(job_id, state.status, state.reported, state.fine_tuned_model, tokens, state.error_code,
                        _losses(place / "losses.jsonl"))  # fmt: skip

    def describe(self, model: str) -> ModelDescription:
        """A folder, or the name of one that the trainer's environment fetches itself."""
        return ModelDescription(model, exists=True, shutdown=None)


def _losses(file: Path) -> tuple[LossPoint, ...]:
    """The losses so far; of a step that was taken again after a crash, those of the last time."""
    points: dict[int, LossPoint] = {}
    if not file.exists():
        return ()
    for line in file.read_bytes().split(b"\n"):
        try:
            found = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue  # half a line: it is being written
        step, before = found["step"], points.get(found["step"])
        train, held_out = found["train_loss"], found["validation_loss"]
        if before is not None:
            train = before.train_loss if train is None else train
            held_out = before.validation_loss if held_out is None else held_out
        points[step] = LossPoint(step, train, held_out)
    return tuple(points[step] for step in sorted(points))


def _kto_weights(request: TrainingRequest) -> dict[str, float]:
    """The weights of approved and rejected examples that keep KTO in its range."""
    if request.method != "kto":
        return {}
    labels = [orjson.loads(line)["label"] for line in request.training.content().split(b"\n") if line]
    found = kto_weights(sum(labels), len(labels) - sum(labels))
    return {"desirable_weight": found.desirable or 1.0, "undesirable_weight": found.undesirable or 1.0}
