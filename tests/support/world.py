"""A small sample in a store of its own, and the whole loop on an instance that keeps its events in memory or SQLite."""

from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg

from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.sample.load import load_sample
from feedback_pipeline.settings import Settings
from feedback_pipeline.store.database import Database

END = date(2026, 11, 15)
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
WEEKS = (date(2026, 11, 2), date(2026, 11, 9))


def pipeline_for(home: Path, database: Database, **environment: str) -> Pipeline:
    given = {"FEEDBACK_HOME": str(home), "FEEDBACK_DATABASE_URL": database.url, "FEEDBACK_QUIET": "0", **environment}
    return Pipeline(Settings.from_environment(given), NOW)


def with_sample(home: Path, database: Database, votes: int = 1500) -> Pipeline:
    """Two weeks of sample votes in the store."""
    pipeline = pipeline_for(home, database)
    load_sample(database, pipeline.pseudonymiser, home, votes=votes, weeks=2, seed=7, end=END)
    return pipeline


def files_of(pipeline: Pipeline) -> dict[str, bytes]:
    """Every file the loop wrote, by its path below the data folder."""
    root = Path(pipeline.settings.data_url)
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def checks(instance: dg.DagsterInstance, run_id: str) -> list[tuple[str, str, str | None, bool]]:
    """Evaluated checks of a run: asset, check, partition, passed."""
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION).records
    events = [record.event_log_entry.dagster_event for record in records]
    found = [event.asset_check_evaluation_data for event in events if event is not None]
    return [(one.asset_key.to_user_string(), one.check_name, one.partition, one.passed) for one in found]
