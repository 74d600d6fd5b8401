"""The words inside a column of JSON texts: taken out, redacted, and put back so that the JSON stays JSON.

A text is read as a sequence of tokens rather than parsed: strings, numbers (with the key they belong to, which says
what they are) and what stands between. What is not changed stays byte for byte, and no depth of nesting is too much.
"""

import json
import re
from dataclasses import dataclass

import polars as pl

from feedback_pipeline.privacy.detection import suspects
from feedback_pipeline.privacy.folding import DISGUISED
from feedback_pipeline.privacy.gates import contains_any
from feedback_pipeline.privacy.rules import MARK, NEXT_RULE, gates

_NUMBER = r"-?[0-9][0-9.eE+\-]*"
_STRING = r'"(?:[^"\\]|\\.)*"'
_TOKEN = rf"(?s){_STRING}(?:\s*:\s*{_NUMBER})?|{_NUMBER}(?:\s*,\s*{_NUMBER})*"
_KEYED_NUMBER = re.compile(rf'(".*")(\s*:\s*)({_NUMBER})', re.DOTALL)
_BETWEEN = re.compile(r"[\s,:{}\[\]]*(?:(?:true|false|null|NaN|-?Infinity)[\s,:{}\[\]]*)*")
_WORTH_READING = rf"\\|{DISGUISED}|\[[A-Z_]+_[0-9]"
"""Found, or one of the gates is, in every token in which anything may be found or whose placeholders' numbers are
taken."""
_ESCAPES = {r"\\": "\\", r"\"": '"', r"\/": "/", r"\n": "\n", r"\r": "\r", r"\t": "\t", r"\b": "\b", r"\f": "\f"}
_KEPT_APART = _ESCAPES | {r"\\": NEXT_RULE, r"\"": MARK}
"""The same, but that what ends strings and begins escapes is not taken for it."""
_ONLY_STRINGS = r"""\A(?:[ \t\r\n,:{}\[\]]|"[^"]*"|true|false|null)*\z"""
"""JSON without numbers, whose escapes are undone."""


def as_unicode(text: str) -> str:
    """The text as UTF-8 can hold it: lone surrogates become U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


@dataclass(frozen=True)
class JsonStrings:
    """The words of the texts in which anything may be found, as far as anything may be found in them.

    `strings` holds them one by one and `rows` the text each is from; `tokens` are the same as written in the JSON, and
    `parts` the whole of each text of `rows`, with None where a token belongs.
    """

    strings: pl.Series
    rows: pl.Series
    tokens: list[str]
    parts: dict[int, list[str | None]]

    def put_back(self, texts: pl.Series, strings: pl.Series) -> pl.Series:
        """The JSON texts with `strings` in the places of the original ones."""
        changed = (strings != self.strings).to_list()
        if not any(changed):
            return texts
        old, new = self.strings.to_list(), strings.to_list()
        written = (
            _written(token, after, before) if different else token
            for token, before, after, different in zip(self.tokens, old, new, changed, strict=True)
        )
        rebuilt = {
            row: "".join(next(written) if part is None else part for part in parts) for row, parts in self.parts.items()
        }
        touched = self.rows.filter(pl.Series(changed)).unique().sort()
        return texts.scatter(touched, pl.Series([rebuilt[row] for row in touched], dtype=pl.String))


def json_strings(texts: pl.Series) -> JsonStrings:
    """Take the words out of JSON texts; one that is not JSON is taken whole."""
    escaped = texts.str.contains("\\", literal=True).fill_null(False).arg_true().cast(pl.UInt32)
    written = texts.gather(escaped)
    # a copy: scatter changes the series it is called on
    plain = texts.clone().scatter(escaped, written.str.replace_many(list(_ESCAPES), list(_ESCAPES.values())))
    coded = escaped.filter(written.str.contains(r"\u", literal=True))
    rows = pl.concat([suspects(plain)["row"], coded]).unique().sort()
    marked = texts.gather(rows).str.replace_all(MARK, "\ufffd", literal=True)
    marked = marked.str.replace_all(_TOKEN, f"{MARK}${{0}}{MARK}")
    splits: list[tuple[int, list[str]]] = []
    for row, text in zip(rows.to_list(), marked.to_list(), strict=True):
        split = text.split(MARK)
        if not all(_BETWEEN.fullmatch(part) for part in split[::2]):
            split = ["", "".join(split), ""]
        splits.append((row, split))
    found = pl.Series([token for _, split in splits for token in split[1::2]], dtype=pl.String)
    worth = contains_any(found, [_WORTH_READING, *gates()])
    read = iter(worth.to_list())
    parts = {
        row: [None if index % 2 and next(read) else part for index, part in enumerate(split)] for row, split in splits
    }
    string_rows = pl.Series([row for row, split in splits for _ in split[1::2]], dtype=pl.UInt32).filter(worth)
    tokens = found.filter(worth).to_list()
    return JsonStrings(pl.Series([_read(token) for token in tokens], dtype=pl.String), string_rows, tokens, parts)


def json_words(texts: pl.Series) -> pl.Series:
    """The distinct words of JSON texts, without their places: all those `json_strings` takes out, and more."""
    known = texts.drop_nulls()
    escaped = known.str.contains("\\", literal=True).arg_true()
    written = known.gather(escaped)
    undone = written.str.replace_many(list(_KEPT_APART), list(_KEPT_APART.values()))
    hard = undone.str.contains("\\", literal=True) | written.str.contains(f"{MARK}|{NEXT_RULE}")
    plain = known.clone().scatter(escaped, undone)
    simple = plain.str.contains(_ONLY_STRINGS).scatter(escaped.filter(hard), [False] * int(hard.sum()))
    words = plain.filter(simple).str.split('"').explode().unique()
    if not escaped.is_empty():
        words = words.str.replace_many([MARK, NEXT_RULE], ['"', "\\"])
    return pl.concat([words, json_strings(known.filter(~simple)).strings.alias(words.name)]).unique()


def _read(token: str) -> str:
    """The words of a token: those of a string, `key: number`, numbers as written, or a text that is not JSON."""
    if not token.startswith('"'):
        return token
    if keyed := _KEYED_NUMBER.fullmatch(token):
        return f"{_read(keyed[1])}: {keyed[3]}"
    if "\\" not in token and token.endswith('"'):
        return token[1:-1]
    try:
        words = json.loads(token, strict=False)
    except ValueError:
        return token
    return as_unicode(words) if isinstance(words, str) else token


def _written(token: str, words: str, before: str) -> str:
    """The token that says `words` where it said `before`."""
    if before == token and not _is_numbers(token):
        return words
    keyed = _KEYED_NUMBER.fullmatch(token)
    if keyed is None:
        return json.dumps(words, ensure_ascii=False)
    key, _, number = words.rpartition(": ")
    kept = before.endswith(f": {number}")
    return f"{json.dumps(key, ensure_ascii=False)}{keyed[2]}{number if kept else json.dumps(number)}"


def _is_numbers(token: str) -> bool:
    return re.fullmatch(rf"{_NUMBER}(?:\s*,\s*{_NUMBER})*", token) is not None
