"""Delivered text read as what a field is: typed values, and what is wrong with the rest."""

from collections.abc import Mapping

import orjson
import polars as pl

from feedback_pipeline.cleaning.tags import normalised_tag
from feedback_pipeline.ingest.conversations import messages_expression
from feedback_pipeline.ingest.fields import ID_LIMIT, NAME_LIMIT, TEXT_LIMIT, Field
from feedback_pipeline.ingest.source_entry import Source
from feedback_pipeline.ingest.times import parsed_times
from feedback_pipeline.ingest.words import FLAGS, OUTCOMES, THUMBS, Scalar, chosen, decimal_point

Choices = Mapping[str, Scalar]
"""Delivered words → what they mean."""

_WORD = r'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"'
_SCALAR = rf"(?:{_WORD}|-?[0-9]{{1,15}}(?:\.[0-9]{{1,15}})?|true|false|null)"
_LIST = rf"^\[\s*(?:{_SCALAR}(?:\s*,\s*{_SCALAR})*)?\s*\]$"
"""A JSON array of words and numbers."""
_SIGNAL = r"^[a-z][a-z0-9_ -]{0,49}$"


def typed_field(field: Field, text: pl.Expr, source: Source) -> tuple[pl.Expr, pl.Expr]:
    """The value of a field, and a code for what is wrong with it (null: nothing); a wrong value is null.

    Args:
        text: what was delivered, as text (JSON for anything that is none).
        source: its value maps, time zone and time format.
    """
    trimmed = text.str.strip_chars()
    trimmed = pl.when(trimmed != "").then(trimmed)
    choices = source.values.get(field.name)
    match field.kind:
        case "text":
            return _sized(_kept_text(text, field))
        case "json":
            return _messages(trimmed) if field.name == "messages" else _json(trimmed)
        case "id":
            return _short(_whole_id(trimmed), ID_LIMIT)
        case "name":
            return _name(trimmed, field, choices)
        case "names":
            return _names(trimmed, tags=field.name == "tags")
        case "thumb":
            return _chosen(trimmed, THUMBS, choices)
        case "flag":
            return _chosen(trimmed, FLAGS, choices)
        case "stars" | "integer":
            return _number(_mapped(trimmed, choices), field, whole=True)
        case "number":
            return _number(_mapped(trimmed, choices), field, whole=False)
        case "time":
            return _time(trimmed, source)
        case "value":
            return _signal(_mapped(trimmed, choices))


def _problem(value: pl.Expr, delivered: pl.Expr, code: str) -> pl.Expr:
    return pl.when(delivered.is_not_null() & value.is_null()).then(pl.lit(code))


def _kept_text(text: pl.Expr, field: Field) -> pl.Expr:
    """An empty answer is an answer; an empty comment is none."""
    return text if field.name == "output" else pl.when(text.str.strip_chars() != "").then(text)


