"""Imports: the sources of `sources.yaml`, brought in on a schedule by the code behind `feedback import`."""

import dagster as dg

from assets.declaration import OWNERS
from feedback_pipeline.ingest.importing import import_sources
from feedback_pipeline.ingest.intake import PrivacyRules
from feedback_pipeline.ingest.sources import load_sources
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.privacy.redaction import redact_frame


@dg.asset(
    group_name="raw",
    kinds={"postgres"},
    owners=OWNERS,
    code_version="1",
    check_specs=[dg.AssetCheckSpec("every_source_read", asset="imported_feedback")],
)
def imported_feedback(pipeline: dg.ResourceParam[Pipeline]) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """One delivery of every source named in sources.yaml: new rows filed, known ones left alone, refused ones kept with
    their reason."""
    settings = pipeline.settings
    if not settings.sources_file.exists():
        raise dg.Failure(f"{settings.sources_file} is not there: copy examples/sources.yaml", allow_retries=False)
    sources = load_sources(settings.sources_file)
    privacy = PrivacyRules(redact=redact_frame, pseudonyms=pipeline.pseudonymiser.pseudonyms)
    summary = import_sources(pipeline.database, sources, privacy, settings.home, zone=settings.zone)
    numbers = {"rows": summary.rows, "answers": summary.interactions, "events": summary.events}
    unread = [f"{problem.place}: {problem.reason}" for problem in summary.problems]
    return dg.MaterializeResult(
        metadata={**numbers, "known": summary.known, "refused": summary.refused},
        check_results=[
            dg.AssetCheckResult(passed=not unread, check_name="every_source_read", metadata={"unread": unread})
        ],
    )
