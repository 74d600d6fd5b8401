"""How many identifiers stand as placeholders in redacted texts: what was replaced, counted where it is kept."""

from collections.abc import Sequence

import polars as pl

from feedback_pipeline.privacy.placeholders import PLACEHOLDER
from feedback_pipeline.privacy.rules import placeholders


def replaced(rows: pl.LazyFrame, texts: Sequence[str]) -> dict[str, int]:
    """Placeholders in these columns by type, in the order of the rule table; types without any are left out.

    Only texts that hold one are taken apart, so the cost is that of one search.
    """
    known = placeholders()
    counts = dict.fromkeys(known, 0)
    for name in texts:
        held = rows.select(text=name).filter(pl.col("text").str.contains(PLACEHOLDER))
        types = held.select(pl.col("text").str.extract_all(PLACEHOLDER).explode().str.extract(PLACEHOLDER))
        for kind, count in types.group_by("text").len().collect().iter_rows():
            if kind in counts:
                counts[kind] += count
    return {kind: count for kind, count in counts.items() if count}
