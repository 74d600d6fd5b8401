"""Verdicts that models gave elsewhere, on pairs of answers: recorded, never counted as people's votes."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from feedback_pipeline.ingest.deliveries import batched, deliveries, lookups, read_delivery
from feedback_pipeline.ingest.intake import PrivacyRules
from feedback_pipeline.ingest.mapping import as_text, wanted_paths, with_joins
from feedback_pipeline.ingest.readers.chunks import ROW, readable
from feedback_pipeline.ingest.rows import REASON, Reading, Votes, read_votes
from feedback_pipeline.ingest.sources import Source, Sources
from feedback_pipeline.privacy.redaction import RedactedFrame
from feedback_pipeline.store.bulk import connect, stage
from feedback_pipeline.store.database import Database
from feedback_pipeline.store.statements import Queries

CRITERION = "satisfaction"
"""What people are asked about when they compare two answers; recorded verdicts are taken to answer the same."""

RECORDED = pl.Schema(
    {
        "interaction_id": pl.String,
        "other_interaction_id": pl.String,
        "judge": pl.String,
        "verdict": pl.String,
        "unscored": pl.String,
    }
)
"""One recorded verdict on a pair: `this`, `other` or `tie`; or null with the reason (a code) in `unscored`."""

_query = Queries(__file__).text


def recorded_judgements(sources: Sources, names: tuple[str, ...] = ()) -> pl.DataFrame:
    """The verdicts of all sources that name a `judge` (RECORDED), in the order delivered, one a judge and pair.

    Raises:
        UnreadableError: a file cannot be read.
        SourcesError: a name is unknown.
    """
    frames = [RECORDED.to_frame()]
    for source in sources.chosen(names):
        if source.judge:
            frames += _of_source(source, sources.file.parent)
    return pl.concat(frames).unique(
        ["judge", "interaction_id", "other_interaction_id"], keep="first", maintain_order=True
    )


def _of_source(source: Source, base: Path) -> list[pl.DataFrame]:
    tables, _ = lookups(source, base)
    wanted = wanted_paths(source)
    reading = Reading(source, NO_RULES, datetime.now(UTC))
    found = []
    for delivery in deliveries(source, base):
        for chunk in batched(read_delivery(source, delivery)):
            delivered = as_text(chunk.frame, wanted, source.null_words)
            frame = with_joins(readable(delivered.frame, (*chunk.unread, *delivered.unread)), source, tables)
            found.append(recorded_rows(read_votes(frame, reading), source))
    return found


def recorded_rows(votes: Votes, source: Source) -> pl.DataFrame:
    """Read rows of a judge's source as RECORDED; rows about unknown answers are left out."""
    rows = pl.concat([votes.good, votes.refused], how="diagonal_relaxed").sort(ROW)
    reason = pl.col(REASON) if REASON in rows.columns else pl.lit(None, pl.String)
    return (
        rows.select(
            pl.col("left_interaction_id").alias("interaction_id"),
            pl.col("right_interaction_id").alias("other_interaction_id"),
            pl.lit(source.judge).alias("judge"),
            pl.when(reason.is_null()).then("preference").alias("verdict"),
            reason.alias("unscored"),
        )
        .drop_nulls(["interaction_id", "other_interaction_id"])
        .cast(RECORDED)
    )


def file_judgements(database: Database, recorded: pl.DataFrame) -> int:
    """Files recorded verdicts as judgements with the fingerprint `recorded:<judge>`; those known are left as they are.

    Returns:
        How many were new.
    """
    rows = recorded.with_columns(
        (pl.lit("recorded:") + pl.col("judge")).alias("fingerprint"),
        pl.lit(CRITERION).alias("criterion"),
        pl.struct(pl.col("verdict").alias("preference"), "unscored").struct.json_encode().alias("result"),
    )
    identity = rows.select(
        pl.concat_str("fingerprint", "criterion", "interaction_id", "other_interaction_id", separator="\x1f")
    ).to_series()
    hashes = [hashlib.blake2b(text.encode(), digest_size=32).hexdigest() for text in identity]
    rows = rows.with_columns(pl.Series("content_hash", hashes, dtype=pl.String)).drop("judge", "verdict", "unscored")
    if rows.is_empty():
        return 0
    with connect(database) as connection, connection.cursor() as cursor:
        stage(cursor, "stage_judgement", rows)
        cursor.execute(_query("insert_judgements"))
        return int(cursor.fetchone()[0])


def _unredacted(
    frame: pl.DataFrame,
    texts: Sequence[str],
    json: Sequence[str] = (),
    conversation: str | None = None,
    lists: Sequence[str] = (),
) -> RedactedFrame:
    return RedactedFrame(frame, {})


NO_RULES = PrivacyRules(_unredacted, lambda tenants, users: users)
"""Recorded verdicts carry neither texts nor people out of here."""
