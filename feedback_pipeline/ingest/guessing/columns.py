"""Columns of a table that nobody has described: places in its rows, with what is there."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import orjson
import polars as pl

from feedback_pipeline.ingest.conversations import ROLE_KEYS, ROLES, TEXT_KEYS, messages_expression
from feedback_pipeline.ingest.guessing.names import TIME_FORMATS
from feedback_pipeline.ingest.paths import as_text, steps, walk
from feedback_pipeline.ingest.times import parsed_times
from feedback_pipeline.ingest.words import LIKELY_THUMBS, NO_VERDICT, STAR_WORDS, THUMBS, number_of, word

MAX_DEPTH, MAX_ENTRIES, MAX_WORDS = 6, 40, 10
"""How deep objects are looked into, keys of one that is looked into, and different words of a verdict."""

_ENOUGH = 0.9


@dataclass(frozen=True)
class Column:
    """A path and what the rows hold there; `exploded` is the list that must be taken apart to reach it, `strays` the
    values that are not counted here, as they are nothing of the kind that the column's name says."""

    path: str
    values: tuple[Any, ...]
    exploded: str | None = None
    strays: tuple[str, ...] = ()

    def of_which(self, fits: Callable[[str], bool]) -> "Column":
        """The column with only those values, by their texts; the others are its strays."""
        kept = tuple(value if (text := as_text(value)) is None or fits(text) else None for value in self.values)
        strays = tuple(text for text in self.texts if not fits(text))
        return replace(self, values=kept, strays=strays)

    @cached_property
    def texts(self) -> list[str]:
        """What is there, as it would be delivered."""
        return [text for value in self.values if (text := as_text(value)) is not None and text.strip()]

    @cached_property
    def words(self) -> Counter[str]:
        return Counter(word(text) for text in self.texts)

    @cached_property
    def numbers(self) -> list[float] | None:
        """The values as numbers; None where one is none."""
        numbers = [number for text in self.texts if (number := number_of(text)) is not None]
        return numbers if numbers and len(numbers) == len(self.texts) else None

    @property
    def is_text(self) -> bool:
        return all(isinstance(value, str) or value is None for value in self.values) and bool(self.texts)

    @cached_property
    def is_prose(self) -> bool:
        """Words of people or models: text, not all alike, with a space in it somewhere."""
        return self.is_text and not self.is_time and not self.is_json and any(" " in text for text in self.texts)

    @cached_property
    def is_json(self) -> bool:
        return all(text[:1] in "{[" for text in self.texts)

    @cached_property
    def is_time(self) -> bool:
        return bool(self.texts) and time_format(self.texts) is not None

    @cached_property
    def thumbs(self) -> dict[str, bool | None] | None:
        """What each word says as a thumb; None where they are no thumbs."""
        return _thumbs(self)

    @property
    def is_messages(self) -> bool:
        texts = pl.Series(self.texts, dtype=pl.String)
        if not len(texts):
            return False
        read = texts.to_frame("t").select(messages_expression(pl.col("t"))).to_series()
        return read.null_count() <= (1 - _ENOUGH) * len(texts)

    @property
    def last_role(self) -> str | None:
        """The role of the last message, where it is the same in most rows."""
        last = Counter(ROLES.get(str(role_of(walk(text, steps("[last]"), ()))).lower()) for text in self.texts)
        return last.most_common(1)[0][0] if last else None

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        return name_parts(self.path)

    def said(self, rows: int, *, words: bool = False) -> str:
        """What its values look like, for the comment beside it: counts, and of a verdict its words."""
        part = "all rows" if len(self.texts) == rows else f"{len(self.texts)} of {rows} rows"
        if self.strays:
            part += f" ({len(self.strays)} {'holds' if len(self.strays) == 1 else 'hold'} something else)"
        if words and len(self.words) <= MAX_WORDS:
            return f"{part}: " + ", ".join(f"{one} {count}" for one, count in self.words.most_common())
        return part


def listed(value: Any) -> list[Any]:
    value = parsed_json(value)
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def parsed_json(value: Any) -> Any:
    if isinstance(value, str) and value.strip()[:1] in ("{", "["):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def columns_of(rows: Sequence[Mapping[str, Any]]) -> list[Column]:
    """Every path of the rows with its values, in the order of the rows' keys."""
    found: dict[tuple[str, str | None], list[Any]] = {}
    for row in rows:
        for path, value, exploded in _flat(row, "", None, MAX_DEPTH):
            found.setdefault((path, exploded), []).append(value)
    return [Column(path, tuple(values), exploded) for (path, exploded), values in found.items() if _usable(path)]


def _usable(path: str) -> bool:
    try:
        steps(path)
    except ValueError:
        return False
    return True


