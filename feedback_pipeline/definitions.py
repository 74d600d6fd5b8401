"""What Dagster loads: the code location of this environment's settings, composed in `jobs.location`."""

from feedback_pipeline.loading import return_memory, uncollected

return_memory()
with uncollected():
    from jobs.location import defs

__all__ = ["defs"]
