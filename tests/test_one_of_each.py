"""What is written in one place only: a second copy would sooner or later say something else."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ONLY_HERE = {
    "the pattern of a placeholder": (r"\\\[\(?\[A-Z\]\[A-Z_\]\*\)?_", {"privacy/placeholders.py"}),
    "reading a query of a folder": (r"\{name\}\.sql|QUERIES /", {"store/statements.py"}),
    "the Monday of a day": (r"timedelta\(days=\w+(\.\w+)*\.weekday\(\)\)", {"calendar.py"}),
    "the first of a month": (r"\.replace\(day=1\)", {"calendar.py"}),
    "the ISO week of a day": (r"isocalendar\(\)", {"calendar.py"}),
    "an HMAC of two hashes": (r"0x5C|0x36\b", set()),
}  # fmt: skip


def modules() -> Iterator[Path]:
    for folder in ("feedback_pipeline", "assets", "jobs"):
        yield from (ROOT / folder).rglob("*.py")


@pytest.mark.parametrize("what", ONLY_HERE)
def test_it_is_written_in_one_place(what: str) -> None:
    pattern, places = ONLY_HERE[what]
    found = {
        str(path.relative_to(ROOT / "feedback_pipeline")) if path.is_relative_to(ROOT / "feedback_pipeline")
        else str(path.relative_to(ROOT))
        for path in modules()
        if re.search(pattern, path.read_text())
    }  # fmt: skip
    assert found == places
