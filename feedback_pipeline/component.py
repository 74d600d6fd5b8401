"""The loop as a Dagster Component: a few lines of YAML put it into somebody's own project.

```yaml
type: feedback_pipeline.FeedbackLoop
attributes:
  database_url: "{{ env.FEEDBACK_DATABASE_URL }}"
  data_url: s3://our-bucket/feedback
  start: "2026-01-05"
```

What is not named comes from the environment, as everywhere else (docs/settings.md).
"""

import os
from typing import Annotated, Any

import dagster as dg
from dagster.components import Component, ComponentLoadContext, Model, Resolvable
from pydantic import Field

from feedback_pipeline.loading import return_memory, uncollected
from feedback_pipeline.settings import Settings

return_memory()
with uncollected():
    from jobs.location import build_definitions


class FeedbackLoop(Component, Model, Resolvable):
    """From the votes of people to cleaned data, findings, reports, judged quality and training files."""

    database_url: Annotated[
        str | None, Field(description="PostgreSQL to use; without one the component runs one of its own.", repr=False)
    ] = None
    home: Annotated[str | None, Field(description="Folder for what is kept on this machine.")] = None
    data_url: Annotated[str | None, Field(description="Folder or bucket for tables, reports, training files.")] = None
    sources: Annotated[str | None, Field(description="The file that names what to import (sources.yaml).")] = None
    start: Annotated[str | None, Field(description="First day of the first week, a Monday.")] = None
    timezone: Annotated[str | None, Field(description="Zone that days and weeks are cut in.")] = None
    automation: Annotated[bool | None, Field(description="Sensors and schedules run from the first start.")] = None
    settings: Annotated[
        dict[str, Any],
        Field(description="Any other setting, by the name of its environment variable.", default_factory=dict),
    ]

    def environment(self) -> dict[str, str]:
        """The environment that the loop's settings are read from."""
        named = {
            "FEEDBACK_DATABASE_URL": self.database_url,
            "FEEDBACK_HOME": self.home,
            "FEEDBACK_DATA_URL": self.data_url,
            "FEEDBACK_SOURCES": self.sources,
            "FEEDBACK_START": self.start,
            "FEEDBACK_TIMEZONE": self.timezone,
            "FEEDBACK_AUTOMATION": None if self.automation is None else str(int(self.automation)),
        }
        own = {name: str(value) for name, value in self.settings.items()}
        return {**os.environ, **own, **{name: value for name, value in named.items() if value}}

    def build_defs(self, context: ComponentLoadContext) -> dg.Definitions:
        """The whole loop: assets, checks, jobs, schedules, sensors; opens nothing."""
        return build_definitions(Settings.from_environment(self.environment()))
