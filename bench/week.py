"""What the week costs once its days are counted: every weekly pattern and the report, computed again.

`FEEDBACK_HOME=… python -m bench.week` takes the newest week of a home that the loop has run on, and prints the seconds
of each asset as JSON. Reading the tables is in them, importing and opening the database are not.
"""

import json
import sys
import time
from datetime import date

from assets import patterns, report
from feedback_pipeline.patterns.tables import SLICE_FINDINGS
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.settings import Settings

ASSETS = (
    patterns.slice_findings,
    patterns.term_findings,
    patterns.failure_topics,
    patterns.approval_change,
    patterns.repeated_failures,
    patterns.recommendations,
    report.weekly_report,
)


def main() -> None:
    """Prints wall seconds by asset, and the number of votes."""
    pipeline = Pipeline(Settings.from_environment())
    week = date.fromisoformat(pipeline.frames.partitions(SLICE_FINDINGS)[-1])
    with pipeline.database.engine.connect():
        pass  # the embedded server starts at the first use
    seconds: dict[str, float] = {}
    for declaration in ASSETS:
        started = time.perf_counter()
        declaration.function(pipeline, week)
        seconds[declaration.name] = round(time.perf_counter() - started, 3)
    json.dump({"week": str(week), "seconds": seconds, "total": round(sum(seconds.values()), 2)}, sys.stdout)


if __name__ == "__main__":
    main()