def _flat(
    row: Mapping[str, Any], above: str, exploded: str | None, depth: int
) -> Iterable[tuple[str, Any, str | None]]:
    for key, value in row.items():
        path = f"{above}{key}"
        inner = parsed_json(value)
        if isinstance(inner, dict) and 0 < len(inner) <= MAX_ENTRIES and depth and not (above and "." in key):
            yield from _flat(inner, f"{path}.", exploded, depth - 1)
        elif isinstance(inner, list) and inner and all(isinstance(item, dict) for item in inner):
            yield path, value, exploded
            if role_of(inner[0]) is None and depth:
                items = inner[:1] if exploded else inner
                below = f"{path}[0]." if exploded else f"{path}."
                for item in items:
                    yield from _flat(item, below, exploded or path, depth - 1)
        elif exploded and isinstance(inner, list) and len(inner) == 1:
            yield f"{path}[0]", inner[0], exploded
        else:
            yield path, value, exploded


def role_of(message: Any) -> Any:
    if not isinstance(message, dict):
        return None
    held = next((message[key] for key in ROLE_KEYS if key in message), None)
    return held if isinstance(held, str) and held.strip().lower() in ROLES else None


def name_parts(path: str) -> tuple[str, ...]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", path)
    return tuple(token for token in re.split(r"[^0-9a-zäöüßéèà]+", spaced.lower()) if token)


def _thumbs(column: Column) -> dict[str, bool | None] | None:
    words = column.words
    if not words or len(words) > MAX_WORDS or column.is_time:
        return None
    numbers = column.numbers
    if numbers is not None and not set(numbers) <= {-1.0, 0.0, 1.0}:
        return None
    zero_is_down = numbers is not None and -1.0 not in numbers
    meanings: dict[str, bool | None] = {}
    stars = {written for written in words if written in STAR_WORDS}
    if numbers is None and stars & {"2", "3", "4", "5"}:  # thumbs and stars in one column
        meanings = {written: STAR_WORDS[written] for written in stars}
    for written in words.keys() - meanings.keys():
        if written in ("0", "0.0"):
            meanings[written] = False if zero_is_down else None
        elif written in THUMBS:
            meanings[written] = THUMBS[written]
        elif written in LIKELY_THUMBS:
            meanings[written] = LIKELY_THUMBS[written]
        elif written in NO_VERDICT:
            meanings[written] = None
        else:
            return None
    return meanings if any(value is not None for value in meanings.values()) else None


def last_question(messages: Column) -> str:
    """The path of the last message of a person."""
    key, role = _role_of_user(messages)
    return f"{messages.path}[last {key}={role}].{text_key(messages)}"


def text_key(messages: Column) -> str:
    first = walk(messages.texts[0], steps("[0]"), ())
    return next((key for key in TEXT_KEYS if key in (first or {})), "content")


def _role_of_user(messages: Column) -> tuple[str, str]:
    for text in messages.texts:
        for message in listed(text):
            if (role := role_of(message)) and ROLES[role.lower()] == "user":
                return next(key for key in ROLE_KEYS if message.get(key) == role), role
    return "role", "user"


def is_known_word(text: str) -> bool:
    """Whether it is a thumb, or says that there is none."""
    one = word(text)
    return one in ("0", "0.0") or one in THUMBS or one in LIKELY_THUMBS or one in NO_VERDICT


def times_among(column: Column) -> Column:
    """The values that are times of the form that most are, the others as strays."""
    series = pl.Series("t", column.texts, dtype=pl.String).to_frame()
    readable: set[str] = set()
    for written in (None, *TIME_FORMATS):
        times = series.select("t", parsed_times(pl.col("t"), "UTC", written).alias("time")).drop_nulls("time")
        if len(set(times["t"])) > len(readable):
            readable = set(times["t"])
    return column.of_which(readable.__contains__)


def time_format(texts: Sequence[str]) -> str | None:
    """How the texts are times: "" for ISO 8601 or seconds, else a format; None where they are no times."""
    series = pl.Series("t", texts, dtype=pl.String).to_frame()
    if all(re.fullmatch(r"-?\d+(\.\d+)?", text) for text in texts) and min(map(float, texts)) < 946_684_800:
        return None  # seconds before the year 2000
    for written in (None, *TIME_FORMATS):
        times = series.select(parsed_times(pl.col("t"), "UTC", written)).to_series()
        if times.null_count() <= (1 - _ENOUGH) * len(texts):
            return written or ""
    return None


def few_values(column: Column) -> bool:
    """The same few values over and over: names of models, not what they said."""
    return (
        len(column.texts) >= 20 and len(set(column.texts)) < len(column.texts) / 4 and max(map(len, column.texts)) < 80
    )
