"""What most commands open: the pipeline of the environment's settings, or its store alone.

Both are imported when they are opened: whoever asks for help waits for no data frames and no drivers.
"""

from typing import TYPE_CHECKING

from feedback_pipeline.settings import Settings

if TYPE_CHECKING:
    from feedback_pipeline.pipeline import Pipeline
    from feedback_pipeline.store.database import Database


def open_pipeline(settings: Settings | None = None) -> "Pipeline":
    """The pipeline of these settings; by default of the environment's."""
    from feedback_pipeline.pipeline import Pipeline

    return Pipeline(settings or Settings.from_environment())


def open_store() -> "Database":
    """The store of the environment's settings."""
    from feedback_pipeline.store.database import open_database

    return open_database(Settings.from_environment())
