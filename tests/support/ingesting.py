"""What the tests of ingest share: privacy rules with real redaction and pseudonyms, and sources written on the spot."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from feedback_pipeline.ingest.importing import import_sources
from feedback_pipeline.ingest.intake import PrivacyRules
from feedback_pipeline.ingest.sources import Sources, load_sources
from feedback_pipeline.ingest.summary import ImportSummary, SourceSummary
from feedback_pipeline.privacy.pseudonyms import Pseudonymiser
from feedback_pipeline.privacy.redaction import redact_frame
from feedback_pipeline.store.database import Database

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
VOTE = {
    "id": "v1",
    "user": "anna",
    "at": "2026-11-02T10:00:00Z",
    "rating": "up",
    "question": "Where is my invoice?",
    "answer": "Under Billing.",
}
VOTES = """
    mapping: {id: id, user: user, occurred_at: at, thumb: rating, prompt: question, output: answer}
"""


def privacy(home: Path) -> PrivacyRules:
    return PrivacyRules(redact_frame, Pseudonymiser.open(home, production=False).pseudonyms)


def written(folder: Path, text: str, environment: Mapping[str, str] | None = None) -> Sources:
    """A `sources.yaml` in the folder, read."""
    file = folder / "sources.yaml"
    file.write_text(text)
    return load_sources(file, environment or {})


def votes_source(folder: Path, kind: str, path: str, more: str = "") -> Sources:
    """A source `votes` of rows like VOTE."""
    return written(folder, f"sources:\n  votes:\n    kind: {kind}\n    path: {path}{VOTES}{more}")


def json_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def bring_in(database: Database | None, sources: Sources, home: Path, **options: Any) -> ImportSummary:
    return import_sources(database, sources, privacy(home), home, **{"now": NOW, **options})


def only(summary: ImportSummary) -> SourceSummary:
    (source,) = summary.sources
    return source


def reasons(source: SourceSummary) -> dict[tuple[str, str | None], int]:
    return {(refused.reason, refused.field): refused.rows for refused in source.refused}


def query(database: Database, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database.address()) as connection:
        return connection.execute(statement).fetchall()


def rejected(source: SourceSummary) -> list[dict[str, Any]]:
    return [json.loads(line) for file in source.reject_files for line in Path(file).read_text().splitlines()]
