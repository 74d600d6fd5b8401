"""What Dagster loads: the code location of this environment's settings, composed in `jobs.location`."""

from jobs.location import defs

__all__ = ["defs"]
