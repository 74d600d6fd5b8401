"""A vote that was imported and one that came in live meet on the same content, whichever came first."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from feedback_pipeline.ingest.importing import import_sources
from feedback_pipeline.ingest.intake import PrivacyRules
from feedback_pipeline.ingest.sources import load_sources
from feedback_pipeline.privacy.pseudonyms import Pseudonymiser
from feedback_pipeline.privacy.redaction import redact_frame

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MAPPING = "{id: id, user: user, occurred_at: at, thumb: rating, content_type: type, content_id: content}"


def imported(service: Any, folder: Path, content: str) -> None:
    folder.mkdir()
    row = {"id": f"v-{content}", "user": "bob", "at": "2026-11-02T10:00:00Z", "rating": "up", "type": "pr_summary"}
    (folder / "votes.jsonl").write_text(json.dumps(row | {"content": content}) + "\n")
    source = f"kind: jsonl\n    path: votes.jsonl\n    tenant: {service.tenant}\n    mapping: {MAPPING}\n"
    (folder / "sources.yaml").write_text(f"sources:\n  votes:\n    {source}")
    privacy = PrivacyRules(redact_frame, Pseudonymiser.open(folder, production=False).pseudonyms)
    summary = import_sources(service.database, load_sources(folder / "sources.yaml", {}), privacy, folder, now=NOW)
    assert [one.events for one in summary.sources] == [1]


def answers(service: Any, content: str) -> list[Any]:
    name = f"pr_summary/{content}"
    found = service.rows("SELECT interaction_id FROM feedback WHERE tenant = %s AND key_value = %s", name)
    return [row[0] for row in found]


def test_an_imported_vote_goes_to_the_content_that_is_there(service: Any, api: Any, tmp_path: Path) -> None:
    live = {"content_type": "pr_summary", "content_id": "123", "rating": False, "content_snapshot": {"summary": "…"}}
    assert api.post("/v1/feedback", json=live).status_code == 201
    imported(service, tmp_path / "import", "123")
    ((interaction,),) = service.rows(
        "SELECT interaction_id FROM interaction_key WHERE tenant = %s AND value = %s", "pr_summary/123"
    )
    assert [vote[0] for vote in service.rows("SELECT interaction_id FROM feedback WHERE tenant = %s")] == [
        interaction
    ] * 2


def test_an_imported_vote_waits_for_content_that_is_shown_later(service: Any, api: Any, tmp_path: Path) -> None:
    imported(service, tmp_path / "import", "456")
    assert answers(service, "456") == [None]
    answer = {"content_type": "pr_summary", "content_id": "456", "output": "Five files changed."}
    (interaction,) = api.post("/v1/interactions", json=answer).json()["interaction_ids"]
    assert [str(found) for found in answers(service, "456")] == [interaction]
