"""What the documentation shows of commands: blocks after `<!-- run by the tests -->`, `$ command` and its lines."""

import re
from collections.abc import Iterator
from pathlib import Path

MARK = "<!-- run by the tests -->"


def shown_commands(page: Path) -> Iterator[tuple[list[str], list[str]]]:
    """Arguments of `feedback` and the lines that the page shows below it, in the order of the page."""
    text = page.read_text(encoding="utf-8")
    for block in re.findall(rf"{re.escape(MARK)}\n+```\w*\n(.*?)```", text, re.DOTALL):
        for part in re.split(r"^\$ feedback ", block, flags=re.MULTILINE)[1:]:
            command, *lines = part.rstrip().splitlines()
            yield command.split(), lines


def normalised(line: str) -> str:
    """A line without what differs from one home and day to the next: numbers, ids, dates, paths, widths."""
    line = re.sub(r"PATH( PATH)+", "PATH", re.sub(r"\S*/\S*", "PATH", line))  # a folder may have a space in its name
    line = re.sub(r"\b[0-9a-f]{8,}(-[0-9a-f]{4,})*\b", "ID", line)
    line = re.sub(r"[+-]?\d[\d,.:]*", "#", line)
    line = re.sub(r"#(-#)+", "#", line)
    return " ".join(line.split())


def not_printed(shown: list[str], printed: str) -> list[str]:
    """Lines shown that the command did not print, in this order; a line `…` stands for any number of others."""
    left = [normalised(line) for line in printed.splitlines()]
    missing = []
    for line in shown:
        if line.strip() == "…":
            continue
        wanted = normalised(line)
        if wanted in left:
            left = left[left.index(wanted) + 1 :]
        else:
            missing.append(line)
    return missing
