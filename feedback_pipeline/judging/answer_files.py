"""Answers in a file, to be judged outside the pipeline: read, redacted, given ids."""

from collections.abc import Callable
from pathlib import Path

import polars as pl

from feedback_pipeline.privacy.redaction import redact_frame

TEXTS = ("prompt", "answer", "other_answer", "reference")
READERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    ".parquet": lambda path: pl.read_parquet(path),
    ".csv": lambda path: pl.read_csv(path, infer_schema=False),
    ".jsonl": lambda path: pl.read_ndjson(path, infer_schema_length=None),
}


class AnswerFileError(ValueError):
    """The file cannot be judged; the message says what is missing."""


def read_answers(path: Path) -> pl.DataFrame:
    """Reads answers; structured identifiers in their texts are replaced before anybody sees them.

    Args:
        path: Parquet, CSV or JSONL with `prompt`, `answer`, and optionally `interaction_id`, `prompt_version`,
            `reference`, `conversation_id`, `model`; with `other_answer` the rows are pairs.

    Returns:
        The same columns, with `interaction_id` and `prompt_version` in any case, and `other_interaction_id` of pairs.

    Raises:
        AnswerFileError: another kind of file, or no prompts and answers in it.
    """
    if path.suffix not in READERS:
        raise AnswerFileError(f"{path} is none of {', '.join(READERS)}")
    try:
        rows = READERS[path.suffix](path)
    except pl.exceptions.PolarsError:
        # its message may quote what is in the file
        raise AnswerFileError(f"{path} is no readable {path.suffix[1:]} file") from None
    if missing := {"prompt", "answer"} - set(rows.columns):
        raise AnswerFileError(f"{path} has no column {' and '.join(sorted(missing))}")
    given = [name for name in TEXTS if name in rows.columns]
    redacted = redact_frame(rows, given).frame
    place = pl.int_range(1, pl.len() + 1)
    absent = {"interaction_id": pl.format("row-{}", place), "prompt_version": pl.lit("(unknown)")}
    if "other_answer" in given:
        absent["other_interaction_id"] = pl.format("row-{}-other", place)
    return redacted.with_columns(value.alias(name) for name, value in absent.items() if name not in redacted.columns)


def labels_of(rows: pl.DataFrame) -> pl.DataFrame | None:
    """What people said of the answers: the column `label` (up, neutral or down) as verdicts; None without one.

    Raises:
        AnswerFileError: another word in it.
    """
    if "label" not in rows.columns:
        return None
    label = pl.col("label").cast(pl.String).str.strip_chars().str.to_lowercase()
    labels = rows.select("interaction_id", voter=pl.lit("label"), verdict=label).filter(pl.col("verdict") != "")
    if strays := labels.filter(~pl.col("verdict").is_in(["up", "neutral", "down"])).height:
        raise AnswerFileError(f"{strays} labels are none of up, neutral, down")
    return labels


def write_verdicts(judged: pl.DataFrame, path: Path) -> None:
    """Writes `judgements` as the file's ending says.

    Raises:
        AnswerFileError: another ending.
    """
    writers: dict[str, Callable[[Path], object]] = {
        ".parquet": judged.write_parquet, ".csv": judged.write_csv, ".jsonl": judged.write_ndjson,
    }  # fmt: skip
    if path.suffix not in writers:
        raise AnswerFileError(f"verdicts are written as {', '.join(writers)}, not {path.suffix or 'without an ending'}")
    writers[path.suffix](path)
