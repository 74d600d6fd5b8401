"""What is wrong with the files of a training run, by our own rules for a provider's format."""

from feedback_pipeline.training.validators import validate_file
from feedback_pipeline.tuning.providers.protocol import TrainingRequest


def problems_of_files(request: TrainingRequest, form: str) -> tuple[str, ...]:
    """A sentence for each problem of the training file and the validation file; none quotes a line.

    Args:
        request: the run.
        form: name of a format of `training.validators`.
    """
    files = [file for file in (request.training, request.validation) if file is not None]
    return tuple(str(problem) for file in files for problem in validate_file(file.path, form).problems)


def form_of(family: str, request: TrainingRequest) -> str:
    """The name of a family's format for the run's method: supervised, else by preference."""
    return f"{family}_{'sft' if request.method == 'supervised' else 'dpo'}"