def _sized(text: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    value = pl.when(text.str.len_bytes() <= TEXT_LIMIT).then(text)
    return value, _problem(value, text, "too_large")


def _short(text: pl.Expr, limit: int) -> tuple[pl.Expr, pl.Expr]:
    value = pl.when(text.str.len_chars() <= limit).then(text)
    return value, _problem(value, text, "too_long")


def _whole_id(text: pl.Expr) -> pl.Expr:
    """An id that went through a column of floats (`1001.0`) is the whole number it was (`1001`)."""
    return text.str.replace(r"^(-?[0-9]+)\.0+$", "${1}")


def _messages(text: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    json, problem = _json(text)
    value = messages_expression(json)
    return value, pl.coalesce(problem, pl.when(json.is_not_null() & value.is_null()).then(pl.lit("not_messages")))


def _json(text: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    text = pl.when(text != "null").then(text)
    valid = text.str.json_path_match("$").is_not_null()
    value, too_large = _sized(text)
    value = pl.when(valid).then(value)
    return value, pl.coalesce(too_large, _problem(value, text, "not_json"))


def _mapped(text: pl.Expr, choices: Choices | None) -> pl.Expr:
    """The text with the delivered words of a `values` map replaced; words it does not have stay."""
    if choices is None:
        return text
    names = {name: None if value is None else constant_text(value) for name, value in choices.items()}
    value, known = chosen(text, names, pl.String())
    return pl.when(known).then(value).otherwise(text)


def _name(text: pl.Expr, field: Field, choices: Choices | None) -> tuple[pl.Expr, pl.Expr]:
    text = _mapped(text, choices)
    if field.values is None:
        return _short(text, NAME_LIMIT)
    value = pl.when(text.str.to_lowercase().is_in(field.values)).then(text.str.to_lowercase())
    return value, _problem(value, text, "unknown_value")


def _chosen(text: pl.Expr, usual: Choices, own: Choices | None) -> tuple[pl.Expr, pl.Expr]:
    """A truth by the usual words and those of the source, which go first."""
    value, known = chosen(text, {**usual, **(own or {})}, pl.Boolean())
    return value, pl.when(text.is_not_null() & ~known).then(pl.lit("unknown_value"))


def _number(text: pl.Expr, field: Field, *, whole: bool) -> tuple[pl.Expr, pl.Expr]:
    truth = text.str.to_lowercase().replace_strict({"true": 1.0, "false": 0.0}, default=None, return_dtype=pl.Float64)
    number: pl.Expr = decimal_point(text).cast(pl.Float64, strict=False)
    if not whole:
        number = pl.coalesce(number, truth)
    number = pl.when(number.is_finite()).then(number)
    unreadable = _problem(number, text, "not_a_number")
    fits = pl.lit(value=True)
    if field.low is not None:
        fits &= number >= field.low
    if field.high is not None:
        fits &= number <= field.high
    if whole:
        fits &= number == number.round()
    value: pl.Expr = pl.when(fits).then(number)
    value = value.cast(pl.Int64) if whole else value
    return value, pl.coalesce(unreadable, _problem(value, number, "out_of_range"))


def _time(text: pl.Expr, source: Source) -> tuple[pl.Expr, pl.Expr]:
    value = parsed_times(text, source.timezone, source.time_format)
    readable = parsed_times(text, source.timezone, source.time_format, any_range=True)
    return value, pl.coalesce(_problem(readable, text, "unreadable_time"), _problem(value, text, "out_of_range"))


def _signal(text: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    word = text.str.to_lowercase().str.strip_chars('"')
    is_object = text.str.starts_with("{") & text.str.json_path_match("$").is_not_null()
    outcome = word.replace_strict(OUTCOMES, default=None, return_dtype=pl.String)
    signal = pl.when(word.str.contains(_SIGNAL)).then(pl.concat_str(pl.lit('{"signal": "'), word, pl.lit('"}')))
    value = pl.when(is_object).then(text).otherwise(pl.coalesce(outcome, signal))
    value, too_large = _sized(value)
    return value, pl.coalesce(too_large, _problem(value, text, "unknown_value"))


def _names(text: pl.Expr, *, tags: bool) -> tuple[pl.Expr, pl.Expr]:
    """Names of a JSON array, a PostgreSQL array or a comma-separated list: trimmed, sorted, without repeats."""
    is_list = text.str.contains(_LIST)
    broken = text.str.starts_with("[") & ~is_list
    listed = pl.when(is_list).then(text).str.json_decode(pl.List(pl.String))
    separated = pl.when(~text.str.starts_with("[")).then(text.str.strip_chars("{}")).str.split(",")
    names = pl.coalesce(listed, separated).list.eval(
        pl.element()
        .str.replace_all("\0", "\ufffd", literal=True)
        .str.strip_chars(' \t\r\n"')
        .replace("", None)
        .drop_nulls()
    )
    if tags:
        written = pl.element().map_elements(normalised_tag, return_dtype=pl.String)
        names = names.list.eval(written.replace("", None).drop_nulls())
    names = names.list.unique().list.sort()
    long = names.list.eval(pl.element().str.len_chars() > NAME_LIMIT).list.any()
    value = pl.when(~broken & ~long).then(names)
    return value, pl.coalesce(pl.when(broken).then(pl.lit("not_json")), pl.when(long).then(pl.lit("too_long")))


def constant_text(value: object) -> str:
    """A constant of `sources.yaml` as if it had been delivered."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else orjson.dumps(value).decode().strip('"')
