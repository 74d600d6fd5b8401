"""Refused rows are listed, looked at, corrected and taken in; nothing is counted twice and nothing is lost."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from feedback_pipeline.ingest.importing import import_sources
from feedback_pipeline.ingest.intake import PrivacyRules
from feedback_pipeline.ingest.readmission import readmit
from feedback_pipeline.ingest.source_entry import Source
from feedback_pipeline.ingest.sources import load_sources
from feedback_pipeline.privacy.pseudonyms import Pseudonymiser
from feedback_pipeline.privacy.redaction import redact_frame
from feedback_pipeline.store import bulk, quarantine
from feedback_pipeline.store.database import Database
from feedback_pipeline.store.quarantine import QuarantineError

NOW = datetime(2026, 9, 12, tzinfo=UTC)
KEYS = Pseudonymiser("k1", {"k1": bytes(range(32))})
SOURCES = """
sources:
  votes:
    kind: csv
    path: votes.csv
    mapping: {id: id, user: who, occurred_at: at, stars: stars, comment: words, output: answer}
"""
ROWS = """id,who,at,stars,words,answer
1,ada,2026-09-07T10:00:00Z,9,write to ada@example.org about it,The answer.
2,ben,2026-09-07T11:00:00Z,4,fine,The answer.
3,eve,not a time,3,,The answer.
"""


@pytest.fixture
def source(database: Database, tmp_path: Path) -> Source:
    (tmp_path / "sources.yaml").write_text(SOURCES)
    (tmp_path / "votes.csv").write_text(ROWS)
    sources = load_sources(tmp_path / "sources.yaml")
    import_sources(database, sources, PrivacyRules(redact_frame, KEYS.pseudonyms), tmp_path / "home", now=NOW)
    return sources.entries[0]


def events(database: Database) -> list[tuple[object, ...]]:
    with psycopg.connect(database.address()) as connection:
        return connection.execute("SELECT source_id, user_key, stars, comment FROM feedback ORDER BY 1").fetchall()


def test_refused_rows_are_listed_with_place_and_reason(database: Database, source: Source) -> None:
    found = quarantine.listed(database)
    assert {(row.place, row.field) for row in found} == {("votes.csv:2", "stars"), ("votes.csv:4", "occurred_at")}
    assert all(row.kept and row.state == "held" for row in found)
    assert quarantine.listed(database, source="elsewhere") == []
    assert len(quarantine.listed(database, limit=1)) == 1


def test_a_corrected_row_becomes_the_vote_it_would_have_been(database: Database, source: Source) -> None:
    refused = next(row for row in quarantine.listed(database) if row.field == "stars")
    done = readmit(database, refused.id, source, {"stars": "5"}, NOW)
    assert (done.filed.feedback, done.filed.interactions) == (1, 1)
    assert events(database)[0] == ("1", KEYS.pseudonym("default", "ada"), 5, "write to [EMAIL_1] about it")
    assert quarantine.shown(database, refused.id).refused.state == "readmitted"
    day = datetime(2026, 9, 7, tzinfo=UTC).date()
    # the day's three deliveries: two votes now, one refused for its time, which counts for the day it arrived
    assert bulk.count_events(database, [day])[day] == 2
    account = bulk.read_day(database, "account_for_days", day, NOW.date())
    assert account["delivered"].sum() == 3


def test_a_row_that_is_still_wrong_stays_and_says_why(database: Database, source: Source) -> None:
    refused = next(row for row in quarantine.listed(database) if row.field == "occurred_at")
    with pytest.raises(QuarantineError, match="still refused: occurred_at"):
        readmit(database, refused.id, source, {"at": "the day before yesterday"}, NOW)
    assert quarantine.shown(database, refused.id).refused.state == "held"
    assert len(events(database)) == 1


def test_a_kill_between_filing_and_settling_is_made_good_by_the_same_command(
    database: Database, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = next(row for row in quarantine.listed(database) if row.field == "stars")
    with monkeypatch.context() as killed:
        killed.setattr(quarantine, "settle", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            readmit(database, refused.id, source, {"stars": "5"}, NOW)
    done = readmit(database, refused.id, source, {"stars": "5"}, NOW)
    assert done.filed.feedback == 0
    assert len(events(database)) == 2


def test_what_cannot_be_done_is_said(database: Database, source: Source) -> None:
    refused = next(row for row in quarantine.listed(database) if row.field == "stars")
    with pytest.raises(QuarantineError, match="there is no refused row"):
        quarantine.shown(database, uuid4())
    with pytest.raises(QuarantineError, match="who voted cannot be corrected"):
        readmit(database, refused.id, source, {"who": "somebody"}, NOW)
    with pytest.raises(QuarantineError, match="reads no column colour"):
        readmit(database, refused.id, source, {"colour": "red"}, NOW)
    assert quarantine.settle(database, [refused.id], "discarded") == 1
    with pytest.raises(QuarantineError, match="discarded already"):
        readmit(database, refused.id, source, {"stars": "5"}, NOW)
    held = quarantine.listed(database)[0]
    for payload, said in ((None, "is not kept"), ('{"words": "cut in the mid', "longer than what is kept")):
        with psycopg.connect(database.address()) as connection:
            connection.execute("UPDATE refusal SET payload = %s WHERE id = %s", (payload, held.id))
        with pytest.raises(QuarantineError, match=said):
            readmit(database, held.id, source, {"at": "2026-09-07"}, NOW)
