"""The default provider: it goes through every step and sends nothing."""

from collections.abc import Collection
from datetime import date, datetime

from feedback_pipeline.tuning.providers.protocol import (
    JobState,
    ModelDescription,
    Preparation,
    TrainingFile,
    TrainingRequest,
)


class DryRun:
    """Ids are derived from content; a job ends at once as `not_run`, with no model, so nothing can be promoted."""

    name = "dry-run"

    def prepare(self, request: TrainingRequest, today: date) -> Preparation:
        """Nothing speaks against sending nothing."""
        return Preparation(warnings=("dry run: nothing is sent, no model will come of it",))

    def validate(self, request: TrainingRequest) -> tuple[str, ...]:
        """The files are read and are the ones that were validated."""
        for file in (request.training, request.validation):
            if file is not None:
                file.content()
        return ()

    def find_file(self, file: TrainingFile) -> str | None:
        """Nothing was ever uploaded."""
        return None

    def uploads_of(self, sha256s: Collection[str]) -> tuple[str, ...]:
        """Nothing was ever uploaded."""
        return ()

    def upload(self, file: TrainingFile) -> str:
        """An id for the file that stays here."""
        file.content()
        return f"dry-run-file-{file.sha256[:16]}"

    def find_job(self, request: TrainingRequest, training_file: str, since: datetime) -> str | None:
        """Nothing was ever started."""
        return None

    def create(self, request: TrainingRequest, training_file: str, validation_file: str | None) -> str:
        """An id for the run that does not happen."""
        return f"dry-run-job-{request.key(self.name)[:16]}"

    def poll(self, job_id: str) -> JobState:
        """The run is over: it did not happen."""
        return JobState(job_id, "not_run", "not_run")

    def cancel(self, job_id: str) -> None:
        """There is nothing to stop."""

    def describe(self, model: str) -> ModelDescription:
        """A dry run knows no models."""
        return ModelDescription(model, exists=False, shutdown=None)

    def delete(self, file_id: str) -> None:
        """There is nothing to delete."""
