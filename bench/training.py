"""Training data: curation of a million votes, and lines written and validated a second beside plain orjson."""

import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import orjson
import polars as pl

from bench.rows import Row, Size, less_is_better, more_is_better
from feedback_pipeline.cleaning.signatures import hash_texts
from feedback_pipeline.cleaning.tables import CLEAN_FEEDBACK, CLEAN_INTERACTIONS
from feedback_pipeline.tables.schema import Table
from feedback_pipeline.training.curation import curate
from feedback_pipeline.training.files import write_files
from feedback_pipeline.training.formats import FORMATS, formats_of
from feedback_pipeline.training.pairs import preference_pairs
from feedback_pipeline.training.rules import CurationSettings
from feedback_pipeline.training.signals import VOTE_COLUMNS
from feedback_pipeline.training.validators import validate_file

END = date(2026, 11, 15)
DAYS = 84
FAMILIES = ("openai", "promptfoo", "trl")
"""The kinds of files written where no setting names others."""

VOTES = "votes.parquet"
SIGNATURES = "signatures.parquet"
_WORDS = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet", "kilo", "lima")
_FILLER = "".join(f" {word}{number}" for number in range(5) for word in _WORDS)


def rows(size: Size) -> list[Row]:
    """The rows of the performance table: work, our figure, a peer's, their ratio, and a note."""
    votes = 5_000 if size == "small" else 1_000_000
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        feedback, signatures = generate(votes, folder)
        feedback.select(VOTE_COLUMNS).write_parquet(folder / VOTES)
        signatures.write_parquet(folder / SIGNATURES)
        del feedback, signatures
        # a process of its own, so that the peak of its memory is that of curation and not of generating votes
        command = [sys.executable, "-m", "bench.training", place]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        peer = _plain_orjson(folder / "out" / "openai" / "sft-train.jsonl", folder / "peer.jsonl")
    rate = found["lines"] / found["writing"]
    return [
        {
            "work": f"curate {votes:,} votes of {DAYS} days into {found['examples']:,} examples",
            "ours": f"{found['curation']:.1f} s",
            "peer": "30 s (asked)",
            "ratio": less_is_better(found["curation"], 30),
            "note": f"{found['curation_cpu']:.1f} s of CPU; pairs {found['pairing']:.1f} s",
        },
        {
            "work": "the same, peak of the process",
            "ours": f"{found['peak_mb']:,.0f} MB",
            "peer": "2,000 MB (asked)",
            "ratio": less_is_better(found["peak_mb"], 2000),
            "note": "votes and signatures read into it included",
        },
        {
            "work": "training lines written and validated",
            "ours": f"{rate:,.0f} lines/s",
            "peer": f"{peer:,.0f} lines/s",
            "ratio": more_is_better(rate, peer),
            "note": f"{found['lines']:,} lines, {found['bytes'] / 1e9:.1f} GB, {', '.join(FAMILIES)}, "
            f"{found['problems']} problems, {found['writing_cpu']:.1f} s of CPU; every kind of file: "
            f"{found['all_lines'] / found['all_writing']:,.0f} lines/s ({found['all_lines']:,} lines); peer: orjson "
            "reads and writes the lines one by one and checks nothing",
        },
        {
            "work": "lines of a file from elsewhere validated, one by one",
            "ours": f"{found['read_lines'] / found['reading']:,.0f} lines/s",
            "peer": f"{peer:,.0f} lines/s", "ratio": more_is_better(found["read_lines"] / found["reading"], peer),
            "note": f"{found['read_lines']:,} lines; peer: orjson as above",
        },
    ]  # fmt: skip


def measured(folder: Path) -> dict[str, float]:
    """Curation, pairs, files and the validation of one: seconds, lines, and the peak of memory once curated."""
    answers = pl.scan_parquet(folder / "day=*.parquet")
    feedback, signatures = pl.read_parquet(folder / VOTES), pl.read_parquet(folder / SIGNATURES)
    trust = pl.DataFrame(schema={"tenant": pl.String, "voter": pl.String, "weight": pl.Float32})
    none = pl.Series([], dtype=pl.UInt64)
    settings = CurationSettings(key="bench")
    watch = _Watch()
    curated = curate(feedback, answers, signatures, trust, settings, END, evaluation_hashes=none)
    curation, curation_cpu = watch.lap()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    pairs = preference_pairs(curated, feedback, answers, signatures, trust, evaluation_hashes=none)
    pairing, _ = watch.lap()
    files = write_files(curated, pairs, folder / "out", formats_of(FAMILIES))
    writing, writing_cpu = watch.lap()
    validated = validate_file(folder / "out" / "openai" / "sft-train.jsonl", "openai_sft")
    reading, _ = watch.lap()
    lined = [file for file in files if file.layout]
    everything = write_files(curated, pairs, folder / "everything", list(FORMATS))
    all_writing, _ = watch.lap()
    return {
        "examples": curated.examples.height, "curation": curation, "curation_cpu": curation_cpu, "peak_mb": peak,
        "pairing": pairing, "writing": writing, "writing_cpu": writing_cpu,
        "lines": sum(file.lines for file in lined), "bytes": sum(file.bytes for file in lined),
        "problems": sum(file.problem_count for file in lined), "read_lines": validated.lines, "reading": reading,
        "all_writing": all_writing, "all_lines": sum(file.lines for file in everything if file.layout),
    }  # fmt: skip


