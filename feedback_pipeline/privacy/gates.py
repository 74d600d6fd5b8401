"""Searches of columns of text that cost what their cheap part costs.

Rust's regular expressions run as an automaton that is built while it reads, at about a nanosecond a byte, as long as it
stays small and reads ASCII. Counted repetitions beside alternatives multiply its states, and Unicode's word boundaries
it does not know beyond ASCII: then every byte costs a hundred times as much. So a gate without either goes first, and
the pattern itself looks at the few texts that pass.
"""

import re
from collections.abc import Sequence
from functools import reduce

import polars as pl

_COUNTED = re.compile(r"\{([01]),\d{2,}\}")
"""A repetition of none or one up to ten and more."""
_BOUNDARY = re.compile(r"(\\\\)|\\b")
"""A word boundary, and the escaped backslash that is none."""


def endless(pattern: str) -> str:
    """The pattern with long counted repetitions made endless: found wherever `pattern` is, by few states."""
    return _COUNTED.sub(lambda found: "*" if found[1] == "0" else "+", pattern)


def loosened(pattern: str) -> str:
    """The same, without word boundaries."""
    return _BOUNDARY.sub(lambda found: found[1] or "", endless(pattern))


def contains_any(texts: pl.Series, patterns: Sequence[str]) -> pl.Series:
    """Whether any of the patterns is found in each text; null for null."""
    return reduce(pl.Series.__or__, (texts.str.contains(pattern) for pattern in patterns))


def contains(texts: pl.Series, gates: Sequence[str], pattern: str) -> pl.Series:
    """Whether `pattern` is found in each text; null for null.

    Args:
        texts: strings.
        gates: patterns of which one is found wherever `pattern` is.
        pattern: looked for where a gate is found.
    """
    passed = contains_any(texts, gates)
    rows = passed.arg_true()
    return passed if rows.is_empty() else passed.scatter(rows, texts.gather(rows).str.contains(pattern))
