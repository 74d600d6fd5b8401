"""Which rows a file holds and in which order: shared by every format that asks for the same.

Rows are ordered so that neighbours never share a group of prompts where that can be helped: trainers batch in file
order, and KTO takes its reference from the neighbours in a batch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from feedback_pipeline.training.curation import Curated
from feedback_pipeline.training.formats import ALTERNATING, ANY_SHAPE, TEXT_SHAPES, Format
from feedback_pipeline.training.regression import new_cases
from feedback_pipeline.training.row_checks import VOUCHED, parts
from feedback_pipeline.training.tables import CONTEXTS, SPLITS
from feedback_pipeline.training.weights import WeightPolicy, policy_weight, with_copies

_SHAPE_NAMES = {ANY_SHAPE: "any", TEXT_SHAPES: "text", ALTERNATING: "alternating"}


@dataclass(frozen=True)
class Layout:
    """A sequence of lines.

    Attributes:
        name: what files and lineage call it.
        split: train, validation or holdout; `all` where one file holds every split.
        context: full or partial; `all` where one file holds both.
        lines: one row a line, in order: `row` (number in `source`), `row_id`, `copy` and `weight`.
        source: TRAINING_EXAMPLES, REGRESSION_CASES or PREFERENCE_PAIRS; text is taken from it only block by block.
        examples: how many different rows there are.
    """

    name: str
    split: str
    context: str
    lines: pl.DataFrame
    source: pl.DataFrame
    examples: int

    def blocks(self, size: int, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """The lines with columns of their source (and `weight`), at most `size` at a time."""
        narrow = self.source.select(name for name in columns if name != "weight")
        for part in self.lines.iter_slices(size):
            yield narrow[part["row"]].with_columns(part["weight"])


class Layouts:
    """The layouts of one dataset, each made once."""

    def __init__(
        self, curated: Curated, pairs: pl.DataFrame, policy: WeightPolicy, cases: pl.DataFrame | None = None
    ) -> None:
        """`cases` is the regression suite (REGRESSION_CASES); by default the failures of this window alone, made where
        a format asks for them."""
        self._curated, self._cases, self._policy = curated, cases, policy
        self._sources = {"examples": curated.examples, "pairs": pairs}
        self._narrow = {
            "examples": _narrow(curated.examples, policy),
            "pairs": pairs.select(
                "split", "context", "shape", "cluster", row_id="pair_id", weight=pl.col("importance").round(4)
            ).with_row_index("row"),
        }
        self._key = curated.settings.key
        self._made: dict[str, Layout] = {}
        self._alike: dict[object, Layout] = {}
        self._parts: dict[str, pl.DataFrame] = {}

    def of(self, format_: Format) -> list[Layout]:
        """The layouts of a format's files, the empty ones included."""
        if format_.one_file:
            return [self._layout(format_, "all", "all")]
        return [self._layout(format_, split, context) for context in CONTEXTS for split in SPLITS]

    def skipped(self, format_: Format, split: str, context: str) -> int:
        """Rows of a split and context whose shape the format cannot express."""
        return self._rows(format_, split, context).filter(~pl.col("shape").is_in(format_.shapes)).height

    def vouched(self, format_: Format, layout: Layout) -> pl.Series:
        """For each line of a layout, whether its row keeps the format's rules (see `row_checks`)."""
        if format_.rules is None:
            return pl.repeat(value=True, n=layout.lines.height, eager=True)
        kind = _kind(format_)
        if kind not in self._parts:
            self._parts[kind] = parts(self._source(kind))
        told = self._parts[kind][layout.lines["row"]].with_columns(layout.lines["weight"])
        return told.select(VOUCHED[format_.rules].fill_null(value=False)).to_series()

    def _known(self, kind: str) -> str:
        if kind == "cases" and kind not in self._sources:
            tests = new_cases(self._curated) if self._cases is None else self._cases
            self._sources[kind], self._narrow[kind] = tests, _narrow(tests, self._policy)
        return kind

    def _source(self, kind: str) -> pl.DataFrame:
        return self._sources[self._known(kind)]

    def _rows(self, format_: Format, split: str, context: str) -> pl.DataFrame:
        wanted = _task_rows(format_)
        if split != "all":
            wanted &= pl.col("split") == split
        if context != "all":
            wanted &= pl.col("context") == context
        return self._narrow[self._known(_kind(format_))].filter(wanted)

    def _layout(self, format_: Format, split: str, context: str) -> Layout:
        name = ".".join((format_.task, format_.weighting, _SHAPE_NAMES[format_.shapes], context, split))
        if name not in self._made:
            self._made[name] = self._make(name, format_, split, context)
        return self._made[name]

    def _make(self, name: str, format_: Format, split: str, context: str) -> Layout:
        rows = self._rows(format_, split, context).filter(pl.col("shape").is_in(format_.shapes))
        # shapes are nested, so as many rows are the same rows
        ours = (format_.task, format_.weighting, context, split, rows.height)
        if ours in self._alike:
            return replace(self._alike[ours], name=name)
        if split in ("validation", "holdout"):
            rows = rows.with_columns(weight=pl.lit(1.0))
        if format_.weighting == "copies" and split == "train":
            lines = with_copies(rows, "row_id", self._key)
        else:
            lines = rows.with_columns(copy=pl.lit(0, dtype=pl.UInt8))
        ordered = lines if format_.task == "table" else spread(lines)
        source = self._source(_kind(format_))
        lines = ordered.select("row", "row_id", "copy", "weight")
        self._alike[ours] = Layout(name, split, context, lines, source, rows.height)
        return self._alike[ours]


def _narrow(examples: pl.DataFrame, policy: WeightPolicy) -> pl.DataFrame:
    columns = ("split", "context", "shape", "label", "kind", "cluster")
    weighed = examples.select(*columns, row_id="example_id", weight=policy_weight(policy))
    return weighed.with_row_index("row")


def _kind(format_: Format) -> str:
    return {"preference": "pairs", "cases": "cases"}.get(format_.task, "examples")


def _task_rows(format_: Format) -> pl.Expr:
    if format_.task == "supervised":
        # A rejected answer is left out wherever its smaller weight would be lost.
        return (pl.col("weight") > 0) if format_.weighting == "carried" else pl.col("label") & (pl.col("weight") > 0)
    return pl.lit(value=True)


def spread(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows (sorted by id, copies together) in rounds: one of each group of prompts a round, groups in the order
    of their number, which is a hash and says nothing about them."""
    together = rows.sort("cluster", maintain_order=True)
    first = together["cluster"].ne_missing(together["cluster"].shift()).to_numpy().copy()
    first[:1] = True
    places = np.arange(first.size)
    rounds = places - np.maximum.accumulate(np.where(first, places, 0))
    # NumPy sorts numbers of 16 bits by counting
    few = rounds.astype(np.uint16) if rounds.max(initial=0) < 2**16 else rounds
    return together[np.argsort(few, kind="stable")]
