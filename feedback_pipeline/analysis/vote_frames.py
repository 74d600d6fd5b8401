"""From people's own tables of feedback to votes: what the public verbs read.

A table is anything Narwhals takes (pandas, Polars, PyArrow …) or a list of dicts, one row per feedback event, with the
column names of the systems people come from. Nothing is stored; text is only counted.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import narwhals as nw
import orjson
import polars as pl
import polars.selectors as cs

from feedback_pipeline.cleaning.tables import DIMENSIONS, LENGTH_BANDS, VOTE_FACTS
from feedback_pipeline.cleaning.verdicts import add_verdicts
from feedback_pipeline.ingest.words import LIKELY_THUMBS, NO_VERDICT, THUMBS, word_expression
from feedback_pipeline.reports.said_events import SAID

UNDATED = date(1970, 1, 1)
"""Day of votes whose table has no time."""

ALIASES = {
    "feedback_id": ("feedback_id", "id"),
    "interaction_id": ("interaction_id", "request_id", "message_id", "content_id"),
    "occurred_at": ("occurred_at", "timestamp", "created_at", "day", "date"),
    "user": ("user_key", "user_id", "user", "voter", "submitted_by", "session_id"),
    "prompt": ("prompt", "query", "user_message", "input_text"),
    "answer": ("answer", "response", "assistant_response", "output_text", "output"),
    "comment": ("comment", "notes"),
    "correction": ("correction", "corrected_text"),
    "feedback_type": ("feedback_type", "kind"),
    "value": ("feedback_value", "value"),
    "tools": ("tools", "tools_called"),
    "thumb": ("thumbs_up", "thumb", "feedback"),
    "stars": ("stars",),
    "model": ("model", "model_a"),
    "other_model": ("other_model", "model_b"),
    "other_interaction_id": ("other_interaction_id", "other_request_id"),
    "preference": ("preference", "winner"),
    "succeeded": ("task_succeeded", "success"),
}
"""The names by which a column may be called, best first."""

VERDICT_COLUMNS = ("thumbs_up", "thumb", "feedback", "rating", "stars", "task_succeeded", "success", "feedback_value",
                   "value", "correction", "corrected_text")  # fmt: skip
OTHER_FEEDBACK = ("preference", "winner", "comment", "notes")
"""Feedback that is no verdict: counted, and said to be left out of rates."""
IN_VALUE = ("rating", "thumbs_up", "thumb", "feedback", "stars", "comment", "correction", "preference")
"""What `feedback_value` may hold beside `task_succeeded` and `signal`."""
SQLITE = (".db", ".sqlite", ".sqlite3")
MEASURES = ("latency_ms", "cost_usd")
IN_CONTEXT = ("framework", "model")
_THUMBS = {**LIKELY_THUMBS, **THUMBS, "0": False, "0.0": False}
"""Words of a column that is called a thumb; 0 is down in one, whatever else it holds."""
_NEITHER = NO_VERDICT - _THUMBS.keys()
_LISTS = ("tags", "tools", "tools_called", "reasons")
_OBJECTS = ("context", "feedback_value", "value")
"""Columns that may hold lists, and objects."""
_PREFERENCES = {"this": "this", "a": "this", "first": "this", "other": "other", "b": "other", "second": "other",
                "tie": "tie", "equal": "tie", "neither": "tie", "both": "tie",
                "model_a": "this", "model_b": "other", "draw": "tie"}  # fmt: skip
_PRECEDENCE = {"implicit": 0, "outcome": 1, "correction": 2, "explicit": 3}


_MIN_SECONDS, _MAX_SECONDS = 100_000_000, 95_617_584_000
"""From 1973 to 5000: smaller numbers are no times, larger ones are milliseconds."""
EARLIER = "earlier votes of the same person on the same answer"


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
    said: pl.DataFrame
    """Rows with a preference, a comment or a correction, as reports read them (`said_events.SAID`)."""
    left_out: dict[str, int]
    """Rows that are no vote, by what they are: comments, preferences, signals that mean nothing, earlier votes …"""
    unread: dict[str, int]
    """Those of them that were probably meant to be votes."""
    dated: bool
    """The table has times."""

    @property
    def unjudged(self) -> int:
        """Rows that say neither up, neutral nor down."""
        return sum(count for what, count in self.left_out.items() if what != EARLIER)


def read_votes(data: Any, timezone: str = "UTC") -> Votes:
    """The votes of a table of feedback.

    Raises:
        FeedbackFrameError: there is no column that judges, or one holds what it cannot.
    """
    table = _plain(as_polars(data)).with_columns(cs.float().fill_nan(None))
    if not {*VERDICT_COLUMNS, *OTHER_FEEDBACK} & set(table.columns):
        expected = f"expected one of {', '.join(VERDICT_COLUMNS)}"
        raise FeedbackFrameError(
            f"none of the columns judges: {expected}; rename one, or import the table (`feedback source guess FILE`)"
        )
    table = _with_value(_with_context(table)).with_row_index("_row")
    told = table.select(
        "_row",
        feedback_id=_text(table, "feedback_id").fill_null("row " + pl.col("_row").cast(pl.String)),
        interaction_id=_text(table, "interaction_id").fill_null("row " + pl.col("_row").cast(pl.String)),
        user=_text(table, "user"),
        occurred_at=_time(table, timezone),
        prompt=_text(table, "prompt"),
        comment=_text(table, "comment"),
        answer=_text(table, "answer"),
        other_model=_text(table, "other_model"),
        other_interaction_id=_text(table, "other_interaction_id"),
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
    left_out = _left_out(events)
    return Votes(
        facts=facts,
        events=events.filter(pl.col("verdict").is_not_null() | pl.col("success").is_not_null()).select(
            "interaction_id", "user", "prompt_version", "kind", "success", "occurred_at", *measured
        ),
        texts=chosen.select("feedback_id", "prompt", "comment"),
        said=_said(events, timezone),
        left_out=left_out | ({EARLIER: judged.height - facts.height} if judged.height > facts.height else {}),
        unread={what: count for what, count in left_out.items() if what in UNREAD},
        dated=called(table, "occurred_at") is not None,
    )


def _said(events: pl.DataFrame, timezone: str) -> pl.DataFrame:
    row = pl.col("_row").cast(pl.String)
    words = {name: pl.when(pl.col(name).str.strip_chars() != "").then(name) for name in ("comment", "correction")}
    told = events.with_columns(
        **words,
        preference=_preference(),
        day=pl.col("occurred_at").dt.convert_time_zone(timezone).dt.date().fill_null(UNDATED),
        voter=pl.coalesce("user", "row " + row),
        other_interaction_id=pl.coalesce("other_interaction_id", "the other of row " + row),
    )
    kept = told.filter(pl.any_horizontal(pl.col("comment", "correction", "preference").is_not_null()))
    return kept.select(*(pl.col(name).cast(kind) for name, kind in SAID.items())).sort("feedback_id")


def _preference() -> pl.Expr:
    """this, other or tie; the winner may be named by its place or by its model."""
    given = pl.col("preference")
    by_model = (
        pl.when(given == pl.col("model"))
        .then(pl.lit("this"))
        .when(given == pl.col("other_model"))
        .then(pl.lit("other"))
    )
    return pl.coalesce(by_model, given.str.to_lowercase().replace_strict(_PREFERENCES, default=None))


def like(frame: pl.DataFrame, given: Any) -> Any:
    """The frame as the kind of table that was given; pandas for anything else."""
    if isinstance(given, pl.DataFrame | pl.LazyFrame):
        return frame
    if nw.dependencies.is_pyarrow_table(given):
        return frame.to_arrow()
    return frame.to_pandas()


def as_polars(data: Any) -> pl.DataFrame:
    """A table that was given: a frame Narwhals takes, a list of dicts, a file (.csv, .jsonl, .parquet), or an SQLite
    file or connection with a table `feedback`.

    Raises:
        FeedbackFrameError: it is none of these.
    """
    if isinstance(data, str | Path):
        return _from_file(Path(data))
    if isinstance(data, sqlite3.Connection):
        return _from_sqlite(data)
    if isinstance(data, Sequence):
        return pl.DataFrame(data, infer_schema_length=None)
    try:
        native = nw.from_native(data)
    except TypeError as error:
        raise FeedbackFrameError(f"cannot read a table from {type(data).__name__}") from error
    return (native.collect() if isinstance(native, nw.LazyFrame) else native).to_polars()


def _from_file(path: Path) -> pl.DataFrame:
    readers: dict[str, Callable[[Path], pl.DataFrame]] = {
        ".csv": _read_csv, ".jsonl": pl.read_ndjson, ".parquet": pl.read_parquet,
    }  # fmt: skip
    suffix = path.suffix.lower()
    if suffix not in readers and suffix not in SQLITE:
        raise FeedbackFrameError(f"{path.name}: expected a file that ends in {', '.join((*readers, *SQLITE))}")
    if not path.exists():
        raise FeedbackFrameError(f"{path} is not there")
    try:
        if suffix in readers:
            return readers[suffix](path)
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            return _from_sqlite(connection)
    except (pl.exceptions.PolarsError, sqlite3.Error) as error:
        # the reader's own words may quote a row
        raise FeedbackFrameError(f"{path.name} cannot be read as {suffix[1:]}") from error


def _read_csv(path: Path) -> pl.DataFrame:
    from feedback_pipeline.ingest.first_rows import delimiter_of  # brings SQLAlchemy along

    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        separator = delimiter_of(file.readline())
    return pl.read_csv(path, separator=separator)


def _from_sqlite(connection: sqlite3.Connection) -> pl.DataFrame:
    cursor = connection.execute("SELECT * FROM feedback")
    names = [column[0] for column in cursor.description]
    return pl.DataFrame(cursor.fetchall(), schema=names, orient="row", infer_schema_length=None)


def called(table: pl.DataFrame, wanted: str) -> str | None:
    """The column that holds what is wanted."""
    return next((name for name in ALIASES.get(wanted, (wanted,)) if name in table.columns), None)


def _plain(table: pl.DataFrame) -> pl.DataFrame:
    """The table with what is neither a text, a number nor a time as text: objects and lists as their JSON; durations
    are milliseconds."""
    return table.with_columns(
        _as_text(table[name], kind) for name, kind in table.schema.items()
        if (kind.is_nested() and not (isinstance(kind, pl.List) and name in _LISTS)
            and not (isinstance(kind, pl.Struct) and name in _OBJECTS))
        or kind in (pl.Object, pl.Binary, pl.Categorical, pl.Enum, pl.Decimal, pl.Duration)
    )  # fmt: skip


def _as_text(column: pl.Series, kind: pl.DataType) -> pl.Series:
    if kind == pl.Decimal:
        return column.cast(pl.Float64)
    if kind == pl.Duration:
        return column.dt.total_milliseconds()
    if kind in (pl.Categorical, pl.Enum):
        return column.cast(pl.String)
    values = [None if value is None else _written(value) for value in column]
    return pl.Series(column.name, values, dtype=pl.String)


def _written(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, pl.Series):
        value = value.to_list()
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _text(table: pl.DataFrame, wanted: str) -> pl.Expr:
    name = called(table, wanted)
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


def _with_value(table: pl.DataFrame) -> pl.DataFrame:
    """What `feedback_value` says of a row, in the columns of their own where those say nothing."""
    name = called(table, "value")
    if name is None:
        return table
    kind = table.schema[name]
    whole = pl.col(name).struct.json_encode() if isinstance(kind, pl.Struct) else pl.col(name).cast(pl.String)
    inside = {key: pl.col(name).str.json_path_match(f"$.{key}") for key in IN_VALUE}
    found = table.with_columns(whole.alias(name)).select(
        expression.alias(key) if key not in table.columns else
        pl.coalesce(pl.col(key).cast(pl.String, strict=False), expression).alias(key)
        for key, expression in inside.items() if not isinstance(table.schema.get(key), pl.List | pl.Struct)
    )  # fmt: skip
    said = [key for key in found.columns if found[key].null_count() < found.height]
    changed = [key for key in said if key not in table.columns or found[key].null_count() < table[key].null_count()]
    return table.with_columns(whole.alias(name), *(found[key] for key in changed))


def _time(table: pl.DataFrame, timezone: str) -> pl.Expr:
    name = called(table, "occurred_at")
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
    if kind.is_numeric() and table[name].drop_nulls().is_between(_MIN_SECONDS, 1000 * _MAX_SECONDS).all():
        # seconds since 1970, or milliseconds: the smaller unit where seconds would be beyond the year 5000
        number = pl.col(name).cast(pl.Float64)
        seconds = pl.when(number.abs() > _MAX_SECONDS).then(number / 1000).otherwise(number)
        return (seconds * 1e6).cast(pl.Int64).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    raise FeedbackFrameError(f"column {name} is {kind}, expected times")


def _names(table: pl.DataFrame, wanted: str) -> pl.Expr:
    """A list of names: a list, its JSON, or names with commas between them."""
    name = called(table, wanted)
    if name is None or table.schema[name] == pl.Null:
        return pl.lit(None, pl.List(pl.String))
    if isinstance(table.schema[name], pl.List):
        return pl.col(name).cast(pl.List(pl.String))
    bare = pl.col(name).cast(pl.String).str.replace_all(r'[\[\]"]', "").str.split(",")
    return bare.list.eval(pl.element().str.strip_chars().filter(pl.element().str.strip_chars() != ""))


def _signals(table: pl.DataFrame) -> pl.DataFrame:
    """What each row says: `_row`, `kind`, `thumb`, `stars`, `value` as `add_verdicts` reads them."""
    columns = {"thumb": _thumb(table), "stars": pl.lit(None, pl.Int8), "value": _value(table)}
    if (stars := called(table, "stars")) is not None:
        columns["stars"] = _whole_stars(table, stars)
    if "rating" in table.columns:
        for name, expression in _rating(table).items():
            # a rating says what a column of its own does not
            columns[name] = pl.coalesce(columns[name], expression)
    other = {name: _text(table, name) for name in ("correction", "preference")}
    told = table.select("_row", **columns, **other, given=_text(table, "feedback_type").str.to_lowercase())
    signal = pl.col("value").str.json_path_match("$.signal").is_not_null()
    kind = (
        pl.when(pl.col("thumb").is_not_null() | pl.col("stars").is_not_null())
        .then(pl.lit("explicit"))
        .when(pl.col("correction").str.strip_chars().fill_null("") != "")
        .then(pl.lit("correction"))
        .when(pl.col("preference").is_not_null())
        .then(pl.lit("preference"))
        .when((pl.col("given") == "implicit") | signal)
        .then(pl.lit("implicit"))
        .when((pl.col("given") == "outcome") | pl.col("value").str.json_path_match("$.task_succeeded").is_not_null())
        .then(pl.lit("outcome"))
        .otherwise(pl.lit("comment"))
    )
    return told.with_columns(kind=kind)


NO_OUTCOME = "outcomes that do not say task_succeeded: true or false"
NO_SIGNAL = "implicit signals that the verdict policy does not know"
NOTHING = "rows without any feedback"
UNREAD = (NO_OUTCOME, NO_SIGNAL, NOTHING)


def _left_out(events: pl.DataFrame) -> dict[str, int]:
    """The rows without a verdict, by what they are."""
    silent = events.filter(pl.col("verdict").is_null() & pl.col("success").is_null())
    said = pl.col("comment").str.strip_chars().fill_null("") != ""
    what = (
        pl.when(pl.col("kind") == "preference")
        .then(pl.lit("preferences, which rank answers and are no approval"))
        .when(said)
        .then(pl.lit("comments without a verdict"))
        .when(pl.col("kind") == "implicit")
        .then(pl.lit(NO_SIGNAL))
        .when(pl.col("kind") == "outcome")
        .then(pl.lit(NO_OUTCOME))
        .otherwise(pl.lit(NOTHING))
    )
    return dict(silent.select(what.alias("what")).group_by("what").len().sort("what").iter_rows())


def _thumb(table: pl.DataFrame) -> pl.Expr:
    name = called(table, "thumb")
    if name is None:
        return pl.lit(None, pl.Boolean)
    words = table.select(word_expression(pl.col(name).cast(pl.String)))[name]
    _allowed(words, (*_THUMBS, *_NEITHER, ""), name, "true or false, up or down, 1 or 0")
    return _yes_or_no(pl.col(name))


def _yes_or_no(column: pl.Expr) -> pl.Expr:
    return word_expression(column.cast(pl.String)).replace_strict(_THUMBS, default=None, return_dtype=pl.Boolean)


def _rating(table: pl.DataFrame) -> dict[str, pl.Expr]:
    """A rating is up or down in words, −1 or 1, 0 or 1, or one to five stars: each row's word, or what the whole column
    holds, says which."""
    words = table.select(word_expression(pl.col("rating").cast(pl.String)))["rating"]
    numbers = words.cast(pl.Float64, strict=False)
    values = set(numbers.drop_nulls().unique().to_list())
    by_word = pl.Series("thumb", words).is_in([one for one in _THUMBS if not one.lstrip("+-")[0].isdigit()])
    thumb = words.replace_strict(_THUMBS, default=None, return_dtype=pl.Boolean)
    strays = words.filter(words.is_not_null() & (words != "") & ~by_word & numbers.is_null() & ~words.is_in(_NEITHER))
    if strays.len():
        raise FeedbackFrameError(f"column rating has {strays.len()} values that are neither up or down nor 1 to 5")
    if (values <= {-1.0, 1.0} and -1.0 in values) or (values <= {0.0, 1.0} and 0.0 in values):
        return {"thumb": pl.lit(thumb)}
    if values == {1.0} and called(table, "thumb") is None and not by_word.any():
        raise FeedbackFrameError("column rating holds only 1, which may be a vote up or one star: add thumbs_up")
    _allowed(numbers.cast(pl.String), ("1.0", "2.0", "3.0", "4.0", "5.0"), "rating", "1 to 5")
    only_words = pl.DataFrame({"thumb": thumb, "word": by_word}).select(pl.when("word").then("thumb"))["thumb"]
    return {"thumb": pl.lit(only_words), "stars": pl.lit(numbers.cast(pl.Int8))}


def _whole_stars(table: pl.DataFrame, name: str) -> pl.Expr:
    words = table[name].cast(pl.String).str.strip_chars()
    numbers = words.cast(pl.Float64, strict=False).cast(pl.String)
    _allowed(numbers.fill_null(words), ("1.0", "2.0", "3.0", "4.0", "5.0", ""), name, "1 to 5")
    return pl.lit(words.cast(pl.Float64, strict=False).cast(pl.Int8))


def _value(table: pl.DataFrame) -> pl.Expr:
    """The outcome or implicit signal as JSON."""
    if (name := called(table, "succeeded")) is not None:
        own = pl.struct(task_succeeded=_yes_or_no(pl.col(name))).struct.json_encode()
        other = called(table, "value")
        told = pl.when(pl.col(name).is_not_null()).then(own)
        return told if other is None else pl.coalesce(told, pl.col(other).cast(pl.String))
    value = called(table, "value")
    if value is None:
        return pl.lit(None, pl.String) if "signal" not in table.columns else pl.struct("signal").struct.json_encode()
    return pl.col(value).cast(pl.String)


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
