"""Cleaning: near duplicates of a million prompts beside rensa, and every cleaning function on a million votes (with the
database and the disk: `cleaning_store`)."""

import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, cast

import numpy as np
import polars as pl

from bench.machine import peak_bytes
from bench.rows import Row, Size, less_is_better, more_is_better
from feedback_pipeline.cleaning import clusters, conflicts, days, facts, signatures, stars, trust
from feedback_pipeline.cleaning.clusters import ClusterPolicy, joined
from feedback_pipeline.cleaning.minhash import WINDOW, sketches, sketches_with
from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK, CLEAN_INTERACTIONS
from feedback_pipeline.tables.schema import Table

END = date(2026, 11, 15)
DAYS = 28
SIMILAR = 0.8
_VOCABULARY = 30_000


def _mean(numbers: pl.Series) -> float:
    return cast(float, numbers.mean() or 0.0)


def rows(size: Size) -> list[Row]:
    """The rows of the performance table: work, our figure, a peer's or a target, their ratio, and a note."""
    number, pairs = (2_000, 300) if size == "small" else (1_000_000, 20_000)
    return [*_near_duplicates(number), _near_pairs(number), *_recall(pairs), _cleaning(number)]


def _near_duplicates(prompts: int) -> list[Row]:
    texts = planted_prompts(prompts, seed=1)["text"]
    sketched, sketching = _timed(lambda: sketches(texts))
    group, joining = _timed(lambda: joined(sketched.to_numpy(), ClusterPolicy().least_estimate))
    seconds = sketching.wall + joining.wall
    row: Row = {
        "work": f"near duplicates of {prompts:,} prompts ({_mean(texts.str.len_bytes()):.0f} bytes)",
        "ours": f"{seconds:.1f} s, {sketching.cpu + joining.cpu:.1f} CPU s",
        "peer": "15 s (target)",
        "ratio": less_is_better(seconds, 15),
        "note": f"sketches {sketching.wall:.1f} s, groups {joining.wall:.1f} s; {len(np.unique(group)):,} groups",
    }
    if not importlib.util.find_spec("rensa"):
        return [row, {"work": "near duplicates a second", "ours": None, "peer": "rensa not installed (extra bench)"}]
    some = texts.head(prompts // 20).to_list()
    _, peer = _timed(lambda: _rensa_flags(some))
    ours, theirs = prompts / (sketching.cpu + joining.cpu), len(some) / peer.cpu
    second: Row = {
        "work": "near duplicates, prompts a CPU second",
        "ours": f"{ours:,.0f}/s",
        "peer": f"rensa {theirs:,.0f}/s",
        "ratio": more_is_better(ours, theirs),
        "note": f"rensa on {len(some):,} of them, windows cut in Python; it flags, without groups",
    }
    return [row, second]


def _near_pairs(count: int) -> Row:
    """Prompts with answers of three times their length; one sketch of both together, beside that of the prompt."""
    prompts = planted_prompts(count, seed=1)["text"]
    words = planted_prompts(count, seed=4)["text"]
    answers = pl.select(pl.concat_str(words, words.reverse(), words.shift(-1, fill_value=""))).to_series()
    (_, sketched), sketching = _timed(lambda: sketches_with(prompts, answers))
    group, joining = _timed(lambda: joined(sketched.to_numpy(), ClusterPolicy().least_estimate))
    seconds = sketching.wall + joining.wall
    size = _mean(prompts.str.len_bytes()) + _mean(answers.str.len_bytes())
    limit = 15 * size / _mean(prompts.str.len_bytes())
    return {
        "work": f"near duplicates of {count:,} prompts with their answers ({size:.0f} bytes)",
        "ours": f"{seconds:.1f} s, {sketching.cpu + joining.cpu:.1f} CPU s",
        "peer": f"{limit:.0f} s (15 s for the prompts, as much a byte for the answers)",
        "ratio": less_is_better(seconds, limit),
        "note": f"sketches of prompts and pairs {sketching.wall:.1f} s, groups of pairs {joining.wall:.1f} s; "
        f"{len(np.unique(group)):,} groups",
    }


def _recall(pairs: int) -> list[Row]:
    """Of the texts that have a partner with a true similarity of 0.8, those that are found."""
    planted = planted_prompts(pairs * 2, seed=2, edited=1.0)
    texts = planted["text"]
    base = planted["base"].to_numpy()
    has_partner = base >= 0
    true = np.array([similarity(texts[int(base[row])], texts[int(row)]) for row in np.flatnonzero(has_partner)])
    group = joined(sketches(texts).to_numpy(), ClusterPolicy(similarity=SIMILAR).least_estimate)
    edited = np.flatnonzero(has_partner)
    found = group[edited] == group[base[edited]]
    flags = {"ours": found}
    if importlib.util.find_spec("rensa"):
        flags["rensa"] = np.array(_rensa_flags(texts.to_list()))[edited]
    wanted, unwanted = true >= SIMILAR, true < SIMILAR - 0.1
    figures = {name: (flag[wanted].mean(), flag[unwanted].mean()) for name, flag in flags.items()}
    peer = figures.get("rensa")
    return [
        {
            "work": f"recall of near duplicates, similarity ≥ {SIMILAR}",
            "ours": f"{figures['ours'][0]:.3f}",
            "peer": f"rensa {peer[0]:.3f}" if peer else "rensa not installed (extra bench)",
            "note": f"{int(wanted.sum()):,} planted pairs; windows of {WINDOW} bytes; 128 hashes, 16 bands",
        },
        {
            "work": f"joined though the similarity is < {SIMILAR - 0.1:.1f}",
            "ours": f"{figures['ours'][1]:.3f}",
            "peer": f"rensa {peer[1]:.3f}" if peer else "rensa not installed (extra bench)",
            "note": f"{int(unwanted.sum()):,} planted pairs; rensa flags candidates, ours are verified",
        },
    ]


def _rensa_flags(texts: list[str]) -> list[bool]:
    from rensa import RMinHash, RMinHashLSH

    def windows(text: str) -> list[bytes]:
        data = text.encode().ljust(WINDOW, b"\0")
        return list({data[start : start + WINDOW] for start in range(len(data) - WINDOW + 1)})

    matrix = RMinHash.digest_matrix_from_token_byte_sets([windows(text) for text in texts], 128, 42)
    flags: list[bool] = RMinHashLSH(SIMILAR, 128, 16).query_duplicate_flags_matrix_one_shot(matrix)
    return flags


def similarity(one: str, other: str) -> float:
    """The true Jaccard similarity of two texts' windows."""
    first, second = (
        {data[start : start + WINDOW] for start in range(max(len(data) - WINDOW + 1, 1))}
        for data in (one.encode(), other.encode())
    )
    return len(first & second) / len(first | second)


def planted_prompts(count: int, seed: int, edited: float = 0.1) -> pl.DataFrame:
    """`text`, and `base`: the row a text is an edited copy of (−1 for most); one to eight of 20 words are replaced."""
    random = np.random.default_rng(seed)
    letters = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz", dtype="S1")
    words = ["".join(random.choice(letters, size).astype(str)) for size in random.integers(2, 10, _VOCABULARY)]
    originals = int(count / (1 + edited))
    chosen = random.integers(0, _VOCABULARY, (originals, 20))
    base = random.permutation(originals)[: count - originals]
    copies = chosen[base]
    replaced = random.random(copies.shape).argsort(axis=1) < random.integers(1, 9, len(copies))[:, None]
    copies = np.where(replaced, random.integers(0, _VOCABULARY, copies.shape), copies)
    numbers = pl.Series(np.concatenate([chosen, copies]))
    spoken = pl.Series(words).gather(numbers.explode()).reshape((count, 20)).arr.join(" ")
    return pl.DataFrame({"text": spoken, "base": np.concatenate([np.full(originals, -1), base])})


def _cleaning(votes: int) -> Row:
    """In a process of its own, so that the peak is its own."""
    told = subprocess.run(
        [sys.executable, "-m", "bench.cleaning", str(votes)], check=True, capture_output=True, text=True
    ).stdout
    measured = json.loads(told)
    wall, cpu = sum(part[0] for part in measured["parts"].values()), sum(part[1] for part in measured["parts"].values())
    parts = ", ".join(f"{name} {seconds[0]:.1f}" for name, seconds in measured["parts"].items())
    return {
        "work": f"all cleaning functions on {votes:,} votes of {DAYS} days",
        "ours": f"{wall:.1f} s, {cpu:.1f} CPU s, peak {measured['peak'] / 1e9:.2f} GB",
        "peer": "25 s, 1.5 GB (target)",
        "ratio": less_is_better(wall, 25),
        "note": f"no database; seconds: {parts}; {measured['base'] / 1e9:.2f} GB before the first call",
    }


class _Seconds:
    def __init__(self) -> None:
        self.wall, self.cpu = -time.perf_counter(), -time.process_time()

    def stop(self) -> "_Seconds":
        self.wall, self.cpu = self.wall + time.perf_counter(), self.cpu + time.process_time()
        return self


def _timed(work: Callable[[], Any]) -> tuple[Any, _Seconds]:
    seconds = _Seconds()
    return work(), seconds.stop()


def clean_all(votes: int) -> dict[str, Any]:
    """Cleans day by day and then the weeks: seconds (wall, CPU) by function, and the peak of resident memory."""
    parts: dict[str, list[float]] = {}

    def run(name: str, work: Callable[[], Any]) -> Any:
        result, seconds = _timed(work)
        sofar = parts.setdefault(name, [0.0, 0.0])
        parts[name] = [sofar[0] + seconds.wall, sofar[1] + seconds.cpu]
        return result

    before = peak_bytes()
    cleaned, signed = [], []
    for answers, events in raw_days(votes):
        interactions = run("interactions", partial(days.clean_interactions, answers))
        signed.append(run("signatures", partial(signatures.text_signatures, interactions)))
        feedback = run("feedback", partial(days.clean_feedback, events))
        run("facts", partial(facts.vote_facts, feedback))
        cleaned.append(feedback)
    window = pl.concat(signed)
    groups = run("clusters", lambda: clusters.prompt_clusters(window.lazy(), ClusterPolicy(near_days=14)))
    run("pair clusters", lambda: clusters.pair_clusters(window.lazy(), ClusterPolicy(near_days=14)))
    placed = window.select("interaction_id", "prompt_hash").join(
        groups.select("prompt_hash", "cluster_id"), on="prompt_hash", how="left"
    )
    feedback = pl.concat(cleaned)
    trusted = run("trust", lambda: trust.rater_trust(feedback, clusters=placed.select("interaction_id", "cluster_id")))
    run("conflicts", lambda: conflicts.conflicting_answers(feedback, trusted))
    run("stars", lambda: stars.with_rater_strengths(feedback))
    return {"parts": parts, "peak": peak_bytes(), "base": before}


def raw_days(votes: int) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Answers and events of each day as the store reads them: 5 % second opinions, 7 % comments, a fifth down."""
    random = np.random.default_rng(3)
    for number in range(DAYS):
        count = votes // DAYS
        day = END - timedelta(days=DAYS - 1 - number)
        prompts = planted_prompts(count, seed=100 + number)["text"]
        answers = _answers(day, number, prompts)
        yield answers, _events(day, number, answers, random)


def _answers(day: date, number: int, prompts: pl.Series) -> pl.DataFrame:
    index = pl.int_range(len(prompts)).cast(pl.String).str.zfill(8)
    words = pl.lit(" The steps are in the manual; here they are in short." * 6)
    frame = pl.DataFrame({"prompt": prompts}).with_columns(
        interaction_id=pl.format("00000000-0000-7000-{}-0000{}", pl.lit(f"{8000 + number}"), index),
        tenant=pl.lit("default"), day=pl.lit(day), occurred_at=pl.lit(_midnight(day)),
        conversation_id=pl.format("c{}", index), answer=pl.concat_str("prompt", words),
        content_snapshot=pl.lit(None, pl.String), context=pl.lit("full"),
        messages=pl.col("prompt"),
        provenance=pl.lit("logged"), source=pl.lit("bench"), model=pl.lit("m"), language=pl.lit("en"),
        tags=pl.lit(["mobile"], pl.List(pl.String)), tools=pl.lit(["search"], pl.List(pl.String)),
        use_for_analysis=pl.lit(value=True), use_for_training=pl.lit(value=True),
    )  # fmt: skip
    return _with_every_column(frame, CLEAN_INTERACTIONS)


def _with_every_column(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """The frame with what else the table declares, as nulls: a column that is new does not stop the bench."""
    missing = [column for column in table.columns if column.name not in frame.columns]
    return frame.with_columns(pl.lit(None, dtype=column.dtype).alias(column.name) for column in missing)


def _events(day: date, number: int, answers: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
    count = answers.height
    about = np.where(random.random(count) < 0.05, random.integers(0, count, count), np.arange(count))
    people = (50_000 * random.random(count) ** 2).astype(np.int64)
    moments = random.integers(1, 86_399_999, count)
    form = random.random(count)
    stars_given = random.choice([1, 2, 3, 4, 5], count, p=[0.1, 0.08, 0.07, 0.25, 0.5])
    picked = answers[about].select(
        "interaction_id", "conversation_id", "provenance", "project", "model", "prompt_version", "framework", "intent",
        "content_type", "action_type", "language", "variant", "tags", "tools", "use_for_training", "tenant", "source",
        prompt_chars=pl.col("prompt").str.len_chars(), answer_chars=pl.col("answer").str.len_chars(),
    )  # fmt: skip
    events = picked.with_columns(
        feedback_id=pl.format("1{}{}", pl.lit(f"{number:07}"), pl.int_range(count).cast(pl.String).str.zfill(28)),
        day=pl.lit(day), interaction_day=pl.lit(day), kind=pl.lit("explicit"), value=pl.lit(None, pl.String),
        occurred_at=pl.lit(_midnight(day)) + pl.duration(milliseconds=pl.lit(pl.Series(moments))),
        thumb=pl.when(pl.Series(form) < 0.75).then(pl.Series(random.random(count) < 0.8)),
        stars=pl.when(pl.Series(form) >= 0.75).then(pl.Series(stars_given, dtype=pl.Int16)),
        comment=pl.when(pl.Series(random.random(count)) < 0.07).then(pl.format("it said {}", pl.Series(people))),
        voter=pl.format("k1:{}", pl.Series(people)), user_key=pl.format("k1:{}", pl.Series(people)),
        reasons=pl.lit(None, pl.List(pl.String)), state=pl.lit("current"), outranked=pl.lit(value=False),
    )  # fmt: skip
    return _with_every_column(events.with_columns(admissible=pl.lit(value=True)), CLEAN_FEEDBACK)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(clean_all(int(sys.argv[1]))))
