"""What a person is shown before they approve: who is behind a dataset, what weighs most, what corrections changed."""

import datetime as dt
import difflib
import unicodedata
from dataclasses import dataclass

import polars as pl

from feedback_pipeline.cleaning.tables import CLEAN_INTERACTIONS
from feedback_pipeline.tables.parquet import ParquetFolder, of_ids
from feedback_pipeline.training.tables import LINEAGE, TRAINING_EXAMPLES

HEAVIEST = 10
CORRECTIONS = 5
MAX_DIFF = 40
"""Lines of one difference that are shown."""


@dataclass(frozen=True)
class Disclosure:
    """A dataset for the person who decides.

    Attributes:
        week: of the dataset.
        examples: in train.
        corrections: of these, written by people.
        contributors: people whose votes are behind them.
        largest_share: share of the training weight that the heaviest contributor is behind.
        heaviest: `example_id`, `weight`, `people`, `kind` of the heaviest examples.
        differences: example id and the lines that the heaviest corrections changed; words of users.
    """

    week: dt.date
    examples: int
    corrections: int
    contributors: int
    largest_share: float
    heaviest: pl.DataFrame
    differences: tuple[tuple[str, tuple[str, ...]], ...]


def dataset_of(frames: ParquetFolder, week: dt.date) -> str | None:
    """The dataset that the week's tables and files are of; None where it has no lines."""
    found: str | None = frames.scan(LINEAGE, [week]).select(pl.col("dataset_id").first()).collect().item()
    return found


def disclose(frames: ParquetFolder, week: dt.date) -> Disclosure:
    """The examples of a week that are trained on, for a person to look at."""
    sent = (pl.col("split") == "train") & pl.col("label") & (pl.col("context") == "full")
    train = frames.scan(TRAINING_EXAMPLES, [week]).filter(sent).collect()
    # everybody behind an example is taken to be behind all of it: a bound that hides nobody
    shares = train.select("importance", "voters").explode("voters").drop_nulls("voters")
    by_person = shares.group_by("voters").agg(pl.col("importance").sum())["importance"]
    total = float(train["importance"].sum())
    heaviest = train.sort(["importance", "example_id"], descending=[True, False])
    columns = ["example_id", pl.col("importance").alias("weight"), "people", "kind"]
    corrections = heaviest.filter(pl.col("kind") == "correction")
    return Disclosure(
        week, train.height, corrections.height, len(by_person),
        float(by_person.max() or 0.0) / total if total else 0.0,  # type: ignore[arg-type]
        heaviest.head(HEAVIEST).select(columns), _differences(frames, corrections.head(CORRECTIONS)),
    )  # fmt: skip


def _differences(frames: ParquetFolder, corrections: pl.DataFrame) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if corrections.is_empty():
        return ()
    days = [dt.date.fromisoformat(day) for day in frames.partitions(CLEAN_INTERACTIONS)]
    answers = frames.scan(CLEAN_INTERACTIONS, days).select("interaction_id", "answer")
    corrected = of_ids(answers, "interaction_id", corrections["interaction_id"]).collect()
    joined = corrections.join(corrected, on="interaction_id", how="left", maintain_order="left")
    return tuple(
        (identity, _difference(before or "", after))
        for identity, before, after in joined.select("example_id", "answer", "completion").iter_rows()
    )


def _difference(before: str, after: str) -> tuple[str, ...]:
    lines = list(difflib.unified_diff(before.split("\n"), after.split("\n"), "answer", "correction", lineterm="", n=1))
    shown = [printable(line) for line in lines[:MAX_DIFF]]
    more = len(lines) - len(shown)
    return (*shown, f"… {more} more lines") if more > 0 else tuple(shown)


def printable(text: str) -> str:
    """Text that a terminal shows and does not obey: control and direction characters are written out."""
    return "".join(
        one if unicodedata.category(one)[0] != "C" else f"\\u{ord(one):04x}" for one in text
    )  # fmt: skip
