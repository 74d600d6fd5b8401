"""A curation kept between the asset that makes it and those that write files from it.

Steps may run in other processes or on other machines, so what they share lives in the folder of tables.
"""

from dataclasses import asdict, replace
from datetime import date

import orjson
import polars as pl

from feedback_pipeline.tables.parquet import ParquetFolder, of_ids, replaced_file, scan_file
from feedback_pipeline.tables.schema import Table
from feedback_pipeline.training.curation import Curated
from feedback_pipeline.training.pairs import Pairs, likely_pairs
from feedback_pipeline.training.regression import is_case
from feedback_pipeline.training.rules import CurationSettings
from feedback_pipeline.training.splits import Overlap
from feedback_pipeline.training.tables import FUNNEL, PREFERENCE_PAIRS, REGRESSION_CASES, TRAINING_EXAMPLES, WAITING

CORRECTIONS = "training_corrections"
_TEXTS = ("messages", "completion", "chosen", "rejected", "said")


class CurationMissing(RuntimeError):  # noqa: N818 (named after what is wrong)
    """The week was not curated yet: materialise `training_examples` first."""


def keep(folder: ParquetFolder, week: date, curated: Curated) -> None:
    """Keeps what a curation holds beside its examples: funnel, admitted corrections, its numbers."""
    folder.write(FUNNEL, week, curated.funnel)
    with replaced_file(folder.path(CORRECTIONS, week)) as file:
        curated.corrections.sort("feedback_id").write_parquet(file)
    with replaced_file(folder.path(CORRECTIONS, _waiting(week))) as file:
        curated.waiting.write_parquet(file)
    numbers = {
        "window_end": curated.window_end.isoformat(),
        "person_cap": curated.person_cap,
        "quantum": curated.quantum,
        "overlap": asdict(curated.overlap),
    }
    with replaced_file(folder.root / CORRECTIONS / f"{week}.json") as file:
        file.write(orjson.dumps(numbers, option=orjson.OPT_SORT_KEYS))


def kept(folder: ParquetFolder, week: date, settings: CurationSettings, *, texts: bool = True) -> Curated:
    """The curation of a week as it was made; without `texts`, its examples have no messages and completions, which
    are most of their bytes.

    Raises:
        CurationMissing: there is none.
    """
    path = folder.root / CORRECTIONS / f"{week}.json"
    if not path.exists():
        raise CurationMissing(f"no curation for the week of {week}: materialise training_examples first")
    numbers = orjson.loads(path.read_bytes())
    return Curated(
        examples=_read(folder, TRAINING_EXAMPLES, week, texts),
        funnel=folder.read(FUNNEL, [week]),
        settings=settings,
        window_end=date.fromisoformat(numbers["window_end"]),
        person_cap=numbers["person_cap"],
        quantum=numbers["quantum"],
        overlap=Overlap(**numbers["overlap"]),
        corrections=scan_file(folder.path(CORRECTIONS, week)).collect(),
        waiting=kept_waiting(folder, week),
    )


def kept_waiting(folder: ParquetFolder, week: date) -> pl.DataFrame:
    """What waited for a review when the week was curated (WAITING); no rows for a week that was not."""
    path = folder.path(CORRECTIONS, _waiting(week))
    return scan_file(path).collect() if path.exists() else WAITING.empty()


def newest_waiting(folder: ParquetFolder) -> date | None:
    """Monday of the newest curated week; None where none was curated."""
    names = [name for name in folder.names(CORRECTIONS) if name.endswith(".waiting.parquet")]
    return date.fromisoformat(max(names)[:10]) if names else None


def _waiting(week: date) -> str:
    return f"{week}.waiting"


def kept_for_pairs(folder: ParquetFolder, week: date, settings: CurationSettings) -> Curated:
    """`kept`, with the text of those examples alone that pairs are made of: corrections, and answers to an input that
    has some of either label. The others' is null."""
    rows = folder.scan(TRAINING_EXAMPLES, [week])
    corrections = rows.filter(pl.col("kind") == "correction").select("example_id").collect()
    return _with_texts_of(folder, week, settings, pl.concat([corrections, likely_pairs(rows)])["example_id"])


def kept_for_cases(folder: ParquetFolder, week: date, settings: CurationSettings) -> Curated:
    """`kept`, with the text of the failures and corrections alone, of which regression cases are made."""
    rows = folder.scan(TRAINING_EXAMPLES, [week]).filter(is_case())
    return _with_texts_of(folder, week, settings, rows.select("example_id").collect().to_series())


def _with_texts_of(folder: ParquetFolder, week: date, settings: CurationSettings, wanted: pl.Series) -> Curated:
    """The curation of a week with the text of the wanted examples; the others' is null."""
    rows = folder.scan(TRAINING_EXAMPLES, [week])
    texts = of_ids(rows.select("example_id", "messages", "completion"), "example_id", wanted)
    curated = kept(folder, week, settings, texts=False)
    told = curated.examples.join(
        texts.collect(engine="streaming"), on="example_id", how="left", maintain_order="left"
    ).select(TRAINING_EXAMPLES.names)
    return replace(curated, examples=told)


def kept_pairs(folder: ParquetFolder, week: date, *, texts: bool = True) -> Pairs:
    """The preference pairs of a week (without `texts`, those without their text) and the funnel they came through."""
    return Pairs(_read(folder, PREFERENCE_PAIRS, week, texts), folder.read(FUNNEL, [pairs_funnel(week)]))


def kept_cases(folder: ParquetFolder, week: date) -> pl.DataFrame:
    """The regression suite of a week without its text."""
    return _read(folder, REGRESSION_CASES, week, texts=False)


def _read(folder: ParquetFolder, table: Table, week: date, texts: bool) -> pl.DataFrame:
    rows = folder.scan(table, [week])
    return (rows if texts else rows.drop(_TEXTS, strict=False)).collect()


def pairs_funnel(week: date) -> str:
    """The partition of FUNNEL that holds the stage `pairs` of a week."""
    return f"{week}.pairs"
