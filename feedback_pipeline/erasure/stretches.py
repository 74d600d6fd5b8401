"""What of a person's texts is looked for: stretches of long ones, short ones whole.

A text is taken apart where something else may stand in a copy of it (a placeholder, the keys of JSON) and its normal
form is cut into stretches side by side, each long enough to be nobody else's by chance. Whatever quotes twice that
length holds one of them. What is shorter than a stretch is looked for as a whole value: a field, a line, a string.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import polars as pl

from feedback_pipeline.erasure.normal_form import normal_form
from feedback_pipeline.privacy.placeholders import PLACEHOLDER

STRETCH = 24
"""Letters of a stretch, in scripts that write sounds."""
DENSE_STRETCH = 8
"""Letters of a stretch where a letter is a word or a syllable: Chinese, Japanese, Korean."""
MIN_LETTERS = 3
"""Shorter texts ("ok", "no", a thumb) are not looked for: they are anybody's."""
MAX_STRETCHES = 40_000
"""Of one person in all; of very much text, stretches at equal distances are taken."""
_DENSE = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]"
_APPLICATION = ("system", "developer")
"""Roles whose words are the application's, not the person's."""


@dataclass(frozen=True)
class Wording:
    """What to look for of some texts.

    Attributes:
        stretches: in normal form, each to be found anywhere inside another text.
        short: whole texts in normal form, to be found as a whole value.
        unsearched: texts with fewer than MIN_LETTERS letters, of which nothing is looked for.
        thinned: stretches left out because there were too many.
    """

    stretches: tuple[str, ...] = ()
    short: tuple[str, ...] = ()
    unsearched: int = 0
    thinned: int = 0


def wording(texts: Iterable[str]) -> Wording:
    """The stretches and short texts of some texts; JSON is taken apart into its strings."""
    said = pl.Series("text", [part for text in texts for part in _strings(text)], dtype=pl.String)
    pieces = said.str.replace_all(PLACEHOLDER, "\n\x1f\n").str.split("\x1f").list.explode(empty_as_null=False)
    forms = normal_form(pieces).unique(maintain_order=True)
    length = _lengths(forms)
    letters = forms.str.len_chars()
    long, short = forms.filter(letters >= length), forms.filter((letters < length) & (letters >= MIN_LETTERS))
    nothing = forms.filter((letters < MIN_LETTERS) & (letters > 0)).len()
    steps = length.filter(letters >= length)
    cut = dict.fromkeys(stretch for form, step in zip(long, steps, strict=True) for stretch in _cut(form, step))
    chosen, left_out = _thinned(list(cut))
    return Wording(tuple(sorted(chosen)), tuple(sorted(short)), nothing, left_out)


def _lengths(forms: pl.Series) -> pl.Series:
    """How long a stretch of each form is."""
    dense = forms.str.count_matches(_DENSE) * 2 >= forms.str.len_chars()
    frame = pl.DataFrame({"dense": dense})
    return frame.select(length=pl.when("dense").then(DENSE_STRETCH).otherwise(STRETCH))["length"]


def _cut(form: str, step: int) -> Iterator[str]:
    for start in range(0, len(form) - step + 1, step):
        yield form[start : start + step]
    if len(form) % step:
        yield form[-step:]


def _thinned(stretches: list[str]) -> tuple[list[str], int]:
    if len(stretches) <= MAX_STRETCHES:
        return stretches, 0
    distance = len(stretches) / MAX_STRETCHES
    chosen = [stretches[int(place * distance)] for place in range(MAX_STRETCHES)]
    return chosen, len(stretches) - len(chosen)


def _strings(text: str) -> Iterator[str]:
    """The text, or the strings of JSON less what the application said."""
    if text.lstrip()[:1] in ("{", "[", '"'):
        try:
            yield from _leaves(orjson.loads(text))
        except orjson.JSONDecodeError:
            yield text
    else:
        yield text


def _leaves(value: Any) -> Iterator[str]:
    # a list as a stack: no depth of nesting is too much
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, list):
            waiting.extend(one)
        elif isinstance(one, dict) and one.get("role") not in _APPLICATION:
            waiting.extend(said for name, said in one.items() if name != "role")
