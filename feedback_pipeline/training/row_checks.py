"""Which rows keep the rules of a format, told from columns.

The lines of a file are joined from canonical parts, so what a line must be is asked of its parts: once a row, for all
formats together. A row is vouched for here only where the rules of `line_rules` would find nothing in its lines;
everything else is read by those rules, line by line.
"""

import polars as pl

from feedback_pipeline.training.messages import text_shapes

_TEXT = pl.col("text_shape").is_not_null()
_ALTERNATING = pl.col("text_shape") == "alternating"
_SIDES = pl.col("sides")
_CARRIED = pl.col("weight").is_finite() & (pl.col("weight") >= 0)
_TIMED = pl.col("timed")

VOUCHED: dict[str, pl.Expr] = {
    "messages": _TEXT & _SIDES,
    "weighted": _TEXT & _SIDES & _CARRIED,
    "export": _TEXT & _SIDES & _CARRIED & _TIMED,
    "positives": _TEXT & _SIDES,
    "alternating": _ALTERNATING & _SIDES,
    "preference": _TEXT & _SIDES,
    "trl_preference": _TEXT & _SIDES,
    "trl_kto": _TEXT & _SIDES,
    "llama_preference": _ALTERNATING & _SIDES,
    "llama_kto": _ALTERNATING & _SIDES,
    "promptfoo": _ALTERNATING & _SIDES,
    "vertex": _TEXT & _SIDES,
}
"""For each set of rules (`line_rules.RULES`), whether a row keeps them; reads the columns of `parts` and `weight`."""


def parts(source: pl.DataFrame) -> pl.DataFrame:
    """What the rules ask of the rows of TRAINING_EXAMPLES or PREFERENCE_PAIRS, in their order.

    Columns: `text_shape` (see `messages.text_shapes`), `sides` (every answer has text, and the two of a pair differ)
    and `timed` (it is known when).
    """
    if "completion" in source.columns:
        sides = pl.col("completion").str.len_bytes() > 0
        timed = pl.col("occurred_at").is_not_null() if "occurred_at" in source.columns else pl.lit(value=False)
    else:
        filled = (pl.col("chosen").str.len_bytes() > 0) & (pl.col("rejected").str.len_bytes() > 0)
        sides, timed = filled & (pl.col("chosen") != pl.col("rejected")), pl.lit(value=False)
    return source.select(
        text_shapes(source["messages"]).alias("text_shape"), sides=sides.fill_null(value=False), timed=timed
    )
