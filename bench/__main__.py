"""`make bench`: every package's rows, in one table. `python -m bench PACKAGE …` runs some of them."""

import argparse
import importlib
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

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
)


def main() -> int:
    """Prints the table; rows appear as they are measured."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("packages", nargs="*", choices=[*PACKAGES, []], help="packages to measure; all by default")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    chosen = parser.parse_args()
    console = Console(width=160)
    rows: list[dict[str, str]] = []
    for package in chosen.packages or PACKAGES:
        console.print(f"measuring {package} …", style="dim")
        rows += importlib.import_module(f"bench.{package}").rows()
    table = Table("work", "ours", "peer or limit", "ratio", "note")
    for row in rows:
        table.add_row(*(str(row.get(name, "")) for name in ("work", "ours", "peer", "ratio", "note")))
    console.print(table)
    if chosen.json:
        chosen.json.write_text(json.dumps(rows, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