class _Watch:
    """Wall and CPU seconds since the last look."""

    def __init__(self) -> None:
        self._since = (time.perf_counter(), time.process_time())

    def lap(self) -> tuple[float, float]:
        now = (time.perf_counter(), time.process_time())
        wall, cpu = now[0] - self._since[0], now[1] - self._since[1]
        self._since = now
        return wall, cpu


def _plain_orjson(source: Path, target: Path) -> float:
    """Lines a second of a loop that parses and rewrites each line and nothing else."""
    started = time.perf_counter()
    lines = 0
    with source.open("rb") as read, target.open("wb", buffering=1024 * 1024) as write:
        for line in read:
            write.write(orjson.dumps(orjson.loads(line)) + b"\n")
            lines += 1
    return lines / (time.perf_counter() - started)


def generate(votes: int, folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """CLEAN_FEEDBACK and signatures in memory, CLEAN_INTERACTIONS as a Parquet file a day in `folder`.

    One vote an answer, a tenth of the prompts repeated, 20,000 people of unequal zeal, a fifth disapproving.
    """
    generator = np.random.default_rng(7)
    number = np.arange(votes)
    prompt_number = np.where(generator.random(votes) < 0.1, generator.integers(0, votes // 50, votes), number + votes)
    person = (20_000 * generator.random(votes) ** 2).astype(int)
    base = pl.DataFrame(
        {
            "number": number,
            "prompt_number": prompt_number,
            "person": person,
            "up": generator.random(votes) < 0.8,
            "intent": generator.choice(["code", "general", "writing", "search"], votes, p=[0.5, 0.3, 0.15, 0.05]),
            "days": number % DAYS,
        }
    ).with_columns(
        interaction_id=pl.format("00000000-0000-7000-8000-{}", pl.col("number").cast(pl.String).str.zfill(12)),
        day=pl.lit(END) - pl.duration(days=pl.col("days")),
        voter=pl.format("k1:{}", pl.col("person")),
    )
    start = datetime(END.year, END.month, END.day, tzinfo=UTC)
    signatures = []
    for days in range(DAYS):
        part = base.filter(pl.col("days") == days).with_columns(
            prompt=pl.format("How do I do thing number {} in my application?{}", "prompt_number", pl.lit(_FILLER[:80])),
            answer=pl.format("For number {} there are a few steps to take.{}", "number", pl.lit(_FILLER)),
        )
        answers = _filled(
            part.with_columns(
                messages=pl.concat_str(
                    pl.lit('[{"role":"system","content":"You are helpful."},{"role":"user","content":"'),
                    "prompt",
                    pl.lit('"}]'),
                ),
                occurred_at=pl.lit(start - timedelta(days=days)),
                tenant=pl.lit("default"), language=pl.lit("en"), context=pl.lit("full"), provenance=pl.lit("logged"),
                source=pl.lit("bench"), finish_reason=pl.lit("stop"), use_for_training=pl.lit(value=True),
                conversation_id=pl.format("c{}", pl.col("number") // 3),
            ),
            CLEAN_INTERACTIONS,
        )  # fmt: skip
        answers.write_parquet(folder / f"day={days:02d}.parquet", compression="zstd")
        prompts = hash_texts(part["prompt"])
        signatures.append(
            part.select("interaction_id", "day").with_columns(
                prompt_hash=prompts, pair_hash=hash_texts(part["answer"]), cluster_id=prompts
            )
        )
    feedback = _filled(
        base.with_columns(
            feedback_id=pl.format("10000000-0000-7000-8000-{}", pl.col("number").cast(pl.String).str.zfill(12)),
            tenant=pl.lit("default"), interaction_day=pl.col("day"), kind=pl.lit("explicit"),
            occurred_at=pl.lit(start) - pl.duration(days=pl.col("days")),
            verdict=pl.when("up").then(pl.lit("up")).otherwise(pl.lit("down")), strength=pl.lit(1.0),
            counts=pl.lit(value=True), disagrees=pl.lit(value=False), user_key=pl.col("voter"),
            source=pl.lit("bench"), provenance=pl.lit("logged"), use_for_analysis=pl.lit(value=True),
            use_for_training=pl.lit(value=True),
        ),
        CLEAN_FEEDBACK,
    )  # fmt: skip
    return feedback, pl.concat(signatures)


def _filled(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    missing = [pl.lit(None, dtype=column.dtype).alias(column.name) for column in table.columns
               if column.name not in frame.columns]  # fmt: skip
    return table.conform(frame.with_columns(missing))


if __name__ == "__main__":
    print(json.dumps(measured(Path(sys.argv[1]))))
