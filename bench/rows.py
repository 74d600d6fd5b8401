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
        ratio: ours against the peer's; better is greater where `ours` is a rate, and less where it is a time.
        note: what else the figure needs to be read by.
        failed: it could not be measured; `note` says why.
        figures: the same as numbers, for the drawing: votes, seconds (`wall`, `cpu`), bytes (`peak`).
    """

    work: str
    ours: str | None
    peer: str | None
    ratio: str | float | None
    note: str
    failed: bool
    figures: dict[str, Any]


def complete(row: Row) -> Row:
    """The row, if it can stand in the table.

    Raises:
        ValueError: it has no work, or nothing beside ours: a figure alone says nothing.
    """
    if not row.get("work") or not row.get("peer"):
        raise ValueError(f"the row {row.get('work')!r} has no peer or limit beside it")
    return row
