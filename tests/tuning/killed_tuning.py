"""Run by a test: `python killed_tuning.py ENVIRONMENT MOMENT` (JSON, ISO 8601) takes a run as far as it goes, in a
process that the provider's stand-in ends by SIGKILL."""

import json
import sys
from datetime import datetime

from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings
from feedback_pipeline.tuning import tuning
from feedback_pipeline.tuning.configured import open_provider
from feedback_pipeline.tuning.following import follow

pipeline = Pipeline(Settings.from_environment(json.loads(sys.argv[1])), datetime.fromisoformat(sys.argv[2]))
run, _ = tuning.start(pipeline)
if run is not None:
    tuning.submit(pipeline, run, open_provider(pipeline.settings))
for _ in range(4):
    follow(pipeline)
