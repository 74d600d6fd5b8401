"""Lists that commands print: a table whose names are never cut, or with --json the same rows as values for programs."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from feedback_pipeline.cli.printing import json_text

Json = Annotated[bool, typer.Option("--json", help="Print JSON: a list with one object a row.")]


MAX_WIDTH = 1_000


class Listing:
    """Rows under named columns; values are what programs read, `shown` says how people see those of a column.

    Args:
        columns: names in order. The first says which row it is and is never cut.
        shown: by column, the text of a value; without one nothing is empty, yes and no are words, times go to the
            minute.
    """

    def __init__(self, *columns: str, **shown: Callable[[Any], str]) -> None:
        self._columns = columns
        self._shown: Mapping[str, Callable[[Any], str]] = shown
        self._rows: list[tuple[Any, ...]] = []

    def add(self, *values: Any) -> None:
        """Adds a row: one value a column.

        Raises:
            ValueError: there are more or fewer values than columns.
        """
        if len(values) != len(self._columns):
            raise ValueError(f"{len(values)} values for {len(self._columns)} columns")
        self._rows.append(values)

    def show(self, console: Console, as_json: bool, nothing: str = "Nothing to list.") -> None:
        """Prints the rows; `nothing` is said to people where there are none."""
        if as_json:
            rows = [dict(zip(self._columns, row, strict=True)) for row in self._rows]
            typer.echo(json_text(rows))
        elif self._rows:
            table = self._table()
            if console.measure(table, options=console.options.update(width=MAX_WIDTH)).maximum <= console.width:
                console.print(table)
            else:
                self._blocks(console)
        else:
            console.print(nothing, markup=False, highlight=False)

    def _blocks(self, console: Console) -> None:
        """Each row as lines, where a table would have to break its words."""
        longest = max(map(len, self._columns))
        for row in self._rows:
            for name, value in zip(self._columns, row, strict=True):
                shown = self._shown.get(name, _text)(value)
                if shown:
                    line = f"{name.replace('_', ' ').ljust(longest)}  {shown}"
                    console.print(line, markup=False, highlight=False, soft_wrap=True)
            console.print()

    def _table(self) -> Table:
        table = Table(box=None)
        for place, name in enumerate(self._columns):
            table.add_column(name.replace("_", " "), no_wrap=place == 0, overflow="fold")
        for row in self._rows:
            cells = zip(self._columns, row, strict=True)
            table.add_row(*(Text(self._shown.get(name, _text)(value)) for name, value in cells))
        return table


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value))
    return str(value)
