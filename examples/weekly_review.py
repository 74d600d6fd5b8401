"""The weekly review by a schedule of your own: report, patterns and recommendations from a table of feedback.

The pipeline's own schedule does this every Monday (docs/first_hour.md); this is the same for a table that lives
elsewhere, as a function that cron, Airflow or Dagster may call.
"""

import json
import sys
import tempfile
from pathlib import Path

import pandas as pd

from feedback_pipeline import InsufficientFeedbackError, analyze_patterns, generate_report


def review(feedback: pd.DataFrame, folder: Path) -> Path:
    """Writes the week's report; returns its path."""
    try:
        found = analyze_patterns(feedback, days=7)
    except InsufficientFeedbackError as error:
        sys.exit(f"nothing to review: {error}")
    print(f"{found.total_feedback} votes, {found.success_rate:.0%} successful")
    for line in found.recommendations[:3]:
        print("recommended:", line)
    target = folder / "report.json"
    generate_report(feedback, "weekly", str(target))
    return target


votes = pd.DataFrame({
    "timestamp": [f"2026-11-{16 + n % 7}T10:00:00Z" for n in range(200)], "prompt": [f"q{n}" for n in range(200)],
    "output": "a", "thumbs_up": [n % 4 != 0 for n in range(200)], "user_id": [f"u{n % 60}" for n in range(200)],
    "framework": [("react", "role")[n % 2] for n in range(200)],
})  # fmt: skip
path = review(votes, Path(tempfile.mkdtemp()))
print("report for", json.loads(path.read_text())["period"])
