"""The funnel of curation: how many rows each step took in and dropped."""

from dataclasses import dataclass, field

import polars as pl

from feedback_pipeline.training.tables import FUNNEL


@dataclass
class Funnel:
    """Collects the steps of one stage, in the order they are taken."""

    stage: str
    rows: list[dict[str, str | int]] = field(default_factory=list)

    def keep(self, frame: pl.DataFrame, condition: pl.Expr, step: str, unit: str, reason: str) -> pl.DataFrame:
        """The rows of `frame` that meet `condition` (null does not); the others are counted under `step`."""
        kept = frame.filter(condition)
        self.count(frame.height, kept.height, step, unit, reason)
        return kept

    def count(self, rows_in: int, rows_out: int, step: str, unit: str, reason: str) -> None:
        """Records a step that was taken elsewhere."""
        self.rows.append(
            {
                "position": len(self.rows) + 1,
                "stage": self.stage,
                "step": step,
                "unit": unit,
                "rows_in": rows_in,
                "rows_dropped": rows_in - rows_out,
                "reason": reason,
            }
        )

    def frame(self) -> pl.DataFrame:
        """The steps as FUNNEL."""
        return FUNNEL.conform(pl.DataFrame(self.rows, schema={name: FUNNEL.schema[name] for name in FUNNEL.names}))


def printed(funnel: pl.DataFrame) -> str:
    """A funnel as lines of text for a terminal; counts and our own words only."""
    lines = []
    for row in funnel.sort("stage", "position").iter_rows(named=True):
        left = row["rows_in"] - row["rows_dropped"]
        lines.append(f"{row['step']:<28}{row['rows_in']:>9} {row['unit']:<11}−{row['rows_dropped']:<8} → {left}")
    return "\n".join(lines)
