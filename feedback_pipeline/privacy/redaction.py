"""Structured identifiers replaced by typed placeholders, before anything is stored.

What is found: e-mail addresses, telephone numbers, payment cards, IBANs, national identity numbers and passports, IP
and MAC addresses, coordinates, URLs that carry credentials or a query, secrets, numbers of devices and vehicles, dates
of birth beside a word that says so, and owners of home folders, each as `rules.toml` describes it.

What is not reliably found: names of people, street addresses, places, employers, and anything a person can be
recognised by from the story told. No pattern recognises these; models trained to do so find about two names in
three, fewer in lower-case text. Redacted text is therefore still personal data, to be kept as briefly and shown as
narrowly as its purpose allows.

Placeholders look like `[EMAIL_1]`. The same value has the same number throughout a conversation, so that what is said
about it still makes sense; a number means nothing outside its conversation.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from feedback_pipeline.privacy.detection import pieces, suspects
from feedback_pipeline.privacy.json_text import as_unicode, json_strings
from feedback_pipeline.privacy.placeholders import PLACEHOLDER, PLACEHOLDER_PATTERN
from feedback_pipeline.privacy.rules import placeholders

_WRITTEN_IN_GROUPS = frozenset({"PHONE", "CARD", "IBAN", "NATIONAL_ID"})
_WITHOUT_CASE = frozenset({"EMAIL", "IP", "MAC"})
_SEPARATORS = str.maketrans("", "", " ().-/")


@dataclass(frozen=True)
class Redacted:
    """Texts without their structured identifiers, and how many of each type were replaced."""

    texts: pl.Series
    counts: dict[str, int]


def redact(texts: pl.Series, conversations: pl.Series | None = None) -> Redacted:
    """Replace the structured identifiers in a column of texts.

    Args:
        texts: strings; missing ones stay missing.
        conversations: one label a row; rows that share one share the numbering of their placeholders. Without it, and
            where the label is missing, a row is a conversation of its own.

    Returns:
        A column of the same name and length. A text in which nothing was found is unchanged. Redacting the result
        again changes nothing.
    """
    strings = texts.cast(pl.String)
    frame = suspects(strings)
    if frame.is_empty():
        return Redacted(strings, {})
    labels = _labels(strings.len(), conversations)
    numbering = _Numbering()
    first = True
    while not (cut := pieces(frame)).is_empty():
        # what placeholders that already stand in a conversation stood for is unknown: their numbers are taken
        if conversations is None:
            concerned = frame.filter(pl.col("row").is_in(cut["row"].unique().implode()))
            numbering.reserve(labels.gather(concerned["row"]), concerned["text"])
        elif first:
            numbering.reserve(labels, strings)
        first = False
        rows = _written(cut, labels, numbering)
        strings = strings.scatter(rows["row"], rows["text"])
        # What has been replaced may have stood in the way of something else.
        again = suspects(rows["text"])
        frame = again.with_columns(row=rows["row"].gather(again["row"]))
    counts = {name: numbering.counts[name] for name in placeholders() if numbering.counts[name]}
    return Redacted(strings, counts)


def redact_text(text: str) -> tuple[str, dict[str, int]]:
    """Replace the structured identifiers in one text: what `redact` does, for one.

    Returns:
        The text and the number of replacements by type. Lone surrogates, which no UTF-8 text can hold, become U+FFFD.
    """
    redacted = redact(pl.Series([as_unicode(text)]))
    return redacted.texts[0], redacted.counts


def redact_json(texts: pl.Series, conversations: pl.Series | None = None) -> Redacted:
    """Replace the structured identifiers in the strings, keys and numbers of a column of JSON texts.

    Valid JSON stays valid JSON: a number that is replaced becomes a string. What is not JSON is redacted as plain text.
    Arguments and result are those of `redact`; the messages in one text are one conversation.
    """
    strings = texts.cast(pl.String)
    words = json_strings(strings)
    labels = _labels(strings.len(), conversations)
    redacted = redact(words.strings, labels.gather(words.rows))
    return Redacted(words.put_back(strings, redacted.texts), redacted.counts)


@dataclass(frozen=True)
class RedactedFrame:
    """A frame without its structured identifiers, and how many of each type were replaced."""

    frame: pl.DataFrame
    counts: dict[str, int]


def redact_frame(
    frame: pl.DataFrame,
    texts: Sequence[str],
    json: Sequence[str] = (),
    conversation: str | None = None,
    lists: Sequence[str] = (),
) -> RedactedFrame:
    """Redact several columns together, so that a value has one number in all of them.

    Args:
        frame: any columns.
        texts: names of columns of plain text.
        json: names of columns of JSON text.
        conversation: name of the column that says which rows share a numbering; by default every row has its own.
        lists: names of columns of lists of names (tags, reasons), which are redacted one by one.
    """
    labels = _labels(frame.height, None if conversation is None else frame[conversation])
    if any(frame[name].list.len().sum() for name in lists):
        return _with_lists(frame, texts, json, labels, lists)
    columns = {name: frame[name].cast(pl.String) for name in (*texts, *json)}
    words = {name: json_strings(columns[name]) for name in json}
    parts = [columns[name] for name in texts] + [words[name].strings for name in json]
    owners = [labels] * len(texts) + [labels.gather(words[name].rows) for name in json]
    if not parts:
        return RedactedFrame(frame, {})
    redacted = redact(pl.concat([part.alias("text") for part in parts]), pl.concat(owners))
    start = 0
    for name, part in zip(columns, parts, strict=True):
        replaced = redacted.texts.slice(start, part.len())
        start += part.len()
        columns[name] = words[name].put_back(columns[name], replaced) if name in words else replaced
    return RedactedFrame(frame.with_columns(column.alias(name) for name, column in columns.items()), redacted.counts)


def _with_lists(
    frame: pl.DataFrame, texts: Sequence[str], json: Sequence[str], labels: pl.Series, lists: Sequence[str]
) -> RedactedFrame:
    """Redacts the names in lists as texts of rows of their own, and puts them back in their places."""
    rows = frame.select(*texts, *json).with_columns(label=labels, place=pl.int_range(frame.height, dtype=pl.UInt32))
    named = [
        pl.DataFrame({"label": labels, "place": rows["place"], "text": frame[name]})
        .explode("text")
        .drop_nulls("text")
        .with_columns(column=pl.lit(name))
        for name in lists
    ]
    whole = pl.concat([rows, *named], how="diagonal_relaxed")
    redacted = redact_frame(whole, (*texts, "text"), json, "label")
    cleaned = redacted.frame
    kept = cleaned.head(frame.height)
    result = frame.with_columns(kept[name] for name in (*texts, *json))
    for name in lists:
        own = cleaned.filter(pl.col("column") == name).group_by("place", maintain_order=True).agg(pl.col("text"))
        joined = kept.select("place").join(own, on="place", how="left", maintain_order="left")["text"]
        empty = frame[name].is_null() | (frame[name].list.len() == 0)
        result = result.with_columns(pl.when(empty).then(name).otherwise(joined).alias(name))
    return RedactedFrame(result, redacted.counts)


def _labels(height: int, conversations: pl.Series | None) -> pl.Series:
    """A number for each row's conversation."""
    rows = pl.int_range(height, dtype=pl.UInt32, eager=True)
    if conversations is None:
        return rows
    frame = pl.DataFrame({"row": rows, "label": conversations})
    first = pl.when(pl.col("label").is_null()).then("row").otherwise(pl.col("row").min().over("label"))
    return frame.select(conversation=first)["conversation"]


