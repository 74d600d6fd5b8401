"""Rows that were not taken: their refusal in the store, and their line in the reject file."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import IO
from zoneinfo import ZoneInfo

import orjson
import polars as pl

from feedback_pipeline.ingest.identity import content_hashes, derived_ids
from feedback_pipeline.ingest.intake import PrivacyRules
from feedback_pipeline.ingest.mapping import PEOPLE, PERSON, people
from feedback_pipeline.ingest.readers.chunks import ROW, Unread
from feedback_pipeline.ingest.rows import ANNOTATOR, FIELD, REASON, VOTE_ID
from feedback_pipeline.ingest.source_entry import Source
from feedback_pipeline.store.rows import INCOMING_REFUSAL
from feedback_pipeline.tables.vocabulary import TIMESTAMP

PAYLOAD_LIMIT = 4_000
"""Characters of a refused row that are kept."""
_BEFORE_REDACTION = 4 * PAYLOAD_LIMIT
"""Characters that are redacted: more than are kept, so that no identifier is cut in two and missed."""

DIGEST = "\x00digest"
_SCHEMA: dict[str, pl.DataType] = {
    ROW: pl.Int64(),
    ANNOTATOR: pl.String(),
    "tenant": pl.String(),
    "user_key": pl.String(),
    "occurred_at": TIMESTAMP,
    VOTE_ID: pl.String(),
    FIELD: pl.String(),
    REASON: pl.String(),
    DIGEST: pl.String(),
}
"""What is known of a refused row."""


@dataclass(frozen=True)
class Place:
    """What refused rows are found by: the source, its file as shown to people, and its zone."""

    source: Source
    name: str
    today: date
    zone: ZoneInfo


def unread_rows(
    unread: Sequence[Unread], delivered: pl.DataFrame, source: Source, privacy: PrivacyRules
) -> pl.DataFrame:
    """Rows that a reader refused, as refused rows; whose they are is known where they could be taken apart."""
    rows = pl.DataFrame(
        [{ROW: row.row, FIELD: row.field, REASON: row.reason, DIGEST: row.digest} for row in unread],
        schema={name: _SCHEMA[name] for name in (ROW, FIELD, REASON, DIGEST)},
    ).unique(ROW, keep="first", maintain_order=True)
    shown = delivered.join(rows, on=ROW, how="semi", maintain_order="left")
    who = people(shown, source, None)
    known = shown.select(ROW).with_columns(
        who["tenant"], privacy.pseudonyms(who["tenant"], who["user"]).alias("user_key")
    )
    return rows.join(known, on=ROW, how="left", maintain_order="left").with_columns(
        pl.col("tenant").fill_null(source.tenant)
    )


def refusals(
    refused: pl.DataFrame,
    category: str,
    delivered: pl.DataFrame,
    place: Place,
    privacy: PrivacyRules,
    withheld: pl.DataFrame,
) -> pl.DataFrame:
    """Refusals as the store takes them (INCOMING_REFUSAL), with `row` beside.

    Args:
        refused: rows with ROW, ANNOTATOR, FIELD and REASON, and who and when, where known.
        category: quarantined or duplicate.
        delivered: the delivered text by ROW.
        withheld: tenant and user_key of people who refused collection: nothing they wrote is kept.
    """
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in _SCHEMA.items() if name not in refused.columns]
    rows = refused.with_columns(*missing).select(list(_SCHEMA)).sort(ROW, ANNOTATOR, nulls_last=True)
    if rows.is_empty():
        return INCOMING_REFUSAL.empty().with_columns(pl.lit(None, pl.Int64).alias("row"))
    row = pl.col(ROW).cast(pl.String)
    number = pl.coalesce(VOTE_ID, row) if place.source.kind == "sql" else row  # rows of a table have no fixed number
    where = pl.concat_str([pl.lit(place.name), number, ANNOTATOR], separator=":", ignore_nulls=True)
    voted = pl.col("occurred_at").dt.convert_time_zone(str(place.zone)).dt.date()
    rows = rows.with_columns(
        where.alias("place"),
        pl.min_horizontal(voted, pl.lit(place.today)).fill_null(place.today).alias("day"),
        pl.lit(category).alias("category"),
        pl.lit(place.source.name).alias("source"),
        pl.col(FIELD).alias("field"),
        pl.col(REASON).alias("reason"),
        pl.col(ROW).alias("row"),
        _payloads(rows, delivered, place.source, privacy, withheld).alias("payload"),
    )
    # The same row in the same place is one refusal however often it is delivered; another row there is another one.
    said = [pl.col(name).fill_null("") for name in ("place", "reason", "payload", DIGEST)]
    identity = rows.select(pl.concat_str(said, separator="\x1f")).to_series()
    ids = derived_ids(rows["tenant"], place.source.name, content_hashes(identity))
    return rows.with_columns(ids.alias("id")).select(*INCOMING_REFUSAL.names, "row")


def _payloads(
    rows: pl.DataFrame, delivered: pl.DataFrame, source: Source, privacy: PrivacyRules, withheld: pl.DataFrame
) -> pl.Series:
    """The rows as delivered, as JSON: the person as a pseudonym, the rest redacted and cut to the limit.

    A row that could not be taken apart has none: nobody could find it again for the person it is about.
    """
    personal = {
        path.removesuffix("?") for name in PEOPLE if name in source.mapping for path in source.mapping[name].paths
    }
    kept = [name for name in delivered.columns if name not in personal and name not in (ROW, PERSON)]
    found = rows.select(ROW, "tenant", "user_key").join(
        delivered.select(ROW, pl.lit(value=True).alias("\x00held"), *kept), on=ROW, how="left", maintain_order="left"
    )
    refused_collection = withheld.select("tenant", "user_key", pl.lit(value=True).alias("\x00out"))
    found = found.join(refused_collection, on=["tenant", "user_key"], how="left", maintain_order="left")
    content = pl.struct("user_key", *kept).struct.json_encode().str.slice(0, _BEFORE_REDACTION)
    text = found.select(pl.when(pl.col("\x00held").is_not_null() & pl.col("\x00out").is_null()).then(content))
    redacted = privacy.redact(text.to_series().alias("payload").to_frame(), (), ("payload",))
    return redacted.frame["payload"].str.slice(0, PAYLOAD_LIMIT)


class RejectFile:
    """Refused rows as JSON lines (`file`, `row`, `field`, `reason`, `payload`), readable by its owner only.

    Lines are written before the batch is filed. After a kill the last ones may belong to a batch that was not: `resume`
    drops them, and the import writes them again.
    """

    def __init__(self, folder: Path, source: str, fingerprint: str) -> None:
        self.path = folder / f"{source}-{fingerprint}.jsonl"

    def resume(self, rows_done: int) -> None:
        """Keeps the lines of rows that have been filed."""
        if not self.path.exists():
            return
        if not rows_done:
            self.path.unlink()
            return
        temporary = self.path.with_suffix(".tmp")
        with self.path.open("rb") as lines, _private(temporary) as kept:
            for line in lines:
                if line.endswith(b"\n") and orjson.loads(line)["row"] <= rows_done:
                    kept.write(line)
        temporary.replace(self.path)

    def add(self, rows: pl.DataFrame, file: str) -> None:
        """Appends refusals (with `row`), and makes sure that they are on the disk."""
        if rows.is_empty():
            return
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _private(self.path, append=True) as out:
            for row, field, reason, payload in rows.select("row", "field", "reason", "payload").iter_rows():
                line = {"file": file, "row": row, "field": field, "reason": reason, "payload": payload}
                out.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
            out.flush()
            os.fsync(out.fileno())


def _private(path: Path, append: bool = False) -> IO[bytes]:
    flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if append else os.O_TRUNC)
    return os.fdopen(os.open(path, flags, 0o600), "ab" if append else "wb")
