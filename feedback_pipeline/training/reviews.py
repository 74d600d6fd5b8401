"""What waits for a person before it may be trained on: collected while a window is curated.

A correction is reviewed as a text to be taught; an answer as one that may be trained on as people judged it. A decision
about a correction says nothing about the answer it corrects.
"""

from dataclasses import dataclass, field

import polars as pl

from feedback_pipeline.training.tables import REVIEW_REASONS, WAITING


@dataclass
class ReviewQueue:
    """What reviewers decided before, and what this curation would need them for.

    Attributes:
        accepted: feedback_ids let in.
        rejected: feedback_ids kept out.
        held: parts of WAITING.
    """

    accepted: pl.Series
    rejected: pl.Series
    held: list[pl.DataFrame] = field(default_factory=list)

    def hold(self, rows: pl.DataFrame, reason: str) -> None:
        """Notes corrections or answers that a review would let in."""
        held = rows.with_columns(reason=pl.lit(reason), feedback_id=pl.col("feedback_ids").list.first())
        self.held.append(held.select(WAITING.names))

    def hold_answers(self, rows: pl.DataFrame, corrections: pl.Series, reason: str) -> None:
        """`hold` for answers: those that somebody judged, and not merely corrected (the ids of `corrections`)."""
        numbered = rows.with_row_index("row")
        # a filter inside of the lists would hold all the corrections once for each row
        judged = (
            numbered.select("row", "feedback_ids")
            .explode("feedback_ids")
            .filter(~pl.col("feedback_ids").is_in(corrections.implode()))
            .group_by("row", maintain_order=True)
            .agg("feedback_ids")
        )
        self.hold(numbered.drop("feedback_ids").join(judged, on="row", maintain_order="left"), reason)

    def frame(self) -> pl.DataFrame:
        """WAITING: corrections first, as they teach most; of each kind the oldest first, before their text is gone."""
        if not self.held:
            return WAITING.empty()
        order = pl.col("reason").replace_strict({reason: place for place, reason in enumerate(REVIEW_REASONS)})
        return WAITING.conform(pl.concat(self.held, how="vertical_relaxed").sort(order, "occurred_at", "feedback_id"))


def any_of(column: str, ids: pl.Series) -> pl.Expr:
    """True where a list holds at least one of the ids."""
    if ids.is_empty():
        return pl.lit(value=False)
    return pl.col(column).list.eval(pl.element().is_in(ids.implode())).list.any()


def undecided(waiting: pl.DataFrame, decided: pl.Series) -> pl.DataFrame:
    """Those of WAITING nobody decided about since (`decided`: feedback_ids)."""
    return waiting.filter(~any_of("feedback_ids", decided))
