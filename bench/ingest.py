"""Ingestion: a table of ratings with their texts, read, redacted, pseudonymised and filed in an embedded PostgreSQL.

The reference is PostgreSQL's own COPY of the same file into a table of the same columns without an index: what reading
and writing the bytes costs.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

from bench.rows import Row, Size, more_is_better
from feedback_pipeline.ingest.importing import import_sources
from feedback_pipeline.ingest.intake import PrivacyRules
from feedback_pipeline.ingest.sources import load_sources
from feedback_pipeline.ingest.tool_sources import with_tools
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.privacy.redaction import redact_frame
from feedback_pipeline.settings import Settings
from feedback_pipeline.store import embedded
from feedback_pipeline.store.database import Database

TARGET, LANGFUSE_TARGET = 50_000, 30_000
RATIO_UP = 0.8
_WORDS = tuple(f"{syllable}{number}" for number in range(400) for syllable in ("ba", "ke", "li", "mo", "nu"))
_SOURCE = "sources:\n  ratings: {{kind: {kind}, path: {path}, preset: query-response}}\n"


def rows(size: Size) -> list[Row]:
    """The rows of the performance table: for each kind of file a dry run and an import, and COPY of the CSV."""
    votes = 500 if size == "small" else 100_000
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as place:
        table = ratings(votes)
        files = {"csv": Path(place) / "ratings.csv", "jsonl": Path(place) / "ratings.jsonl"}
        table.write_csv(files["csv"])
        table.write_ndjson(files["jsonl"])
        found.append(_langfuse(votes, Path(place) / "langfuse"))
        for kind, file in files.items():
            with _store(Path(place) / kind) as (database, privacy):
                copied = _copy(database, table.columns, files["csv"])
                seconds = {dry: _import(database, privacy, kind, file, dry=dry) for dry in (True, False)}
            for dry, spent in seconds.items():
                found.append(
                    {
                        "work": f"{votes:,} ratings with texts from {kind}, {'dry run' if dry else 'into the store'}",
                        "ours": f"{votes / spent:,.0f}/s",
                        "peer": f"{TARGET:,}/s (target)" if dry else f"COPY of the CSV alone: {votes / copied:,.0f}/s",
                        "ratio": more_is_better(votes / spent, TARGET if dry else votes / copied),
                        "note": f"{file.stat().st_size / votes:.0f} bytes a row; read, checked, redacted, pseudonymised"
                        + ("" if dry else ", filed with rollups and changed days"),
                    }
                )
    return found


def ratings(votes: int, seed: int = 5) -> pl.DataFrame:
    """A table in the shape of the `query-response` preset: one row a rating, an identifier in one text of twenty."""
    random = np.random.default_rng(seed)
    start = datetime(2026, 11, 2, tzinfo=UTC)
    times = [start + timedelta(seconds=int(second)) for second in np.sort(random.integers(0, 7 * 86_400, votes))]
    contact = np.where(random.random(votes) < 0.05, " write to someone@example.org", "")
    return pl.DataFrame(
        {
            "id": [f"r{number}" for number in range(votes)],
            "query": [f"{text}{tail}" for text, tail in zip(_texts(random, votes, 12), contact, strict=True)],
            "response": _texts(random, votes, 40),
            "model": random.choice(["small", "large"], votes),
            "rating": np.where(random.random(votes) < RATIO_UP, 1, -1),
            "user_id": [f"u{number}" for number in random.integers(0, votes // 10, votes)],
            "session_id": [f"s{number}" for number in random.integers(0, votes // 3, votes)],
            "created_at": [moment.isoformat() for moment in times],
            "updated_at": [moment.isoformat() for moment in times],
        }
    )


def _langfuse(scores: int, folder: Path) -> Row:
    """Scores and observations of an export of Langfuse, into the store."""
    langfuse_export(folder / "export", scores)
    with _store(folder / "home") as (database, privacy):
        started, cpu = time.perf_counter(), time.process_time()
        sources = with_tools(folder / "none.yaml", ("langfuse",), {}, str(folder / "export"))
        summary = import_sources(database, sources, privacy, folder)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    if summary.refused or [source.interactions + source.events for source in summary.sources] != [scores, scores, 0]:
        raise RuntimeError("not every row of the export came in")
    return {
        "work": f"{scores:,} scores and {scores:,} observations of Langfuse's Parquet export, into the store",
        "ours": f"{2 * scores / seconds:,.0f} rows/s",
        "peer": f"{LANGFUSE_TARGET:,} rows/s (asked)",
        "ratio": more_is_better(2 * scores / seconds, LANGFUSE_TARGET),
        "note": f"{cpu:.1f} CPU s of this process beside the server's",
    }


def langfuse_export(folder: Path, scores: int, seed: int = 6) -> None:
    """An export of Langfuse to blob storage, of its time a file for each of seven days: a call of a model a score."""
    random = np.random.default_rng(seed)
    for table in ("observations_v2", "scores"):
        (folder / table).mkdir(parents=True)
    for day in range(7):
        number = scores // 7 + (day < scores % 7)
        names = [f"{day}-{one}" for one in range(number)]
        seconds = np.sort(random.integers(0, 86_400, number))
        moments = pa.array([datetime(2026, 11, 2 + day, tzinfo=UTC) + timedelta(seconds=int(one)) for one in seconds],
                           pa.timestamp("ms", "UTC"))  # fmt: skip
        asked = _texts(random, number, 30)
        ends = np.arange(number + 1) * 2
        usage = pa.MapArray.from_arrays(ends, pa.array(["input", "output"] * number), pa.array([120, 40] * number))
        observations = {
            "id": [f"o{name}" for name in names], "trace_id": [f"t{name}" for name in names],
            "type": ["GENERATION"] * number, "start_time": moments, "end_time": moments,
            "input": [f'[{{"role":"user","content":"{one}"}}]' for one in asked],
            "output": [f'{{"role":"assistant","content":"{one}"}}' for one in _texts(random, number, 40)],
            "provided_model_name": random.choice(["small", "large"], number), "usage_details": usage,
            "prompt_name": ["ask"] * number, "prompt_version": [3] * number, "total_cost": [0.001] * number,
            "user_id": [f"u{one}" for one in random.integers(0, max(number // 10, 1), number)],
            "session_id": [f"s{one}" for one in random.integers(0, max(number // 3, 1), number)],
        }  # fmt: skip
        given = {
            "id": [f"s{name}" for name in names], "timestamp": moments, "trace_id": [f"t{name}" for name in names],
            "observation_id": [None if one % 2 else f"o{name}" for one, name in enumerate(names)],
            "dataset_run_id": pa.nulls(number, pa.string()), "name": ["user-feedback"] * number,
            "value": (random.random(number) < RATIO_UP).astype(float), "source": ["API"] * number,
            "comment": pa.nulls(number, pa.string()), "data_type": ["BOOLEAN"] * number,
            "string_value": pa.nulls(number, pa.string()), "updated_at": moments,
        }  # fmt: skip
        for table, columns in (("observations_v2", observations), ("scores", given)):
            pq.write_table(pa.table(columns), folder / table / f"2026-11-{2 + day:02}.parquet", compression="zstd")


def _texts(random: np.random.Generator, number: int, words: int) -> list[str]:
    return [" ".join(row) for row in np.array(_WORDS)[random.integers(0, len(_WORDS), (number, words))]]


@contextmanager
def _store(home: Path) -> Iterator[tuple[Database, PrivacyRules]]:
    pipeline = Pipeline(Settings.from_environment({"FEEDBACK_HOME": str(home)}))
    try:
        yield pipeline.database, PrivacyRules(redact=redact_frame, pseudonyms=pipeline.pseudonymiser.pseudonyms)
    finally:
        pipeline.database.engine.dispose()
        embedded.release(home / "postgres")


def _import(database: Database, privacy: PrivacyRules, kind: str, file: Path, *, dry: bool) -> float:
    """Seconds of an import.

    Raises:
        RuntimeError: not every row came in.
    """
    configuration = file.parent / f"{kind}.yaml"
    configuration.write_text(_SOURCE.format(kind=kind, path=file))
    started = time.perf_counter()
    summary = import_sources(database, load_sources(configuration), privacy, file.parent, dry_run=dry)
    seconds = time.perf_counter() - started
    if summary.refused or not summary.rows:
        raise RuntimeError(f"{summary.refused} of {summary.rows} rows were refused")
    return seconds


def _copy(database: Database, columns: list[str], file: Path) -> float:
    """Seconds PostgreSQL takes to COPY the file into a plain table."""
    with psycopg.connect(database.address()) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE plain (" + ", ".join(f"{name} text" for name in columns) + ")")
        started = time.perf_counter()
        with cursor.copy("COPY plain FROM STDIN (FORMAT csv, HEADER)") as copy, file.open("rb") as content:
            while data := content.read(1 << 20):
                copy.write(data)
        connection.commit()
    return time.perf_counter() - started
