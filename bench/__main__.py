"""`make bench`: every package's rows, in one table; `python -m bench PACKAGE …` runs some of them.

A row that cannot be measured says why, and the others are measured all the same; the command then fails. The table is
kept as JSON with the machine, the time and the commit, and the loop's time and memory as a drawing beside it.
"""

import argparse
import importlib
import json
import sys
import traceback
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import machine, plot
from bench.rows import Row, Size, complete

PACKAGES = (
    "loop",
    "ingest",
    "redaction",
    "cleaning",
    "cleaning_store",
    "erasure",
    "patterns",
    "judging",
    "training",
    "lineage",
    "capture",
    "experiments",
    "growth",
)
LONG = ("growth",)
"""Left out of the table at full size, unless they are named."""
RESULTS = Path(__file__).parent / "results"


def measured(package: str, size: Size) -> list[Row]:
    """A package's rows; the last says what went wrong where it cannot be measured, or not to its end."""
    found: list[Row] = []
    try:
        for row in importlib.import_module(f"bench.{package}").rows(size):
            found.append(complete(row))
    except Exception as error:  # noqa: BLE001 (said in the table, and the command fails)
        traceback.print_exc()
        said = (str(error).strip() or "no words").splitlines()[-1]
        found.append(Row(work=package, ours="failed", peer="", note=f"{type(error).__name__}: {said}", failed=True))
    return found


def main() -> int:
    """Prints the table; 1 where a package could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("packages", nargs="*", choices=[*PACKAGES, []], help="packages to measure; all by default")
    parser.add_argument("--small", action="store_true", help="a few rows of everything: whether it runs, in seconds")
    parser.add_argument("--large", action="store_true", help="3,000,000 votes and 3 years too (40 GB of disk)")
    parser.add_argument("--json", type=Path, help="where the figures are kept; bench/results by default, if not small")
    chosen = parser.parse_args()
    size: Size = "small" if chosen.small else "large" if chosen.large else "full"
    console = Console(width=200)
    described = machine.described()
    rows: list[Row] = []
    for package in chosen.packages or [one for one in PACKAGES if size != "full" or one not in LONG]:
        console.print(f"measuring {package} …", style="dim")
        rows += measured(package, size)
    table = Table("work", "ours", "peer or limit", "ratio", "note")
    for row in rows:
        table.add_row(*(str(row.get(name) or "") for name in ("work", "ours", "peer", "ratio", "note")))
    console.print(table)
    target = chosen.json or (
        None if chosen.small else RESULTS / f"{str(described['at'])[:10]}-{described['commit']}.json"
    )
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps({"machine": described, "size": size, "rows": rows}, indent=1, default=str) + "\n")
        console.print(f"kept in {target}", style="dim")
        if drawing := plot.of_loop(rows):
            target.with_suffix(".svg").write_text(drawing)
    return 1 if any(row.get("failed") for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
