"""A refused row, corrected and read again as if it had been delivered now."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson
import polars as pl

from feedback_pipeline.ingest.intake import PrivacyRules
from feedback_pipeline.ingest.mapping import PEOPLE, as_text, wanted_paths
from feedback_pipeline.ingest.readers.chunks import ROW
from feedback_pipeline.ingest.rows import FIELD, REASON, Reading, read_votes
from feedback_pipeline.ingest.source_entry import Source
from feedback_pipeline.ingest.store_rows import file_rows
from feedback_pipeline.privacy.redaction import redact_frame
from feedback_pipeline.store import quarantine
from feedback_pipeline.store.bulk import Batch, Filed, file_batch
from feedback_pipeline.store.database import Database
from feedback_pipeline.store.quarantine import QuarantineError

PERSON_KEY = "user_key"
"""The key of a payload under which the person's pseudonym is."""


@dataclass(frozen=True)
class Readmitted:
    """What a corrected row became."""

    refusal: UUID
    filed: Filed


def readmit(
    database: Database, refusal: UUID, source: Source, corrections: Mapping[str, str | None], now: datetime
) -> Readmitted:
    """Reads a refused row again with some columns corrected, and files what it becomes.

    Args:
        database: the store.
        refusal: its id.
        source: the source it came from, as sources.yaml describes it now.
        corrections: column → value as it should have been delivered; None for nothing.
        now: arrival.

    Raises:
        QuarantineError: the row cannot be re-admitted, or is still wrong; the message names field and reason.
    """
    held = quarantine.shown(database, refusal)
    payload = _payload(held)
    if source.judge:
        raise QuarantineError("rows of a recorded judge are not votes: correct the file and import it again")
    frame = _delivered(payload, source, corrections)
    # the name was taken out when the row was refused: what is left of it is the pseudonym
    known = payload.get(PERSON_KEY)
    privacy = PrivacyRules(redact=redact_frame, pseudonyms=lambda _, people: _named(people, known))
    reading = Reading(source, privacy, now)
    votes = read_votes(frame, reading)
    if votes.refused.height:
        field, reason = votes.refused.select(FIELD, REASON).row(0)
        raise QuarantineError(f"still refused: {field} is {reason}; correct it with --set COLUMN=VALUE")
    if votes.good["tenant"].to_list() != [held.refused.tenant] * votes.good.height:
        raise QuarantineError(f"{refusal} belongs to the tenant {held.refused.tenant}: a correction cannot move it")
    store_rows = file_rows(votes.good, reading)
    filed = file_batch(database, Batch(store_rows.interactions, store_rows.keys, store_rows.feedback))
    quarantine.settle(database, [refusal], "readmitted")
    return Readmitted(refusal, filed)


def _payload(held: quarantine.Held) -> dict[str, object]:
    text = quarantine.require_held(held)
    try:
        payload = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise QuarantineError(
            f"{held.refused.id} was longer than what is kept of a refused row: correct {held.refused.place} where it "
            "came from and import it again"
        ) from error
    if not isinstance(payload, dict):
        raise QuarantineError(f"{held.refused.id} holds no columns")
    return payload


def _delivered(payload: dict[str, object], source: Source, corrections: Mapping[str, str | None]) -> pl.DataFrame:
    """The row as its reader would deliver it: ROW and one text column a path."""
    wanted = wanted_paths(source)
    unknown = sorted(set(corrections) - set(wanted.paths))
    if unknown:
        raise QuarantineError(f"the source {source.name} reads no column {unknown[0]}: {', '.join(wanted.paths)}")
    personal = {path for name in PEOPLE if name in source.mapping for path in source.mapping[name].paths}
    if personal & set(corrections):
        raise QuarantineError("who voted cannot be corrected: import the corrected row again")
    values: dict[str, object] = {name: value for name, value in payload.items() if name != PERSON_KEY}
    if "user" in source.mapping:
        values |= dict.fromkeys(source.mapping["user"].paths, payload.get(PERSON_KEY))
    values |= corrections
    columns = {path: pl.Series([_text(values.get(path))], dtype=pl.String) for path in wanted.paths}
    return as_text(pl.DataFrame({ROW: pl.Series([1], dtype=pl.Int64), **columns}), wanted, ()).frame


def _named(people: pl.Series, pseudonym: object) -> pl.Series:
    name = None if pseudonym is None else str(pseudonym)
    return pl.select(pl.when(people.is_not_null()).then(pl.lit(name, pl.String))).to_series()


def _text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()
