"""Which column fits which field: its name speaks for it, and its values allow it."""

import re
from collections.abc import Callable, Iterable, Sequence

from feedback_pipeline.ingest.guessing.columns import Column, is_known_word, name_parts, times_among
from feedback_pipeline.ingest.guessing.names import NAMES
from feedback_pipeline.ingest.words import number_of


def name_score(field_name: str, column: Column) -> float:
    """How well a column's name speaks for a field: its whole name before a part, a place higher up before a lower."""
    last = (
        name_parts(re.sub(r"\[[^\]]*\]$", "", column.path).rpartition(".")[2]) if "." in column.path else column.tokens
    )
    best = 0.0
    for place, name in enumerate(NAMES[field_name]):
        wanted = tuple(name.split("_"))
        if column.tokens == wanted:
            score = 10.0
        elif last == wanted:
            score = 8.0
        elif column.tokens[-len(wanted) :] == wanted and len(name) > 1:
            score = 6.0
        elif len(name) > 1 and set(wanted) <= set(column.tokens):
            score = 5.0
        else:
            continue
        best = max(best, score - place * 0.1)
    return best - 0.3 * column.path.count(".") if best else 0.0


def is_stars(column: Column) -> bool:
    numbers = column.numbers
    return numbers is not None and all(n in (1, 2, 3, 4, 5) for n in numbers) and max(numbers) > 1


def scale_ends(column: Column) -> tuple[float, float] | None:
    """The ends of a scale of numbers that are neither thumbs nor stars: 0–1, 1–10 or 0–100."""
    numbers = column.numbers
    if numbers is None or len(set(numbers)) < 2:
        return None
    ends = ((0.0, 1.0), (0.0, 5.0), (0.0, 10.0), (0.0, 100.0))
    return next(((low, high) for low, high in ends if min(numbers) >= low and max(numbers) <= high), None)


_GATES: dict[str, Callable[[Column], bool]] = {
    "occurred_at": lambda column: column.is_time,
    "thumb": lambda column: column.thumbs is not None,
    "stars": is_stars,
    "comment": lambda column: column.is_prose and column.thumbs is None,
    "correction": lambda column: column.is_prose,
    "reasons": lambda column: column.is_json or (column.is_text and not column.is_prose and not column.is_time),
    "prompt": lambda column: column.is_text and column.thumbs is None and not column.is_messages and not column.is_time,
    "output": lambda column: column.is_text and column.thumbs is None and not column.is_messages and not column.is_time,
    "messages": lambda column: column.is_messages,
    "model": lambda column: column.is_text and not column.is_json and max(map(len, column.texts)) <= 200,
    "latency_ms": lambda column: column.numbers is not None and min(column.numbers) >= 0,
    "input_tokens": lambda column: column.numbers is not None,
    "output_tokens": lambda column: column.numbers is not None,
    "cost_usd": lambda column: column.numbers is not None,
    "tags": lambda column: column.is_text or column.is_json,
    "language": lambda column: column.is_text and max(map(len, column.texts)) <= 20,
}
_MAX_ID = 200
_MOST = 0.6
"""Of the values of a column whose name ends in a field's: where so many are of its kind, the others are mistakes."""
_SAY_STARS = {"star", "stars", "sterne", "étoiles", "estrellas"}


def fitting(name: str, column: Column) -> Column | None:
    """The column as one that holds the field; None where it does not.

    Where its name ends in one of the field's, some values may be no such thing: the result is without them.
    """
    fits = _GATES.get(name, _short)
    if not column.texts or fits(column):
        return column if column.texts else None
    if name not in _TRIMMED or not any(_ends(column.tokens, one) for one in NAMES[name]):
        return None
    trimmed = _TRIMMED[name](column)
    return trimmed if len(trimmed.texts) >= _MOST * len(column.texts) and fits(trimmed) else None


def _ends(tokens: tuple[str, ...], name: str) -> bool:
    """Whether a name ends in another: `satisfaction_rating` in `rating`; a single letter is no such name."""
    wanted = tuple(name.split("_"))
    return tokens[-len(wanted) :] == wanted and (len(name) > 1 or tokens == wanted)


def _stars_among(column: Column) -> Column:
    """Numbers; of a column that is called stars, those that are 1 to 5: elsewhere another number is another scale."""
    if _SAY_STARS & set(column.tokens):
        return column.of_which(lambda text: number_of(text) in (1, 2, 3, 4, 5))
    return column.of_which(lambda text: number_of(text) is not None)


_TRIMMED: dict[str, Callable[[Column], Column]] = {
    "occurred_at": times_among,
    "stars": _stars_among,
    # a sentence among them would be a comment
    "thumb": lambda column: column.of_which(lambda text: is_known_word(text) or " " in text.strip()),
}


def _doubt(name: str, column: Column) -> float:
    """What speaks against a column: values of another kind; times that are days only, as one with hours is better."""
    days = name == "occurred_at" and all(re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) for text in column.texts)
    return 5.0 if days or column.strays else 0.0


def _short(column: Column) -> bool:
    return not column.is_prose and not column.is_json and max(map(len, column.texts)) <= _MAX_ID


def best_columns(names: Iterable[str], columns: Sequence[Column], taken: set[str] = frozenset()) -> dict[str, Column]:  # type: ignore[assignment]
    """Field → column, the best fit first; a column fills one field."""
    fits = [
        (name_score(name, column) - _doubt(name, column), -position, name, column)
        for name in names
        for position, given in enumerate(columns)
        if given.path not in taken and name_score(name, given) > 0 and (column := fitting(name, given)) is not None
    ]
    chosen: dict[str, Column] = {}
    used = set(taken)
    for score, _, name, column in sorted(fits, key=lambda fit: fit[:2], reverse=True):
        if score > 0 and name not in chosen and column.path not in used:
            chosen[name] = column
            used.add(column.path)
    return chosen


def identity_column(columns: Sequence[Column], rows: int, taken: set[str]) -> Column | None:
    """The column that is different in every row and called like an id."""
    unique = [column for column in columns if len(column.texts) == rows == len(set(column.texts))]
    found = best_columns(("id",), [column for column in unique if column.path not in taken])
    return found.get("id")
