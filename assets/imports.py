"""Imports: the sources of `sources.yaml`, brought in on a schedule by the code behind `feedback import`."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from assets.choices import Importing
from assets.declaration import OWNERS
from assets.descriptions import of_check
from feedback_pipeline.ingest.documents import SourcesError
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
    check_specs=[
        dg.AssetCheckSpec("every_source_read", asset="imported_feedback", description=of_check("every_source_read"))
    ],
    # a dry run is no materialisation
    output_required=False,
)
def imported_feedback(
    context: dg.AssetExecutionContext, config: Importing, pipeline: dg.ResourceParam[Pipeline]
) -> Iterator[Any]:
    """One delivery of every source named in sources.yaml: new rows filed, known ones left alone, refused ones kept with
    their reason."""
    settings = pipeline.settings
    if not settings.sources_file.exists():
        raise dg.Failure(f"{settings.sources_file} is not there: copy examples/sources.yaml", allow_retries=False)
    sources = load_sources(settings.sources_file)
    privacy = PrivacyRules(redact=redact_frame, pseudonyms=pipeline.pseudonymiser.pseudonyms)
    try:
        summary = import_sources(
            pipeline.database, sources, privacy, settings.home, dry_run=config.dry_run, names=tuple(config.sources),
            zone=settings.zone,
        )  # fmt: skip
    except SourcesError as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    numbers = {"rows": summary.rows, "answers": summary.interactions, "events": summary.events,
               "known": summary.known, "refused": summary.refused}  # fmt: skip
    unread = [f"{problem.place}: {problem.reason}" for problem in summary.problems]
    if config.dry_run:
        context.log.info(f"dry run, nothing was filed: {numbers}")
    else:
        yield dg.MaterializeResult(metadata=numbers)
    yield dg.AssetCheckResult(passed=not unread, check_name="every_source_read", metadata={"unread": unread})
