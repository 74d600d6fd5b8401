"""Which files of a folder of reports are reports."""

from datetime import date
from pathlib import Path

from upath import UPath

from feedback_pipeline.reports.published import starts
from feedback_pipeline.tables.parquet import ParquetFolder


def test_what_stands_beside_a_report_is_none(tmp_path: Path) -> None:
    folder = tmp_path / "weekly_report"
    folder.mkdir()
    for name in (
        "2026-11-09.json",
        "2026-11-02.json",
        "2026-11-09.tenants.json",
        ".2026-11-16.json",
        "2026-11-02.html",
    ):
        (folder / name).write_text("{}")
    frames = ParquetFolder(UPath(tmp_path))
    assert starts(frames, "weekly", ".json") == [date(2026, 11, 2), date(2026, 11, 9)]
    assert starts(frames, "weekly", ".html") == [date(2026, 11, 2)]
    assert starts(frames, "monthly", ".json") == []
