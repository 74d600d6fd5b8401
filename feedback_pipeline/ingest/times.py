"""Times as they are delivered, and times for data that has none."""

from datetime import UTC, datetime, timedelta

import polars as pl

from feedback_pipeline.ingest.source_entry import Spread
from feedback_pipeline.tables.vocabulary import TIMESTAMP

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
"""What the store takes, the end excluded: earlier and later ones are clocks gone wrong, or units misread."""

_OFFSET = r"[+-][0-9]{2}(?::?[0-9]{2})?$"
_DATE_ONLY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_NO_SECONDS = r"^[^T]*T[0-9]{2}:[0-9]{2}(?:$|[+-])"
_TIMED_ID = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-7[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}$"
_EPOCH = r"^[0-9]{1,19}(?:\.[0-9]+)?$"


def parsed_times(text: pl.Expr, timezone: str, time_format: str | None = None, *, any_range: bool = False) -> pl.Expr:
    """UTC times of texts: ISO 8601 with or without an offset, or seconds, milliseconds, microseconds or nanoseconds
    since 1970 (told apart by their size), or UUIDs of version 7, which begin with one; null where a text is none of
    these, or the store cannot take the time.

    Args:
        text: trimmed strings.
        timezone: zone of times without an offset. Of two equal clock times in autumn the earlier one is meant; one that
            spring leaves out is null.
        time_format: strptime format, where the texts have one of their own.
        any_range: also times that the store cannot take.
    """

    def parsed(texts: pl.Series) -> pl.Series:
        times = _iso_or_epoch(texts, timezone) if time_format is None else _formatted(texts, timezone, time_format)
        return (
            times
            if any_range
            else times.to_frame("time").select(pl.when(in_range(pl.col("time"))).then("time"))["time"]
        )

    return text.map_batches(parsed, return_dtype=TIMESTAMP, is_elementwise=True)


def _formatted(texts: pl.Series, timezone: str, time_format: str) -> pl.Series:
    text = pl.col("text")
    if "%z" in time_format or "%#z" in time_format:
        time = text.str.to_datetime(time_format, time_unit="us", strict=False, time_zone="UTC")
    else:
        time = _localised(text.str.to_datetime(time_format, time_unit="us", strict=False), timezone)
    return texts.to_frame("text").select(time.cast(TIMESTAMP)).to_series()


def _iso_or_epoch(texts: pl.Series, timezone: str) -> pl.Series:
    """Step by step, because every step looks at the one before several times."""
    frame = texts.alias("text").to_frame()
    text, written = pl.col("text"), pl.col("written")
    frame = frame.with_columns(
        text.str.replace(r"^([0-9-]{10}) ", "${1}T").str.replace(r" ?UTC$", "Z").str.replace("[zZ]$", "+00:00")
        .alias("written")
    )  # fmt: skip
    frame = frame.with_columns(
        pl.when(written.str.contains(_DATE_ONLY)).then(written + "T00:00:00")
        .when(written.str.contains(_NO_SECONDS)).then(written.str.replace(r"T([0-9]{2}:[0-9]{2})", "T${1}:00"))
        .otherwise(written).alias("written")
    )  # fmt: skip
    frame = frame.with_columns(
        (written.str.contains(_OFFSET) & written.str.contains("T", literal=True)).alias("offset")
    )
    aware = pl.when(pl.col("offset")).then(written)
    naive = pl.when(~pl.col("offset")).then(written)
    return frame.select(
        pl.coalesce(
            aware.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", time_unit="us", strict=False, time_zone="UTC"),
            _localised(naive.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False), timezone),
            _first_moment(pl.when(text.str.contains(_DATE_ONLY)).then(text), timezone),
            _epoch(text),
            _of_id(text),
        )
    ).to_series()


def _localised(naive: pl.Expr, timezone: str) -> pl.Expr:
    local = naive.dt.replace_time_zone(timezone, ambiguous="earliest", non_existent="null")
    return local.dt.convert_time_zone("UTC")


def _first_moment(day: pl.Expr, timezone: str) -> pl.Expr:
    """When a day begins that has no midnight, because the clocks go forward at it."""
    midnight = day.str.to_datetime("%Y-%m-%d", time_unit="us", strict=False)
    return pl.coalesce(_localised(midnight + pl.duration(minutes=later), timezone) for later in (30, 60, 120))


def _epoch(text: pl.Expr) -> pl.Expr:
    number = pl.when(text.str.contains(_EPOCH)).then(text).cast(pl.Float64, strict=False)
    microseconds = (
        pl.when(number < 1e11)
        .then(number * 1e6)
        .when(number < 1e14)
        .then(number * 1e3)
        .when(number < 1e17)
        .then(number)
    ).otherwise(number / 1e3)
    return microseconds.round().cast(pl.Int64, strict=False).cast(TIMESTAMP, strict=False)


def _of_id(text: pl.Expr) -> pl.Expr:
    """When an id was made that says it: a UUID of version 7 starts with milliseconds since 1970 (RFC 9562)."""
    milliseconds = pl.when(text.str.contains(_TIMED_ID)).then(text.str.replace_all("-", "").str.slice(0, 12))
    number = milliseconds.str.to_integer(base=16, dtype=pl.Int64, strict=False)
    return (number * 1000).cast(TIMESTAMP)


def in_range(time: pl.Expr) -> pl.Expr:
    """Whether the store can take a time."""
    return (time >= pl.lit(EARLIEST, TIMESTAMP)) & (time < pl.lit(LATEST, TIMESTAMP))


def spread_times(ids: pl.Expr, spread: Spread) -> pl.Expr:
    """A time within the period for each id (UUIDs as text), decided by the id: the same in every import."""
    start = datetime(spread.start.year, spread.start.month, spread.start.day, tzinfo=UTC)
    seconds = int(timedelta(weeks=spread.weeks).total_seconds())
    offset = ids.str.slice(0, 8).str.to_integer(base=16, dtype=pl.Int64) * seconds // 2**32
    return (pl.lit(start, TIMESTAMP) + pl.duration(seconds=offset)).cast(TIMESTAMP)
