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
    `places` say where they stand among the parts of their text, which is kept in `marked` with marks around its tokens.
    """

    strings: pl.Series
    rows: pl.Series
    tokens: pl.Series
    places: pl.Series
    marked: pl.DataFrame

    def put_back(self, texts: pl.Series, strings: pl.Series) -> pl.Series:
        """The JSON texts with `strings` in the places of the original ones."""
        changed = strings != self.strings
        if not changed.any():
            return texts
        columns = (self.rows, self.places, self.tokens, strings, self.strings)
        written: dict[int, list[tuple[int, str]]] = {}
        for row, place, *words in zip(*(column.filter(changed).to_list() for column in columns), strict=True):
            written.setdefault(row, []).append((place, _written(*words)))
        touched = self.marked.filter(pl.col("row").is_in(list(written)))
        rebuilt = []
        for row, text in touched.iter_rows():
            parts = text.split(MARK)
            for place, token in written[row]:
                parts[place] = token
            rebuilt.append("".join(parts))
        return texts.scatter(touched["row"], pl.Series(rebuilt, dtype=pl.String))


def json_strings(texts: pl.Series) -> JsonStrings:
    """Take the words out of JSON texts; one that is not JSON is taken whole."""
    escaped = texts.str.contains("\\", literal=True).fill_null(False).arg_true().cast(pl.UInt32)
    written = texts.gather(escaped)
    # a copy: scatter changes the series it is called on
    plain = texts.clone().scatter(escaped, written.str.replace_many(list(_ESCAPES), list(_ESCAPES.values())))
    coded = escaped.filter(written.str.contains(r"\u", literal=True))
    rows = pl.concat([suspects(plain)["row"], coded]).unique().sort()
    unmarked = texts.gather(rows).str.replace_all(MARK, "\ufffd", literal=True)
    marked = pl.DataFrame({"row": rows, "text": unmarked.str.replace_all(_TOKEN, f"{MARK}${{0}}{MARK}")})
    parts = _parts(marked)
    between = parts.filter(pl.col("place") % 2 == 0)
    alike = between["text"].unique()
    strange = alike.filter(pl.Series([not _BETWEEN.fullmatch(part) for part in alike], dtype=pl.Boolean))
    if not strange.is_empty():
        no_json = pl.col("row").is_in(between.filter(pl.col("text").is_in(strange.implode()))["row"].implode())
        whole = pl.concat_str(pl.lit(MARK), pl.col("text").str.replace_all(MARK, "", literal=True), pl.lit(MARK))
        marked = marked.with_columns(text=pl.when(no_json).then(whole).otherwise("text"))
        parts = _parts(marked)
    found = parts.filter(pl.col("place") % 2 == 1)
    found = found.filter(contains_any(found["text"], [_WORTH_READING, *gates()]))
    return JsonStrings(_words(found["text"]), found["row"], found["text"], found["place"], marked)


def _parts(marked: pl.DataFrame) -> pl.DataFrame:
    """The texts cut at their marks (`row`, `place`, `text`): tokens are at odd places, from 0 in each text."""
    cut = marked.with_columns(pl.col("text").str.split(MARK))
    counts = cut["text"].list.len().cast(pl.Int64)
    places = pl.select(pl.int_ranges(0, counts, dtype=pl.UInt32)).to_series()
    return cut.with_columns(place=places).explode("text", "place").select("row", "place", "text")


def _words(tokens: pl.Series) -> pl.Series:
    """`_read` of every token: most are strings without escapes."""
    quoted = tokens.str.starts_with('"')
    hard = quoted & (tokens.str.contains("\\", literal=True) | ~tokens.str.ends_with('"'))
    words = pl.select(
        pl.when(quoted).then(tokens.str.strip_prefix('"').str.strip_suffix('"')).otherwise(tokens)
    ).to_series()
    read = pl.Series([_read(token) for token in tokens.filter(hard)], dtype=pl.String)
    return words.scatter(hard.arg_true(), read)


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
