"""What the week costs once its days are counted: every weekly pattern and the report, computed again.

`FEEDBACK_HOME=… python -m bench.week` takes the newest week of a home that the loop has run on, and prints the seconds
of each asset as JSON. Reading the tables is in them, importing and opening the database are not.
"""

import json
import sys
import time
from datetime import date

from assets import patterns, report
from feedback_pipeline.calendar import days_of, monday_of
from feedback_pipeline.cleaning.tables import VOTE_FACTS
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


def newest_week(pipeline: Pipeline) -> date:
    """The newest week of which every day is counted; where none is whole, that of the newest day.

    Raises:
        RuntimeError: no day is counted.
    """
    days = {date.fromisoformat(day) for day in pipeline.frames.partitions(VOTE_FACTS)}
    if not days:
        raise RuntimeError(f"no day is counted in {pipeline.settings.home}: feedback materialize")
    weeks = {monday_of(day) for day in days}
    return max((week for week in weeks if days.issuperset(days_of(week))), default=max(weeks))


def main() -> None:
    """Prints wall seconds by asset, and the number of votes."""
    pipeline = Pipeline(Settings.from_environment())
    week = newest_week(pipeline)
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