def _written(cut: pl.DataFrame, labels: pl.Series, numbering: "_Numbering") -> pl.DataFrame:
    """The texts that the pieces make (`row`, `text`), with a placeholder for every identifier."""
    taken = cut.with_row_index("place").filter(pl.col("placeholder").is_not_null())
    numbered = numbering.written(labels.gather(taken["row"]), taken["placeholder"], taken["text"])
    written = cut.select("row", text=cut["text"].scatter(taken["place"], numbered))
    return written.group_by("row", maintain_order=True).agg(pl.col("text").str.join())


class _Numbering:
    """Which number each value has in its conversation, and how many values were replaced by type."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._numbers: dict[tuple[int, str, str], int] = {}
        self._highest: dict[tuple[int, str], int] = {}

    def reserve(self, conversations: pl.Series, texts: pl.Series) -> None:
        """Keep the numbers of placeholders that already stand in the texts."""
        used = texts.str.contains(PLACEHOLDER).fill_null(False)
        for conversation, text in zip(conversations.filter(used).to_list(), texts.filter(used).to_list(), strict=True):
            for placeholder, number in PLACEHOLDER_PATTERN.findall(text):
                key = (conversation, placeholder)
                self._highest[key] = max(int(number), self._highest.get(key, 0))

    def written(self, conversations: pl.Series, placeholders: pl.Series, texts: pl.Series) -> pl.Series:
        """What is written for identifiers: the placeholder of its type with the value's number."""
        kinds = placeholders.to_list()
        self.counts.update(kinds)
        numbers, highest = self._numbers, self._highest
        said: list[str] = []
        for conversation, kind, text in zip(conversations.to_list(), kinds, texts.to_list(), strict=True):
            key = (conversation, kind, _value(kind, text))
            if (number := numbers.get(key)) is None:
                of_kind = (conversation, kind)
                numbers[key] = highest[of_kind] = number = highest.get(of_kind, 0) + 1
            said.append(f"[{kind}_{number}]")
        return pl.Series(said, dtype=pl.String)


def _value(placeholder: str, text: str) -> str:
    """The form in which two spellings of an identifier are one."""
    if placeholder in _WRITTEN_IN_GROUPS:
        return text.translate(_SEPARATORS).lower()
    return text.lower() if placeholder in _WITHOUT_CASE else text
