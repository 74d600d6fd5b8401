"""Verdicts that models gave elsewhere, on pairs of answers or on single ones: recorded, never counted as people's
votes."""

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
from feedback_pipeline.ingest.source_entry import Source
from feedback_pipeline.ingest.sources import Sources
from feedback_pipeline.ingest.store_rows import waiting_for
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
    """The verdicts on pairs of all sources that name a `judge` (RECORDED), as delivered, one a judge and pair.

    Raises:
        UnreadableError: a file cannot be read.
        SourcesError: a name is unknown.
    """
    frames = [RECORDED.to_frame()]
    for source in sources.chosen(names):
        if source.judge and source.pairwise:
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


EVALUATED = pl.Schema(
    {
        "tenant": pl.String,
        "interaction_id": pl.String,
        "key_kind": pl.String,
        "key_value": pl.String,
        "judge": pl.String,
        "criterion": pl.String,
        "score": pl.Float64,
        "label": pl.String,
    }
)
"""One recorded verdict on one answer, which is known by its id or by a name the application gave it."""


def evaluated_rows(votes: Votes, source: Source) -> pl.DataFrame:
    """Read rows of a judge's source as EVALUATED; rows that say nothing of an answer are left out."""
    rows = votes.good
    said = {name: pl.col(name) if name in rows.columns else pl.lit(None) for name in ("score", "label")}
    kind, value = waiting_for(rows)
    found = rows.select(
        "tenant", "interaction_id", kind.alias("key_kind"), value.alias("key_value"),
        pl.lit(source.judge).alias("judge"), "criterion", **said,
    )  # fmt: skip
    says = pl.col("criterion").is_not_null() & pl.any_horizontal(pl.col("score", "label").is_not_null())
    about = pl.any_horizontal(pl.col("interaction_id", "key_value").is_not_null())
    return found.filter(says & about).cast(EVALUATED)


def file_evaluations(database: Database, evaluated: pl.DataFrame) -> tuple[int, int]:
    """Files recorded verdicts on single answers that the store has; those known are left as they are.

    Returns:
        How many were new, and how many were left out because the store does not have their answers.
    """
    if evaluated.is_empty():
        return 0, 0
    rows = evaluated.with_columns(
        (pl.lit("recorded:") + pl.col("judge")).alias("fingerprint"),
        pl.struct("score", "label", pl.lit("import").alias("source")).struct.json_encode().alias("result"),
    )
    about = pl.coalesce("interaction_id", pl.concat_str("key_kind", "key_value", separator="/"))
    identity = rows.select(pl.concat_str("tenant", "fingerprint", "criterion", about, "result", separator="\x1f"))
    hashes = [hashlib.blake2b(text.encode(), digest_size=32).hexdigest() for text in identity.to_series()]
    rows = rows.with_columns(pl.Series("content_hash", hashes, dtype=pl.String)).drop("judge", "score", "label")
    with connect(database) as connection, connection.cursor() as cursor:
        rows = rows.unique("content_hash", maintain_order=True)
        stage(cursor, "stage_evaluation", rows)
        cursor.execute(_query("insert_evaluations"))
        new, there = cursor.fetchone()
    return int(new), rows.height - int(there)


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
