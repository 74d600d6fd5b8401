"""What a row of the performance table is."""

from typing import Any, Literal, TypedDict

Size = Literal["small", "full", "large"]
"""How much is measured: `small` shows that it runs, `full` is the table, `large` adds what takes hours or much disk."""


class Row(TypedDict, total=False):
    """One figure of ours beside a peer's or a limit.

    Attributes:
        work: what was done, and to how much.
        ours: our figure with its unit; None where a tool that measures it is not installed, which `note` says.
        peer: another's figure measured in the same run, or the limit that is asked, with its unit.
        ratio: how many times as good as what is beside it, above 1 better: `more_is_better` or `less_is_better`.
        note: what else the figure needs to be read by.
        failed: it could not be measured; `note` says why.
        figures: the same as numbers, for the drawing: votes, seconds (`wall`, `cpu`), bytes (`peak`).
    """

    work: str
    ours: str | None
    peer: str | None
    ratio: str
    note: str
    failed: bool
    figures: dict[str, Any]


def more_is_better(ours: float, peer: float) -> str:
    """The ratio of rates and counts."""
    return f"{ours / peer:.2f}×"


def less_is_better(ours: float, peer: float) -> str:
    """The ratio of times, sizes and costs."""
    return f"{peer / ours:.2f}×" if ours > 0 else ""


def complete(row: Row) -> Row:
    """The row, if it can stand in the table.

    Raises:
        ValueError: it has no work, or nothing beside ours: a figure alone says nothing.
    """
    if not row.get("work") or not row.get("peer"):
        raise ValueError(f"the row {row.get('work')!r} has no peer or limit beside it")
    return row
