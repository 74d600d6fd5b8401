"""Patterns: slices and terms beside the tools of the field, and what each finds of planted causes.

The peers are in the extra `bench`; `FEEDBACK_PEER_PYTHON` names an interpreter that has them, where this one has not.
Ours is timed with everything a finding needs (exact tests, false-discovery control, clustering by person, covering,
adjusted effects, intervals); the peers with their search alone.
"""

import datetime as dt
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl

from bench.calibrate import LEVELS, WEEK, week_of_votes
from bench.rows import Row, Size, less_is_better
from feedback_pipeline.patterns.change import approval_change
from feedback_pipeline.patterns.slice_counts import count_slices
from feedback_pipeline.patterns.slices import find_slices
from feedback_pipeline.patterns.term_findings import find_terms
from feedback_pipeline.patterns.terms import count_terms

PLANTED = (
    ((("model", "model_1"),), 0.06),
    ((("language", "language_3"), ("prompt_version", "prompt_version_7")), 0.29),
    ((("framework", "framework_3"), ("intent", "intent_9")), 0.26),
)
"""One large mild cause, two small severe ones: about 17,000, 800 and 400 of 100,000 votes."""
PHRASES = (("refund was not paid", 0.01, 0.6), ("slow", 0.02, 0.35), ("thanks", 0.02, 0.05))
"""Phrase, share of texts, negative rate with it."""


def rows(size: Size) -> list[Row]:
    """The rows of the performance table: work, our figure, the peer's, their ratio, and a note."""
    votes = 4_000 if size == "small" else 100_000
    return [*_slice_rows(votes), *_term_rows(votes), *_loop_rows(votes)]


def _best(work: Callable[[], Any], repeats: int = 5) -> tuple[float, Any]:
    """The least seconds of some warm runs, and the result."""
    result = work()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def _peer(task: str, frame: pl.DataFrame) -> dict[str, Any] | None:
    """A peer's answer, or None where it is not installed."""
    interpreter = os.environ.get("FEEDBACK_PEER_PYTHON", sys.executable)
    if interpreter == sys.executable and importlib.util.find_spec(task) is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.parquet"
        frame.write_parquet(path)
        script = Path(__file__).with_name("pattern_peers.py")
        done = subprocess.run([interpreter, str(script), task, str(path)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{task} failed: {done.stderr.strip().splitlines()[-1]}")
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def _row(work: str, ours: float, peer: str, answer: dict[str, Any] | None, note: str) -> Row:
    theirs = f"{peer} {answer['seconds']:.2f} s" if answer else f"{peer}: not installed (extra bench)"
    ratio = less_is_better(ours, answer["seconds"]) if answer else ""
    return Row(work=work, ours=f"{ours:.3f} s", peer=theirs, ratio=ratio, note=note)


def _hits(slices: list[list[list[str]]]) -> str:
    causes = [[list(pair) for pair in chosen] for chosen, _ in PLANTED]
    named = sum(cause in slices for cause in causes)
    return f"{named} of {len(causes)} causes in {len(slices)}"


def _slice_rows(votes: int) -> list[Row]:
    facts = week_of_votes(votes, 1, planted=PLANTED)
    seconds, search = _best(lambda: find_slices(facts, list(LEVELS), week=WEEK))
    ours = [
        [list(pair) for pair in zip(row["dimensions"], row["values"], strict=True)]
        for row in search.findings.iter_rows(named=True)
    ]
    table = facts.select(
        *[pl.col(name).cast(pl.String) for name in LEVELS], (pl.col("verdict") == -1).alias("negative")
    )
    work = f"slice findings, {votes:,} votes × {len(LEVELS)} dimensions, {search.tests:,} slices"
    made = []
    for task, name in (("pysubgroup", "pysubgroup DFS"), ("divexplorer", "DivExplorer")):
        answer = _peer(task, table)
        note = f"ours: {_hits(ours)}" + (f"; {name}: {_hits(answer['slices'])}" if answer else "")
        made.append(_row(work, seconds, name, answer, note))
    return made


def texts(documents: int, seed: int = 1) -> pl.DataFrame:
    """Short texts of a Zipf vocabulary (mean about 90 characters) with planted phrases, and their verdicts."""
    rng = np.random.default_rng(seed)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    vocabulary = np.array(["".join(rng.choice(letters, rng.integers(2, 9))) for _ in range(20_000)])
    weight = 1.0 / np.arange(1, 20_001) ** 1.05
    lengths = rng.integers(6, 26, documents)
    words = vocabulary[rng.choice(20_000, int(lengths.sum()), p=weight / weight.sum())]
    ends = np.cumsum(lengths)
    made, negative = [], np.full(documents, 0.2)
    for start, end in zip(ends - lengths, ends, strict=True):
        made.append(" ".join(words[start:end]))
    for phrase, share, rate in PHRASES:
        for place in np.flatnonzero(rng.random(documents) < share):
            made[place] = f"{made[place]} {phrase}"
            negative[place] = rate
    down = rng.random(documents) < negative
    return pl.DataFrame(
        {
            "text": made,
            "verdict": pl.Series(np.where(down, -1, 1), dtype=pl.Int8),
            "person": pl.Series(rng.integers(0, documents // 4, documents), dtype=pl.UInt64),
            "field": ["comment"] * documents,
        }
    )


def _term_rows(documents: int) -> list[Row]:
    frame = texts(documents)
    counting, counts = _best(lambda: count_terms(frame, day=WEEK), repeats=3)
    finding, findings = _best(lambda: find_terms(counts, week=WEEK), repeats=3)
    sides = {"down": "down", "up": "up"}
    table = frame.select("text", category=pl.when(pl.col("verdict") == -1).then(pl.lit("down")).otherwise(pl.lit("up")))
    answer = _peer("scattertext", table)
    said = "; ".join(
        f"{side}: {', '.join(findings.filter(pl.col('side') == side)['term'].to_list()) or 'none'}" for side in sides
    )
    note = f"ours, {counting:.2f} s counting + {finding:.2f} s comparing, finds {said}"
    if answer:
        note += f"; scattertext's first five: {', '.join(answer['terms'][:5])}"
    length = cast(float, frame["text"].str.len_chars().mean() or 0.0)
    work = f"term findings, {documents:,} texts of {length:.0f} characters"
    return [_row(work, counting + finding, "scattertext", answer, note)]


def _loop_rows(votes: int) -> list[Row]:
    """The rest of the week, for which there is no peer."""
    facts = week_of_votes(votes, 1, planted=PLANTED)
    before = week_of_votes(votes, 2, planted=())
    day = WEEK - dt.timedelta(days=7)
    counting, counts = _best(lambda: count_slices(facts, list(LEVELS), day=WEEK), repeats=3)
    changing, _ = _best(
        lambda: approval_change(facts, before.with_columns(pl.lit(day).alias("day")), list(LEVELS), week=WEEK),
        repeats=3,
    )
    return [
        _limited(f"slice counts of a day, {votes:,} votes × 6", counting, 0.15, f"{counts.height:,} cells"),
        _limited(f"change between weeks of {votes:,} votes", changing, 0.3, ""),
    ]


def _limited(work: str, seconds: float, limit: float, note: str) -> Row:
    return Row(
        work=work, ours=f"{seconds:.3f} s", peer=f"{limit} s (limit)", ratio=less_is_better(seconds, limit), note=note
    )
