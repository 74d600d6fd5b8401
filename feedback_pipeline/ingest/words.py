"""Words that people's tables use for what a field says, and how the words of a `values` map are written.

A delivered word is compared as lower-case text with its separators alike: `Thumbs up`, `thumbs-up` and `THUMBS_UP` are
one word. A key of a `values` map may also be a range of numbers: `">= 4"`, `"< 2.5"`, `"1..2"` (both ends included).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

Scalar = bool | int | float | str | date | datetime | None

THUMBS: dict[str, bool] = {
    **dict.fromkeys(
        ("true", "t", "up", "thumb_up", "thumbs_up", "thumbsup", "yes", "y", "positive", "1", "+1", "1.0", "like",
         "liked", "upvote", "👍"), True),
    **dict.fromkeys(
        ("false", "f", "down", "thumb_down", "thumbs_down", "thumbsdown", "no", "n", "negative", "-1", "-1.0",
         "dislike", "disliked", "downvote", "👎"), False),
}  # fmt: skip
"""Thumbs as people write them. 0 is not among them: it is down where 1 is up, and nothing where −1 is down."""

LIKELY_THUMBS: dict[str, bool] = {
    **dict.fromkeys(("good", "great", "excellent", "correct", "helpful", "useful", "satisfied", "pass", "passed",
                     "accepted", "accept", "acceptable", "right", "ok", "happy", "gut", "bien", "success"), True),
    **dict.fromkeys(("bad", "poor", "terrible", "incorrect", "wrong", "unhelpful", "not_helpful", "not_useful",
                     "useless", "unsatisfied", "dissatisfied", "fail", "failed", "rejected", "reject", "unacceptable",
                     "sad", "schlecht", "mal", "mauvais", "failure"), False),
    # the words of other languages for helpful and not
    **dict.fromkeys(("hilfreich", "nützlich", "ja", "utile", "oui", "bon", "útil", "sí", "buono", "goed", "bom"), True),
    **dict.fromkeys(("nicht_hilfreich", "nutzlos", "nein", "inutile", "pas_utile", "non", "inútil", "no_útil", "slecht",
                     "ruim", "cattivo", "unnütz"), False),
}  # fmt: skip
"""Words that a guess takes for a thumb, and writes out in the entry, because a person should look at them."""

NO_VERDICT = frozenset((
    "neutral", "none", "n/a", "na", "unknown", "mixed", "so_so", "unsure", "skip", "skipped", "0", "geht_so",
    "weiß_nicht", "bof", "moyen", "regular",
))  # fmt: skip
"""Words that say neither up nor down."""

STAR_WORDS: dict[str, bool | None] = {"1": False, "2": False, "3": None, "4": True, "5": True}
"""What a number of stars says as a thumb, where a column holds both."""

FLAGS: dict[str, bool] = {
    **dict.fromkeys(("true", "t", "yes", "y", "1", "1.0"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0", "0.0"), False),
}
OUTCOMES: dict[str, str] = {
    **dict.fromkeys(("true", "t", "yes", "1", "success", "succeeded"), '{"task_succeeded": true}'),
    **dict.fromkeys(("false", "f", "no", "0", "failure", "failed"), '{"task_succeeded": false}'),
}
WINNERS: dict[str, str] = {
    **dict.fromkeys(("left", "l", "a", "model_a", "x", "first", "1"), "left"),
    **dict.fromkeys(("right", "r", "b", "model_b", "y", "second", "2"), "right"),
    **dict.fromkeys(("tie", "0", "draw", "both", "neither", "bothbad", "tie_(bothbad)", "both_bad"), "tie"),
}

_SEPARATORS = r"([^\s\d_-])[\s_-]+([^\s_-])"
_RANGE = re.compile(r"(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?)|(-?\d+(?:\.\d+)?)\s*\.\.\s*(-?\d+(?:\.\d+)?)")


def word(text: str) -> str:
    """How a delivered word, or a key of a `values` map, is compared."""
    return re.sub(_SEPARATORS, r"\1_\2", re.sub(_SEPARATORS, r"\1_\2", text.strip().lower()))


def word_expression(text: pl.Expr) -> pl.Expr:
    """`word` of a column."""
    lowered = text.str.strip_chars().str.to_lowercase()
    return lowered.str.replace_all(_SEPARATORS, "${1}_${2}").str.replace_all(_SEPARATORS, "${1}_${2}")


def written_keys(key: object) -> tuple[str, ...]:
    """The words a key of a `values` map stands for. YAML reads a bare yes, no, on or off as true or false."""
    if key is True:
        return ("true", "yes", "on")
    if key is False:
        return ("false", "no", "off")
    text = str(key).strip()
    return (text if span(text) else word(text),)


@dataclass(frozen=True)
class Span:
    """A range of numbers; an end that is None is open."""

    low: float | None
    high: float | None
    low_included: bool = True
    high_included: bool = True

    def holds(self, number: pl.Expr) -> pl.Expr:
        """Whether a number lies in it."""
        inside = number.is_not_null()
        if self.low is not None:
            inside &= number >= self.low if self.low_included else number > self.low
        if self.high is not None:
            inside &= number <= self.high if self.high_included else number < self.high
        return inside.fill_null(value=False)


def span(key: str) -> Span | None:
    """The range that a key of a `values` map writes; None where it is a word."""
    found = _RANGE.fullmatch(key.strip())
    if found is None:
        return None
    sign, end, low, high = found.groups()
    if sign is None:
        return Span(float(low), float(high))
    number = float(end)
    return Span(number, None, low_included=sign == ">=") if ">" in sign else Span(
        None, number, high_included=sign == "<=")  # fmt: skip


_COMMA, _THOUSAND = r"^[+-]?[0-9]+,[0-9]+$", r"^[+-]?[1-9][0-9]{0,2},[0-9]{3}$"


def decimal_point(text: pl.Expr) -> pl.Expr:
    """A decimal comma as a point. `1,234` may be a thousand or a bit more than one: it stays, and is no number."""
    comma = text.str.contains(_COMMA) & ~text.str.contains(_THOUSAND)
    return pl.when(comma).then(text.str.replace(",", ".", literal=True)).otherwise(text)


def number_of(text: str) -> float | None:
    """The number that a text is, read as `decimal_point` does; None where it is none."""
    comma = re.search(_COMMA, text) and not re.search(_THOUSAND, text)
    try:
        return float(text.replace(",", ".") if comma else text)
    except ValueError:
        return None


def chosen(text: pl.Expr, choices: Mapping[str, Scalar], dtype: pl.DataType) -> tuple[pl.Expr, pl.Expr]:
    """What a delivered word means, and whether it means anything.

    Args:
        text: trimmed strings.
        choices: words and ranges → meanings of one type (null: nothing was said). A word goes before a range.
        dtype: that type.
    """
    words = {key: value for key, value in choices.items() if span(key) is None}
    ranges = [(within, value) for key, value in choices.items() if (within := span(key)) is not None]
    key = word_expression(text)
    value = key.replace_strict(words, default=None, return_dtype=dtype) if words else pl.lit(None, dtype)
    known = key.is_in(list(words))
    if not ranges:
        return value, known
    # by number of the range, not one range inside the next: such an expression doubles with each
    number = decimal_point(text).cast(pl.Float64, strict=False)
    which = pl.coalesce(pl.when(within.holds(number)).then(place) for place, (within, _) in enumerate(ranges))
    meanings = {place: value for place, (_, value) in enumerate(ranges)}
    ranged = which.replace_strict(meanings, default=None, return_dtype=dtype)
    return pl.when(known).then(value).otherwise(ranged), known | which.is_not_null()


def meaning(kind: str, value: Scalar, closed: tuple[str, ...] | None = None) -> Scalar:
    """What the right side of a `values` entry says for a field of a kind: read as a delivered value would be.

    Raises:
        ValueError: the field cannot say that.
    """
    if value is None:
        return None
    text = word(str(value))
    if kind in ("thumb", "flag"):
        known = THUMBS if kind == "thumb" else FLAGS
        if text not in known:
            says = "up or down" if kind == "thumb" else "true or false"
            raise ValueError(f"{value!r} is neither {says.replace(' or ', ' nor ')}; write {says}, or null for nothing")
        return known[text]
    if kind in ("stars", "integer", "number"):
        try:
            return float(text) if kind == "number" else int(float(text))
        except (ValueError, OverflowError):
            raise ValueError(f"{value!r} is no number") from None
    if closed is not None and str(value).lower() not in closed:
        raise ValueError(f"{value!r} is none of {', '.join(closed)}")
    return value
