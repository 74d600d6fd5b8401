"""Answers that decline: the one pattern that findings, training files and the gate go by.

It reads how an answer opens. What it misses only a judge can tell; docs/judging.md says how much it found of answers
whose wording it had not seen.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import polars as pl

from feedback_pipeline.privacy.gates import loosened

OPENING = 220
"""Characters within which an answer that declines says so."""
LONG = 400
"""An answer longer than this that turns ("however …") answers after all."""

_APOSTROPHES = "['’ʼ`´]"
_LEAD = r"^\W*(?:[^.!?\n。！？]{0,90}[.!?,;:—–-]\s+){0,2}(?:[^.!?\n。！？]{0,60}\s)?"
"""One short clause may come first: an apology, a greeting, "As an AI language model, …"."""


@dataclass(frozen=True)
class _Patterns:
    """How a refusal opens, by language, each way with a cheap pattern that is found wherever it is; the cheap patterns
    of all in one, which read any apostrophe; and how a long answer turns."""

    ways: tuple[tuple[str, str], ...]
    gate: str
    turns: str


@cache
def _patterns() -> _Patterns:
    pieces = tomllib.loads(Path(__file__).with_name("refusals.toml").read_text(encoding="utf-8"))
    turns = pieces.pop("turns")
    ways: list[tuple[str, str]] = []
    for language, piece in pieces.items():
        lead = _LEAD if language != "other" else ""
        if "unable" in piece:
            ways.append((lead, f"{_grouped(piece['unable'])}[^.!?:;\n]{{0,60}}?{_grouped(piece['act'])}"))
        ways.append((lead, _grouped(piece["set"])))
    gates = [loosened(said) for _, said in ways]
    return _Patterns(
        ways=tuple((f"(?i){gate}", f"(?i){lead}{said}") for gate, (lead, said) in zip(gates, ways, strict=True)),
        gate=f"(?i){_grouped('|'.join(gates))}".replace("'", _APOSTROPHES),
        turns=f"(?i){turns}",
    )


def _grouped(pattern: str) -> str:
    return f"(?:{pattern})"


def refuses(answer: pl.Expr) -> pl.Expr:
    """Whether an answer declines: true, false, or null where there is no text."""
    return answer.map_batches(_refuse, return_dtype=pl.Boolean, is_elementwise=True)


def _refuse(answers: pl.Series) -> pl.Series:
    patterns = _patterns()
    found = answers.str.slice(0, OPENING).str.contains(patterns.gate)
    rows = found.arg_true()
    if rows.is_empty():
        return found
    some = answers.gather(rows)
    opening = some.str.slice(0, OPENING).str.replace_all(_APOSTROPHES, "'")
    goes_on = (some.str.len_chars() > LONG) & some.str.contains(patterns.turns)
    return found.scatter(rows, _opens_so(opening, patterns.ways) & ~goes_on)


def _opens_so(openings: pl.Series, ways: tuple[tuple[str, str], ...]) -> pl.Series:
    """Whether texts open in one of the ways; each looks only at what its gate lets through and no other has found."""
    declines = pl.repeat(value=False, n=len(openings), eager=True)
    gates = [pl.col("opening").str.contains(gate).alias(f"way {place}") for place, (gate, _) in enumerate(ways)]
    let_through = openings.to_frame("opening").select(gates)
    for (_, pattern), passes in zip(ways, let_through, strict=True):
        wanted = passes & ~declines
        if wanted.any():
            rows = wanted.arg_true()
            declines = declines.scatter(rows, openings.gather(rows).str.contains(pattern))
    return declines
