"""From people's own tables of feedback to votes: what the public verbs read.

A table is anything Narwhals takes (pandas, Polars, PyArrow …) or a list of dicts, one row per feedback event, with the
column names of the systems people come from. Nothing is stored; text is only counted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import narwhals as nw
import polars as pl

from feedback_pipeline.cleaning.tables import DIMENSIONS, LENGTH_BANDS, VOTE_FACTS
from feedback_pipeline.cleaning.verdicts import add_verdicts

UNDATED = date(1970, 1, 1)
"""Day of votes whose table has no time."""

ALIASES = {
    "feedback_id": ("feedback_id", "id"),
    "interaction_id": ("interaction_id", "request_id", "message_id", "content_id"),
    "occurred_at": ("occurred_at", "timestamp", "created_at", "day", "date"),
    "user": ("user_key", "user_id", "user", "voter", "submitted_by", "session_id"),
    "prompt": ("prompt", "query", "user_message", "input_text"),
    "comment": ("comment", "notes"),
    "tools": ("tools", "tools_called"),
    "thumb": ("thumbs_up", "thumb", "feedback"),
    "stars": ("stars",),
    "succeeded": ("task_succeeded", "success"),
}
"""The names by which a column may be called, best first."""

VERDICT_COLUMNS = ("thumbs_up", "thumb", "feedback", "rating", "stars", "task_succeeded", "success", "feedback_value")
MEASURES = ("latency_ms", "cost_usd")
IN_CONTEXT = ("framework", "model")
_UP, _DOWN = ("true", "up", "1", "1.0", "+1", "yes"), ("false", "down", "0", "0.0", "-1", "-1.0", "no")
_PRECEDENCE = {"implicit": 0, "outcome": 1, "explicit": 2}


class FeedbackFrameError(ValueError):
    """A table that cannot be read as feedback; the message names the column and what it may hold."""


@dataclass(frozen=True)
class Votes:
    """A table of feedback, read."""

    facts: pl.DataFrame
    """`vote_facts`: one verdict per person and answer."""
    events: pl.DataFrame
    """Every row with a verdict or an outcome: `interaction_id`, `prompt_version`, `kind`, `success`, and the measures
    that the table has."""
    texts: pl.DataFrame
    """`feedback_id`, `prompt`, `comment` of the facts."""
    unjudged: int
    """Rows that say neither up, neutral nor down."""
    dated: bool
    """The table has times."""


def read_votes(data: Any, timezone: str = "UTC") -> Votes:
    """The votes of a table of feedback.

    Raises:
        FeedbackFrameError: there is no column that judges, or one holds what it cannot.
    """
    table = _as_polars(data)
    if not set(VERDICT_COLUMNS) & set(table.columns):
        raise FeedbackFrameError(f"none of the columns judges: expected one of {', '.join(VERDICT_COLUMNS)}")
    table = _with_context(table).with_row_index("_row")
    told = table.select(
        "_row",
        feedback_id=_text(table, "feedback_id").fill_null("row " + pl.col("_row").cast(pl.String)),
        interaction_id=_text(table, "interaction_id").fill_null("row " + pl.col("_row").cast(pl.String)),
        user=_text(table, "user"),
        occurred_at=_time(table, timezone),
        prompt=_text(table, "prompt"),
        comment=_text(table, "comment"),
        tags=_names(table, "tags"),
        tools=_names(table, "tools"),
        **{name: _text(table, name) for name in DIMENSIONS},
        **{name: pl.col(name).cast(pl.Float64, strict=False) for name in MEASURES if name in table.columns},
    )
    events = add_verdicts(told.join(_signals(table), on="_row", maintain_order="left"))
    judged = events.filter(pl.col("verdict").is_not_null())
    facts = _facts(judged, timezone)
    chosen = facts.select("feedback_id").join(judged, on="feedback_id", maintain_order="left")
    measured = [name for name in MEASURES if name in events.columns]
    return Votes(
        facts=facts,
        events=events.filter(pl.col("verdict").is_not_null() | pl.col("success").is_not_null()).select(
            "interaction_id", "prompt_version", "kind", "success", *measured
        ),
        texts=chosen.select("feedback_id", "prompt", "comment"),
        unjudged=events.height - judged.height,
        dated=_called(table, "occurred_at") is not None,
    )


def like(frame: pl.DataFrame, given: Any) -> Any:
    """The frame as the kind of table that was given; pandas for anything else."""
    if isinstance(given, pl.DataFrame | pl.LazyFrame):
        return frame
    if nw.dependencies.is_pyarrow_table(given):
        return frame.to_arrow()
    return frame.to_pandas()


def _as_polars(data: Any) -> pl.DataFrame:
    if isinstance(data, Sequence):
        return pl.DataFrame(data, infer_schema_length=None)
    try:
        native = nw.from_native(data)
    except TypeError as error:
        raise FeedbackFrameError(f"cannot read a table from {type(data).__name__}") from error
    return (native.collect() if isinstance(native, nw.LazyFrame) else native).to_polars()


def _called(table: pl.DataFrame, wanted: str) -> str | None:
    """The column that holds what is wanted."""
    return next((name for name in ALIASES.get(wanted, (wanted,)) if name in table.columns), None)


def _text(table: pl.DataFrame, wanted: str) -> pl.Expr:
    name = _called(table, wanted)
    return pl.lit(None, pl.String) if name is None else pl.col(name).cast(pl.String, strict=False)


def _with_context(table: pl.DataFrame) -> pl.DataFrame:
    """Framework and model out of `context`, an object or its JSON, where they are no columns of their own."""
    missing = [name for name in IN_CONTEXT if name not in table.columns]
    if "context" not in table.columns or not missing:
        return table
    kind = table.schema["context"]
    if isinstance(kind, pl.Struct):
        known = {each.name for each in kind.fields}
        return table.with_columns(
            pl.col("context").struct.field(name).cast(pl.String).alias(name) for name in missing if name in known
        )
    if kind == pl.String:
        return table.with_columns(pl.col("context").str.json_path_match(f"$.{name}").alias(name) for name in missing)
    return table


def _time(table: pl.DataFrame, timezone: str) -> pl.Expr:
    name = _called(table, "occurred_at")
    if name is None:
        return pl.lit(None, pl.Datetime("us", "UTC"))
    kind = table.schema[name]
    if isinstance(kind, pl.Datetime):
        column = pl.col(name).dt.cast_time_unit("us")
        return column.dt.replace_time_zone("UTC") if kind.time_zone is None else column.dt.convert_time_zone("UTC")
    if kind == pl.Date:
        zoned = pl.col(name).cast(pl.Datetime("us")).dt.replace_time_zone(timezone, ambiguous="earliest")
        return zoned.dt.convert_time_zone("UTC")
    if kind == pl.String:
        try:
            table.select(pl.col(name).str.to_datetime(time_zone="UTC"))
        except (pl.exceptions.ComputeError, pl.exceptions.InvalidOperationError) as error:
            raise FeedbackFrameError(f"column {name} holds what is no time such as 2026-11-16T08:30:00Z") from error
        return pl.col(name).str.to_datetime(time_zone="UTC").dt.cast_time_unit("us")
    raise FeedbackFrameError(f"column {name} is {kind}, expected times")


def _names(table: pl.DataFrame, wanted: str) -> pl.Expr:
    """A list of names: a list, its JSON, or names with commas between them."""
    name = _called(table, wanted)
    if name is None or table.schema[name] == pl.Null:
        return pl.lit(None, pl.List(pl.String))
    if isinstance(table.schema[name], pl.List):
        return pl.col(name).cast(pl.List(pl.String))
    bare = pl.col(name).cast(pl.String).str.replace_all(r'[\[\]"]', "").str.split(",")
    return bare.list.eval(pl.element().str.strip_chars().filter(pl.element().str.strip_chars() != ""))


def _signals(table: pl.DataFrame) -> pl.DataFrame:
    """What each row says: `_row`, `kind`, `thumb`, `stars`, `value` as `add_verdicts` reads them."""
    columns = {"thumb": _thumb(table), "stars": pl.lit(None, pl.Int8), "value": _value(table)}
    if (stars := _called(table, "stars")) is not None:
        columns["stars"] = _whole_stars(table, stars)
    if "rating" in table.columns:
        columns |= _rating(table, alone="stars" not in table.columns)
    told = table.select("_row", *(expression.alias(name) for name, expression in columns.items()))
    given = _text(table, "feedback_type").str.to_lowercase()
    implicit = table.select(given.alias("given"))["given"] == "implicit"
    explicit = pl.col("thumb").is_not_null() | pl.col("stars").is_not_null()
    kind = pl.when(explicit).then(pl.lit("explicit")).when(implicit).then(pl.lit("implicit")).otherwise(
        pl.lit("outcome")
    )  # fmt: skip
    return told.with_columns(kind=kind)


def _thumb(table: pl.DataFrame) -> pl.Expr:
    name = _called(table, "thumb")
    if name is None:
        return pl.lit(None, pl.Boolean)
    words = table[name].cast(pl.String).str.to_lowercase()
    _allowed(words, (*_UP, *_DOWN, "neutral", ""), name, "true or false, up or down, 1 or 0")
    return _yes_or_no(pl.col(name))


def _yes_or_no(column: pl.Expr) -> pl.Expr:
    said = column.cast(pl.String).str.to_lowercase()
    return pl.when(said.is_in(_UP)).then(True).when(said.is_in(_DOWN)).then(False)


def _rating(table: pl.DataFrame, *, alone: bool) -> dict[str, pl.Expr]:
    """A rating is true or false, −1 or 1, or one to five stars: what the column holds says which."""
    column = table["rating"]
    if column.dtype == pl.Boolean or column.dtype == pl.String:
        _allowed(column.cast(pl.String).str.to_lowercase(), (*_UP, *_DOWN, ""), "rating", "true or false, −1 or 1")
        return {"thumb": _yes_or_no(pl.col("rating"))}
    values = set(column.drop_nulls().unique().to_list())
    if values <= {-1, 1} and -1 in values:
        return {"thumb": pl.when(pl.col("rating") == 1).then(True).when(pl.col("rating") == -1).then(False)}
    if values == {1} and _called(table, "thumb") is None:
        raise FeedbackFrameError("column rating holds only 1, which may be a vote up or one star: add thumbs_up")
    return {"stars": _whole_stars(table, "rating")} if alone else {}


def _whole_stars(table: pl.DataFrame, name: str) -> pl.Expr:
    _allowed(
        table[name].cast(pl.Float64, strict=False).cast(pl.String), ("1.0", "2.0", "3.0", "4.0", "5.0"), name, "1 to 5"
    )
    return pl.col(name).cast(pl.Float64).cast(pl.Int8)


def _value(table: pl.DataFrame) -> pl.Expr:
    """The outcome or implicit signal as JSON."""
    if (name := _called(table, "succeeded")) is not None:
        return pl.struct(task_succeeded=_yes_or_no(pl.col(name))).struct.json_encode()
    kind = table.schema.get("feedback_value")
    if isinstance(kind, pl.Struct):
        return pl.col("feedback_value").struct.json_encode()
    return pl.lit(None, pl.String) if kind is None else pl.col("feedback_value").cast(pl.String)


def _allowed(values: pl.Series, allowed: Iterable[str], column: str, expected: str) -> None:
    strays = int((~values.drop_nulls().is_in(list(allowed))).sum())
    if strays:
        raise FeedbackFrameError(f"column {column} has {strays} values that are not {expected}")


def _facts(judged: pl.DataFrame, timezone: str) -> pl.DataFrame:
    """The newest verdict per person and answer, the most explicit kind first; rows without a person count each."""
    known = judged["user"].rank("dense").cast(pl.UInt64)
    people = (known.max() or 0) if known.len() else 0
    own = pl.Series(range(judged.height), dtype=pl.UInt64) + int(people) + 1  # type: ignore[arg-type]
    facts = judged.with_columns(
        person=known.zip_with(known.is_not_null(), own) if judged.height else known,
        verdict=pl.col("verdict").replace_strict({"up": 1, "neutral": 0, "down": -1}, return_dtype=pl.Int8),
        day=pl.col("occurred_at").dt.convert_time_zone(timezone).dt.date().fill_null(UNDATED),
        _explicit=pl.col("kind").replace_strict(_PRECEDENCE, return_dtype=pl.Int8),
        **{name: pl.lit(None, pl.String) for name in LENGTH_BANDS},
    )
    newest = facts.sort("_explicit", "occurred_at", "_row", nulls_last=False).unique(
        ["person", "interaction_id"], keep="last", maintain_order=True
    )
    return VOTE_FACTS.conform(newest).sort("feedback_id")
